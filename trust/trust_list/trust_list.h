// Trust lists (ITL, CTL) as phones load them: a signed header, then one record per certificate.
// This file reads; list_verify.h judges, list_writer.h writes. Format: list_format.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/trust_list/list_format.h"

namespace trustline {

// Where an element lies in the file. Pads are not elements.
struct ListElement {
  size_t offset = 0;  // of its tag
  uint8_t tag = 0;
  size_t length = 0;  // of its value
};

struct TrustListHeader {
  ListVersion version;
  uint16_t length = 0;                        // of the header, pads and signature counted
  std::optional<ListVersion> signer_version;  // from 1.1 on: phones fetch by HTTPS, EC keys
  std::optional<std::string> signer_name;     // names without their NUL
  std::string signer_serial;                  // raw bytes as they stand in the file
  std::string signer_issuer;
  uint8_t digest = 0;  // a SignatureDigest, or a value nobody knows
  std::optional<uint8_t> algorithm, modulus;
  std::string signature;
  std::optional<std::string> file_name;
  std::optional<uint32_t> timestamp;  // UNIX seconds
  std::vector<ListElement> elements;  // in the file's order, unknown ones too
};

// What a record does not have is nullopt; an eToken's DNS name is there and empty.
struct TrustListRecord {
  std::optional<std::string> dns_name, subject, issuer;
  std::optional<uint16_t> role;       // a ListRole, or another value
  std::optional<std::string> serial;  // raw bytes as they stand in the file
  std::optional<std::string> public_key, certificate_signature, certificate;  // raw; see ListKey
  std::optional<std::array<uint8_t, 4>> address;
  std::optional<std::string> certificate_hash, hash_algorithm;
  size_t offset = 0, length = 0;      // of a record that was read: where it lies in the file
  std::vector<ListElement> elements;  // likewise, the record length included

  bool Is(ListRole wanted) const { return role == static_cast<uint16_t>(wanted); }
  // Non-secure clusters leave records that only name a node.
  bool IsEmpty() const { return !certificate && !public_key; }
};

struct TrustList {
  TrustListHeader header;
  std::vector<TrustListRecord> records;
  std::string bytes;  // the whole file; what digests and the signature are over

  // A CTL by the name in its header, and without one by the absence of TVS records.
  bool IsCtl() const;
  // The file with the signature's element cut out.
  std::string SignedBytes() const;
  // The same with the timestamp zeroed: equal for lists that tell phones the same.
  std::string TimelessBytes() const;
};

// Takes elements in any order, unknown tags, missing elements of records, pads anywhere between
// elements. InvalidArgument, naming the byte, when a length is impossible, an element that has one
// meaning comes twice, the header's major version is not 1, or the header lacks the signer's
// serial or issuer, the digest or the signature; and for more than 2 MiB or 1000 records. Says
// nothing about trust, and does not look into certificates.
absl::StatusOr<TrustList> ParseTrustList(absl::string_view bytes);

// Equal but for leading zero bytes, which writers may put before a set top bit.
bool SameSerial(absl::string_view a, absl::string_view b);

}  // namespace trustline
