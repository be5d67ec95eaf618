// CSV as cells that know where they stand. Pure; bounded by its caller's limits.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "trust/phone/evidence_csv.h"

namespace trustline {

struct CsvCell {
  std::string text;
  size_t line = 0, column = 0;  // of its first byte
};

// Reads line by line. Thread-compatible.
class CsvReader {
 public:
  explicit CsvReader(absl::string_view text);

  // The next line that has cells; false at the end. `problem` is set when the line is broken (a
  // quote that does not end, text after a quote, a cell that is too long); the reader then goes on
  // behind it.
  bool Next(std::vector<CsvCell>* cells, CsvProblem* problem);

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek() const { return text_[at_]; }
  void Skip();
  void SkipLine();
  bool ReadQuoted(CsvCell* cell, CsvProblem* problem);

  absl::string_view text_;
  size_t at_ = 0, line_ = 1, column_ = 1;
};

// As a cell of a file: quoted where it must be.
std::string CsvQuoted(absl::string_view text);

}  // namespace trustline
