// What TLS a Trust Verification Service and its phones speak. Internal to the TVS client and
// server.
#pragma once

#include <openssl/ssl.h>

#include "absl/status/status.h"

namespace trustline {

// TLS 1.2 and newer with OpenSSL's default ciphers; `legacy`: also TLS 1.0 and 1.1, old ciphers,
// SHA-1 and RSA-1024, for this context only. Anonymous and null ciphers never. No session tickets,
// no session cache, no renegotiation, no compression. Internal when OpenSSL refuses a setting.
absl::Status SetTvsTls(SSL_CTX* context, bool legacy);

}  // namespace trustline
