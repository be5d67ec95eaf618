#include "trust/trust_list/list_writer.h"

#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"
#include "trust/tlv_element.h"
#include "trust/trust_list/list_crypto.h"
#include "trust/trust_list/list_verify.h"

namespace trustline {
namespace {

uint16_t Number(ListVersion version) {
  return static_cast<uint16_t>(version.major << 8 | version.minor);
}

// Reading refuses what is there and empty, so writing does.
absl::Status AppendBytes(uint8_t tag, absl::string_view value, std::string& out) {
  if (value.empty())
    return absl::InvalidArgumentError(absl::StrCat("trust list: element ", tag, " is empty"));
  return AppendTlv(tag, value, out);
}

// The header around a signature; `length` is what the second element says.
absl::StatusOr<std::string> EncodeHeader(const TrustListDraft& draft, const Certificate& signer,
                                         uint8_t modulus, size_t length,
                                         absl::string_view signature) {
  std::string signer_info, algorithm_info, signature_info, header;
  TL_RETURN_IF_ERROR(AppendTlvText(kHeaderSignerName, signer.subject(), signer_info));
  TL_RETURN_IF_ERROR(AppendBytes(kHeaderSignerSerial, signer.serial(), signer_info));
  TL_RETURN_IF_ERROR(AppendTlvText(kHeaderSignerIssuer, signer.issuer(), signer_info));
  AppendTlv8(kHeaderAlgorithm, 0, algorithm_info);
  AppendTlv8(kHeaderModulus, modulus, algorithm_info);
  AppendTlv8(kHeaderDigest, static_cast<uint8_t>(draft.digest), signature_info);
  TL_RETURN_IF_ERROR(AppendBytes(kHeaderAlgorithmInfo, algorithm_info, signature_info));

  AppendTlv16(kHeaderVersion, Number(draft.version), header);
  AppendTlv16(kHeaderLength, static_cast<uint16_t>(length), header);
  if (draft.signer_version)
    AppendTlv16(kHeaderSignerVersion, Number(*draft.signer_version), header);
  TL_RETURN_IF_ERROR(AppendBytes(kHeaderSignerInfo, signer_info, header));
  TL_RETURN_IF_ERROR(AppendBytes(kHeaderSignatureInfo, signature_info, header));
  if (!signature.empty()) TL_RETURN_IF_ERROR(AppendBytes(kHeaderSignature, signature, header));
  TL_RETURN_IF_ERROR(AppendTlvText(kHeaderFileName, draft.file_name, header));
  AppendTlv32(kHeaderTimestamp, static_cast<uint32_t>(absl::ToUnixSeconds(draft.timestamp)),
              header);
  return header;
}

absl::Status CheckSigner(const TrustListDraft& draft, const Certificate& signer,
                         const PrivateKey& key) {
  if (!key.Matches(signer)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the signing key does not belong to the certificate of ", signer.subject()));
  }
  for (const TrustListRecord& record : draft.records) {
    if (!record.Is(ListRole::kSast)) continue;
    if (draft.without_signers) {
      return absl::InvalidArgumentError("a list without signers has a record with the role SAST");
    }
    if (record.certificate == signer.der()) return absl::OkStatus();
  }
  if (draft.without_signers) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the signer ", signer.subject(), " (serial ",
                                                 signer.serial_hex(),
                                                 ") is in no record with the role SAST"));
}

}  // namespace

absl::StatusOr<TrustListRecord> MakeRecord(const Certificate& certificate, ListRole role,
                                           absl::string_view dns_name,
                                           std::array<uint8_t, 4> address) {
  TrustListRecord record = MakeEmptyRecord(role, dns_name, address);
  TL_ASSIGN_OR_RETURN(const ListKey key, ListKeyOf(certificate));
  record.subject = certificate.subject();
  record.issuer = certificate.issuer();
  record.serial = certificate.serial();
  record.public_key = key.bytes;
  record.certificate_signature = SignatureInside(certificate);
  record.certificate = certificate.der();
  return record;
}

TrustListRecord MakeEmptyRecord(ListRole role, absl::string_view dns_name,
                                std::array<uint8_t, 4> address) {
  TrustListRecord record;
  record.dns_name = std::string(dns_name);
  record.role = static_cast<uint16_t>(role);
  record.address = address;
  return record;
}

