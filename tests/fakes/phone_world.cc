#include "tests/fakes/phone_world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "trust/directory_name.h"
#include "trust/signed_file/signed_file.h"

namespace trustline::testing {
namespace {

template <typename T>
T Must(absl::StatusOr<T> value, const char* what) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "phone world: %s: %s\n", what, value.status().ToString().c_str());
  std::abort();
}

TrustListRecord Record(const Certificate& certificate, ListRole role, const PhoneNode& node) {
  return Must(MakeRecord(certificate, role, node.name), "make a record");
}

std::string Write(const TrustListDraft& draft, const Certificate& signer) {
  return Must(WriteTrustList(draft, signer, TestPki::UnitKey()), "write a list");
}

TrustListDraft DraftOf(const char* file, const PhoneNode& node, const ListOptions& options,
                       const Certificate& recovery) {
  TrustListDraft draft;
  draft.file_name = file;
  draft.digest = options.digest;
  draft.timestamp = absl::FromUnixSeconds(options.timestamp);
  if (options.recovery_signs) draft.records.push_back(Record(recovery, ListRole::kSast, node));
  draft.records.push_back(Record(node.callmanager, ListRole::kSast, node));
  for (const Certificate& more : options.more_sast)
    draft.records.push_back(Record(more, ListRole::kSast, node));
  draft.records.push_back(
      Record(node.callmanager, options.mixed ? ListRole::kCcmTftp : ListRole::kTftp, node));
  return draft;
}

}  // namespace

PhoneNode MakePhoneNode(const std::string& name, const std::string& address) {
  return {name, address, TestPki::UnitCertificate("callmanager_" + name),
          TestPki::UnitCertificate("tvs_" + name), TestPki::UnitCertificate("ITLRECOVERY_" + name)};
}

std::string MakeItl(const PhoneNode& node, const std::vector<PhoneNode>& cluster,
                    const ListOptions& options) {
  const Certificate& recovery =
      options.other_recovery != nullptr ? options.other_recovery->itlrecovery : node.itlrecovery;
  TrustListDraft draft = DraftOf(kItlFileName, node, options, recovery);
  for (const PhoneNode& member : cluster)
    draft.records.push_back(Record(member.tvs, ListRole::kTvs, member));
  return Write(draft, options.recovery_signs ? recovery : node.callmanager);
}

std::string MakeCtl(const PhoneNode& publisher, const ListOptions& options) {
  ListOptions mixed = options;
  mixed.mixed = true;
  return Write(DraftOf(kCtlFileName, publisher, mixed, publisher.itlrecovery),
               options.recovery_signs ? publisher.itlrecovery : publisher.callmanager);
}

std::string Resigned(const std::string& list, const PrivateKey& key) {
  TrustList parsed = Must(ParseTrustList(list), "read a list back");
  const std::string signature =
      Must(SignRsa(static_cast<SignatureDigest>(parsed.header.digest), key, parsed.SignedBytes()),
           "sign a list");
  for (const ListElement& element : parsed.header.elements) {
    if (element.tag == kHeaderSignature)
      parsed.bytes.replace(element.offset + kElementHead, signature.size(), signature);
  }
  return parsed.bytes;
}

std::string MakeEmptyItl(const PhoneNode& node) {
  const TrustList whole = Must(ParseTrustList(MakeItl(node, {node})), "read a list back");
  const TrustListRecord capf =
      Record(TestPki::UnitCertificate("CAPF_" + node.name), ListRole::kCapf, node);
  std::string bytes = whole.bytes.substr(0, whole.header.length);
  bytes += Must(EncodeRecord(capf), "encode a record");
  bytes += Must(EncodeRecord(MakeEmptyRecord(ListRole::kTvs, node.name)), "encode a record");
  return Resigned(bytes);
}

std::string ConfigXml(const std::vector<std::string>& group, const std::string& extra) {
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<device>\n <devicePool>\n"
      "  <callManagerGroup>\n   <members>\n";
  for (size_t i = 0; i < group.size(); ++i) {
    absl::StrAppend(&xml, "    <member priority=\"", i, "\"><callManager><processNodeName>",
                    group[i], "</processNodeName></callManager></member>\n");
  }
  return absl::StrCat(xml, "   </members>\n  </callManagerGroup>\n </devicePool>\n", extra,
                      "</device>\n");
}

