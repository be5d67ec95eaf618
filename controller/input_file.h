// Reading a file that the operator named.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline::controller {

// The whole content. NotFound, PermissionDenied or Unavailable as the system says; InvalidArgument
// for what is not a regular file or has more than `max_bytes`. Every message names the file.
absl::StatusOr<std::string> ReadInputFile(const std::string& path, size_t max_bytes);

// Every certificate in a PEM file, or the one in a DER file; at least one. InvalidArgument
// otherwise, and for a file with a private key in it.
absl::StatusOr<std::vector<Certificate>> ReadCertificatesFile(const std::string& path);

// A private key in PEM without a password. FailedPrecondition when others than its owner can use
// the file.
absl::StatusOr<PrivateKey> ReadKeyFile(const std::string& path);

}  // namespace trustline::controller
