#include "tests/fuzz/fuzz_keys.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace trustline::fuzz {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "%s is missing: run make_seeds first (ninja fuzz_seeds)\n", path.c_str());
    std::abort();
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

std::string FuzzKeyPath(const std::string& name) {
  return absl::StrCat(TRUSTLINE_FUZZ_DIR, "/keys/", name, ".key");
}
std::string FuzzCertificatePath(const std::string& name) {
  return absl::StrCat(TRUSTLINE_FUZZ_DIR, "/keys/", name, ".pem");
}

Certificate FuzzCertificate(const std::string& name) {
  return Certificate::FromPem(ReadFile(FuzzCertificatePath(name))).value();
}
PrivateKey FuzzKey(const std::string& name) {
  return PrivateKey::FromPem(ReadFile(FuzzKeyPath(name))).value();
}

}  // namespace trustline::fuzz
