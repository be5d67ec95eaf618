#include "controller/render/trust_list_text.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "trust/certificate.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline::controller {
namespace {

using Json = nlohmann::json;

std::string Hex(absl::string_view bytes, absl::string_view between) {
  return absl::StrJoin(bytes, between, [](std::string* out, char byte) {
    absl::StrAppendFormat(out, "%02X", static_cast<uint8_t>(byte));
  });
}
std::string Md5Hex(const TrustList& list) { return absl::BytesToHexString(Md5(list.bytes)); }
std::string Sha1Hex(absl::string_view bytes) {
  return absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
}
absl::string_view KindOf(const TrustList& list) { return list.IsCtl() ? "CTL" : "ITL"; }
std::string Utc(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}
std::string Shown(absl::string_view name) { return absl::Utf8SafeCHexEscape(name); }
std::string RoleShown(uint16_t role) {
  const absl::string_view text = RoleText(role);
  return text.empty() ? absl::StrCat("role ", role) : std::string(text);
}

constexpr char kTableHead[] = "BYTEPOS\tTAG\t\t\tLENGTH\tVALUE\n-------\t---\t\t\t------\t-----\n";

void AppendRow(std::string* out, uint8_t tag, absl::string_view name, size_t length,
               absl::string_view value) {
  const std::string label = name.empty() ? "UNKNOWN" : std::string(name);
  std::string line = absl::StrFormat("%d\t%-22s\t%d\t%s", tag, label, length, value);
  absl::StrAppend(out, absl::StripTrailingAsciiWhitespace(line), "\n");
}

// Bytes in rows of 16.
std::string HexRows(absl::string_view bytes) {
  std::string rows;
  for (size_t at = 0; at < bytes.size(); at += 16)
    absl::StrAppend(&rows, "\n\t\t\t\t\t", Hex(bytes.substr(at, 16), " "));
  return rows;
}

std::string HeaderValue(const TrustListHeader& header, const ListElement& element) {
  switch (element.tag) {
    case kHeaderSignerInfo:
    case kHeaderSignatureInfo:
    case kHeaderAlgorithmInfo:
      return absl::StrCat(element.length);
    case kHeaderSignerName:
      return Shown(header.signer_name.value_or(""));
    case kHeaderSignerSerial:
      return Hex(header.signer_serial, ":");
    case kHeaderSignerIssuer:
      return Shown(header.signer_issuer);
    case kHeaderDigest:
      return absl::StrCat(header.digest, " (",
                          SignatureDigestName(static_cast<SignatureDigest>(header.digest)), ")");
    case kHeaderAlgorithm:
      return absl::StrCat(*header.algorithm);
    case kHeaderModulus:
      return absl::StrCat(*header.modulus);
    case kHeaderSignature:
      return HexRows(header.signature);
    case kHeaderFileName:
      return Shown(header.file_name.value_or(""));
    case kHeaderTimestamp:
      return Utc(absl::FromUnixSeconds(header.timestamp.value_or(0)));
    case kHeaderSignerVersion:
      return absl::StrCat(header.signer_version->major, ".", header.signer_version->minor);
    default:
      return "";
  }
}

// Addresses and keys stay blank, as in the vendor's listing.
std::string RecordValue(const TrustListRecord& record, const ListElement& element) {
  switch (element.tag) {
    case kRecordLength:
      return absl::StrCat(record.length);
    case kRecordDnsName:
      return Shown(record.dns_name.value_or(""));
    case kRecordSubject:
      return Shown(record.subject.value_or(""));
    case kRecordRole:
      return RoleShown(*record.role);
    case kRecordIssuer:
      return Shown(record.issuer.value_or(""));
    case kRecordSerial:
      return Hex(*record.serial, ":");
    case kRecordCertificate:
      return absl::StrCat(Hex(DigestOf(SignatureDigest::kSha1, *record.certificate), " "),
                          " (SHA1 hash)");
    case kRecordCertificateHash:
      return Hex(*record.certificate_hash, " ");
    case kRecordHashAlgorithm:
      return Hex(*record.hash_algorithm, " ");
    default:
      return "";
  }
}

Json Optional(const std::optional<std::string>& text) { return text ? Json(*text) : Json(nullptr); }

Json RecordJson(const TrustListRecord& record) {
  Json json = {{"offset", record.offset},
               {"length", record.length},
               {"dns_name", Optional(record.dns_name)},
               {"subject", Optional(record.subject)},
               {"issuer", Optional(record.issuer)},
               {"role", nullptr},
               {"role_name", nullptr},
               {"serial", nullptr},
               {"address", nullptr},
               {"certificate_sha1", nullptr},
               {"empty", record.IsEmpty()}};
  if (record.role) {
    json["role"] = *record.role;
    json["role_name"] = RoleShown(*record.role);
  }
  if (record.serial) json["serial"] = Hex(*record.serial, "");
  if (record.address) json["address"] = absl::StrJoin(*record.address, ".");
  if (record.certificate) json["certificate_sha1"] = Sha1Hex(*record.certificate);
  return json;
}

}  // namespace

