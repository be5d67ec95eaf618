#include "controller/tvs_questions.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controller/input_file.h"
#include "controller/trust_list_files.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr uint32_t kSession = 1001;  // what phones were seen to use
constexpr size_t kMostSerialDigits = 128;

absl::StatusOr<Certificate> OneCertificate(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const std::vector<Certificate> certificates, ReadCertificatesFile(path));
  if (certificates.size() == 1) return certificates.front();
  return absl::InvalidArgumentError(
      absl::StrCat(path, " holds ", certificates.size(), " certificates; one is asked for"));
}

TvsRequest Question(TvsKind kind) {
  TvsRequest request;
  request.kind = kind;
  request.session = kSession;
  return request;
}

}  // namespace

absl::StatusOr<std::vector<Certificate>> PinsOfFile(const std::string& path) {
  return ReadCertificatesFile(path);
}

absl::StatusOr<std::vector<Certificate>> PinsOfTrustList(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const TrustListFile file, ReadTrustListFile(path));
  std::vector<Certificate> pins;
  size_t records = 0;
  for (const TrustListRecord& record : file.list.records) {
    if (!record.Is(ListRole::kTvs)) continue;
    ++records;
    if (!record.certificate) continue;
    const absl::StatusOr<Certificate> certificate = Certificate::FromDer(*record.certificate);
    if (!certificate.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": a TVS record: ", certificate.status().message()));
    }
    pins.push_back(*certificate);
  }
  if (!pins.empty()) return pins;
  return absl::InvalidArgumentError(
      records == 0 ? absl::StrCat(path, " names no Trust Verification Service")
                   : absl::StrCat(path,
                                  ": its TVS records carry no certificates, only hashes; "
                                  "give the certificate with --pin"));
}

absl::StatusOr<TvsRequest> QueryForFile(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const Certificate certificate, OneCertificate(path));
  TvsRequest request = Question(TvsKind::kQuery);
  request.subject = certificate.subject();
  request.issuer = certificate.issuer();
  request.serial = certificate.serial();
  return request;
}

absl::StatusOr<TvsRequest> QueryForNames(const std::string& serial, const std::string& issuer,
                                         const std::string& subject) {
  std::string digits = absl::StrReplaceAll(serial, {{":", ""}});
  const bool hex = !digits.empty() && digits.size() <= kMostSerialDigits &&
                   std::all_of(digits.begin(), digits.end(),
                               [](unsigned char c) { return absl::ascii_isxdigit(c); });
  if (!hex) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::CHexEscape(serial), "' is no serial number in hex digits"));
  }
  if (digits.size() % 2 == 1) digits.insert(0, 1, '0');
  TvsRequest request = Question(TvsKind::kQuery);
  request.subject = subject;
  request.issuer = issuer;
  request.serial = absl::HexStringToBytes(digits);
  return request;
}

absl::StatusOr<TvsRequest> VerifyForFile(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const Certificate certificate, OneCertificate(path));
  TvsRequest request = Question(TvsKind::kVerify);
  request.certificate = certificate.der();
  return request;
}

absl::StatusOr<ListRole> RoleOfWord(const std::string& word) {
  static const auto& words = *new std::map<std::string, ListRole>{
      {"sast", ListRole::kSast},           {"ccm", ListRole::kCcm},
      {"ccm+tftp", ListRole::kCcmTftp},    {"tftp", ListRole::kTftp},
      {"capf", ListRole::kCapf},           {"tvs", ListRole::kTvs},
      {"app-server", ListRole::kAppServer}};
  const auto found = words.find(absl::AsciiStrToLower(word));
  if (found != words.end()) return found->second;
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::CHexEscape(word),
                   "' is no role: sast, ccm, ccm+tftp, tftp, capf, tvs or app-server"));
}

}  // namespace trustline::controller
