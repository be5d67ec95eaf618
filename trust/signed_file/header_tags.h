// Tags of the headers of signed files, for the files that read and write them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace trustline::signed_file {

enum HeaderTag : uint8_t {
  kVersion = 1,
  kHeaderLength = 2,
  kSignerInfo = 3,  // container of 4, 5, 6
  kSignerName = 4,
  kSerial = 5,
  kIssuerName = 6,
  kSignatureInfo = 7,  // container of 8 and 9
  kDigest = 8,
  kAlgorithmInfo = 9,  // container of 10, 11
  kAlgorithm = 10,
  kModulus = 11,
  kSignature = 12,
  kPadding = 13,
  kFileName = 14,
  kTimestamp = 15,
  kEncryption = 16,    // container of 17, 21, 26, 27
  kEncryptionIv = 17,  // container of 18, 19, 20
  kIvUnknown = 18,     // always 0
  kIv = 19,
  kPaddingCount = 20,
  kEncryptionKey = 21,  // container of 22 to 25
  kKeyUnknown = 22,     // always 0
  kKeyBits = 23,
  kKeyAlgorithm = 24,  // always 1
  kKey = 25,
  kPlaintextDigestId = 26,
  kPlaintextDigest = 27,
  kSignerVersion = 28,
};

// Version and header length come first, each 3 + 2 bytes.
inline constexpr size_t kFixedBytes = 10;
inline constexpr size_t kHeaderLengthAt = 8;  // where the value of element 2 stands
inline constexpr size_t kElementHead = 3;
inline constexpr size_t kAesBlock = 16;

}  // namespace trustline::signed_file
