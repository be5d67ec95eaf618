// Gates on their way into documents: for every stage with gated pointers a stage before it, on the
// hosts that judge, and in every pointer the demand for their verdict.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/playbook/drafts.h"
#include "controller/playbook/gate_settings.h"
#include "controller/playbook/playbook.h"
#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

// One per compilation; plays and stages it hands out live as long as it does.
class GateMaker {
 public:
  GateMaker(std::string playbook_directory, yaml::Diagnostics& diagnostics)
      : directory_(std::move(playbook_directory)), diagnostics_(diagnostics) {}

  // The play shown for a gate of `play`; made once per play.
  const Play& PlayOf(const Play& play);
  // `gate` (by its number) judges the pointers of the stage `guarded`.
  void Add(uint32_t gate, uint32_t guarded, GateSettings settings);

  // Makes the trust_gate of every gate from the pointers among `drafts`. Before ids are settled.
  // `input_missing` when the evidence file is not there.
  void MakeDrafts(const std::vector<StageDraft>& stages, Drafts& drafts, bool& input_missing);
  // What the gate that judges the stage `guarded` asks, with its pointers and phones; null where
  // there is none. After MakeDrafts.
  const v1::TrustGateSpec* SpecFor(uint32_t guarded) const;
  // The evidence file of that gate; empty where there is none.
  std::string PhonesFor(uint32_t guarded) const;

  // Tells the pointers whom to ask. After ids are settled.
  void LinkPointers(const std::vector<StageDraft>& stages, Drafts& drafts) const;

 private:
  struct GatePlay {
    Play play;
    Task task;
  };
  struct Gate {
    uint32_t number = 0, guarded = 0;
    GateSettings settings;
    std::optional<v1::TrustGateSpec> made;
  };
  const Gate* GateOf(uint32_t guarded) const;

  const std::string directory_;
  yaml::Diagnostics& diagnostics_;
  std::map<const Play*, GatePlay> plays_;
  std::vector<Gate> gates_;
};

}  // namespace trustline::controller
