#include "agent/linux_certificate_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trust/certificate_directory.h"
#include "trust/status_macros.h"
#include "trust/tvs/tvs_responder.h"

namespace trustline::agent {
namespace {

// RFC 5280 allows 20 bytes; some issuers go beyond. More would not fit a file name.
constexpr size_t kMaxSerialDigits = 128;

std::string KeyPath(absl::string_view certificate_path) {
  return absl::StrCat(absl::StripSuffix(certificate_path, kCertificateEnding), kKeyEnding);
}

std::string Rendered(std::vector<Certificate> certificates) {
  std::sort(certificates.begin(), certificates.end());
  std::string text;
  for (const Certificate& certificate : certificates) text += certificate.ToPem();
  return text;
}

// The files as they will be when a transaction commits.
class UpcomingFiles final : public FileView {
 public:
  explicit UpcomingFiles(const TransactionBuilder& transaction) : transaction_(transaction) {}
  absl::StatusOr<FileImage> Read(const std::string& path) const override {
    return transaction_.Upcoming(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const override {
    return transaction_.UpcomingList(directory);
  }

 private:
  const TransactionBuilder& transaction_;
};

}  // namespace

absl::StatusOr<LinuxCertificateStore> LinuxCertificateStore::Open(const FileView& files,
                                                                  const Layout& layout) {
  if (layout.certificate_root.empty()) {
    return absl::FailedPreconditionError(
        "this node keeps no certificates: name certificates.root in agent.yaml");
  }
  return LinuxCertificateStore(files, layout);
}

StoreCapabilities LinuxCertificateStore::capabilities(const std::string& store) const {
  StoreCapabilities capabilities;
  capabilities.one_per_subject =
      std::find(layout_->one_per_subject.begin(), layout_->one_per_subject.end(), store) !=
      layout_->one_per_subject.end();
  return capabilities;
}

absl::StatusOr<std::optional<FileImage>> LinuxCertificateStore::ReadIfThere(
    const std::string& path) const {
  absl::StatusOr<FileImage> image = files_->Read(path);
  if (absl::IsNotFound(image.status())) return std::optional<FileImage>();
  TL_RETURN_IF_ERROR(image.status());
  return std::optional<FileImage>(*std::move(image));
}

absl::StatusOr<std::vector<std::string>> LinuxCertificateStore::Stores() const {
  absl::StatusOr<std::vector<std::string>> names = files_->List(layout_->certificate_root);
  std::vector<std::string> stores;
  if (absl::IsNotFound(names.status())) return stores;
  TL_RETURN_IF_ERROR(names.status());
  for (const std::string& name : *names) {
    if (!CheckStoreName(name).ok()) continue;
    // A plain file among the stores is not ours to judge.
    const absl::StatusOr<std::vector<std::string>> inside =
        files_->List(absl::StrCat(layout_->certificate_root, "/", name));
    if (inside.ok()) stores.push_back(name);
  }
  return stores;
}

absl::StatusOr<StoreContents> LinuxCertificateStore::List(const std::string& store) const {
  TL_RETURN_IF_ERROR(CheckStoreName(store));
  const std::string directory = absl::StrCat(layout_->certificate_root, "/", store);
  const absl::StatusOr<std::vector<std::string>> names = files_->List(directory);
  StoreContents contents;
  if (absl::IsNotFound(names.status())) return contents;
  TL_RETURN_IF_ERROR(names.status());
  const auto unreadable = [&](const std::string& path, absl::string_view why) {
    contents.unreadable.push_back(path);
    contents.warnings.push_back(absl::StrCat(path, ": ", why));
  };
  for (const std::string& name : *names) {
    absl::string_view stem = name;
    const std::string path = absl::StrCat(directory, "/", name);
    if (absl::ConsumeSuffix(&stem, kKeyEnding) && IsCertificateFileStem(stem)) {
      const std::string sibling = absl::StrCat(stem, kCertificateEnding);
      if (!std::binary_search(names->begin(), names->end(), sibling)) {
        unreadable(path, "a private key without its certificate");
      }
      continue;
    }
    if (!absl::ConsumeSuffix(&stem, kCertificateEnding)) continue;
    const bool own = IsCertificateFileStem(stem);
    // Somebody else's file, under a name of its own, says nothing about what we installed; but one
    // that nobody can read deserves a word. A merged file may lie among them.
    if (!own) {
      const absl::StatusOr<FileImage> image = files_->Read(path);
      const absl::StatusOr<std::vector<Certificate>> inside =
          image.ok() ? Certificate::AllFromPem(image->bytes) : image.status();
      if (!inside.ok() && !absl::IsNotFound(inside.status())) {
        contents.warnings.push_back(
            absl::StrCat(path, ": left alone, but cannot be read: ", inside.status().message()));
      } else if (inside.ok() && inside->empty()) {
        contents.warnings.push_back(absl::StrCat(path, ": left alone, but holds no certificate"));
      }
      continue;
    }
    const absl::StatusOr<FileImage> image = files_->Read(path);
    if (absl::IsNotFound(image.status())) continue;  // went away since it was listed
    if (!image.ok()) {
      unreadable(path, image.status().message());
      continue;
    }
    const absl::StatusOr<Certificate> certificate = ReadStoredCertificate(stem, image->bytes);
    if (!certificate.ok()) {
      unreadable(path, certificate.status().message());
      continue;
    }
    StoredEntry entry{*certificate, path};
    TL_ASSIGN_OR_RETURN(const std::optional<FileImage> key_file, ReadIfThere(KeyPath(path)));
    if (key_file) {
      entry.has_key = true;
      const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(key_file->bytes);
      entry.key_matches = key.ok() && key->Matches(*certificate);
      if (!entry.key_matches) unreadable(KeyPath(path), "is not the key of its certificate");
      if ((key_file->mode & 077) != 0) {
        contents.warnings.push_back(
            absl::StrCat(KeyPath(path), ": a private key that others may read; make it mode 0600"));
      }
    }
    contents.entries.push_back(std::move(entry));
  }
  std::sort(
      contents.entries.begin(), contents.entries.end(),
      [](const StoredEntry& a, const StoredEntry& b) { return a.certificate < b.certificate; });
  return contents;
}

absl::StatusOr<PrivateKey> LinuxCertificateStore::KeyOf(const StoredEntry& entry) const {
  const std::string path = KeyPath(entry.path);
  TL_ASSIGN_OR_RETURN(const FileImage image, files_->Read(path));
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(image.bytes);
  if (!key.ok()) {
    return absl::Status(key.status().code(), absl::StrCat(path, ": ", key.status().message()));
  }
  return key;
}

absl::StatusOr<std::string> LinuxCertificateStore::PathOf(const std::string& store,
                                                          const Certificate& certificate) const {
  TL_RETURN_IF_ERROR(CheckStoreName(store));
  if (certificate.serial_hex().size() > kMaxSerialDigits) {
    return absl::InvalidArgumentError(
        absl::StrCat("the serial of ", certificate.subject(), " is too long to be stored"));
  }
  return absl::StrCat(layout_->certificate_root, "/", store, "/", CertificateFileStem(certificate),
                      kCertificateEnding);
}

FileImage LinuxCertificateStore::Image(std::string bytes, uint32_t mode) const {
  FileImage image;
  image.bytes = std::move(bytes);
  image.mode = mode;
  image.uid = layout_->certificate_uid;
  image.gid = layout_->certificate_gid;
  return image;
}

absl::Status LinuxCertificateStore::Add(const std::string& store, const Certificate& certificate,
                                        TransactionBuilder& transaction) const {
  TL_ASSIGN_OR_RETURN(const std::string path, PathOf(store, certificate));
  // What is there, or what another resource of the stage puts there, stays as it is.
  const absl::StatusOr<FileImage> upcoming = transaction.Upcoming(path);
  if (upcoming.ok()) {
    const absl::StatusOr<Certificate> there = Certificate::FromPem(upcoming->bytes);
    if (there.ok() && *there == certificate) return transaction.WriteFile(path, *upcoming);
  } else if (!absl::IsNotFound(upcoming.status())) {
    return upcoming.status();
  }
  return transaction.WriteFile(path, Image(certificate.ToPem(), 0644));
}

absl::Status LinuxCertificateStore::AddIdentity(const std::string& unit,
                                                const Certificate& certificate,
                                                const PrivateKey& key,
                                                TransactionBuilder& transaction) const {
  if (!key.Matches(certificate)) {
    return absl::InvalidArgumentError(
        absl::StrCat(unit, ": the key does not belong to ", DescribeCertificate(certificate)));
  }
  TL_ASSIGN_OR_RETURN(const std::string path, PathOf(unit, certificate));
  TL_RETURN_IF_ERROR(transaction.WriteFile(KeyPath(path), Image(key.ToPkcs8Pem(), 0600)));
  return transaction.WriteFile(path, Image(certificate.ToPem(), 0644));
}

absl::Status LinuxCertificateStore::Remove(const std::string& store, const Certificate& certificate,
                                           TransactionBuilder& transaction) const {
  TL_ASSIGN_OR_RETURN(const std::string path, PathOf(store, certificate));
  for (const std::string& file : {path, KeyPath(path)}) {
    const absl::Status upcoming = transaction.Upcoming(file).status();
    if (!upcoming.ok() && !absl::IsNotFound(upcoming)) return upcoming;
    TL_RETURN_IF_ERROR(transaction.RemoveFile(file));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> LinuxCertificateStore::MergedText(const std::string& store) const {
  TL_ASSIGN_OR_RETURN(const StoreContents contents, List(store));
  std::vector<Certificate> certificates;
  for (const StoredEntry& entry : contents.entries) certificates.push_back(entry.certificate);
  return Rendered(std::move(certificates));
}

std::optional<v1::MergedStoreFile> LinuxCertificateStore::MergedFact(
    const std::string& store) const {
  const auto merged = layout_->merged_files.find(store);
  if (merged == layout_->merged_files.end()) return std::nullopt;
  v1::MergedStoreFile fact;
  fact.set_store(store);
  fact.set_file(merged->second);
  fact.set_complete(true);
  return fact;
}

std::vector<v1::MergedStoreFile> LinuxCertificateStore::DesiredMergedFiles(
    const std::string& store) const {
  std::vector<v1::MergedStoreFile> facts;
  for (const auto& fact : {MergedFact(store), TvsdFact(store)}) {
    if (fact) facts.push_back(*fact);
  }
  return facts;
}

absl::StatusOr<std::vector<v1::MergedStoreFile>> LinuxCertificateStore::PresentMergedFiles(
    const std::string& store) const {
  std::vector<v1::MergedStoreFile> facts;
  if (std::optional<v1::MergedStoreFile> fact = MergedFact(store)) {
    TL_ASSIGN_OR_RETURN(const std::string text, MergedText(store));
    TL_ASSIGN_OR_RETURN(const std::optional<FileImage> image, ReadIfThere(fact->file()));
    // An absent file repeats an empty store as well as an empty file does.
    fact->set_complete(image ? image->bytes == text : text.empty());
    facts.push_back(*fact);
  }
  if (std::optional<v1::MergedStoreFile> fact = TvsdFact(store)) {
    TL_ASSIGN_OR_RETURN(const std::optional<FileImage> image, TvsdFile());
    using Rows = std::map<std::string, TvsdEntry>;
    absl::StatusOr<Rows> rows = image ? ReadTvsd(image->bytes) : Rows();
    if (!rows.ok()) {
      return absl::Status(rows.status().code(),
                          absl::StrCat(fact->file(), ": ", rows.status().message()));
    }
    TL_ASSIGN_OR_RETURN(const auto entries, TvsdEntries());
    TL_ASSIGN_OR_RETURN(const StoreContents contents, List(store));
    const bool complete =
        std::all_of(contents.entries.begin(), contents.entries.end(), [&](const StoredEntry& e) {
          const auto row = rows->find(e.certificate.sha256_hex());
          const auto entry = entries.find(e.certificate);
          return row != rows->end() && entry != entries.end() && row->second == entry->second;
        });
    fact->set_complete(complete);
    facts.push_back(*fact);
  }
  return facts;
}

absl::Status LinuxCertificateStore::RefreshMergedFiles(const std::string& store,
                                                       TransactionBuilder& transaction) const {
  TL_RETURN_IF_ERROR(RefreshMergedFile(store, transaction));
  return TvsdFact(store) ? RefreshTvsd(transaction) : absl::OkStatus();
}

absl::Status LinuxCertificateStore::RefreshMergedFile(const std::string& store,
                                                      TransactionBuilder& transaction) const {
  const std::optional<v1::MergedStoreFile> fact = MergedFact(store);
  if (!fact) return absl::OkStatus();
  const UpcomingFiles upcoming(transaction);
  const LinuxCertificateStore after(upcoming, *layout_);
  TL_ASSIGN_OR_RETURN(std::string text, after.MergedText(store));
  TL_ASSIGN_OR_RETURN(std::optional<FileImage> image, after.ReadIfThere(fact->file()));
  if (!image) image = Image("", 0644);
  image->bytes = std::move(text);
  return transaction.WriteFile(fact->file(), *std::move(image));
}

std::optional<v1::MergedStoreFile> LinuxCertificateStore::TvsdFact(const std::string& store) const {
  if (layout_->tvsd_file.empty() || RolesOfStore(store, /*mixed_mode=*/false).empty()) {
    return std::nullopt;
  }
  v1::MergedStoreFile fact;
  fact.set_store(absl::StrCat(store, " (tvsd)"));
  fact.set_file(layout_->tvsd_file);
  fact.set_complete(true);
  return fact;
}

absl::StatusOr<std::map<Certificate, TvsdEntry>> LinuxCertificateStore::TvsdEntries() const {
  std::map<Certificate, std::vector<ListRole>> roles;
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> stores, Stores());
  for (const std::string& store : stores) {
    // Nobody asks tvsd for the role an own CallManager has in mixed mode: phones hold it.
    const std::vector<ListRole> of_store = RolesOfStore(store, /*mixed_mode=*/false);
    if (of_store.empty()) continue;
    TL_ASSIGN_OR_RETURN(const StoreContents contents, List(store));
    for (const StoredEntry& entry : contents.entries) {
      std::vector<ListRole>& all = roles[entry.certificate];
      all.insert(all.end(), of_store.begin(), of_store.end());
    }
  }
  std::map<Certificate, TvsdEntry> entries;
  for (const auto& [certificate, all] : roles) {
    entries[certificate] = {TvsdRoles(all), layout_->tvsd_ttl_seconds};
  }
  return entries;
}

absl::StatusOr<std::optional<FileImage>> LinuxCertificateStore::TvsdFile() const {
  for (const char* const ending : {"-journal", "-wal"}) {
    TL_ASSIGN_OR_RETURN(const std::optional<FileImage> beside,
                        ReadIfThere(layout_->tvsd_file + ending));
    if (beside && !beside->bytes.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(layout_->tvsd_file, ending,
                       " is there: somebody is writing the database, or died "
                       "writing it; run `tvsctl --list ",
                       layout_->tvsd_file, "` to settle it, then again"));
    }
  }
  return ReadIfThere(layout_->tvsd_file);
}

// Rows of certificates that no store holds or held are somebody else's and stay.
absl::Status LinuxCertificateStore::RefreshTvsd(TransactionBuilder& transaction) const {
  const UpcomingFiles upcoming(transaction);
  const LinuxCertificateStore after(upcoming, *layout_);
  TL_ASSIGN_OR_RETURN(const auto before_entries, TvsdEntries());
  TL_ASSIGN_OR_RETURN(const auto after_entries, after.TvsdEntries());
  std::vector<TvsdChange> changes;
  for (const auto& [certificate, entry] : after_entries) changes.push_back({certificate, entry});
  for (const auto& [certificate, entry] : before_entries) {
    if (after_entries.count(certificate) == 0) changes.push_back({certificate, std::nullopt});
  }
  TL_ASSIGN_OR_RETURN(std::optional<FileImage> image, after.TvsdFile());
  if (!image) image = Image("", 0644);
  absl::StatusOr<std::string> bytes = WithTvsdChanges(image->bytes, changes);
  if (!bytes.ok()) {
    return absl::Status(bytes.status().code(),
                        absl::StrCat(layout_->tvsd_file, ": ", bytes.status().message()));
  }
  image->bytes = *std::move(bytes);
  return transaction.WriteFile(layout_->tvsd_file, *std::move(image));
}

}  // namespace trustline::agent
