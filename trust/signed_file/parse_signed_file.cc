#include <array>
#include <bitset>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trust/directory_name.h"
#include "trust/signed_file/header_tags.h"
#include "trust/signed_file/signed_file.h"
#include "trust/status_macros.h"
#include "trust/tlv_element.h"

namespace trustline {
namespace {

using namespace signed_file;  // the tags

constexpr size_t kMaxSerial = 64;  // certificates have 20 at most

bool IsContainer(uint8_t tag) {
  return tag == kSignerInfo || tag == kSignatureInfo || tag == kAlgorithmInfo ||
         tag == kEncryption || tag == kEncryptionIv || tag == kEncryptionKey;
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a signed file: ", what));
}

template <typename T>
absl::Status Take(absl::StatusOr<T> value, auto& into) {
  if (!value.ok()) return Wrong(value.status().message());
  into = *std::move(value);
  return absl::OkStatus();
}

absl::Status ReadEncryption(const TlvElement& element, FileEncryption& encryption) {
  switch (element.tag) {
    case kIv:
      encryption.iv = std::string(element.value);
      return absl::OkStatus();
    case kPaddingCount:
      return Take(element.Uint16(), encryption.padding);
    case kKeyBits:
      return Take(element.Uint16(), encryption.key_bits);
    case kKey:
      encryption.encrypted_key = std::string(element.value);
      return absl::OkStatus();
    case kPlaintextDigestId:
      return Take(element.Uint8(), encryption.plaintext_digest_code);
    case kPlaintextDigest:
      encryption.plaintext_digest = std::string(element.value);
      return absl::OkStatus();
    default:
      return absl::OkStatus();  // 18, 22 and 24, whose meaning is not known
  }
}

absl::Status ReadElement(const TlvElement& element, SignedFile& file) {
  switch (element.tag) {
    case kSignerVersion:
      return Take(element.Uint16(), file.signer_version);
    case kSignerName:
      return Take(element.Text(), file.signer_name);
    case kSerial:
      if (element.value.empty() || element.value.size() > kMaxSerial) {
        return Wrong(absl::StrCat("a serial number of ", element.value.size(), " bytes"));
      }
      file.serial = std::string(element.value);
      return absl::OkStatus();
    case kIssuerName:
      return Take(element.Text(), file.issuer_name);
    case kDigest:
      return Take(element.Uint8(), file.digest_code);
    case kAlgorithm:
      return Take(element.Uint8(), file.signature_algorithm);
    case kModulus:
      return Take(element.Uint8(), file.modulus_code);
    case kFileName:
      return Take(element.Text(), file.file_name);
    case kTimestamp: {
      uint32_t seconds = 0;
      TL_RETURN_IF_ERROR(Take(element.Uint32(), seconds));
      file.timestamp = absl::FromUnixSeconds(seconds);
      return absl::OkStatus();
    }
    default:
      break;
  }
  if (element.tag < kEncryption || element.tag > kPlaintextDigest) return absl::OkStatus();
  if (!file.encryption) file.encryption.emplace();
  return ReadEncryption(element, *file.encryption);
}

// Serials are compared as numbers: some writers keep the zero byte before a set top bit.
absl::string_view Magnitude(absl::string_view serial) {
  while (serial.size() > 1 && serial.front() == '\0') serial.remove_prefix(1);
  return serial;
}

}  // namespace

absl::StatusOr<SignedFile> SignedFile::Parse(std::string bytes) {
  SignedFile file;
  file.bytes_ = std::move(bytes);
  TL_RETURN_IF_ERROR(file.ReadHeader());
  return file;
}

absl::Status SignedFile::ReadHeader() {
  if (bytes_.size() < kFixedBytes) {
    return Wrong(absl::StrCat(bytes_.size(), " bytes, not even the start of a header"));
  }
  // The first two elements are fixed: only they say how far the others reach.
  TlvReader start(absl::string_view(bytes_).substr(0, kFixedBytes), TlvReader::Padding::kNone);
  std::array<uint16_t, 2> fixed;
  for (const uint8_t tag : {kVersion, kHeaderLength}) {
    const absl::StatusOr<std::optional<TlvElement>> element = start.Next();
    if (!element.ok() || !*element || (*element)->tag != tag || (*element)->value.size() != 2) {
      return Wrong("it does not start with version and header length");
    }
    TL_RETURN_IF_ERROR(Take((*element)->Uint16(), fixed[tag - kVersion]));
  }
  version_major = static_cast<uint8_t>(fixed[0] >> 8);
  version_minor = static_cast<uint8_t>(fixed[0]);
  header_length_ = fixed[1];
  if (version_major != 1 && version_major != 2) {
    return Wrong(absl::StrCat("header version ", version_major, ".", version_minor,
                              ", 1.x or 2.x expected"));
  }
  if (header_length_ < kFixedBytes || header_length_ > bytes_.size()) {
    return Wrong(absl::StrCat("a header length of ", header_length_, " in a file of ",
                              bytes_.size(), " bytes"));
  }

  std::bitset<256> seen;
  seen.set(kVersion).set(kHeaderLength);
  TlvReader header(absl::string_view(bytes_).substr(0, header_length_),
                   TlvReader::Padding::kLoneBytes, kFixedBytes);
  while (true) {
    absl::StatusOr<std::optional<TlvElement>> next = header.Next();
    if (!next.ok()) return Wrong(next.status().message());
    if (!*next) break;
    const TlvElement& element = **next;
    if (seen.test(element.tag) && element.tag <= kSignerVersion) {
      return Wrong(absl::StrCat("element ", element.tag, " comes twice"));
    }
    seen.set(element.tag);
    if (element.tag == kSignature) {
      signature_at_ = element.offset + kElementHead;
      signature_size_ = element.value.size();
    } else if (IsContainer(element.tag)) {
      header.StepInto(element);
    } else {
      TL_RETURN_IF_ERROR(ReadElement(element, *this));
    }
  }
  for (const auto& [tag, name] :
       {std::pair(kSignerName, "signer's name"), std::pair(kSerial, "signer's serial number"),
        std::pair(kIssuerName, "signer's issuer"), std::pair(kDigest, "digest"),
        std::pair(kSignature, "signature")}) {
    if (!seen.test(tag))
      return Wrong(absl::StrCat("the ", name, " (element ", tag, ") is missing"));
  }
  if (!encryption && version_major == 2) {
    return Wrong("header version 2 without an encryption block");
  }
  if (!encryption) return absl::OkStatus();
  for (const uint8_t tag : {kIv, kPaddingCount, kKey, kPlaintextDigestId, kPlaintextDigest}) {
    if (!seen.test(tag)) {
      return Wrong(absl::StrCat("element ", tag, " of the encryption block is missing"));
    }
  }
  if (encryption->iv.size() != kAesBlock) {
    return Wrong(absl::StrCat("an initial vector of ", encryption->iv.size(), " bytes"));
  }
  if (payload().size() % kAesBlock != 0 || payload().empty()) {
    return Wrong(absl::StrCat("an encrypted body of ", payload().size(),
                              " bytes is not made of whole blocks"));
  }
  if (encryption->padding > kAesBlock) {
    return Wrong(absl::StrCat(encryption->padding, " bytes of padding after the content"));
  }
  return absl::OkStatus();
}

absl::string_view SignedFile::signature() const {
  return absl::string_view(bytes_).substr(signature_at_, signature_size_);
}

absl::string_view SignedFile::payload() const {
  return absl::string_view(bytes_).substr(header_length_);
}

std::string SignedFile::SignedBytes() const {
  const absl::string_view all = bytes_;
  return absl::StrCat(all.substr(0, signature_at_ - kElementHead),
                      all.substr(signature_at_ + signature_size_));
}

absl::Status VerifySignedFile(const SignedFile& file, const Certificate& signer,
                              const SignedFileCheck& check) {
  if (Magnitude(file.serial) != signer.serial() ||
      !SameDirectoryName(file.issuer_name, signer.issuer())) {
    return absl::PermissionDeniedError(
        absl::StrCat("the file names another signer than ", signer.subject(), " (serial ",
                     signer.serial_hex(), "); look at it with `trustline signed-file show`"));
  }
  if (check.expected_name && file.file_name != check.expected_name) {
    return absl::PermissionDeniedError(
        absl::StrCat("the file was signed under another name than ", *check.expected_name));
  }
  if (file.digest_code != static_cast<uint8_t>(SignatureDigest::kSha1) &&
      file.digest_code != static_cast<uint8_t>(SignatureDigest::kSha512)) {
    return absl::PermissionDeniedError(
        absl::StrCat("digest ", file.digest_code, " is none that phones are known to accept"));
  }
  if (file.signature_algorithm.value_or(0) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        "signature algorithm ", *file.signature_algorithm, " is unknown; 0 (RSA) expected"));
  }
  const absl::StatusOr<uint8_t> modulus = ModulusCode(file.signature().size());
  if (!modulus.ok() || file.modulus_code.value_or(*modulus) != *modulus) {
    return absl::PermissionDeniedError(absl::StrCat("the modulus code does not fit a signature of ",
                                                    file.signature().size(), " bytes"));
  }
  return VerifyRsa(static_cast<SignatureDigest>(file.digest_code), signer, file.SignedBytes(),
                   file.signature());
}

}  // namespace trustline
