// Writes the seed corpora of the fuzz targets, one directory per target, and the keys they need.
// Usage: make_seeds DIRECTORY. Everything is made by the writers of trust/ with keys made now;
// nothing that was there is kept.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fakes/test_pki.h"
#include "tests/fuzz/fuzz_keys.h"
#include "trust/bundle.h"
#include "trust/dhcp_message.h"
#include "trust/exchange.h"
#include "trust/exchange_names.h"
#include "trust/sha256.h"
#include "trust/signed_file/signed_file.h"
#include "trust/trust_list/list_writer.h"
#include "trust/tvs/message.h"

namespace trustline {
namespace {

using testing::TestIdentity;
using testing::TestPki;

std::string root;

void Write(const std::string& path, absl::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  if (out) return;
  std::fprintf(stderr, "make_seeds: cannot write %s\n", path.c_str());
  std::exit(1);
}

void Seed(const std::string& target, const std::string& name, absl::string_view bytes) {
  Write(absl::StrCat(root, "/corpus/", target, "/", name), bytes);
}

struct Keys {
  TestPki pki;
  TestIdentity agent = pki.AgentIdentity("dst-pub");
  PrivateKey signer_key = PrivateKey::GenerateRsa(1024).value();
  Certificate signer = SelfSigned("dst-pub", signer_key);
  PrivateKey phone_key = PrivateKey::GenerateRsa(1024).value();
  Certificate phone = SelfSigned("SEP001B54AABB01", phone_key);

