// Trust lists as files on the operator's disk: read, and built from PEM certificates.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/trust_list/list_writer.h"
#include "trust/trust_list/trust_list.h"

namespace trustline::controller {

struct TrustListFile {
  std::string path;
  absl::Time modified;
  TrustList list;
};
// NotFound when there is no such file; InvalidArgument when it is no trust list. Messages begin
// with the path.
absl::StatusOr<TrustListFile> ReadTrustListFile(const std::string& path);

// The one certificate of a PEM file.
absl::StatusOr<Certificate> ReadCertificateFile(const std::string& path);

// One certificate for a list, as it is asked for: FILE[,name=HOST][,address=A.B.C.D]. Without a
// name the record carries the certificate's common name, without an address 0.0.0.0.
struct ListEntry {
  ListRole role = ListRole::kSast;
  std::string text;
};

struct BuildRequest {
  bool ctl = false;
  std::vector<ListEntry> entries;  // in the order of the records
  std::string key_file;  // PEM, of one of the SAST certificates; only the owner may read it
  SignatureDigest digest = SignatureDigest::kSha1;
  std::optional<ListVersion> signer_version;
  absl::Time timestamp;
  std::string out_file;
};
// Writes the signed list to `out_file`, which must not exist yet (AlreadyExists). NotFound: a named
// file is missing; InvalidArgument: it is not what it should be; FailedPrecondition: phones would
// not take the list, or others may read the key. Nothing is written then.
absl::StatusOr<TrustListFile> BuildTrustListFile(const BuildRequest& request);

}  // namespace trustline::controller
