// Deciding classes against servers, many phones at a time.
#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "trust/phone/classes.h"

namespace trustline {
namespace {

constexpr size_t kDeviations = 5;

struct Job {
  size_t decision = 0;
  size_t phone = 0;
  bool first = false;  // of its class
};

std::string WhyNotJudged(const PhoneEvidence& phone, bool* unproven) {
  if (!phone.excluded.empty()) return absl::StrCat("excluded: ", phone.excluded);
  if (std::string why = phone.Immovable(); !why.empty()) return why;
  std::string why = phone.Unproven();
  *unproven = !why.empty();
  return why;
}

PhoneEvidence Resolved(PhoneEvidence phone, const ListLibrary& library) {
  library.Resolve(&phone.itl);
  library.Resolve(&phone.ctl);
  return phone;
}

// The phones of a class that are booted besides its first: evenly spread over it.
std::vector<size_t> Chosen(const EvidenceClass& phones, const FleetOptions& options) {
  const size_t others = phones.phones.size() - 1;
  if (options.every_phone) return {phones.phones.begin() + 1, phones.phones.end()};
  std::vector<size_t> chosen;
  const size_t wanted = std::min(options.spot_checks, others);
  for (size_t i = 1; i <= wanted; ++i) chosen.push_back(phones.phones[i * others / wanted]);
  return chosen;
}

}  // namespace

std::vector<ClassDecision> DecideClasses(const std::vector<PhoneEvidence>& phones,
                                         PhoneNetwork& network, const FleetOptions& options,
                                         absl::Time now) {
  std::vector<ClassDecision> decisions;
  std::vector<Job> jobs;
  for (EvidenceClass& its : ClassifyPhones(phones)) {
    ClassDecision decision;
    decision.phones = std::move(its);
    decision.not_judged =
        WhyNotJudged(Resolved(decision.phones.evidence, options.library), &decision.unproven);
    if (decision.not_judged.empty()) {
      jobs.push_back({decisions.size(), decision.phones.phones.front(), true});
      for (const size_t phone : Chosen(decision.phones, options))
        jobs.push_back({decisions.size(), phone, false});
    }
    decisions.push_back(std::move(decision));
  }
  // Every class's first phone goes ahead, so that the others can be compared with it.
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const Job& a, const Job& b) { return a.first && !b.first; });

  absl::Mutex mutex;
  // Of each class and end a few phones: thousands of results are not kept for a line of text.
  std::vector<std::map<BootResult::End, std::vector<std::string>>> others(decisions.size());
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i = next++; i < jobs.size(); i = next++) {
      const Job& job = jobs[i];
      BootResult result = Boot(StateOf(Resolved(phones[job.phone], options.library)),
                               options.tftp_servers, network, options.behaviour, now);
      absl::MutexLock lock(&mutex);
      ClassDecision& decision = decisions[job.decision];
      ++decision.booted;
      ++decision.ends[result.end];
      if (job.first) {
        decision.result = std::move(result);
        continue;
      }
      std::vector<std::string>& told = others[job.decision][result.end];
      if (told.size() == kDeviations) continue;
      told.push_back(
          absl::StrCat(phones[job.phone].device, ": ", EndName(result.end), ": ", result.reason));
    }
  };
  std::vector<std::thread> threads;
  const size_t workers = std::min(std::max<size_t>(options.in_flight, 1), jobs.size());
  threads.reserve(workers);
  for (size_t i = 0; i < workers; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();

  for (size_t i = 0; i < decisions.size(); ++i) {
    for (auto& [end, told] : others[i]) {
      if (end == decisions[i].result.end) continue;
      std::vector<std::string>& deviations = decisions[i].deviations;
      deviations.insert(deviations.end(), told.begin(), told.end());
      if (deviations.size() > kDeviations) deviations.resize(kDeviations);
    }
  }
  return decisions;
}

}  // namespace trustline
