// How a run behaves towards time, the operator and the fleet.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "controller/compile.h"
#include "controller/run_record.h"

namespace trustline::controller {

// Simulated phones may have to wait for several servers that do not answer.
inline constexpr absl::Duration kVerdictPatience = absl::Minutes(5);

struct RunOptions {
  std::string run_id;
  // Runs of the same operator whose controller is gone for good: a lease one of them still holds is
  // taken over, so that an interrupted run is resumed by running it again.
  std::vector<std::string> ended_runs;
  int forks = 50;
  absl::Duration answer_timeout = absl::Seconds(30);  // lease, plan, status, probe
  absl::Duration apply_timeout = absl::Seconds(600);  // one stage on one node
  // Why gated pointers shall move without an accepting verdict; empty: they shall not.
  std::string override_gate;
  std::function<absl::Time()> now = absl::Now;
  // How often Ctrl-C was pressed: 1 = start nothing more, 2 = cancel what runs.
  std::function<int()> interrupts = [] { return 0; };
  // Why a stage with require_no_stragglers must not start (controller/straggler_guard.h); empty: it
  // may.
  std::function<absl::StatusOr<std::string>()> why_source_must_stay =
      []() -> absl::StatusOr<std::string> { return "nobody keeps a ledger of phones here"; };
  // What the phones of a wave hold now (controller/arrival_look.h). May block; comes on a thread of
  // its own, one look at a time, and gives up soon after `cancelled`.
  std::function<absl::StatusOr<WavePhones>(const ArrivalDemand&,
                                           const std::function<bool()>& cancelled)>
      look_for_arrivals = [](const ArrivalDemand&, const std::function<bool()>&) {
        return absl::StatusOr<WavePhones>(
            absl::FailedPreconditionError("nobody looks for phones here"));
      };
  // The run in which the phones of a stage arrived already, if that is the last word on them; asked
  // when this run has moved none of its pointers. Empty: they are waited for.
  std::function<absl::StatusOr<std::string>(const StagePlan&)> arrived_in = [](const StagePlan&) {
    return absl::StatusOr<std::string>("");
  };
  // The earlier run that changed what a node has of a stage; empty: not known.
  std::function<absl::StatusOr<std::string>(const StagePlan&, const std::string& node)> changed_in =
      [](const StagePlan&, const std::string&) { return absl::StatusOr<std::string>(""); };
  // Writes a wave that arrived or was put back into the ledger (controller/straggler_guard.h).
  std::function<absl::Status(const ArrivalDemand&, const ArrivalRecord&)> record_arrival =
      [](const ArrivalDemand&, const ArrivalRecord&) {
        return absl::FailedPreconditionError("nobody keeps a ledger of phones here");
      };
  // Waits between looks.
  std::function<void(absl::Duration)> sleep = absl::SleepFor;
  // Asks to go on, and calls `meanwhile` at least every second until it is answered, so that leases
  // live. False: nobody could or wanted to confirm.
  std::function<bool(const std::string& prompt, const std::function<void()>& meanwhile)> confirm =
      [](const std::string&, const std::function<void()>&) { return false; };
};

}  // namespace trustline::controller
