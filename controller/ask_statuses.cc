#include "controller/ask_statuses.h"

#include <algorithm>
#include <set>
#include <utility>

namespace trustline::controller {

NodeStatuses AskStatuses(Fleet& fleet, const std::vector<std::string>& nodes,
                         const RunOptions& options, const std::shared_ptr<Mailbox>& mailbox,
                         const std::function<void(const std::vector<std::string>& waiting)>& tick) {
  NodeStatuses statuses;
  std::set<std::string> asked;
  std::vector<std::unique_ptr<CallHandle>> calls;
  const size_t forks = static_cast<size_t>(std::max(1, options.forks));
  size_t next = 0;
  while (next < nodes.size() || !asked.empty()) {
    if (options.interrupts() > 0) {
      for (; next < nodes.size(); ++next) {
        statuses.emplace(nodes[next], absl::CancelledError("interrupted before it was asked"));
      }
      for (auto& call : calls) call->Cancel();
    }
    for (; next < nodes.size() && asked.size() < forks; ++next) {
      const std::string& node = nodes[next];
      asked.insert(node);
      calls.push_back(fleet.Status(
          node, options.answer_timeout,
          ByMail<v1::StatusResponse>(
              mailbox, [&statuses, &asked, node](absl::StatusOr<v1::StatusResponse> status) {
                statuses.emplace(node, std::move(status));
                asked.erase(node);
              })));
    }
    if (asked.empty()) continue;
    mailbox->Deliver(kRunTick);
    if (tick) tick({asked.begin(), asked.end()});
  }
  return statuses;
}

}  // namespace trustline::controller
