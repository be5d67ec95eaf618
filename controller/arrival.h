// Whether phones have arrived: the proof is that the list a phone holds is the destination's, not
// that it is registered (a phone may register by its old configuration and refuse every new file).
#pragma once

#include <string>
#include <vector>

#include "trust/phone/classes.h"
#include "trust/phone/evidence.h"

namespace trustline::controller {

struct ArrivedPhone {
  size_t phone = 0;  // index into the evidence
  std::string node;  // whose ITL it holds
};
struct WaitingPhone {
  size_t phone = 0;
  std::string why;  // "holds ITL 3fa9... , which no destination node serves"
};

struct Arrival {
  std::vector<ArrivedPhone> arrived;
  std::vector<WaitingPhone> waiting;
  std::vector<WaitingPhone> unknown;   // no evidence of what it holds
  std::vector<WaitingPhone> excluded;  // not to be moved, with the reason
};

// `live`: the lists of every destination TFTP node, now. A phone has arrived when its ITL is one of
// theirs and, where the destination serves a CTL, its CTL too. Phones without Security By Default
// hold no ITL: of them the CTL counts, and without one nothing can be said.
Arrival CompareArrival(const std::vector<PhoneEvidence>& phones, const std::vector<LiveList>& live);

}  // namespace trustline::controller
