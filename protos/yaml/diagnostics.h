// Errors and warnings with file:line:column, the line and a caret; all of a file in one go.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "protos/yaml/value.h"

namespace trustline::yaml {

enum class Severity { kError, kWarning, kNote };

struct Diagnostic {
  Severity severity = Severity::kError;
  Span span;  // a span without file is printed without place
  std::string message;
};

// Collects what is wrong. Thread-compatible.
class Diagnostics {
 public:
  void Error(const Span& span, std::string message);
  void Warning(const Span& span, std::string message);
  // Belongs to the diagnostic before it.
  void Note(const Span& span, std::string message);
  // Never shows the text at `span` in a snippet of this collection, for secrets written where a
  // reference is wanted. Call it for every scalar of a value.
  void Hide(const Span& span);
  bool has_errors() const { return errors_ > 0; }
  int errors() const { return errors_; }
  const std::vector<Diagnostic>& all() const { return all_; }
  // "file.yml:14:24: error: message\n   14 |     the line\n      |     ^~~~\n" for each, in the
  // order of place. No colour. What is said twice is shown once, and at most 100 are shown.
  std::string Render() const;
  // OK without errors; else InvalidArgument with Render().
  absl::Status ToStatus() const;

 private:
  std::vector<Diagnostic> all_;
  std::vector<Span> hidden_;
  int errors_ = 0;
};

// "units" for "unit" among `candidates`: the nearest within a third of its length, or empty.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates);
// " (did you mean \"units\"?)" or "".
std::string DidYouMeanSuffix(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace trustline::yaml
