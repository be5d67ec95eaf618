#include "tests/bench/phones.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace trustline::bench {
namespace {

constexpr int kEventsAtOnce = 256;
constexpr uint64_t kAddresses = 60'000;  // 127.1.0.1 and on

void Check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "phones: %s: %s\n", what, std::strerror(errno));
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

sockaddr_in Address(uint32_t host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

struct Phones::Call {
  enum class Phase { kConnect, kHandshake, kAsk, kHear, kStay };
  ~Call() {
    SSL_free(ssl);
    if (fd >= 0) close(fd);
  }
  uint64_t number = 0, phone = 0;
  Clock::time_point began;
  int fd = -1;
  SSL* ssl = nullptr;
  Phase phase = Phase::kConnect;
  uint32_t watched = EPOLLOUT;
  std::string heard;
};

Phones::Phones(PhonesOptions options) : options_(std::move(options)) {
  context_ = SSL_CTX_new(TLS_client_method());
  Check(context_ != nullptr, "TLS");
  const int version = options_.tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  Check(SSL_CTX_set_min_proto_version(context_, version) == 1 &&
            SSL_CTX_set_max_proto_version(context_, version) == 1 &&
            SSL_CTX_set_cipher_list(context_, "AES256-SHA") == 1,
        "TLS");
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context_, SSL_OP_NO_TICKET);
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  // Compared with the pinned certificate instead, as phones do.
  SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
  const auto* der = reinterpret_cast<const unsigned char*>(options_.certificate.data());
  pinned_ = d2i_X509(nullptr, &der, static_cast<long>(options_.certificate.size()));
  Check(pinned_ != nullptr, "the pinned certificate");
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  Check(epoll_ >= 0, "epoll");
}

Phones::~Phones() {
  calls_.clear();
  X509_free(pinned_);
  SSL_CTX_free(context_);
  close(epoll_);
}

void Phones::Ask(uint64_t phone) {
  auto owned = std::make_unique<Call>();
  Call& call = *owned;
  call.number = ++calls_made_;
  call.phone = phone;
  call.began = Clock::now();
  calls_.emplace(call.number, std::move(owned));
  ++in_flight_;
  due_.emplace_back(call.began + options_.patience, call.number);

  call.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  Check(call.fd >= 0, "socket");
  const int on = 1;
  setsockopt(call.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(call.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  const sockaddr_in own = Address(0x7f010001 + static_cast<uint32_t>(phone % kAddresses), 0);
  const sockaddr_in server = Address(INADDR_LOOPBACK, options_.port);
  Check(bind(call.fd, reinterpret_cast<const sockaddr*>(&own), sizeof(own)) == 0, "bind");
  if (connect(call.fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0 &&
      errno != EINPROGRESS) {
    End(call, std::strerror(errno));
    return;
  }
  epoll_event event{};
  event.events = call.watched;
  event.data.u64 = call.number;
  Check(epoll_ctl(epoll_, EPOLL_CTL_ADD, call.fd, &event) == 0, "epoll_ctl");
}

bool Phones::Blocked(Call& call, int result, const char* what, std::string* failure) {
  const int error = SSL_get_error(call.ssl, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    const uint32_t wanted = error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
    if (wanted != call.watched) {
      epoll_event event{};
      event.events = call.watched = wanted;
      event.data.u64 = call.number;
      Check(epoll_ctl(epoll_, EPOLL_CTL_MOD, call.fd, &event) == 0, "epoll_ctl");
    }
    return true;
  }
  char text[200] = "closed";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof(text));
  } else if (error == SSL_ERROR_SYSCALL && errno != 0) {
    std::snprintf(text, sizeof(text), "%s", std::strerror(errno));
  }
  ERR_clear_error();
  *failure = std::string(what) + ": " + text;
  return false;
}

bool Phones::Step(Call& call, std::string* failure) {
  using Phase = Call::Phase;
  if (call.phase == Phase::kConnect) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(call.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      *failure = std::string("connect: ") + std::strerror(error);
      return true;
    }
    call.ssl = SSL_new(context_);
    Check(call.ssl != nullptr && SSL_set_fd(call.ssl, call.fd) == 1, "TLS");
    call.phase = Phase::kHandshake;
  }
  errno = 0;
  if (call.phase == Phase::kHandshake) {
    const int result = SSL_connect(call.ssl);
    if (result != 1) return !Blocked(call, result, "handshake", failure);
    const X509* const presented = SSL_get0_peer_certificate(call.ssl);
    if (presented == nullptr || X509_cmp(presented, pinned_) != 0) {
      *failure = "another certificate than the pinned one";
      return true;
    }
    call.phase = Phase::kAsk;
  }
  if (call.phase == Phase::kAsk) {
    const int result =
        SSL_write(call.ssl, options_.question.data(), static_cast<int>(options_.question.size()));
    if (result <= 0) return !Blocked(call, result, "question", failure);
    call.phase = Phase::kHear;
  }
  while (call.heard.size() < options_.answer.size()) {
    char bytes[4096];
    const int result = SSL_read(call.ssl, bytes, sizeof(bytes));
    if (result <= 0) return !Blocked(call, result, "answer", failure);
    call.heard.append(bytes, static_cast<size_t>(result));
  }
  if (call.heard != options_.answer) *failure = "another answer";
  return true;
}

void Phones::Serve(Call& call) {
  if (call.phase == Call::Phase::kStay) {
    // Nothing more is expected of it: the server has closed.
    --staying_;
    calls_.erase(call.number);
    return;
  }
  std::string failure;
  if (Step(call, &failure)) End(call, failure);
}

void Phones::End(Call& call, const std::string& failure) {
  --in_flight_;
  ended_.push_back({call.phone, call.began, Clock::now(), failure});
  if (failure.empty() && options_.stay) {
    ++staying_;
    call.phase = Call::Phase::kStay;
    std::string().swap(call.heard);
    return;
  }
  // Politely, as `trustline tvs` and phones do.
  if (failure.empty()) SSL_shutdown(call.ssl);
  ERR_clear_error();
  calls_.erase(call.number);
}

void Phones::GiveUpOverdue(Clock::time_point now) {
  while (!due_.empty()) {
    const auto found = calls_.find(due_.front().second);
    if (found != calls_.end() && found->second->phase != Call::Phase::kStay) {
      if (due_.front().first > now) return;
      End(*found->second, "no answer in time");
    }
    due_.pop_front();
  }
}

std::vector<Attempt> Phones::Wait(Clock::time_point until) {
  epoll_event events[kEventsAtOnce];
  while (ended_.empty()) {
    const Clock::time_point now = Clock::now();
    GiveUpOverdue(now);
    if (!ended_.empty() || now >= until) break;
    Clock::time_point wake = until;
    if (!due_.empty()) wake = std::min(wake, due_.front().first);
    const auto left = std::max<int64_t>(
        0, std::chrono::duration_cast<std::chrono::nanoseconds>(wake - now).count());
    const timespec wait{static_cast<time_t>(left / 1'000'000'000),
                        static_cast<long>(left % 1'000'000'000)};
    const int count = epoll_pwait2(epoll_, events, kEventsAtOnce, &wait, nullptr);
    for (int i = 0; i < count; ++i) {
      const auto found = calls_.find(events[i].data.u64);
      if (found != calls_.end()) Serve(*found->second);
    }
  }
  return std::exchange(ended_, {});
}

}  // namespace trustline::bench
