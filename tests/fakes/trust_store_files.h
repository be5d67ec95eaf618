// Trust stores on a real disk, as an agent lays them out; gone with the object.
#pragma once

#include <string>

#include "tests/fakes/test_pki.h"
#include "tests/support/temp_directory.h"
#include "trust/certificate.h"

namespace trustline::testing {

// Thread-compatible.
class TrustStoreFiles {
 public:
  TrustStoreFiles();

  const std::string& directory() const { return directory_.path(); }  // of everything
  std::string root() const { return directory_.File("stores"); }
  std::string PathOf(const std::string& store, const Certificate& certificate) const;

  // As an agent does it: written beside, then renamed.
  void Add(const std::string& store, const Certificate& certificate);
  // The certificate and its key.
  void AddIdentity(const std::string& unit, const TestIdentity& identity);
  void Remove(const std::string& store, const Certificate& certificate);
  // Any file below `directory()`, in place.
  void Write(const std::string& name, const std::string& bytes, unsigned mode = 0644);

 private:
  TempDirectory directory_;
};

}  // namespace trustline::testing
