// The numbers of the TLV trust lists (ITL, CTL) phones load: tags, roles, digests, limits. Sources:
// the vendor's published `show ctl` dumps and phone logs, and free implementations phones accept.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace trustline {

// Element = tag (1 byte), length of the value (2 bytes, big-endian), value. kPad alone is one byte
// without a length.
enum HeaderTag : uint8_t {
  kHeaderVersion = 1,
  kHeaderLength = 2,
  kHeaderSignerInfo = 3,  // holds signer name, serial, issuer
  kHeaderSignerName = 4,
  kHeaderSignerSerial = 5,
  kHeaderSignerIssuer = 6,
  kHeaderSignatureInfo = 7,  // holds digest and signature algorithm info
  kHeaderDigest = 8,
  kHeaderAlgorithmInfo = 9,  // holds algorithm and modulus
  kHeaderAlgorithm = 10,
  kHeaderModulus = 11,
  kHeaderSignature = 12,
  kHeaderPad = 13,
  kHeaderFileName = 14,
  kHeaderTimestamp = 15,
  kHeaderSignerVersion = 28,
};

// Issuer and serial stand the other way round than in the header.
enum RecordTag : uint8_t {
  kRecordLength = 1,  // of the whole record, its own five bytes counted
  kRecordDnsName = 2,
  kRecordSubject = 3,
  kRecordRole = 4,
  kRecordIssuer = 5,
  kRecordSerial = 6,
  kRecordPublicKey = 7,
  kRecordSignature = 8,
  kRecordCertificate = 9,
  kRecordAddress = 10,
  kRecordCertificateHash = 11,
  kRecordHashAlgorithm = 12,
};

// What a record's certificate may do. Other values occur; they are kept as they are.
enum class ListRole : uint16_t {
  kSast = 0,  // may sign trust lists
  kCcm = 1,
  kCcmTftp = 2,
  kTftp = 3,
  kCapf = 4,
  kAppServer = 7,
  kTvs = 21,
};

struct ListVersion {
  uint8_t major = 1, minor = 2;
  friend bool operator==(const ListVersion&, const ListVersion&) = default;
};

inline constexpr size_t kElementHead = 3;
inline constexpr size_t kMaxListBytes = 64 << 10;  // phones refuse to load a larger list
inline constexpr size_t kMaxListCertificates = 39;
inline constexpr size_t kMaxListSigners = 2;  // SAST records

// The words of the vendor's own listing ("CCM+TFTP"); empty for a value without one.
absl::string_view RoleText(uint16_t role);
// Its row labels ("SIGNERNAME"), misspellings included, since people search for them; empty for an
// unknown tag.
absl::string_view HeaderTagText(uint8_t tag);
absl::string_view RecordTagText(uint8_t tag);

}  // namespace trustline
