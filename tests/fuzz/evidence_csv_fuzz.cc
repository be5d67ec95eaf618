// Evidence of phones as operators' spreadsheets write it: CSV.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/fuzz/require.h"
#include "trust/phone/evidence_csv.h"

namespace trustline {
namespace {

void Try(absl::string_view text) {
  const EvidenceCsv csv = ParseEvidenceCsv(text);
  FUZZ_REQUIRE(csv.problems.size() <= 20);
  for (const CsvProblem& problem : csv.problems) FUZZ_REQUIRE(!problem.text.empty());
  std::set<std::string> devices;
  for (const PhoneEvidence& phone : csv.phones) {
    if (csv.problems.empty()) FUZZ_REQUIRE(devices.insert(phone.device).second);
    phone.Immovable();
    phone.Unproven();
  }
  if (!csv.problems.empty() || csv.phones.empty()) return;
  // Written and read again it is the same.
  const EvidenceCsv again = ParseEvidenceCsv(WriteEvidenceCsv(csv.phones));
  FUZZ_REQUIRE(again.problems.empty() && again.phones.size() == csv.phones.size());
  for (size_t i = 0; i < csv.phones.size(); ++i) {
    FUZZ_REQUIRE(again.phones[i].device == csv.phones[i].device &&
                 again.phones[i].mac == csv.phones[i].mac &&
                 again.phones[i].itl.digest == csv.phones[i].itl.digest &&
                 again.phones[i].excluded == csv.phones[i].excluded &&
                 again.phones[i].tftp == csv.phones[i].tftp);
  }
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
