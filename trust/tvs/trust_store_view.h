// A node's trust stores as the Trust Verification Service reads them: read only, and never older
// than the last change on disk.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "trust/tvs/tvs_responder.h"

namespace trustline {

struct TrustStores {
  std::vector<TrustedCertificate> trusted;
  std::vector<std::string> warnings;  // one line each, naming the file or directory
};
// Every certificate below `root`, laid out as trust/certificate_directory.h says. Private keys are
// not opened. What cannot be read is a warning; symbolic links are not followed. Stops with a
// warning after 20,000 certificates.
TrustStores ReadTrustStores(const std::string& root);

// Thread-compatible.
class TrustStoreView {
 public:
  using Changed = std::function<void(const TrustStores& stores, const TvsResponder& responder)>;

  // `changed`, if there is one, is told of every reading, also the first.
  TrustStoreView(std::string root, TvsResponderOptions options, Changed changed);
  ~TrustStoreView();
  TrustStoreView(const TrustStoreView&) = delete;
  TrustStoreView& operator=(const TrustStoreView&) = delete;

  // The responder for what is on disk now. A change is seen by inotify, or by the root's being
  // another directory; then everything is read again, and also when notices were lost (overflow).
  // Costs two system calls where nothing changed. Where inotify is not to be had it reads
  // everything every time, and says so in a warning.
  const TvsResponder& Now();

 private:
  bool ChangedOnDisk();
  void Watch();
  void Read();

  const std::string root_;
  const TvsResponderOptions options_;
  const Changed changed_;
  int inotify_ = -1;
  bool blind_ = true;  // not every directory is watched
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::unique_ptr<const TvsResponder> responder_;
};

}  // namespace trustline
