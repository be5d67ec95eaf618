#include "controller/arrival_watch.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trust/tftp_pointer_rules.h"

namespace trustline::controller {
namespace {

// How long Ctrl-C may go unheard between two looks.
constexpr absl::Duration kWatchTick = absl::Milliseconds(500);

std::string TitleOf(const std::string& play, const std::string& wave) {
  return wave.empty() ? absl::StrCat("\"", play, "\"") : absl::StrCat("wave ", wave);
}

class Watch {
 public:
  Watch(const StagePlan& stage, const ArrivalDemand& demand, const RunOptions& options,
        const std::shared_ptr<Mailbox>& mailbox, Leases& leases, RunObserver& observer)
      : stage_(stage),
        demand_(demand),
        options_(options),
        mailbox_(mailbox),
        leases_(leases),
        observer_(observer) {}

  ArrivalRecord Run() {
    record_.stage = stage_.number;
    record_.play = stage_.play;
    record_.wave = stage_.wave;
    record_.at_least = demand_.at_least;
    record_.within = demand_.within;
    record_.began = options_.now();
    record_.end = demand_.only_look ? LookOnce() : Wait();
    record_.ended = options_.now();
    return std::move(record_);
  }

 private:
  ArrivalRecord::End LookOnce() {
    absl::StatusOr<WavePhones> look = Look();
    if (absl::IsCancelled(look.status())) return ArrivalRecord::End::kInterrupted;
    if (look.ok()) {
      Tell(look->problems);
      record_.phones = *std::move(look);
      observer_.OnNotice(
          absl::StrCat(TitleOf(stage_.play, stage_.wave), ": ", ArrivalCounts(record_.phones)));
    } else {
      record_.problem = std::string(look.status().message());
      Tell({record_.problem});
    }
    return ArrivalRecord::End::kLooked;
  }

  ArrivalRecord::End Wait() {
    const absl::Time deadline = record_.began + demand_.within;
    absl::Time next = record_.began;
    while (options_.interrupts() == 0) {
      const absl::Time now = options_.now();
      if (now >= next) {
        // Phones that come in while the last look lasts are seen by it or are late.
        switch (LookAndJudge(now >= deadline, deadline)) {
          case ArrivalVerdict::kReached:
            return ArrivalRecord::End::kReached;
          case ArrivalVerdict::kMissed:
            return options_.interrupts() > 0 ? ArrivalRecord::End::kInterrupted
                                             : ArrivalRecord::End::kMissed;
          case ArrivalVerdict::kLookAgain:
            next = std::min(std::max(now + demand_.every, options_.now()), deadline);
            continue;
        }
      }
      mailbox_->Deliver(absl::ZeroDuration());
      leases_.RenewWhenDue();
      options_.sleep(std::min(kWatchTick, next - now));
    }
    return ArrivalRecord::End::kInterrupted;
  }

  ArrivalVerdict LookAndJudge(bool time_is_up, absl::Time deadline) {
    absl::StatusOr<WavePhones> look = Look();
    if (look.ok()) {
      Tell(look->problems);
      record_.problem.clear();
      record_.phones = *std::move(look);
      const std::string left =
          time_is_up
              ? "time is up"
              : absl::StrCat(
                    absl::FormatDuration(absl::Trunc(deadline - options_.now(), absl::Seconds(1))),
                    " left");
      const std::string counts = ArrivalCounts(record_.phones);
      if (counts != told_counts_ || time_is_up) {
        told_counts_ = counts;
        observer_.OnNotice(absl::StrCat(TitleOf(stage_.play, stage_.wave), ": ", counts, ", ",
                                        demand_.at_least, "% are wanted; ", left));
      }
      const ArrivalVerdict verdict = JudgeArrival(demand_.at_least, record_.phones, time_is_up);
      if (verdict == ArrivalVerdict::kReached && record_.phones.Counted() == 0) {
        observer_.OnNotice(absl::StrCat(
            TitleOf(stage_.play, stage_.wave),
            ": nobody could be waited for: all its phones are excluded, or cannot be moved by "
            "DHCP; that the wave went well is not proven by any phone"));
      }
      return verdict;
    }
    record_.problem = std::string(look.status().message());
    if (!absl::IsCancelled(look.status())) Tell({record_.problem});
    return time_is_up ? ArrivalVerdict::kMissed : ArrivalVerdict::kLookAgain;
  }

  // The same trouble is told once.
  void Tell(const std::vector<std::string>& problems) {
    if (problems == told_problems_) return;
    told_problems_ = problems;
    for (const std::string& problem : problems) {
      observer_.OnNotice(absl::StrCat("looking for the phones of ",
                                      TitleOf(stage_.play, stage_.wave), ": ", problem));
    }
  }

