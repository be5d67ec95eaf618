#include "trust/tvs/tvs_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>
#include <unordered_map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"
#include "trust/status_macros.h"
#include "trust/tvs/tls_settings.h"
#include "trust/tvs/trust_store_view.h"
#include "trust/tvs/tvs_connection.h"

namespace trustline {
namespace {

using Clock = std::chrono::steady_clock;
using SslCtxPtr = openssl::Handle<SSL_CTX, SSL_CTX_free>;

constexpr int kBacklog = 4096;  // the kernel takes the smaller of this and net.core.somaxconn
// Of connections within their handshake, the costly part, and of those after it.
constexpr int kHandshakesAtOnce = 32;
constexpr int kEventsAtOnce = 128;
constexpr int kAcceptsAtOnce = 64;
// Without file descriptors there is nothing to do but to wait for one to come back.
constexpr std::chrono::milliseconds kAcceptPause(100);

std::string PeerText(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
  return absl::StrCat(text, ":", ntohs(address.sin_port));
}

// A phone's certificate is looked at and never judged.
int AcceptAnyCertificate(X509_STORE_CTX*, void*) { return 1; }

absl::StatusOr<SslCtxPtr> MakeContext(const TvsServerOptions& options) {
  const openssl::ErrorQueueGuard guard;
  SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return absl::ResourceExhaustedError("OpenSSL has no memory");
  TL_RETURN_IF_ERROR(SetTvsTls(context.get(), options.legacy_phones));
  // One record at a time, whatever it carries: a peer that sends empty ones keeps nobody waiting.
  SSL_CTX_clear_mode(context.get(), SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_read_ahead(context.get(), 0);
  if (!options.key.Matches(options.certificate)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key is not that of ", options.certificate.subject()));
  }
  const std::string& der = options.certificate.der();
  if (SSL_CTX_use_certificate_ASN1(context.get(), static_cast<int>(der.size()),
                                   openssl::Bytes(der)) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), static_cast<EVP_PKEY*>(options.key.native())) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.certificate.subject(), " cannot be used for TLS: ", openssl::TakeReason()));
  }
  if (options.ask_phone_certificate) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context.get(), AcceptAnyCertificate, nullptr);
  }
  return context;
}

}  // namespace