absl::StatusOr<std::string> EncodeRecord(const TrustListRecord& record) {
  std::string body, bytes;
  const auto name = [&](uint8_t tag, const std::optional<std::string>& value) {
    return value ? AppendTlvText(tag, *value, body) : absl::OkStatus();
  };
  const auto raw = [&](uint8_t tag, const std::optional<std::string>& value) {
    return value ? AppendBytes(tag, *value, body) : absl::OkStatus();
  };
  TL_RETURN_IF_ERROR(name(kRecordDnsName, record.dns_name));
  TL_RETURN_IF_ERROR(name(kRecordSubject, record.subject));
  if (record.role) AppendTlv16(kRecordRole, *record.role, body);
  TL_RETURN_IF_ERROR(name(kRecordIssuer, record.issuer));
  TL_RETURN_IF_ERROR(raw(kRecordSerial, record.serial));
  TL_RETURN_IF_ERROR(raw(kRecordPublicKey, record.public_key));
  TL_RETURN_IF_ERROR(raw(kRecordSignature, record.certificate_signature));
  TL_RETURN_IF_ERROR(raw(kRecordCertificate, record.certificate));
  if (record.address) {
    const std::string address(record.address->begin(), record.address->end());
    TL_RETURN_IF_ERROR(AppendBytes(kRecordAddress, address, body));
  }
  TL_RETURN_IF_ERROR(raw(kRecordCertificateHash, record.certificate_hash));
  TL_RETURN_IF_ERROR(raw(kRecordHashAlgorithm, record.hash_algorithm));
  const size_t length = kElementHead + 2 + body.size();
  if (length > 0xffff) {
    return absl::InvalidArgumentError(
        absl::StrCat("trust list: a record would have ", length, " bytes"));
  }
  AppendTlv16(kRecordLength, static_cast<uint16_t>(length), bytes);
  return absl::StrCat(bytes, body);
}

absl::StatusOr<std::string> WriteTrustList(const TrustListDraft& draft, const Certificate& signer,
                                           const PrivateKey& key) {
  TL_RETURN_IF_ERROR(CheckSigner(draft, signer, key));
  TL_ASSIGN_OR_RETURN(const ListKey signer_key, ListKeyOf(signer));
  TL_RETURN_IF_ERROR(CheckSignerKind(signer_key, draft.digest));
  TL_ASSIGN_OR_RETURN(const uint8_t modulus, ModulusCode(signer_key.bits / 8));
  if (draft.version.major != 1 || draft.version.minor > 2) {
    return absl::InvalidArgumentError(absl::StrCat("version ", draft.version.major, ".",
                                                   draft.version.minor,
                                                   " is unknown; lists are 1.0 to 1.2"));
  }
  if (draft.timestamp < absl::UnixEpoch() ||
      absl::ToUnixSeconds(draft.timestamp) > int64_t{0xffffffff}) {
    return absl::InvalidArgumentError("the timestamp of a list lies between 1970 and 2106");
  }
  std::string records;
  for (const TrustListRecord& record : draft.records) {
    TL_ASSIGN_OR_RETURN(const std::string bytes, EncodeRecord(record));
    records += bytes;
  }

  // What is signed is the file without the signature's element, its final length already in place.
  const size_t signature_size = signer_key.bits / 8;
  TL_ASSIGN_OR_RETURN(const std::string unsigned_header,
                      EncodeHeader(draft, signer, modulus, 0, ""));
  const size_t without_pads = unsigned_header.size() + kElementHead + signature_size;
  const std::string pads((4 - without_pads % 4) % 4, static_cast<char>(kHeaderPad));
  const size_t length = without_pads + pads.size();
  if (length > 0xffff) {
    return absl::InvalidArgumentError(
        absl::StrCat("trust list: the header would have ", length, " bytes"));
  }
  TL_ASSIGN_OR_RETURN(const std::string signed_header,
                      EncodeHeader(draft, signer, modulus, length, ""));
  TL_ASSIGN_OR_RETURN(const std::string signature,
                      SignRsa(draft.digest, key, absl::StrCat(signed_header, pads, records)));
  TL_ASSIGN_OR_RETURN(const std::string header,
                      EncodeHeader(draft, signer, modulus, length, signature));
  std::string file = absl::StrCat(header, pads, records);

  TL_ASSIGN_OR_RETURN(const TrustList written, ParseTrustList(file));
  if (draft.without_signers) TL_RETURN_IF_ERROR(VerifyListSignature(written, signer));
  for (const ListProblem& problem : VerifyTrustList(written).problems) {
    if (draft.without_signers && problem.kind == ListProblemKind::kUnknownSigner) continue;
    return absl::FailedPreconditionError(problem.text);
  }
  return file;
}

}  // namespace trustline
