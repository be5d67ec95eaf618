// Where things stand in a text. The parser says where a node begins, never where it ends, and lets
// pass what only the text around a node gives away.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "protos/yaml/value.h"

namespace trustline::yaml {

// Offsets are in bytes from the beginning of the text. Immutable.
class Places {
 public:
  explicit Places(std::shared_ptr<const SourceFile> file);

  // From `offset` to `end`, at most to the end of the line; with `end` 0 the end is unknown.
  Span At(size_t offset, size_t end = 0) const;

  // Past tags and anchors, to where the content begins.
  size_t SkipProperties(size_t offset) const;

  // The span of a scalar whose node begins at `offset`, as far as its first line goes.
  Span Scalar(size_t offset, absl::string_view value) const;

  // `offset` is where the parser noticed that a value is missing, often lines later: goes back to
  // the indicator that announced the value.
  Span MissingValue(size_t offset) const;

  // True for a quoted scalar that the end of the file cuts off; yaml-cpp takes it as if it were
  // whole.
  bool CutOff(size_t offset) const;

  // False for a line without a colon in a block map; yaml-cpp takes it as a key without a value.
  bool KeyHasColon(size_t offset, absl::string_view value) const;

  absl::string_view text() const { return text_; }

 private:
  size_t EndOfScalar(size_t from, absl::string_view value) const;

  std::shared_ptr<const SourceFile> file_;
  absl::string_view text_;
  std::vector<size_t> starts_;  // of the lines
};

}  // namespace trustline::yaml
