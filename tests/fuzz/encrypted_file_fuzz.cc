// Encrypted files (X.enc.sgn): parse, then decrypt with the key the seeds are encrypted for.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/fuzz_keys.h"
#include "tests/fuzz/require.h"
#include "trust/signed_file/signed_file.h"

namespace trustline {
namespace {

void Try(std::string bytes) {
  static const PrivateKey& phone = *new PrivateKey(fuzz::FuzzKey("phone"));
  const absl::StatusOr<SignedFile> file = SignedFile::Parse(std::move(bytes));
  if (!file.ok()) return;
  const absl::StatusOr<std::string> plain = DecryptSignedFile(*file, phone);
  FUZZ_REQUIRE(file->encryption.has_value() || absl::IsFailedPrecondition(plain.status()));
  if (plain.ok()) FUZZ_REQUIRE(plain->size() <= file->payload().size());
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
