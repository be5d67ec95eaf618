// The same mistake is met again on every host; it is said once.
#pragma once

#include <set>
#include <string>

#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

// Passes on to `diagnostics` what was not said before at the same place. Not for what the message
// reader finds: it knows places that must stay hidden.
class ReportOnce {
 public:
  // What `diagnostics` holds already counts as said.
  explicit ReportOnce(yaml::Diagnostics& diagnostics);
  // With every note that belongs to it; `where`, when given, becomes the last note of each new
  // error.
  void Take(const yaml::Diagnostics& found, const std::string& where = "");
  // True for the first of a kind at its place; the caller reports it.
  bool IsNew(const yaml::Diagnostic& diagnostic);

 private:
  yaml::Diagnostics& diagnostics_;
  std::set<std::string> said_;
};

}  // namespace trustline::controller
