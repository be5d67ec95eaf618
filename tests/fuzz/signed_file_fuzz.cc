// Signed files (X.sgn) as phones fetch them: parse and verify.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/fuzz_keys.h"
#include "tests/fuzz/require.h"
#include "trust/signed_file/signed_file.h"

namespace trustline {
namespace {

void Try(std::string bytes) {
  static const Certificate& signer = *new Certificate(fuzz::FuzzCertificate("signer"));
  const size_t size = bytes.size();
  const absl::StatusOr<SignedFile> file = SignedFile::Parse(std::move(bytes));
  if (!file.ok()) return;
  FUZZ_REQUIRE(file->header_length() <= size);
  FUZZ_REQUIRE(file->payload().size() + file->header_length() == size);
  FUZZ_REQUIRE(file->SignedBytes().size() + file->signature().size() + 3 == size);
  const absl::Status verified = VerifySignedFile(*file, signer);
  SignedFileCheck check;
  check.expected_name = "another name";
  if (file->file_name != check.expected_name) {
    FUZZ_REQUIRE(!VerifySignedFile(*file, signer, check).ok());
  }
  verified.IgnoreError();
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
