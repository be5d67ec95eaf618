// OpenSSL reading and writing a socket without SIGPIPE. Internal to the TVS client and server, the
// .cc files that hold TLS connections.
#pragma once

#include <openssl/bio.h>

namespace trustline {

// A BIO over a connected socket, which stays the caller's. A peer that is gone is an error of the
// call, never a signal to the process. Null when there is no memory. Thread-compatible.
BIO* NewSocketBio(int fd);

}  // namespace trustline
