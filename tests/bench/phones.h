// Phones as a Trust Verification Service meets them: many at once, each with an address and a
// connection of its own, asking one question. Used by the load generator, a process of its own.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace trustline::bench {

using Clock = std::chrono::steady_clock;

struct PhonesOptions {
  uint16_t port = 0;        // on 127.0.0.1
  bool tls13 = false;       // else TLS 1.2 with AES256-SHA, as phones were seen to speak
  std::string certificate;  // DER the server must present
  std::string question;     // frame
  std::string answer;       // frame that must come back, to the byte
  std::chrono::milliseconds patience{10'000};  // for connecting, handshake and answer together
  bool stay = false;                           // a phone that has its answer does not hang up
};

struct Attempt {
  uint64_t phone = 0;
  Clock::time_point began, ended;
  std::string failure;  // empty: answered
};

// Phone n speaks from 127.1.x.y, so that ports of this machine are no limit. Thread-compatible.
class Phones {
 public:
  // Ends the program with a message when OpenSSL or the kernel refuse.
  explicit Phones(PhonesOptions options);
  ~Phones();
  Phones(const Phones&) = delete;
  Phones& operator=(const Phones&) = delete;

  void Ask(uint64_t phone);
  // Attempts that have ended; waits for one, until `until` at the latest.
  std::vector<Attempt> Wait(Clock::time_point until);
  size_t in_flight() const { return in_flight_; }
  size_t staying() const { return staying_; }

 private:
  struct Call;

  void Serve(Call& call);
  // True when it is over, for better or worse.
  bool Step(Call& call, std::string* failure);
  bool Blocked(Call& call, int result, const char* what, std::string* failure);
  void End(Call& call, const std::string& failure);
  void GiveUpOverdue(Clock::time_point now);

  const PhonesOptions options_;
  SSL_CTX* context_ = nullptr;
  X509* pinned_ = nullptr;
  int epoll_ = -1;
  uint64_t calls_made_ = 0;
  size_t in_flight_ = 0, staying_ = 0;
  std::map<uint64_t, std::unique_ptr<Call>> calls_;
  std::deque<std::pair<Clock::time_point, uint64_t>> due_;  // all are equally patient
  std::vector<Attempt> ended_;
};

}  // namespace trustline::bench
