#include "trust/trust_list/list_verify.h"

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/directory_name.h"
#include "trust/status_macros.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline {
namespace {

std::string SerialText(absl::string_view serial) {
  return absl::AsciiStrToUpper(absl::BytesToHexString(serial));
}

std::string RecordName(size_t index) { return absl::StrCat("record ", index + 1); }

// The key phones check with: the certificate's, or the bare one of a record without a certificate.
absl::StatusOr<ListKey> KeyOf(const TrustListRecord& record) {
  if (record.certificate) {
    TL_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromDer(*record.certificate));
    return ListKeyOf(certificate);
  }
  if (record.public_key) return RsaKeyFromBytes(*record.public_key);
  return absl::InvalidArgumentError("it carries neither a certificate nor a key");
}

absl::Status CheckSignature(const TrustList& list, const ListKey& key) {
  const TrustListHeader& header = list.header;
  const auto digest = static_cast<SignatureDigest>(header.digest);
  TL_RETURN_IF_ERROR(CheckSignerKind(key, digest));
  TL_ASSIGN_OR_RETURN(const uint8_t code, ModulusCode(key.bits / 8));
  if (header.modulus && *header.modulus != code) {
    return absl::InvalidArgumentError(absl::StrCat("the header gives modulus code ",
                                                   *header.modulus, ", the signer's key of ",
                                                   key.bits, " bits has ", code));
  }
  if (header.algorithm.value_or(0) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("signature algorithm ", *header.algorithm, " is unknown; 0 is RSA"));
  }
  return VerifyByListKey(key, digest, list.SignedBytes(), header.signature);
}

// A record says the same twice, beside its certificate and inside it. Phones look at either.
absl::Status CheckRecord(const TrustListRecord& record) {
  if (!record.certificate) return absl::OkStatus();
  TL_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromDer(*record.certificate));
  if (record.serial && !SameSerial(*record.serial, certificate.serial())) {
    return absl::InvalidArgumentError(absl::StrCat("it gives serial ", SerialText(*record.serial),
                                                   ", its certificate has ",
                                                   certificate.serial_hex()));
  }
  if (record.public_key) {
    TL_ASSIGN_OR_RETURN(const ListKey key, ListKeyOf(certificate));
    if (key.bytes != *record.public_key)
      return absl::InvalidArgumentError("its public key is not that of its certificate");
  }
  return absl::OkStatus();
}

void CheckLimits(const TrustList& list, std::vector<ListProblem>* problems) {
  size_t certificates = 0, signers = 0;
  for (const TrustListRecord& record : list.records) {
    certificates += record.IsEmpty() ? 0 : 1;
    signers += record.Is(ListRole::kSast) ? 1 : 0;
  }
  if (list.bytes.size() > kMaxListBytes) {
    problems->push_back({ListProblemKind::kTooLarge,
                         absl::StrCat("the list has ", list.bytes.size(), " bytes; phones load ",
                                      kMaxListBytes, " at most")});
  }
  if (certificates > kMaxListCertificates) {
    problems->push_back({ListProblemKind::kTooManyCertificates,
                         absl::StrCat("the list has ", certificates, " certificates; phones load ",
                                      kMaxListCertificates, " at most")});
  }
  if (signers > kMaxListSigners) {
    problems->push_back({ListProblemKind::kTooManySigners,
                         absl::StrCat("the list has ", signers, " records with the role SAST; ",
                                      "phones take ", kMaxListSigners, " at most")});
  }
}

void FindSigner(const TrustList& list, ListVerdict* verdict) {
  bool named = false;
  std::vector<ListProblem> failures;
  for (size_t i = 0; i < list.records.size(); ++i) {
    const TrustListRecord& record = list.records[i];
    if (!record.Is(ListRole::kSast) || !record.serial ||
        !SameSerial(*record.serial, list.header.signer_serial) || !record.issuer ||
        !SameDirectoryName(*record.issuer, list.header.signer_issuer)) {
      continue;
    }
    named = true;
    absl::StatusOr<ListKey> key = KeyOf(record);
    const absl::Status status = key.ok() ? CheckSignature(list, *key) : key.status();
    if (status.ok()) {
      verdict->signer_record = i;
      return;
    }
    failures.push_back({!key.ok()                          ? ListProblemKind::kRecord
                        : absl::IsPermissionDenied(status) ? ListProblemKind::kSignature
                                                           : ListProblemKind::kAlgorithm,
                        absl::StrCat(RecordName(i), ", the signer: ", status.message())});
  }
  if (!named) {
    failures.push_back(
        {ListProblemKind::kUnknownSigner,
         absl::StrCat("the header names signer serial ", SerialText(list.header.signer_serial),
                      " by issuer \"", absl::Utf8SafeCEscape(list.header.signer_issuer),
                      "\"; no record with the role SAST is that certificate")});
  }
  for (ListProblem& failure : failures) verdict->problems.push_back(std::move(failure));
}

}  // namespace

absl::string_view ListProblemName(ListProblemKind kind) {
  switch (kind) {
    case ListProblemKind::kTooLarge:
      return "too-large";
    case ListProblemKind::kTooManyCertificates:
      return "too-many-certificates";
    case ListProblemKind::kTooManySigners:
      return "too-many-signers";
    case ListProblemKind::kUnknownSigner:
      return "unknown-signer";
    case ListProblemKind::kAlgorithm:
      return "algorithm";
    case ListProblemKind::kSignature:
      return "signature";
    case ListProblemKind::kRecord:
      return "record";
  }
  return "";
}

ListVerdict VerifyTrustList(const TrustList& list) {
  ListVerdict verdict;
  CheckLimits(list, &verdict.problems);
  FindSigner(list, &verdict);
  for (size_t i = 0; i < list.records.size(); ++i) {
    const absl::Status status = CheckRecord(list.records[i]);
    if (status.ok()) continue;
    verdict.problems.push_back(
        {ListProblemKind::kRecord, absl::StrCat(RecordName(i), ": ", status.message())});
  }
  return verdict;
}

absl::Status VerifyListSignature(const TrustList& list, const Certificate& signer) {
  if (!SameSerial(list.header.signer_serial, signer.serial()) ||
      !SameDirectoryName(list.header.signer_issuer, signer.issuer())) {
    return absl::NotFoundError(
        absl::StrCat("the list names signer serial ", SerialText(list.header.signer_serial),
                     " by issuer \"", absl::Utf8SafeCEscape(list.header.signer_issuer),
                     "\", not serial ", signer.serial_hex(), " by \"", signer.issuer(), "\""));
  }
  TL_ASSIGN_OR_RETURN(const ListKey key, ListKeyOf(signer));
  return CheckSignature(list, key);
}

}  // namespace trustline
