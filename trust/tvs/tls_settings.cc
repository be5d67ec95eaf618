#include "trust/tvs/tls_settings.h"

#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"

namespace trustline {
namespace {

// Security level 0 would allow anonymous suites, which nothing authenticates; they are struck out
// by name.
constexpr char kLegacyCiphers[] = "ALL:!aNULL:!eNULL:@SECLEVEL=0";

}  // namespace

absl::Status SetTvsTls(SSL_CTX* context, bool legacy) {
  const openssl::ErrorQueueGuard guard;
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  bool ok = SSL_CTX_set_min_proto_version(context, legacy ? TLS1_VERSION : TLS1_2_VERSION) == 1;
  // TLS 1.3 sends tickets unless told their number as well.
  ok = ok && SSL_CTX_set_num_tickets(context, 0) == 1;
  // Idle connections give their buffers back, a message may be written in pieces.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (legacy) {
    // Old servers do not know of secure renegotiation; we renegotiate with nobody.
    SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
    ok = ok && SSL_CTX_set_cipher_list(context, kLegacyCiphers) == 1;
    ok = ok && SSL_CTX_set_dh_auto(context, 1) == 1;
  }
  if (!ok) {
    return absl::InternalError(absl::StrCat("TLS cannot be set up: ", openssl::TakeReason()));
  }
  return absl::OkStatus();
}

}  // namespace trustline
