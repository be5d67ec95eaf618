#include "agent/tvs_view.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace trustline::agent {
namespace {

constexpr absl::Duration kBetweenAttempts = absl::Milliseconds(50);

class Live final : public TvsView {
 public:
  absl::StatusOr<TvsAnswer> Ask(const TvsAddress& server, const TvsRequest& request,
                                const TvsClientOptions& options) const override {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point deadline = Clock::now() + absl::ToChronoMilliseconds(options.timeout);
    TvsClientOptions left = options;
    while (true) {
      absl::StatusOr<TvsAnswer> answer = AskTvs(server, request, left);
      if (!absl::IsUnavailable(answer.status())) return answer;
      std::this_thread::sleep_for(absl::ToChronoMilliseconds(kBetweenAttempts));
      left.timeout = absl::FromChrono(deadline - Clock::now());
      if (left.timeout <= absl::ZeroDuration()) return answer;
    }
  }
};

}  // namespace

const TvsView& LiveTvs() {
  static const Live live;
  return live;
}

}  // namespace trustline::agent
