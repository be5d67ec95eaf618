// The load generator: phones from a process of their own. What it finds goes to standard output as
// NAME=VALUE, a line each.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "tests/bench/bench_files.h"
#include "tests/bench/phones.h"

namespace trustline::bench {
namespace {

using std::chrono::milliseconds;

constexpr char kUsage[] =
    "usage: bench_tvs_load DIRECTORY PORT 1.2|1.3 WHAT\n"
    "  rate CONCURRENCY SECONDS     always that many phones\n"
    "  latency RATE SECONDS         RATE phones a second, whether or not the last have their "
    "answer\n"
    "  hold COUNT                   that many stay connected, until standard input ends\n"
    "  arrive FIRST COUNT AT_ONCE   phones FIRST and on, all due now, AT_ONCE of them at a time\n";

double SecondsOf(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// The first few reasons, so that a run that fails says why.
void Complain(const Attempt& attempt) {
  static int told = 0;
  if (++told <= 5) std::cerr << "phone " << attempt.phone << ": " << attempt.failure << "\n";
}

int Rate(Phones& phones, size_t concurrency, double seconds) {
  const Clock::time_point began = Clock::now();
  const Clock::time_point end =
      began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  uint64_t phone = 0, answered = 0, failed = 0;
  while (Clock::now() < end) {
    while (phones.in_flight() < concurrency) phones.Ask(phone++);
    for (const Attempt& attempt : phones.Wait(end)) {
      if (attempt.failure.empty()) {
        ++answered;
        continue;
      }
      ++failed;
      Complain(attempt);
    }
  }
  const double took = SecondsOf(Clock::now() - began);
  std::printf("answered=%lu\nfailed=%lu\nper_second=%.1f\n", answered, failed,
              static_cast<double>(answered) / took);
  return failed == 0 ? 0 : 1;
}

double Percentile(const std::vector<double>& sorted, double of) {
  const auto at = static_cast<size_t>(std::ceil(of * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(at, 1, sorted.size()) - 1];
}

// Counted from when a phone was due, so that a server that falls behind is not let off.
int Latency(Phones& phones, double rate, double seconds) {
  const auto count = static_cast<uint64_t>(rate * seconds);
  const Clock::time_point began = Clock::now();
  const auto due = [&](uint64_t phone) {
    return began + std::chrono::duration_cast<Clock::duration>(
                       std::chrono::duration<double>(static_cast<double>(phone) / rate));
  };
  std::vector<double> took;
  uint64_t phone = 0, failed = 0;
  while (phone < count || phones.in_flight() > 0) {
    while (phone < count && due(phone) <= Clock::now()) phones.Ask(phone++);
    for (const Attempt& attempt :
         phones.Wait(phone < count ? due(phone) : Clock::now() + milliseconds(1000))) {
      if (attempt.failure.empty()) {
        took.push_back(1000 * SecondsOf(attempt.ended - due(attempt.phone)));
        continue;
      }
      ++failed;
      Complain(attempt);
    }
  }
  if (took.empty()) return 1;
  std::sort(took.begin(), took.end());
  std::printf("answered=%zu\nfailed=%lu\np50_ms=%.2f\np99_ms=%.2f\n", took.size(), failed,
              Percentile(took, 0.50), Percentile(took, 0.99));
  return failed == 0 ? 0 : 1;
}

int Hold(Phones& phones, size_t count) {
  constexpr size_t kAtOnce = 100;
  size_t phone = 0, failed = 0;
  while (phones.staying() < count && failed < count) {
    while (phones.in_flight() < kAtOnce && phones.staying() + phones.in_flight() < count)
      phones.Ask(phone++);
    for (const Attempt& attempt : phones.Wait(Clock::now() + milliseconds(1000))) {
      if (attempt.failure.empty()) continue;
      ++failed;
      Complain(attempt);
    }
  }
  std::printf("open=%zu\n", phones.staying());
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return phones.staying() == count ? 0 : 1;
}

// A phone that gets no answer tries again after a pause that doubles, five times in all.
int Arrive(Phones& phones, uint64_t first, uint64_t count, size_t at_once) {
  constexpr int kAttempts = 5;
  constexpr double kPauseMs = 500;
  using Due = std::pair<Clock::time_point, uint64_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> waiting;
  const Clock::time_point began = Clock::now();
  for (uint64_t i = 0; i < count; ++i) waiting.emplace(began, first + i);
  std::vector<int> attempts(count, 0);
  std::mt19937 random(static_cast<uint32_t>(first));
  std::uniform_real_distribution<double> spread(0.5, 1.5);
  uint64_t answered = 0, failed = 0, retries = 0;
  Clock::time_point last = began;
  while (answered + failed < count) {
    while (!waiting.empty() && phones.in_flight() < at_once &&
           waiting.top().first <= Clock::now()) {
      const uint64_t phone = waiting.top().second;
      waiting.pop();
      if (++attempts[phone - first] > 1) ++retries;
      phones.Ask(phone);
    }
    const bool room = !waiting.empty() && phones.in_flight() < at_once;
    for (const Attempt& attempt :
         phones.Wait(room ? waiting.top().first : Clock::now() + milliseconds(1000))) {
      const int made = attempts[attempt.phone - first];
      if (attempt.failure.empty()) {
        ++answered;
        last = attempt.ended;
      } else if (made < kAttempts) {
        const double pause = kPauseMs * std::exp2(made - 1) * spread(random);
        waiting.emplace(Clock::now() + milliseconds(static_cast<int64_t>(pause)), attempt.phone);
      } else {
        ++failed;
        Complain(attempt);
      }
    }
  }
  std::printf("answered=%lu\nfailed=%lu\nretries=%lu\nseconds=%.1f\n", answered, failed, retries,
              SecondsOf(last - began));
  return failed == 0 ? 0 : 1;
}

int Run(const std::vector<std::string>& words) {
  if (words.size() < 5) return 64;
  const std::string& directory = words[0];
  const std::string& what = words[3];
  std::vector<double> numbers;
  for (size_t i = 4; i < words.size(); ++i) numbers.push_back(std::atof(words[i].c_str()));
  if (*std::min_element(numbers.begin(), numbers.end()) < 0) return 64;
  PhonesOptions options;
  options.port = static_cast<uint16_t>(std::atoi(words[1].c_str()));
  options.tls13 = words[2] == "1.3";
  options.certificate = ReadWhole(directory + "/" + kCertificateDerFile);
  options.question = ReadWhole(directory + "/" + kQuestionFile);
  options.answer = ReadWhole(directory + "/" + kAnswerFile);
  options.stay = what == "hold";
  Phones phones(options);
  if (what == "rate" && numbers.size() == 2)
    return Rate(phones, static_cast<size_t>(numbers[0]), numbers[1]);
  if (what == "latency" && numbers.size() == 2) return Latency(phones, numbers[0], numbers[1]);
  if (what == "hold" && numbers.size() == 1) return Hold(phones, static_cast<size_t>(numbers[0]));
  if (what == "arrive" && numbers.size() == 3) {
    return Arrive(phones, static_cast<uint64_t>(numbers[0]), static_cast<uint64_t>(numbers[1]),
                  static_cast<size_t>(numbers[2]));
  }
  return 64;
}

}  // namespace
}  // namespace trustline::bench

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  trustline::bench::AllowDescriptors();
  const int code = trustline::bench::Run({argv + 1, argv + argc});
  if (code == 64) std::cerr << trustline::bench::kUsage;
  return code;
}
