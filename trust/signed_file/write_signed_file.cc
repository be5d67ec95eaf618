#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/signed_file/file_cipher.h"
#include "trust/signed_file/header_tags.h"
#include "trust/signed_file/signed_file.h"
#include "trust/status_macros.h"
#include "trust/tlv_element.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline {
namespace {

using namespace signed_file;  // the tags

constexpr size_t kAlignment = 4;
constexpr size_t kMaxHeader = 0xffff;
constexpr uint16_t kPlainVersion = 0x0100;
constexpr uint16_t kEncryptedVersion = 0x0200;

struct Signer {
  const Certificate& certificate;
  const PrivateKey& key;
  size_t signature_size = 0;
  uint8_t modulus_code = 0;
};

absl::StatusOr<Signer> CheckSigner(const Certificate& certificate, const PrivateKey& key) {
  Signer signer{certificate, key};
  TL_ASSIGN_OR_RETURN(signer.signature_size, RsaModulusBytes(certificate));
  TL_ASSIGN_OR_RETURN(signer.modulus_code, ModulusCode(signer.signature_size));
  if (!key.Matches(certificate)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the private key does not belong to the certificate ", certificate.subject()));
  }
  return signer;
}

absl::Status CheckOptions(const SignedFileOptions& options) {
  if (options.name.empty() || options.name.find('\0') != std::string::npos ||
      options.name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        "a signed file carries the name phones ask for: not empty, without slashes");
  }
  const int64_t seconds = absl::ToUnixSeconds(options.timestamp);
  if (seconds < 0 || seconds > int64_t{0xffffffff}) {
    return absl::InvalidArgumentError(
        absl::StrCat("the time ", absl::FormatTime(options.timestamp, absl::UTCTimeZone()),
                     " does not fit a signed file (1970 to 2106)"));
  }
  if (options.digest != SignatureDigest::kSha1 && options.digest != SignatureDigest::kSha512) {
    return absl::InvalidArgumentError(
        absl::StrCat(SignatureDigestName(options.digest),
                     " is none that phones are known to accept; choose SHA-1 or SHA-512"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SignerInfo(const Certificate& certificate) {
  std::string info;
  TL_RETURN_IF_ERROR(AppendTlvText(kSignerName, certificate.subject(), info));
  TL_RETURN_IF_ERROR(AppendTlv(kSerial, certificate.serial(), info));
  TL_RETURN_IF_ERROR(AppendTlvText(kIssuerName, certificate.issuer(), info));
  return info;
}

absl::StatusOr<std::string> EncryptionBlock(const LockedBody& locked, SignatureDigest digest,
                                            absl::string_view plaintext) {
  std::string iv, key, block;
  AppendTlv8(kIvUnknown, 0, iv);
  TL_RETURN_IF_ERROR(AppendTlv(kIv, locked.iv, iv));
  AppendTlv16(kPaddingCount, locked.padding, iv);
  AppendTlv8(kKeyUnknown, 0, key);
  AppendTlv16(kKeyBits, static_cast<uint16_t>(locked.encrypted_key.size() * 8), key);
  AppendTlv8(kKeyAlgorithm, 1, key);
  TL_RETURN_IF_ERROR(AppendTlv(kKey, locked.encrypted_key, key));
  TL_RETURN_IF_ERROR(AppendTlv(kEncryptionIv, iv, block));
  TL_RETURN_IF_ERROR(AppendTlv(kEncryptionKey, key, block));
  AppendTlv8(kPlaintextDigestId, static_cast<uint8_t>(digest), block);
  TL_RETURN_IF_ERROR(AppendTlv(kPlaintextDigest, DigestOf(digest, plaintext), block));
  return block;
}

// The header up to the signature and after it, and the payload; the signature goes in between. Its
// size is known before it is made: the header length, which is signed, counts it.
absl::StatusOr<std::string> Assemble(uint16_t version, const Signer& signer,
                                     const SignedFileOptions& options,
                                     absl::string_view encryption_block,
                                     absl::string_view payload) {
  std::string algorithm, signature_info, front, back;
  AppendTlv8(kAlgorithm, 0, algorithm);
  AppendTlv8(kModulus, signer.modulus_code, algorithm);
  AppendTlv8(kDigest, static_cast<uint8_t>(options.digest), signature_info);
  TL_RETURN_IF_ERROR(AppendTlv(kAlgorithmInfo, algorithm, signature_info));

  AppendTlv16(kVersion, version, front);
  AppendTlv16(kHeaderLength, 0, front);  // filled in below
  TL_ASSIGN_OR_RETURN(const std::string signer_info, SignerInfo(signer.certificate));
  TL_RETURN_IF_ERROR(AppendTlv(kSignerInfo, signer_info, front));
  TL_RETURN_IF_ERROR(AppendTlv(kSignatureInfo, signature_info, front));
  TL_RETURN_IF_ERROR(AppendTlvText(kFileName, options.name, back));
  AppendTlv32(kTimestamp, static_cast<uint32_t>(absl::ToUnixSeconds(options.timestamp)), back);
  if (!encryption_block.empty()) {
    TL_RETURN_IF_ERROR(AppendTlv(kEncryption, encryption_block, back));
  }
  const size_t signature_element = kElementHead + signer.signature_size;
  while ((front.size() + signature_element + back.size()) % kAlignment != 0) {
    back.push_back(static_cast<char>(kPadding));
  }
  const size_t header = front.size() + signature_element + back.size();
  if (header > kMaxHeader) {
    return absl::InvalidArgumentError(
        absl::StrCat("the header would need ", header, " bytes, more than ", kMaxHeader));
  }
  front[kHeaderLengthAt] = static_cast<char>(header >> 8);
  front[kHeaderLengthAt + 1] = static_cast<char>(header);

  TL_ASSIGN_OR_RETURN(const std::string signature,
                      SignRsa(options.digest, signer.key, absl::StrCat(front, back, payload)));
  TL_RETURN_IF_ERROR(AppendTlv(kSignature, signature, front));
  return absl::StrCat(front, back, payload);
}

}  // namespace

absl::StatusOr<std::string> WriteSignedFile(absl::string_view payload,
                                            const SignedFileOptions& options,
                                            const Certificate& signer, const PrivateKey& key) {
  TL_RETURN_IF_ERROR(CheckOptions(options));
  TL_ASSIGN_OR_RETURN(const Signer checked, CheckSigner(signer, key));
  return Assemble(kPlainVersion, checked, options, "", payload);
}

absl::StatusOr<std::string> WriteEncryptedFile(absl::string_view payload,
                                               const SignedFileOptions& options,
                                               const Certificate& signer, const PrivateKey& key,
                                               const Certificate& phone) {
  TL_RETURN_IF_ERROR(CheckOptions(options));
  TL_ASSIGN_OR_RETURN(const Signer checked, CheckSigner(signer, key));
  TL_ASSIGN_OR_RETURN(const LockedBody locked, LockBody(payload, phone));
  TL_ASSIGN_OR_RETURN(const std::string block, EncryptionBlock(locked, options.digest, payload));
  return Assemble(kEncryptedVersion, checked, options, block, locked.body);
}

absl::StatusOr<std::string> DecryptSignedFile(const SignedFile& file, const PrivateKey& phone_key) {
  if (!file.encryption) {
    return absl::FailedPreconditionError("the file is not encrypted; no phone's key is needed");
  }
  const FileEncryption& encryption = *file.encryption;
  const absl::StatusOr<std::string> padded =
      UnlockBody(file.payload(), encryption.iv, encryption.encrypted_key, phone_key);
  const auto digest = static_cast<SignatureDigest>(encryption.plaintext_digest_code);
  if (digest != SignatureDigest::kSha1 && digest != SignatureDigest::kSha512) {
    return absl::InvalidArgumentError(absl::StrCat("digest ", encryption.plaintext_digest_code,
                                                   " of the encrypted content is unknown"));
  }
  if (padded.ok()) {
    std::string content = padded->substr(0, padded->size() - encryption.padding);
    if (DigestOf(digest, content) == encryption.plaintext_digest) return content;
  }
  return absl::PermissionDeniedError(
      "cannot decrypt the file: the key is not that of the phone it was made for, or the file is "
      "damaged");
}

absl::StatusOr<std::string> EncryptedConfigNotice(const Certificate& phone) {
  const std::string hash = Md5(phone.der());
  if (hash.empty()) {
    return absl::FailedPreconditionError(
        "phones are told by MD5 which certificate a config is for, and this machine's OpenSSL "
        "policy forbids MD5; write the notice on another machine");
  }
  return absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<device>\n  <fullConfig>false</fullConfig>\n"
      "  <certHash>",
      absl::BytesToHexString(hash), "</certHash>\n  <encrConfig>true</encrConfig>\n</device>\n");
}

}  // namespace trustline
