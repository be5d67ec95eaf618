// Certificates in plain files, named as trust/certificate_directory.h says: one PEM block each,
// re-encoded from DER. An own certificate's key lies beside it, mode 0600, so a certificate and a
// key that do not belong together never share a name. Two certificates of one name are two files.
// Other files in the directories are left alone. Where agent.yaml names a merged file for a store,
// it repeats all its certificates, ascending by fingerprint.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/certificate_store.h"
#include "agent/host.h"
#include "agent/tvsd_database.h"

namespace trustline::agent {

// Thread-compatible, cheap to make; `files` and `layout` outlive it.
class LinuxCertificateStore : public CertificateStore {
 public:
  // FailedPrecondition when the layout names no root.
  static absl::StatusOr<LinuxCertificateStore> Open(const FileView& files, const Layout& layout);

  StoreCapabilities capabilities(const std::string& store) const override;
  absl::StatusOr<std::vector<std::string>> Stores() const override;
  absl::StatusOr<StoreContents> List(const std::string& store) const override;
  absl::StatusOr<PrivateKey> KeyOf(const StoredEntry& entry) const override;
  absl::Status Add(const std::string& store, const Certificate& certificate,
                   TransactionBuilder& transaction) const override;
  absl::Status AddIdentity(const std::string& unit, const Certificate& certificate,
                           const PrivateKey& key, TransactionBuilder& transaction) const override;
  absl::Status Remove(const std::string& store, const Certificate& certificate,
                      TransactionBuilder& transaction) const override;
  std::vector<v1::MergedStoreFile> DesiredMergedFiles(const std::string& store) const override;
  absl::StatusOr<std::vector<v1::MergedStoreFile>> PresentMergedFiles(
      const std::string& store) const override;
  absl::Status RefreshMergedFiles(const std::string& store,
                                  TransactionBuilder& transaction) const override;

 private:
  LinuxCertificateStore(const FileView& files, const Layout& layout)
      : files_(&files), layout_(&layout) {}

  absl::StatusOr<std::string> PathOf(const std::string& store,
                                     const Certificate& certificate) const;
  FileImage Image(std::string bytes, uint32_t mode) const;
  std::optional<v1::MergedStoreFile> MergedFact(const std::string& store) const;
  absl::Status RefreshMergedFile(const std::string& store, TransactionBuilder& transaction) const;
  // What the merged file must hold now.
  absl::StatusOr<std::string> MergedText(const std::string& store) const;
  // Bytes of a file, nothing when it is absent.
  absl::StatusOr<std::optional<FileImage>> ReadIfThere(const std::string& path) const;

  // tvsd's database: nothing where agent.yaml names none or the store gives no role there.
  std::optional<v1::MergedStoreFile> TvsdFact(const std::string& store) const;
  // Roles and TTL of every certificate that has a role, over all stores.
  absl::StatusOr<std::map<Certificate, TvsdEntry>> TvsdEntries() const;
  absl::StatusOr<std::optional<FileImage>> TvsdFile() const;
  absl::Status RefreshTvsd(TransactionBuilder& transaction) const;

  const FileView* files_;
  const Layout* layout_;
};

}  // namespace trustline::agent