absl::StatusOr<TvsListener> TvsListener::Open(const std::string& ipv4, uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, ipv4.c_str(), &address.sin_addr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("'", ipv4, "' is no IPv4 address"));
  }
  TvsListener listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), port);
  const auto failed = [&] {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", ipv4, ":", port, ": ", std::strerror(errno)));
  };
  if (listener.fd_ < 0) return failed();
  const int on = 1;
  socklen_t size = sizeof(address);
  if (setsockopt(listener.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(listener.fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener.fd_, kBacklog) != 0 ||
      getsockname(listener.fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return failed();
  }
  listener.port_ = ntohs(address.sin_port);
  return listener;
}

TvsListener::TvsListener(TvsListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(other.port_) {}

TvsListener::~TvsListener() {
  if (fd_ >= 0) close(fd_);
}

// What the loops have in common; nothing but the counters and `stopping` changes.
struct TvsServer::Shared {
  Shared(TvsListener taken, TvsServerOptions given, SslCtxPtr made)
      : listener(std::move(taken)), options(std::move(given)), context(std::move(made)) {}

  TvsListener listener;
  const TvsServerOptions options;
  const SslCtxPtr context;
  std::atomic<uint64_t> accepted{0}, handshakes{0}, answered{0}, found{0}, malformed{0}, overdue{0},
      open{0}, rounds{0}, turns{0};
  std::atomic<bool> stop_asked{false};
  std::atomic<bool> stopping{false};  // drain_until is set
  std::atomic<Clock::time_point::rep> drain_until{0};

  void Log(TvsSeverity severity, absl::string_view message,
           const std::vector<std::pair<std::string, std::string>>& fields) const {
    if (options.log) options.log(severity, message, fields);
  }
};

// One thread: waits for the listener and its own connections, each of which only it touches.
class TvsServer::Loop {
 public:
  Loop(Shared& shared, size_t most, bool logs_stores)
      : shared_(shared),
        most_(most),
        stores_(shared.options.stores, shared.options.answers,
                logs_stores ? [this](const TrustStores& stores,
                                     const TvsResponder& responder) { Report(stores, responder); }
                            : TrustStoreView::Changed()),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        established_(epoll_create1(EPOLL_CLOEXEC)),
        wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    events_.handshake_done = [this](TvsConnection& connection) { HandshakeDone(connection); };
    events_.answer = [this](TvsConnection& connection, const TvsRequest& request) {
      return Answer(connection, request);
    };
  }
  ~Loop() {
    if (thread_.joinable()) thread_.join();
    if (epoll_ >= 0) close(epoll_);
    if (established_ >= 0) close(established_);
    if (wake_ >= 0) close(wake_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  absl::Status Start() {
    if (epoll_ < 0 || established_ < 0 || wake_ < 0 ||
        !Watch(epoll_, wake_, EPOLLIN, EPOLL_CTL_ADD) ||
        !Watch(epoll_, established_, EPOLLIN, EPOLL_CTL_ADD) || !Listen(true)) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot wait for connections: ", std::strerror(errno)));
    }
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }
  void Wake() const {
    const uint64_t one = 1;
    // Full means it is awake already.
    (void)!write(wake_, &one, sizeof(one));
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Held {
    std::unique_ptr<TvsConnection> connection;
    uint32_t watched = 0;
    bool established = false;  // watched by established_, not by epoll_
    bool queued = false;       // in again_, so epoll's word gives it no second turn
    uint64_t number = 0;       // tells a connection from a later one on the same descriptor
  };
  struct Again {
    int fd = -1;
    uint64_t number = 0;
  };
  struct Due {
    Clock::time_point at;
    int fd = -1;
    uint64_t number = 0;
  };

  static bool Watch(int epoll, int fd, uint32_t events, int operation) {
    epoll_event event = {};
    event.events = events;
    event.data.fd = fd;
    return epoll_ctl(epoll, operation, fd, &event) == 0;
  }

  bool Listen(bool on) {
    if (on == listening_) return true;
    // One of several waiting threads is enough for one new connection.
    if (!Watch(epoll_, shared_.listener.fd(), EPOLLIN | (on ? EPOLLEXCLUSIVE : 0U),
               on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL)) {
      return false;
    }
    listening_ = on;
    return true;
  }

  void Run() {
    std::vector<epoll_event> events(kEventsAtOnce);
    while (true) {
      const Clock::time_point now = Clock::now();
      CloseOverdue(now);
      const bool stopping = shared_.stopping.load();
      if (stopping && (held_.empty() || now >= DrainEnd())) break;
      // Failing to listen again is not the end: it is tried again with the next event.
      Listen(!stopping && held_.size() < most_ && now >= accept_at_);
      int count = epoll_wait(epoll_, events.data(), kHandshakesAtOnce, WaitTime(now, stopping));
      ++shared_.rounds;
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<size_t>(i)].data.fd;
        if (fd == wake_) {
          uint64_t drained = 0;
          (void)!read(wake_, &drained, sizeof(drained));
        } else if (fd == shared_.listener.fd()) {
          Accept();
        } else if (fd != established_) {
          Serve(fd, events[static_cast<size_t>(i)].events);
        }
      }
      // Who has been given a handshake does not wait behind the handshakes of all others: when
      // thousands come at once, phones would give up after the work was done for them.
      count = epoll_wait(established_, events.data(), kEventsAtOnce, 0);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        Serve(event.data.fd, event.events);
      }
      // Those that had enough to do for one turn, after everybody else had theirs.
      for (const Again& again : std::exchange(again_, {})) {
        const auto found = held_.find(again.fd);
        if (found == held_.end() || found->second.number != again.number) continue;
        found->second.queued = false;
        Serve(again.fd, 0);
      }
    }
    while (!held_.empty()) Drop(held_.begin()->first);
  }

  Clock::time_point DrainEnd() const {
    return Clock::time_point(Clock::duration(shared_.drain_until.load()));
  }

  int WaitTime(Clock::time_point now, bool stopping) const {
    if (!again_.empty()) return 0;
    Clock::time_point until = Clock::time_point::max();
    if (!due_.empty()) until = due_.front().at;
    if (stopping) until = std::min(until, DrainEnd());
    if (accept_at_ > now) until = std::min(until, accept_at_);
    if (until == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
  }

  void Accept() {
    for (int i = 0; i < kAcceptsAtOnce && held_.size() < most_; ++i) {
      sockaddr_in address = {};
      socklen_t size = sizeof(address);
      const int fd = accept4(shared_.listener.fd(), reinterpret_cast<sockaddr*>(&address), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
          shared_.Log(TvsSeverity::kWarning, "cannot accept connections for now",
                      {{"error", std::strerror(errno)}});
          accept_at_ = Clock::now() + kAcceptPause;
        }
        return;
      }
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      Held held;
      held.connection = std::make_unique<TvsConnection>(
          fd, PeerText(address), shared_.context.get(), shared_.options.connection_bytes, &events_);
      held.watched = EPOLLIN | EPOLLRDHUP;
      held.number = ++accepted_;
      if (!Watch(epoll_, fd, held.watched, EPOLL_CTL_ADD)) continue;  // closes it
      due_.push_back({Clock::now() + absl::ToChronoMilliseconds(shared_.options.connection_time),
                      fd, held.number});
      held_.emplace(fd, std::move(held));
      ++shared_.accepted;
      ++shared_.open;
    }
  }

  // `events`: what its epoll said; 0 for a turn it has left over.
  void Serve(int fd, uint32_t events) {
    const auto found = held_.find(fd);
    if (found == held_.end()) return;  // closed earlier in this turn
    Held& held = found->second;
    if (held.queued) return;  // its turn comes after everybody else's
    ++shared_.turns;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && held.connection->LostWithoutPeer()) {
      // It has given up waiting: a handshake would be work for nobody.
      shared_.Log(TvsSeverity::kDebug, "a connection failed",
                  {{"peer", held.connection->peer()}, {"reason", "the peer closed"}});
      Drop(fd);
      return;
    }
    uint32_t wanted = held.watched;
    switch (held.connection->Step()) {
      case TvsConnection::Want::kRead:
        wanted = held.connection->established() ? EPOLLIN : EPOLLIN | EPOLLRDHUP;
        break;
      case TvsConnection::Want::kWrite:
        wanted = EPOLLOUT;
        break;
      case TvsConnection::Want::kAgain:
        held.queued = true;
        again_.push_back({fd, held.number});
        return;
      case TvsConnection::Want::kClose:
        Closed(*held.connection);
        Drop(fd);
        return;
    }
    if (held.connection->established() != held.established) {
      held.established = true;
      held.watched = wanted;
      if (!Watch(epoll_, fd, 0, EPOLL_CTL_DEL) || !Watch(established_, fd, wanted, EPOLL_CTL_ADD)) {
        Drop(fd);
      }
      return;
    }
    if (wanted == held.watched) return;
    held.watched = wanted;
    if (!Watch(held.established ? established_ : epoll_, fd, wanted, EPOLL_CTL_MOD)) Drop(fd);
  }

  void Drop(int fd) {
    if (held_.erase(fd) == 1) --shared_.open;
  }

  // Every connection lives equally long, so the oldest is the first to be due.
  void CloseOverdue(Clock::time_point now) {
    while (!due_.empty()) {
      const Due& due = due_.front();
      const auto found = held_.find(due.fd);
      const bool gone = found == held_.end() || found->second.number != due.number;
      if (!gone && due.at > now) return;
      if (!gone) {
        ++shared_.overdue;
        shared_.Log(TvsSeverity::kDebug, "closed a connection that took too long",
                    {{"peer", found->second.connection->peer()}});
        Drop(due.fd);
      }
      due_.pop_front();
    }
  }

  void HandshakeDone(TvsConnection& connection) {
    ++shared_.handshakes;
    if (!shared_.options.ask_phone_certificate) return;
    const openssl::X509Ptr x509(SSL_get1_peer_certificate(connection.ssl()));
    if (x509 == nullptr) {
      shared_.Log(TvsSeverity::kInfo, "a phone without a certificate",
                  {{"peer", connection.peer()}});
      return;
    }
    const absl::StatusOr<Certificate> certificate =
        Certificate::FromDer(openssl::ToDer<X509>(x509.get(), i2d_X509));
    if (!certificate.ok()) return;
    shared_.Log(TvsSeverity::kInfo, "a phone's certificate, not verified",
                {{"peer", connection.peer()},
                 {"subject", certificate->subject()},
                 {"issuer", certificate->issuer()},
                 {"serial", certificate->serial_hex()}});
  }

  TvsReply Answer(TvsConnection& connection, const TvsRequest& request) {
    TvsReply reply = stores_.Now().Answer(request);
    ++shared_.answered;
    if (reply.status == 0) ++shared_.found;
    const bool query = request.kind == TvsKind::kQuery;
    std::vector<std::pair<std::string, std::string>> fields = {
        {"peer", connection.peer()},
        {"device", request.device},
        {"command", query ? "QUERY" : "VERIFY"},
        {"status", absl::StrCat(reply.status)}};
    if (query) {
      fields.emplace_back("serial", absl::BytesToHexString(request.serial));
      fields.emplace_back("issuer", request.issuer);
    }
    std::string roles;
    for (const uint8_t role : reply.roles) absl::StrAppend(&roles, roles.empty() ? "" : ",", role);
    fields.emplace_back("roles", roles);
    shared_.Log(TvsSeverity::kInfo, "answered", fields);
    return reply;
  }

  void Closed(const TvsConnection& connection) {
    if (connection.outcome() == TvsConnection::Outcome::kMalformed) {
      ++shared_.malformed;
      shared_.Log(TvsSeverity::kWarning, "closed a connection for what it sent",
                  {{"peer", connection.peer()}, {"reason", connection.reason()}});
    } else if (connection.outcome() == TvsConnection::Outcome::kFailed) {
      shared_.Log(TvsSeverity::kDebug, "a connection failed",
                  {{"peer", connection.peer()}, {"reason", connection.reason()}});
    }
  }

  void Report(const TrustStores& stores, const TvsResponder& responder) {
    // A root that cannot be watched is read for every question; its state is told once.
    if (stores.warnings != warnings_) {
      warnings_ = stores.warnings;
      for (const std::string& warning : warnings_) {
        shared_.Log(TvsSeverity::kWarning, "trust stores", {{"problem", warning}});
      }
    }
    if (responder.size() == reported_) return;
    reported_ = responder.size();
    shared_.Log(TvsSeverity::kInfo, "read the trust stores",
                {{"certificates", absl::StrCat(responder.size())}});
  }

  Shared& shared_;
  const size_t most_;
  std::vector<std::string> warnings_;  // before stores_, which reports when it is made
  size_t reported_ = SIZE_MAX;
  TrustStoreView stores_;
  TvsConnection::Events events_;
  const int epoll_;        // the listener, wake_, connections within their handshake, established_
  const int established_;  // connections after it
  const int wake_;
  bool listening_ = false;
  Clock::time_point accept_at_;
  uint64_t accepted_ = 0;
  std::unordered_map<int, Held> held_;
  std::deque<Due> due_;
  std::vector<Again> again_;
  std::thread thread_;
};

