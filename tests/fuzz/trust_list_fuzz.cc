// Trust lists (ITL, CTL) from foreign servers: parse, judge, and verify by a known signer.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "tests/fuzz/fuzz_keys.h"
#include "tests/fuzz/require.h"
#include "trust/trust_list/list_verify.h"
#include "trust/trust_list/list_writer.h"
#include "trust/trust_list/trust_list.h"

namespace trustline {
namespace {

void Try(absl::string_view bytes) {
  static const Certificate& signer = *new Certificate(fuzz::FuzzCertificate("signer"));
  const absl::StatusOr<TrustList> list = ParseTrustList(bytes);
  if (!list.ok()) return;
  FUZZ_REQUIRE(list->bytes == bytes);
  FUZZ_REQUIRE(list->SignedBytes().size() < bytes.size());
  for (const TrustListRecord& record : list->records) {
    FUZZ_REQUIRE(record.offset <= bytes.size() && record.length <= bytes.size() - record.offset);
    for (const ListElement& element : record.elements) {
      FUZZ_REQUIRE(element.offset < bytes.size() && element.length <= bytes.size());
    }
    // What was read can be written, unless it has what the writer refuses.
    EncodeRecord(record).status().IgnoreError();
  }
  const ListVerdict verdict = VerifyTrustList(*list);
  if (verdict.signer_record) FUZZ_REQUIRE(*verdict.signer_record < list->records.size());
  FUZZ_REQUIRE(!verdict.verified() || verdict.signer_record.has_value());
  for (const ListProblem& problem : verdict.problems) {
    FUZZ_REQUIRE(!ListProblemName(problem.kind).empty() && !problem.text.empty());
  }
  VerifyListSignature(*list, signer).IgnoreError();
  list->IsCtl();
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
