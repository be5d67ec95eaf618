// The files phones fetch signed: X.sgn (a header, then the bytes of X) and X.enc.sgn (the same, the
// bytes encrypted for one phone). The header is made of elements (trust/tlv_element.h), ends with
// padding to a multiple of 4 and holds an RSA signature over everything but the signature's own
// element. Source: domain facts (vendor dumps; the layout that open tools write and read).
//
// Pure functions over bytes, safe for concurrent use. Nothing a file says makes them read outside
// of it or allocate more than its size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/private_key.h"
#include "trust/rsa_signature.h"

namespace trustline {

// How the bytes of an .enc.sgn are locked.
struct FileEncryption {
  std::string iv;             // 16 bytes
  uint16_t padding = 0;       // bytes at the end of the decrypted body that are not the file's
  uint16_t key_bits = 0;      // as stated: the size of the phone's RSA key
  std::string encrypted_key;  // an AES-128 key, encrypted by PKCS#1 v1.5 for the phone
  uint8_t plaintext_digest_code = 0;
  std::string plaintext_digest;  // over the file without its padding
};

// A file taken apart. Names are as in the file: UTF-8 is likely, not certain; they may contain
// control bytes.
class SignedFile {
 public:
  // InvalidArgument when `bytes` are not such a file: an element that runs over the header, a
  // header length beyond the file or not where the elements end, an element that comes twice, or
  // one of signer, serial, issuer, digest, signature missing. Elements may come in any order;
  // unknown ones are skipped.
  static absl::StatusOr<SignedFile> Parse(std::string bytes);

  uint8_t version_major = 0, version_minor = 0;
  std::optional<uint16_t> signer_version;  // 0x0101 is 1.1
  std::string signer_name, issuer_name;
  std::string serial;  // raw big-endian, as Certificate::serial()
  uint8_t digest_code = 0;
  std::optional<uint8_t> signature_algorithm, modulus_code;
  std::optional<std::string> file_name;  // the name it is asked for by, with .sgn
  std::optional<absl::Time> timestamp;
  std::optional<FileEncryption> encryption;  // only in .enc.sgn

  const std::string& bytes() const { return bytes_; }
  size_t header_length() const { return header_length_; }
  absl::string_view signature() const;
  // What follows the header: the file itself, or of an .enc.sgn the encrypted body.
  absl::string_view payload() const;
  // What the signature covers.
  std::string SignedBytes() const;

 private:
  SignedFile() = default;
  absl::Status ReadHeader();

  std::string bytes_;
  size_t header_length_ = 0;
  size_t signature_at_ = 0, signature_size_ = 0;  // of the value of element 12
};

struct SignedFileCheck {
  // The name the file was asked for by. Whether phones compare it with the name inside is not
  // documented; nullopt does not.
  std::optional<std::string> expected_name;
};

// OK when `signer` signed the file: serial and issuer are the certificate's, digest and modulus
// code are ones phones know and the signature is right. PermissionDenied otherwise, saying which.
// Says nothing of whether the signer is trusted.
absl::Status VerifySignedFile(const SignedFile& file, const Certificate& signer,
                              const SignedFileCheck& check = {});

struct SignedFileOptions {
  std::string name;      // the name phones ask for, ending in .sgn
  absl::Time timestamp;  // whole seconds, 1970 to 2106
  // Every phone takes SHA-1; some models do not know SHA-512.
  SignatureDigest digest = SignatureDigest::kSha1;
};

// The bytes of X.sgn. InvalidArgument: an empty name or one with a slash or a NUL, a time outside
// of the range, SHA-256, a key that is not RSA or of a size without a published code;
// FailedPrecondition: `key` is not the certificate's.
absl::StatusOr<std::string> WriteSignedFile(absl::string_view payload,
                                            const SignedFileOptions& options,
                                            const Certificate& signer, const PrivateKey& key);

// The bytes of X.enc.sgn for the phone that holds the key of `phone` (its LSC or MIC): body and key
// are encrypted with fresh random values. Errors as above; also InvalidArgument when the phone's
// key is not RSA.
absl::StatusOr<std::string> WriteEncryptedFile(absl::string_view payload,
                                               const SignedFileOptions& options,
                                               const Certificate& signer, const PrivateKey& key,
                                               const Certificate& phone);

// The file inside an .enc.sgn. FailedPrecondition: the file is not encrypted. PermissionDenied: the
// key is not the phone's, or the content is not what its digest says (one message for both, so that
// errors do not tell attackers about the key). Does not check the signature.
absl::StatusOr<std::string> DecryptSignedFile(const SignedFile& file, const PrivateKey& phone_key);

// The small plain config that goes beside an .enc.sgn, to be signed as X.sgn: which certificate the
// encrypted one is for (MD5 of its DER, lower-case hex, as phones compare it) and that it is
// encrypted. FailedPrecondition where OpenSSL's policy forbids MD5.
absl::StatusOr<std::string> EncryptedConfigNotice(const Certificate& phone);

}  // namespace trustline