TvsServer::TvsServer(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}

absl::StatusOr<std::unique_ptr<TvsServer>> TvsServer::Start(TvsListener listener,
                                                            TvsServerOptions options) {
  if (options.max_connections == 0 || options.threads == 0 ||
      options.connection_time <= absl::ZeroDuration() || options.connection_bytes == 0) {
    return absl::InvalidArgumentError(
        "a limit of 0: connections, threads, time and bytes per connection must be more");
  }
  const int64_t ttl = absl::ToInt64Seconds(options.answers.ttl);
  if (ttl < 0 || ttl > int64_t{0xffffffff}) {
    return absl::InvalidArgumentError("a TTL that does not fit the protocol");
  }
  TL_ASSIGN_OR_RETURN(SslCtxPtr context, MakeContext(options));
  const size_t threads = std::min<size_t>(options.threads, options.max_connections);
  const size_t most = options.max_connections / threads;
  std::unique_ptr<TvsServer> server(new TvsServer(
      std::make_unique<Shared>(std::move(listener), std::move(options), std::move(context))));
  for (size_t i = 0; i < threads; ++i) {
    server->loops_.push_back(std::make_unique<Loop>(*server->shared_, most, i == 0));
  }
  for (const std::unique_ptr<Loop>& loop : server->loops_) TL_RETURN_IF_ERROR(loop->Start());
  return server;
}

TvsServer::~TvsServer() { Stop(absl::ZeroDuration()); }

void TvsServer::Stop(absl::Duration drain) {
  if (!shared_->stop_asked.exchange(true)) {
    shared_->drain_until =
        (Clock::now() + absl::ToChronoMilliseconds(drain)).time_since_epoch().count();
    shared_->stopping = true;
  }
  for (const std::unique_ptr<Loop>& loop : loops_) loop->Wake();
  for (const std::unique_ptr<Loop>& loop : loops_) loop->Join();
}

uint16_t TvsServer::port() const { return shared_->listener.port(); }

TvsServerFigures TvsServer::figures() const {
  TvsServerFigures figures;
  figures.accepted = shared_->accepted;
  figures.handshakes = shared_->handshakes;
  figures.answered = shared_->answered;
  figures.found = shared_->found;
  figures.malformed = shared_->malformed;
  figures.overdue = shared_->overdue;
  figures.open = shared_->open;
  figures.rounds = shared_->rounds;
  figures.turns = shared_->turns;
  return figures;
}

}  // namespace trustline