std::string TrustListText(const TrustListFile& file, const ListVerdict& verdict) {
  const TrustList& list = file.list;
  const TrustListHeader& header = list.header;
  const absl::string_view kind = KindOf(list);
  std::string out = absl::StrCat(
      "The checksum value of the ", kind, " file:\n", Md5Hex(list), "(MD5)\n", Sha1Hex(list.bytes),
      "(SHA1)\n\nLength of ", kind, " file: ", list.bytes.size(), "\nThe ", kind,
      " File was last modified on ", Utc(file.modified), "\n\nParse ", kind,
      " File\n----------------\n\nVersion:\t", header.version.major, ".", header.version.minor,
      "\nHeaderLength:\t", header.length, " (BYTES)\n\n", kTableHead);
  for (const ListElement& element : header.elements) {
    if (element.tag == kHeaderVersion || element.tag == kHeaderLength) continue;
    // Of an element that holds others the vendor shows the two bytes that say how much.
    const bool holds = element.tag == kHeaderSignerInfo || element.tag == kHeaderSignatureInfo ||
                       element.tag == kHeaderAlgorithmInfo;
    AppendRow(&out, element.tag, HeaderTagText(element.tag), holds ? 2 : element.length,
              HeaderValue(header, element));
  }
  for (size_t i = 0; i < list.records.size(); ++i) {
    const TrustListRecord& record = list.records[i];
    absl::StrAppend(&out, "\n\t", kind, " Record #:", i + 1, "\n\t\t----\n", kTableHead);
    for (const ListElement& element : record.elements) {
      AppendRow(&out, element.tag, RecordTagText(element.tag), element.length,
                RecordValue(record, element));
    }
    if (record.Is(ListRole::kSast)) {
      absl::StrAppend(&out, "This etoken was ", verdict.signer_record == i ? "" : "not ",
                      "used to sign the ", kind, " file.\n");
    }
  }
  if (verdict.verified()) {
    absl::StrAppend(&out, "\nThe ", kind, " file was verified successfully.\n");
  } else {
    absl::StrAppend(&out, "\nThe ", kind, " file was not verified:\n");
    for (const ListProblem& problem : verdict.problems)
      absl::StrAppend(&out, "  ", problem.text, "\n");
  }
  return out;
}

std::string TrustListVerdictText(const TrustListFile& file, const ListVerdict& verdict) {
  if (!verdict.verified()) {
    std::string out;
    for (const ListProblem& problem : verdict.problems)
      absl::StrAppend(&out, file.path, ": ", problem.text, "\n");
    return out;
  }
  const TrustList& list = file.list;
  return absl::StrCat(file.path, ": ", KindOf(list), " verified, ", list.records.size(),
                      " records, ", list.bytes.size(), " bytes, signed by ",
                      Shown(list.header.signer_name.value_or(list.header.signer_issuer)),
                      " serial ", Hex(list.header.signer_serial, ""), "\n  MD5  ", Md5Hex(list),
                      "\n  SHA1 ", Sha1Hex(list.bytes), "\n");
}

std::string TrustListWarnings(const TrustListFile& file, absl::Time now) {
  const TrustList& list = file.list;
  std::string out;
  const auto warn = [&](absl::string_view text) {
    absl::StrAppend(&out, file.path, ": warning: ", text, "\n");
  };
  const auto has = [&](std::initializer_list<ListRole> roles) {
    return std::any_of(list.records.begin(), list.records.end(), [&](const TrustListRecord& each) {
      return std::any_of(roles.begin(), roles.end(), [&](ListRole role) { return each.Is(role); });
    });
  };
  if (!has({ListRole::kTftp, ListRole::kCcmTftp}))
    warn("no record of a TFTP server: phones would take no signed configuration");
  // A CTL leaves TVS to the ITL beside it.
  if (!list.IsCtl() && !has({ListRole::kTvs}))
    warn("no record of a TVS: phones could ask nobody and would be bound to this list for ever");
  for (size_t i = 0; i < list.records.size(); ++i) {
    const TrustListRecord& record = list.records[i];
    if (!record.certificate) continue;
    const absl::StatusOr<Certificate> certificate = Certificate::FromDer(*record.certificate);
    if (!certificate.ok() || certificate->not_after() >= now) continue;
    warn(
        absl::StrCat("record ", i + 1,
                     record.role ? absl::StrCat(" (", RoleShown(*record.role), ")") : std::string(),
                     ": the certificate ", Shown(certificate->subject()), " expired on ",
                     Utc(certificate->not_after())));
  }
  return out;
}

std::string TrustListJson(const TrustListFile& file, const ListVerdict& verdict) {
  const TrustList& list = file.list;
  const TrustListHeader& header = list.header;
  Json records = Json::array(), problems = Json::array();
  for (const TrustListRecord& record : list.records) records.push_back(RecordJson(record));
  for (const ListProblem& problem : verdict.problems) {
    problems.push_back(
        {{"kind", std::string(ListProblemName(problem.kind))}, {"text", problem.text}});
  }
  Json json = {
      {"schema", "trustline/1"},
      {"file", file.path},
      {"kind", absl::AsciiStrToLower(KindOf(list))},
      {"bytes", list.bytes.size()},
      {"md5", Md5Hex(list)},
      {"sha1", Sha1Hex(list.bytes)},
      {"modified", Utc(file.modified)},
      {"version", absl::StrCat(header.version.major, ".", header.version.minor)},
      {"header_length", header.length},
      {"signer_version", nullptr},
      {"signer",
       {{"name", Optional(header.signer_name)},
        {"serial", Hex(header.signer_serial, "")},
        {"issuer", header.signer_issuer}}},
      {"digest", std::string(SignatureDigestName(static_cast<SignatureDigest>(header.digest)))},
      {"file_name", Optional(header.file_name)},
      {"timestamp", nullptr},
      {"records", records},
      {"verified", verdict.verified()},
      {"signer_record", nullptr},
      {"problems", problems}};
  if (header.signer_version) {
    json["signer_version"] =
        absl::StrCat(header.signer_version->major, ".", header.signer_version->minor);
  }
  if (header.timestamp) json["timestamp"] = Utc(absl::FromUnixSeconds(*header.timestamp));
  if (verdict.signer_record) json["signer_record"] = *verdict.signer_record + 1;
  // Names in a file may be any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace trustline::controller
