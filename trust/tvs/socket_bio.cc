#include "trust/tvs/socket_bio.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace trustline {
namespace {

int FdOf(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))); }

bool IsTemporary(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == EINPROGRESS;
}

int Read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = recv(FdOf(bio), into, static_cast<size_t>(size), 0);
  if (got < 0 && IsTemporary(errno)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

int Write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = send(FdOf(bio), from, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && IsTemporary(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

long Control(BIO* bio, int command, long, void*) {  // NOLINT(runtime/int): OpenSSL's type
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default:
      return 0;
  }
}

// Made once and kept: a method must outlive every BIO of its type.
const BIO_METHOD* Method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (made == nullptr) return made;
    BIO_meth_set_read(made, Read);
    BIO_meth_set_write(made, Write);
    BIO_meth_set_ctrl(made, Control);
    return made;
  }();
  return method;
}

}  // namespace

BIO* NewSocketBio(int fd) {
  BIO* const bio = Method() == nullptr ? nullptr : BIO_new(Method());
  if (bio == nullptr) return nullptr;
  // A BIO carries one pointer for its method; the number fits in it, and nothing need be allocated.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace trustline
