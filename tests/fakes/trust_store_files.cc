#include "tests/fakes/trust_store_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "trust/certificate_directory.h"

namespace trustline::testing {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::abort();
}

}  // namespace

TrustStoreFiles::TrustStoreFiles() {
  // Services that serve them may run as somebody else.
  if (chmod(directory().c_str(), 0755) != 0) Die(directory());
  std::filesystem::create_directory(root());
}

std::string TrustStoreFiles::PathOf(const std::string& store,
                                    const Certificate& certificate) const {
  return absl::StrCat(root(), "/", store, "/", CertificateFileStem(certificate),
                      kCertificateEnding);
}

void TrustStoreFiles::Write(const std::string& name, const std::string& bytes, unsigned mode) {
  const std::string path = directory_.File(name);
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  if (!file || chmod(path.c_str(), mode) != 0) Die(path);
}

void TrustStoreFiles::Add(const std::string& store, const Certificate& certificate) {
  const std::string path = PathOf(store, certificate);
  const std::string name = path.substr(directory().size() + 1);
  Write(name + ".staged", certificate.ToPem());
  std::filesystem::rename(path + ".staged", path);
}

void TrustStoreFiles::AddIdentity(const std::string& unit, const TestIdentity& identity) {
  const std::string path = PathOf(unit, identity.certificate);
  const std::string key =
      absl::StrCat(path.substr(directory().size() + 1,
                               path.size() - directory().size() - 1 - kCertificateEnding.size()),
                   kKeyEnding);
  Write(key, identity.key_pem(), 0600);
  Add(unit, identity.certificate);
}

void TrustStoreFiles::Remove(const std::string& store, const Certificate& certificate) {
  std::filesystem::remove(PathOf(store, certificate));
}

}  // namespace trustline::testing
