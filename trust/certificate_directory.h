// How a node keeps certificates in plain files: <root>/<store>/<SERIALHEX>-<first 16 digits of the
// SHA-256>.pem, one PEM block each, and for an own certificate its key beside it with the ending
// `.key`. Whoever reads or writes such directories has the names from here. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/certificate.h"

namespace trustline {

inline constexpr absl::string_view kCertificateEnding = ".pem";
inline constexpr absl::string_view kKeyEnding = ".key";

// InvalidArgument when `store` is not a single plain word ([A-Za-z0-9][A-Za-z0-9_.-]{0,63}), so
// that no name leads out of the directory of stores.
absl::Status CheckStoreName(absl::string_view store);

// SERIALHEX-FINGERPRINT, the file's name without its ending.
std::string CertificateFileStem(const Certificate& certificate);
// Whether a name without ending is one of ours; other files in a store are somebody else's.
bool IsCertificateFileStem(absl::string_view stem);

// The certificate in a file of a store. InvalidArgument when the text is not one certificate, or
// another one than the name says.
absl::StatusOr<Certificate> ReadStoredCertificate(absl::string_view stem, absl::string_view pem);

}  // namespace trustline
