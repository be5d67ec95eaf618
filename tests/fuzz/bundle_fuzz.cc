// Bundles of certificates by their content: PKCS#12, PEM, DER, as an import reads them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/fuzz/require.h"
#include "trust/bundle.h"

namespace trustline {
namespace {

std::vector<std::string> Digests(const std::vector<BundleEntry>& entries) {
  std::vector<std::string> digests;
  for (const BundleEntry& entry : entries) digests.push_back(entry.certificate.sha256());
  std::sort(digests.begin(), digests.end());
  return digests;
}

void Try(absl::string_view bytes) {
  const absl::StatusOr<std::vector<BundleEntry>> entries = ReadBundle(bytes, "password");
  if (!entries.ok()) return;
  FUZZ_REQUIRE(!entries->empty());
  const std::vector<std::string> digests = Digests(*entries);
  FUZZ_REQUIRE(std::adjacent_find(digests.begin(), digests.end()) == digests.end());
  // The set survives being written, whatever the names in it.
  const absl::StatusOr<std::vector<BundleEntry>> again = ReadBundle(WritePem(*entries), "");
  FUZZ_REQUIRE(again.ok() && Digests(*again) == digests);
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
