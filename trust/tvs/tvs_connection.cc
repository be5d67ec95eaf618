#include "trust/tvs/tvs_connection.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"
#include "trust/tvs/socket_bio.h"

namespace trustline {
namespace {

// Steps in one go: enough for a phone's whole look-up, too few for one peer to keep others waiting.
constexpr int kStepsAtOnce = 8;
constexpr size_t kReadBytes = 4096;

}  // namespace

TvsConnection::TvsConnection(int fd, std::string peer, SSL_CTX* context, size_t bytes_left,
                             const Events* events)
    : fd_(fd),
      peer_(std::move(peer)),
      context_(context),
      events_(events),
      bytes_left_(bytes_left) {}

TvsConnection::~TvsConnection() {
  ssl_.reset();
  close(fd_);
}

TvsConnection::Want TvsConnection::Step() {
  const openssl::ErrorQueueGuard guard;
  for (int i = 0; i < kStepsAtOnce; ++i) {
    const Want want = StepOnce();
    if (want != Want::kAgain) return want;
  }
  return Want::kAgain;
}

TvsConnection::Want TvsConnection::StepOnce() {
  if (!established_) return Handshake();
  if (sent_ < output_.size()) return Write();
  if (!input_.empty()) {
    const std::string rest = std::exchange(input_, std::string());
    if (const absl::Status status = Take(rest); !status.ok()) {
      return Close(Outcome::kMalformed, std::string(status.message()));
    }
    return Want::kAgain;
  }
  return Read();
}

TvsConnection::Want TvsConnection::Handshake() {
  if (ssl_ == nullptr) {
    ssl_.reset(SSL_new(context_));
    BIO* const bio = NewSocketBio(fd_);
    if (ssl_ == nullptr || bio == nullptr) {
      BIO_free(bio);
      return Close(Outcome::kFailed, "no memory");
    }
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_accept_state(ssl_.get());
  }
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) return After(result, errno);
  established_ = true;
  events_->handshake_done(*this);
  return Want::kAgain;
}

TvsConnection::Want TvsConnection::Write() {
  errno = 0;
  const int result =
      SSL_write(ssl_.get(), output_.data() + sent_, static_cast<int>(output_.size() - sent_));
  if (result <= 0) return After(result, errno);
  sent_ += static_cast<size_t>(result);
  if (sent_ == output_.size()) {
    std::string().swap(output_);  // gives the memory back, which clear() does not
    sent_ = 0;
    answered_ = true;
  }
  return Want::kAgain;
}

TvsConnection::Want TvsConnection::Read() {
  char bytes[kReadBytes];
  errno = 0;
  const int result = SSL_read(ssl_.get(), bytes, sizeof(bytes));
  if (result <= 0) return After(result, errno);
  const absl::string_view got(bytes, static_cast<size_t>(result));
  if (got.size() > bytes_left_) {
    return Close(Outcome::kMalformed, "more bytes than a connection may send");
  }
  bytes_left_ -= got.size();
  if (const absl::Status status = Take(got); !status.ok()) {
    return Close(Outcome::kMalformed, std::string(status.message()));
  }
  return Want::kAgain;
}

// One question at most; what follows it waits in input_ until its answer has gone out.
absl::Status TvsConnection::Take(absl::string_view bytes) {
  TL_ASSIGN_OR_RETURN(const size_t taken, decoder_.Feed(bytes));
  if (decoder_.ready()) {
    TL_ASSIGN_OR_RETURN(const TvsRequest request, DecodeTvsRequest(decoder_.Take()));
    TL_ASSIGN_OR_RETURN(output_, EncodeTvsReply(events_->answer(*this, request)));
  }
  input_.assign(bytes.data() + taken, bytes.size() - taken);
  return absl::OkStatus();
}

TvsConnection::Want TvsConnection::After(int result, int error) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      // Without read-ahead OpenSSL holds a part of one record at most, so the socket tells of all
      // that is still to come.
      return Want::kRead;
    case SSL_ERROR_WANT_WRITE:
      return Want::kWrite;
    case SSL_ERROR_ZERO_RETURN:
      SSL_shutdown(ssl_.get());
      return decoder_.in_frame() ? Close(Outcome::kMalformed, "closed within a question")
                                 : Close(Outcome::kPeerClosed);
    case SSL_ERROR_SYSCALL:
      return Close(answered_ ? Outcome::kPeerClosed : Outcome::kFailed,
                   error == 0 ? "the peer closed" : std::strerror(error));
    default: {
      const int reason = ERR_GET_REASON(ERR_peek_last_error());
      // Phones that have their answer just go.
      if (answered_ && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return Close(Outcome::kPeerClosed);
      }
      const std::string words = openssl::TakeReason();
      return Close(Outcome::kFailed,
                   absl::StrCat(established_ ? "TLS: " : "TLS handshake: ", words));
    }
  }
}

TvsConnection::Want TvsConnection::Close(Outcome outcome, std::string reason) {
  outcome_ = outcome;
  reason_ = std::move(reason);
  return Want::kClose;
}

}  // namespace trustline