  static Certificate SelfSigned(const std::string& name, const PrivateKey& key) {
    SubjectNames names;
    names.common_name = name;
    names.organizational_unit = "voice";
    return MakeSelfSigned(names, key, TestPki::ValidFrom(), absl::Hours(24 * 3650)).value();
  }
};

void WriteKeys(const Keys& keys) {
  Write(fuzz::FuzzCertificatePath("root"), keys.pki.authority.certificate.ToPem());
  Write(fuzz::FuzzCertificatePath("agent"), keys.agent.certificate.ToPem());
  Write(fuzz::FuzzKeyPath("agent"), keys.agent.key.ToPkcs8Pem());
  Write(fuzz::FuzzCertificatePath("signer"), keys.signer.ToPem());
  Write(fuzz::FuzzKeyPath("phone"), keys.phone_key.ToPkcs8Pem());
}

void TrustLists(const Keys& keys) {
  TrustListDraft draft;
  draft.timestamp = TestPki::SomeTime();
  draft.records = {MakeRecord(keys.signer, ListRole::kSast, "dst-pub", {10, 20, 0, 11}).value(),
                   MakeRecord(keys.signer, ListRole::kCcmTftp, "dst-pub", {10, 20, 0, 11}).value(),
                   MakeRecord(keys.phone, ListRole::kTvs, "dst-sub1", {10, 20, 0, 12}).value()};
  Seed("trust_list", "itl", WriteTrustList(draft, keys.signer, keys.signer_key).value());
  draft.digest = SignatureDigest::kSha512;
  draft.signer_version = ListVersion{1, 1};
  Seed("trust_list", "itl-sha512", WriteTrustList(draft, keys.signer, keys.signer_key).value());
  draft.file_name = kCtlFileName;
  draft.records.pop_back();
  draft.records.push_back(MakeEmptyRecord(ListRole::kCcmTftp, "", {10, 20, 0, 13}));
  Seed("trust_list", "ctl", WriteTrustList(draft, keys.signer, keys.signer_key).value());
}

void SignedFiles(const Keys& keys) {
  SignedFileOptions options{"SEP001B54AABB01.cnf.xml.sgn", TestPki::SomeTime()};
  const std::string body = "<device><fullConfig>true</fullConfig></device>\n";
  Seed("signed_file", "sgn", WriteSignedFile(body, options, keys.signer, keys.signer_key).value());
  options.digest = SignatureDigest::kSha512;
  Seed("signed_file", "sgn-sha512",
       WriteSignedFile(body, options, keys.signer, keys.signer_key).value());
  Seed("signed_file", "empty", WriteSignedFile("", options, keys.signer, keys.signer_key).value());
  options.name = "SEP001B54AABB01.cnf.xml.enc.sgn";
  options.digest = SignatureDigest::kSha1;
  for (const std::string& text : {body, std::string(), std::string(16, 'x')}) {
    const std::string file =
        WriteEncryptedFile(text, options, keys.signer, keys.signer_key, keys.phone).value();
    Seed("encrypted_file", absl::StrCat("enc-", text.size()), file);
  }
}

void Tvs(const Keys& keys) {
  // The byte in front says how the stream is cut (tvs_fuzz.cc).
  TvsRequest query;
  query.session = 7;
  query.device = "CP-8861-SEPB000B4BA0AEE";
  query.subject = keys.signer.subject();
  query.issuer = keys.signer.issuer();
  query.serial = keys.signer.serial();
  TvsRequest verify = query;
  verify.kind = TvsKind::kVerify;
  verify.certificate = keys.signer.der();
  verify.subject = verify.issuer = verify.serial = "";
  TvsReply found;
  found.session = 7;
  found.reserved = 0xf7;
  found.certificate = keys.signer.der();
  found.roles = {static_cast<uint8_t>(ListRole::kSast), static_cast<uint8_t>(ListRole::kCcmTftp)};
  found.ttl = absl::Hours(24);
  TvsReply unknown;
  unknown.status = 1;
  TvsReply valid = unknown;
  valid.kind = TvsKind::kVerify;
  valid.status = 0;
  valid.roles = found.roles;
  const std::string q = EncodeTvsRequest(query).value(), v = EncodeTvsRequest(verify).value();
  const std::string f = EncodeTvsReply(found).value(), u = EncodeTvsReply(unknown).value();
  Seed("tvs", "query", absl::StrCat("\x10", q));
  Seed("tvs", "verify", absl::StrCat("\xff", v));
  Seed("tvs", "found", absl::StrCat("\x20", f));
  Seed("tvs", "unknown", absl::StrCat("\x03", u));
  Seed("tvs", "valid", absl::StrCat("\x01", EncodeTvsReply(valid).value()));
  Seed("tvs", "stream", absl::StrCat("\x05", q, v, f, u));
}

void Bundles(const Keys& keys) {
  const std::vector<BundleEntry> entries = {{keys.signer, "CallManager of dst-pub"},
                                            {keys.phone, "LSC"}};
  Seed("bundle", "modern.p12", WritePkcs12(entries, "password", BundleProfile::kModern).value());
  Seed("bundle", "3des.p12", WritePkcs12(entries, "password", BundleProfile::kCompat3Des).value());
  Seed("bundle", "other-password.p12",
       WritePkcs12(entries, "other", BundleProfile::kModern).value());
  Seed("bundle", "all.pem", WritePem(entries));
  Seed("bundle", "one.der", keys.signer.der());
  Seed("bundle", "request.pem",
       MakeRequest({"example.test", IdentityKind::kAgent, "dst-pub"}, keys.agent.key).value());
  Seed("bundle", "key.pem",
       absl::StrCat("-----BEGIN PRIVATE ", "KEY-----\nMAAA\n-----END PRIVATE ", "KEY-----\n"));
}

void Manifests(const Keys& keys) {
  const ExpectedExport who{"dst", "dst-pub", "CallManager"};
  v1::Manifest manifest;
  manifest.set_exchange("spring");
  manifest.set_cluster(who.cluster);
  manifest.set_node(who.node);
  manifest.set_unit(who.unit);
  manifest.set_sequence(1);
  manifest.add_certificates(keys.signer.sha256());
  manifest.set_object(ExportObject(who, 1, SetName({keys.signer.sha256()})));
  manifest.set_object_sha256(Sha256("bundle"));
  manifest.set_created_unix(absl::ToUnixSeconds(TestPki::SomeTime()));
  // The byte in front is the mode (manifest_fuzz.cc).
  Seed("manifest", "sealed", absl::StrCat("s", manifest.SerializeAsString()));
  const auto file = [](const std::string& name, const std::string& bytes) {
    return absl::StrCat(std::string(1, static_cast<char>(name.size())), name,
                        std::string(1, static_cast<char>(bytes.size() >> 8)),
                        std::string(1, static_cast<char>(bytes.size())), bytes);
  };
  const std::string envelope = Seal("trustline.v1.Manifest", manifest.SerializeAsString(),
                                    keys.agent.key, keys.agent.certificate)
                                   ->SerializeAsString();
  const auto name = [&](uint64_t sequence) {
    const std::string path = ManifestFile(who, sequence);
    return path.substr(path.rfind('/') + 1);
  };
  Seed("manifest", "file", absl::StrCat("f", file(name(1), envelope)));
  Seed("manifest", "replayed", absl::StrCat("f", file(name(1), envelope), file(name(2), envelope)));
  Seed("manifest", "names", absl::StrCat("f", file("readme.txt", ""), file(name(3), "torn")));
}

void Dhcp() {
  DhcpMessage ack;
  ack.op = 2;
  ack.xid = 0x12345678;
  ack.yiaddr = 0x0a1e000a;
  ack.chaddr = {0, 0x1b, 0x54, 0xaa, 0xbb, 1};
  ack.type = DhcpType::kAck;
  ack.options[54] = EncodeOption150({0x0a1e0002});
  ack.options[kOptionTftpServers] = EncodeOption150({0x0a14000b, 0x0a14000c});
  Seed("dhcp_reply", "ack", EncodeDhcp(ack));
  ack.options[kOptionRelayInformation] = std::string("\x05\x04\x0a\x1e\x00\x00", 6);
  ack.options[43] = std::string(300, 'v');  // split in two (RFC 3396)
  Seed("dhcp_reply", "long", EncodeDhcp(ack));
  ack.type = DhcpType::kOffer;
  ack.options = {{52, std::string(1, '\3')}};
  std::string overloaded = EncodeDhcp(ack);
  overloaded.replace(108, 10, std::string("\x96\x08\x0a\x14\x00\x0b\x0a\x14\x00\x0c", 10));
  overloaded[118] = '\xff';
  Seed("dhcp_reply", "overload", overloaded);
}

void Phones() {
  const auto row = [](const std::string& label, const std::string& value) {
    return absl::StrCat("<TR><TD><B> ", label, "</B></TD><td width=20></TD><TD><B>", value,
                        "</B></TD></TR>\n");
  };
  const std::string begin = absl::StrCat(
      "<HTML><BODY><TABLE><TR><td><B>Network setup</B><p>Cisco IP Phone CP-8861 ( SEP001B54AABB01 "
      ")</td></TR><TR><td><TABLE>",
      row("MAC address", "001B54AABB01"), row("Host name", "SEP001B54AABB01"), row("DHCP", "Yes"),
      row("IP address", "10.30.0.77"), row("Subnet mask", "255.255.255.0"),
      row("Alternate TFTP", "No"), row("TFTP server 1", "10.10.0.11"),
      row("CUCM server1", "src&#x2D;pub.example.net  Active"));
  const std::string end = absl::StrCat(row("TVS", "src&#x2D;pub.example.net"),
                                       "</TABLE></TD></TR></TABLE></BODY></HTML>");
  Seed("phone_page", "lists",
       absl::StrCat(
           begin, row("CTL file", "Not installed"), row("ITL file", "Installed"),
           row("ITL signature", "20 8C 50 B7 55 98 B7 2F 91 7A 39 48 1D AB 40 40 CF B0 43 11 "),
           end));
  Seed("phone_page", "old", absl::StrCat(begin, end));
  Seed("evidence_csv", "minimal", "device\nSEP001B54AABB01\n# a remark\n\nSEP001B54AABB02\n");
  Seed(
      "evidence_csv", "full",
      "device,mac,address,subnet,model,itl,ctl,tvs,tftp,alternate_tftp,abilities,excluded,read_at\n"
      "SEP001B54AABB01,00:1b:54:aa:bb:01,10.30.0.77,10.30.0.0/24,CP-8861,"
      "208c50b75598b72f917a39481dab4040cfb04311,none,src-pub src-sub1:2446,10.10.0.11,no,"
      "no-sha512,\"in a box, \"\"lost\"\"\",2026-11-22T10:00:00Z\r\n");
}

}  // namespace
}  // namespace trustline

int main(int argc, char** argv) {
  using namespace trustline;  // NOLINT
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_seeds DIRECTORY\n");
    return 64;
  }
  root = argv[1];
  std::filesystem::remove_all(root + "/corpus");
  const Keys keys;
  WriteKeys(keys);
  TrustLists(keys);
  SignedFiles(keys);
  Tvs(keys);
  Bundles(keys);
  Manifests(keys);
  Dhcp();
  Phones();
  return 0;
}