  // On a thread of its own, so that leases live and Ctrl-C is heard meanwhile.
  absl::StatusOr<WavePhones> Look() {
    std::optional<absl::StatusOr<WavePhones>> result;
    std::atomic<bool> cancelled{false};
    std::thread looking([&] {
      auto found = std::make_shared<absl::StatusOr<WavePhones>>(
          options_.look_for_arrivals(demand_, [&cancelled] { return cancelled.load(); }));
      mailbox_->Post([&result, found] { result = std::move(*found); });
    });
    while (!result) {
      mailbox_->Deliver(kRunTick);
      leases_.RenewWhenDue();
      if (options_.interrupts() > 0) cancelled = true;
    }
    looking.join();
    return *std::move(result);
  }

  const StagePlan& stage_;
  const ArrivalDemand& demand_;
  const RunOptions& options_;
  const std::shared_ptr<Mailbox> mailbox_;
  Leases& leases_;
  RunObserver& observer_;
  ArrivalRecord record_;
  std::string told_counts_;
  std::vector<std::string> told_problems_;
};

}  // namespace

ArrivalVerdict JudgeArrival(int at_least, const WavePhones& phones, bool time_is_up) {
  const size_t counted = phones.Counted();
  if (!phones.Nobody() && phones.Arrived() * 100 >= static_cast<size_t>(at_least) * counted) {
    return ArrivalVerdict::kReached;
  }
  return time_is_up ? ArrivalVerdict::kMissed : ArrivalVerdict::kLookAgain;
}

std::string ArrivalCounts(const WavePhones& phones) {
  const size_t counted = phones.Counted(), arrived = phones.Arrived();
  std::string text =
      absl::StrCat(arrived, " of ", counted, counted == 1 ? " phone" : " phones", " arrived");
  if (counted > 0) absl::StrAppend(&text, " (", arrived * 100 / counted, "%)");
  if (const size_t unknown = phones.Unknown(); unknown > 0) {
    absl::StrAppend(&text, ", nothing is known of ", unknown);
  }
  return text;
}

std::string WhyMissed(const ArrivalRecord& arrival) {
  std::string text = absl::StrCat(
      TitleOf(arrival.play, arrival.wave), ": ", ArrivalCounts(arrival.phones), " within ",
      absl::FormatDuration(arrival.within), ", ", arrival.at_least, "% are wanted");
  if (!arrival.problem.empty()) absl::StrAppend(&text, "; the last look failed: ", arrival.problem);
  return text;
}

std::optional<ArrivalDemand> DemandOf(const RunInput& input, const StagePlan& stage) {
  std::set<std::string> scopes;
  const auto selected = input.selected.find(stage.number);
  if (!stage.arrival || selected == input.selected.end()) return std::nullopt;
  for (const auto& [node, ids] : selected->second) {
    const auto document = input.playbook.documents.find(node);
    if (document == input.playbook.documents.end()) continue;
    for (const v1::Resource& resource : document->second.resources()) {
      const bool masked =
          !ids.empty() && std::find(ids.begin(), ids.end(), resource.id()) == ids.end();
      if (resource.stage() != stage.number || !resource.has_tftp_pointer() || masked ||
          resource.mode() == v1::MODE_REPORT) {
        continue;
      }
      scopes.insert(PointerScopeName(resource.tftp_pointer().scope()));
    }
  }
  if (scopes.empty()) return std::nullopt;
  ArrivalDemand demand = *stage.arrival;
  std::erase_if(demand.pointers, [&](const v1::GatedPointer& pointer) {
    return !scopes.contains(PointerScopeName(pointer.scope()));
  });
  return demand;
}

bool ArrivedEarlier(const StagePlan& stage, const RunOptions& options, const RunRecord& record,
                    RunObserver& observer) {
  const bool moved =
      std::any_of(record.rows.begin(), record.rows.end(), [&](const ResourceRow& row) {
        return row.stage == stage.number && row.outcome.outcome() != v1::OUTCOME_UNCHANGED;
      });
  if (moved) return false;
  const absl::StatusOr<std::string> run = options.arrived_in(stage);
  if (!run.ok()) {
    observer.OnNotice(absl::StrCat("the history does not say whether the phones of ",
                                   TitleOf(stage.play, stage.wave),
                                   " arrived before: ", run.status().message()));
    return false;
  }
  if (run->empty()) return false;
  observer.OnNotice(absl::StrCat(TitleOf(stage.play, stage.wave), ": its phones arrived in run ",
                                 *run, ", and nothing was moved since"));
  return true;
}

ArrivalRecord WatchArrival(const StagePlan& stage, const ArrivalDemand& demand,
                           const RunOptions& options, const std::shared_ptr<Mailbox>& mailbox,
                           Leases& leases, RunObserver& observer) {
  return Watch(stage, demand, options, mailbox, leases, observer).Run();
}

}  // namespace trustline::controller
