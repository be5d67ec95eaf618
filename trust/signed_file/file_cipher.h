// How the body of an .enc.sgn is locked for one phone: AES-128-CBC under a random key, that key
// under the phone's RSA key (PKCS#1 v1.5). Internal to the signed files.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline {

struct LockedBody {
  std::string iv, encrypted_key, body;
  uint16_t padding = 0;  // 1 to 16 bytes CR after the content
};

// InvalidArgument when the phone's key is not RSA.
absl::StatusOr<LockedBody> LockBody(absl::string_view content, const Certificate& phone);

// The content with its padding. Any error is PermissionDenied.
absl::StatusOr<std::string> UnlockBody(absl::string_view body, absl::string_view iv,
                                       absl::string_view encrypted_key,
                                       const PrivateKey& phone_key);

}  // namespace trustline
