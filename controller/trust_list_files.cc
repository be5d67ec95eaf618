#include "controller/trust_list_files.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/new_files.h"
#include "trust/private_key.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr size_t kMaxFileBytes = (2 << 20) + 1;  // one more than any list that is read
constexpr mode_t kListMode = 0644;               // phones fetch it from a TFTP server

absl::Status In(absl::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

struct FileBytes {
  std::string bytes;
  struct stat info = {};
};

absl::StatusOr<FileBytes> ReadFile(const std::string& path) {
  FileBytes file;
  if (stat(path.c_str(), &file.info) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  if (!S_ISREG(file.info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a file"));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  file.bytes.resize(std::min<size_t>(file.info.st_size, kMaxFileBytes));
  stream.read(file.bytes.data(), static_cast<std::streamsize>(file.bytes.size()));
  if (static_cast<size_t>(stream.gcount()) != file.bytes.size())
    return absl::UnavailableError(absl::StrCat("cannot read ", path, " to its end"));
  return file;
}

struct Entry {
  Certificate certificate;
  TrustListRecord record;
};

absl::StatusOr<Entry> ReadEntry(const ListEntry& entry) {
  std::string path = entry.text;
  std::optional<std::string> name;
  std::array<uint8_t, 4> address = {};
  while (true) {
    const size_t comma = path.rfind(',');
    if (comma == std::string::npos) break;
    const std::string option = path.substr(comma + 1);
    if (absl::StartsWith(option, "name=")) {
      name = option.substr(5);
    } else if (absl::StartsWith(option, "address=")) {
      if (inet_pton(AF_INET, option.c_str() + 8, address.data()) != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat(entry.text, ": \"", option.substr(8), "\" is not an IPv4 address"));
      }
    } else {
      break;  // a comma of the path itself
    }
    path.resize(comma);
  }
  TL_ASSIGN_OR_RETURN(Certificate certificate, ReadCertificateFile(path));
  absl::StatusOr<TrustListRecord> record =
      MakeRecord(certificate, entry.role, name ? *name : certificate.common_name(), address);
  if (!record.ok()) return In(path, record.status());
  return Entry{std::move(certificate), *std::move(record)};
}

absl::StatusOr<PrivateKey> ReadKey(const std::string& path) {
  TL_ASSIGN_OR_RETURN(FileBytes file, ReadFile(path));
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(file.bytes);
  explicit_bzero(file.bytes.data(), file.bytes.size());
  if ((file.info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " can be used by others than its owner; find out who had access, then chmod 600 it"));
  }
  if (!key.ok()) return In(path, key.status());
  return key;
}

}  // namespace

absl::StatusOr<TrustListFile> ReadTrustListFile(const std::string& path) {
  TL_ASSIGN_OR_RETURN(FileBytes file, ReadFile(path));
  absl::StatusOr<TrustList> list = ParseTrustList(file.bytes);
  if (!list.ok()) return In(path, list.status());
  return TrustListFile{path, absl::TimeFromTimespec(file.info.st_mtim), *std::move(list)};
}

absl::StatusOr<Certificate> ReadCertificateFile(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const FileBytes file, ReadFile(path));
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(file.bytes);
  if (!certificate.ok()) return In(path, certificate.status());
  return certificate;
}

absl::StatusOr<TrustListFile> BuildTrustListFile(const BuildRequest& request) {
  TL_ASSIGN_OR_RETURN(const PrivateKey key, ReadKey(request.key_file));
  TrustListDraft draft;
  draft.file_name = request.ctl ? kCtlFileName : kItlFileName;
  draft.digest = request.digest;
  draft.signer_version = request.signer_version;
  draft.timestamp = request.timestamp;
  std::optional<Certificate> signer;
  for (const ListEntry& entry : request.entries) {
    TL_ASSIGN_OR_RETURN(Entry read, ReadEntry(entry));
    if (entry.role == ListRole::kSast && !signer && key.Matches(read.certificate))
      signer = read.certificate;
    draft.records.push_back(std::move(read.record));
  }
  if (!signer) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.key_file,
                     " is the key of no certificate given by --sast; phones find the signer "
                     "there"));
  }
  TL_ASSIGN_OR_RETURN(const std::string bytes, WriteTrustList(draft, *signer, key));
  NewFiles files;
  files.Add(request.out_file, bytes, kListMode);
  TL_RETURN_IF_ERROR(files.Create());
  return ReadTrustListFile(request.out_file);
}

}  // namespace trustline::controller
