// Evidence of phones as the operator has it: the CSV file, the list files it names, and the lists
// that live servers serve.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trust/phone/classes.h"
#include "trust/phone/evidence.h"
#include "trust/phone/evidence_csv.h"

namespace trustline::controller {

struct LoadedEvidence {
  std::vector<PhoneEvidence> phones;
  ListLibrary library;  // with the files that the CSV names; these are then known by their digest
  std::string diagnostics;  // "phones.csv:3:17: error: ..." with the line and a caret; none: empty
};
// NotFound and the like for the file itself; what is wrong inside is in `diagnostics`. Paths inside
// are relative to the CSV file.
absl::StatusOr<LoadedEvidence> LoadEvidence(const std::string& path);

// The lines of `problems` as compilers print them.
std::string RenderCsvProblems(const std::string& path, const std::string& text,
                              const std::vector<CsvProblem>& problems);

}  // namespace trustline::controller
