// Bundles of certificates: PKCS#12 and PEM. A bundle's identity is its set of certificates, never
// its bytes (PKCS#12 has random salt).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/certificate.h"

namespace trustline {

struct BundleEntry {
  Certificate certificate;
  std::string friendly_name;  // UTF-8; "CallManager of dst-pub"; may be empty
};

enum class BundleProfile {
  kModern,      // AES-256-CBC with PBKDF2, MAC SHA-256
  kCompat3Des,  // PBE-SHA1-3DES, MAC SHA-1, for old readers
};

inline constexpr size_t kMaxBundleBytes = 16 << 20;
inline constexpr size_t kMaxBundleCertificates = 20000;  // entries, counted with duplicates
// Of one key derivation in a PKCS#12 file; a whole file may ask for four times as many. A hostile
// count must not keep a node busy for minutes.
inline constexpr int64_t kMaxBundleIterations = 1'000'000;

// A PKCS#12 file with certificates only. Entries are written in ascending SHA-256 order, duplicates
// once (the first friendly name counts). InvalidArgument: over the limits, a password with a zero
// byte, a friendly name that PKCS#12 cannot hold (not UTF-8, or characters beyond U+FFFF).
absl::StatusOr<std::string> WritePkcs12(std::vector<BundleEntry> entries,
                                        absl::string_view password, BundleProfile profile);

// The same set as PEM blocks, each under a line "friendlyName: ..." as `openssl pkcs12` prints it
// and ReadBundle reads it.
std::string WritePem(std::vector<BundleEntry> entries);

// Reads a bundle by its content: PKCS#12, PEM or one DER certificate; the file's name does not
// matter. Order is kept, duplicates come once. Certificates are told apart by their bytes only: the
// same name, also with the same serial, in two of them is no duplicate. InvalidArgument: truncated,
// not a bundle, over the limits. PermissionDenied: wrong password. FailedPrecondition: a private
// key inside (the message names it by friendly name or position). Unimplemented: an encryption this
// build cannot read (RC2-40), said so.
absl::StatusOr<std::vector<BundleEntry>> ReadBundle(absl::string_view bytes,
                                                    absl::string_view password);

}  // namespace trustline
