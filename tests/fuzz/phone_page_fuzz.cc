// The web page a phone shows, which anybody in the phones' network can serve.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "tests/fuzz/require.h"
#include "trust/phone/evidence_csv.h"
#include "trust/phone/web_page.h"

namespace trustline {
namespace {

void Try(absl::string_view html) {
  const absl::StatusOr<PhoneEvidence> phone = ParsePhoneWebPage(html);
  if (!phone.ok()) return;
  FUZZ_REQUIRE(phone->device.substr(0, 3) == "SEP");
  for (const ListEvidence* list : {&phone->itl, &phone->ctl}) {
    FUZZ_REQUIRE(list->digest.empty() || list->digest.size() == 40 || list->digest.size() == 32);
  }
  // What is read from a page goes into a CSV that is read again.
  const EvidenceCsv csv = ParseEvidenceCsv(WriteEvidenceCsv({*phone}));
  FUZZ_REQUIRE(csv.problems.empty() && csv.phones.size() == 1 &&
               csv.phones[0].device == phone->device);
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