std::string SignConfig(const std::string& name, const std::string& xml, const Certificate& signer,
                       SignatureDigest digest) {
  SignedFileOptions options;
  options.name = name;
  options.timestamp = absl::FromUnixSeconds(1700000000);
  options.digest = digest;
  return Must(WriteSignedFile(xml, options, signer, TestPki::UnitKey()), "sign a configuration");
}

PhoneWorld::PhoneWorld()
    : src_pub(MakePhoneNode("src-pub", "10.10.0.11")),
      src_sub(MakePhoneNode("src-sub1", "10.10.0.12")),
      dst_pub(MakePhoneNode("dst-pub", "10.20.0.11")),
      dst_sub(MakePhoneNode("dst-sub1", "10.20.0.12")),
      source({src_pub, src_sub}),
      destination({dst_pub, dst_sub}) {
  for (const PhoneNode& node : source) tvs.emplace(node.address, Tvs(node.tvs));
}

PhoneState PhoneWorld::SourcePhone(const std::string& device) const {
  PhoneState state;
  state.device = device;
  state.model = "CP-8861";
  state.itl = MakeItl(src_pub, source);
  state.config = ConfigXml({src_pub.address, src_sub.address});
  for (const PhoneNode& node : source) state.tvs.push_back({node.address, 2445});
  return state;
}

void PhoneWorld::ServeDestination(const PhoneNode& node, const ListOptions& options) {
  Serve(node, ItlName(), MakeItl(node, destination, options));
  Serve(node, ConfigName(),
        SignConfig(ConfigName(), ConfigXml({dst_pub.address, dst_sub.address}), node.callmanager));
}

void PhoneWorld::SourceKnows(const Certificate& certificate, std::vector<uint8_t> roles) {
  for (auto& [address, server] : tvs) server.knows.emplace_back(certificate, roles);
}

BootResult PhoneWorld::Run(const PhoneState& state, const std::vector<std::string>& servers,
                           PhoneBehaviour behaviour, absl::Time now) {
  for (const auto* cluster : {&source, &destination})
    for (const PhoneNode& node : *cluster) behaviour.names[node.address] = node.name;
  return Boot(state, servers, *this, behaviour, now);
}

absl::StatusOr<std::string> PhoneWorld::Fetch(const std::string& server, const std::string& file) {
  fetched.push_back(absl::StrCat(server, " ", file));
  if (const auto broken = broken_servers.find(server); broken != broken_servers.end())
    return broken->second;
  if (const auto broken = broken_files.find({server, file}); broken != broken_files.end())
    return broken->second;
  const auto found = files.find({server, file});
  if (found == files.end()) return absl::NotFoundError("no such file");
  return found->second;
}

absl::StatusOr<TvsReply> PhoneWorld::AskTvs(const TvsAddress& server, const TvsRequest& request,
                                            const std::vector<Certificate>& pinned) {
  asked.push_back(server.host);
  requests.push_back(request);
  const auto found = tvs.find(server.host);
  if (found == tvs.end()) return absl::UnavailableError("no route to host");
  const Tvs& answering = found->second;
  if (!answering.broken.ok()) return answering.broken;
  if (std::find(pinned.begin(), pinned.end(), answering.identity) == pinned.end())
    return absl::PermissionDeniedError(answering.identity.subject());
  // The question as it is on the wire.
  const std::string wire = Must(EncodeTvsRequest(request), "encode a question");
  TvsFrameDecoder decoder;
  Must(decoder.Feed(wire), "take a frame");
  const TvsRequest read = Must(DecodeTvsRequest(decoder.Take()), "decode a question");
  TvsReply reply;
  reply.kind = TvsKind::kQuery;
  reply.session = answering.answers_another_question ? read.session + 1 : read.session;
  reply.status = 1;
  reply.ttl = answering.ttl;
  for (const auto& [certificate, roles] : answering.knows) {
    if (!SameSerial(certificate.serial(), read.serial) ||
        !SameDirectoryName(certificate.issuer(), read.issuer)) {
      continue;
    }
    reply.status = 0;
    reply.certificate = certificate.der();
    reply.roles = roles;
  }
  const std::string answer = Must(EncodeTvsReply(reply), "encode an answer");
  TvsFrameDecoder answer_decoder;
  Must(answer_decoder.Feed(answer), "take a frame");
  return DecodeTvsReply(answer_decoder.Take());
}

}  // namespace trustline::testing
