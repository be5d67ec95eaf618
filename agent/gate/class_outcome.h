// What the phones that are named come to, and what that says of the class they stand for: lists and
// TVS decide alike for all of it, configurations are each phone's own.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "protos/trustline/v1/gate.pb.h"

namespace trustline::agent {

class ClassOutcome {
 public:
  // Of one phone, at the server that is judged now.
  void Add(const std::string& device, v1::GateDecision decision);

  // The decision that stands for all that were added since the last call, at least one: the first
  // that refuses, told by the phone's name where others do better.
  v1::GateDecision EndServer();

  // Of a class of so many phones: all of them where no phone that is named was accepted by every
  // server, else how many that are named were not.
  uint32_t Refused(uint32_t phones) const;

 private:
  std::set<std::string> accepted_, refused_;  // devices; in both where servers differ
  // Of the server that is judged now.
  v1::GateDecision worst_;
  std::string worst_device_;
  bool some_ = false, some_accepted_ = false;
};

}  // namespace trustline::agent
