// Whether phones can take a trust list: its signature, who may have signed it, its limits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "trust/certificate.h"
#include "trust/trust_list/trust_list.h"

namespace trustline {

enum class ListProblemKind {
  kTooLarge,             // more than kMaxListBytes
  kTooManyCertificates,  // more than kMaxListCertificates records that are not empty
  kTooManySigners,       // more than kMaxListSigners SAST records
  kUnknownSigner,        // no SAST record has the header's serial and issuer
  kAlgorithm,            // a digest, algorithm, modulus code or key phones are not known to take
  kSignature,            // not by the signer, or the file has changed
  kRecord,               // a record contradicts its own certificate, or that cannot be read
};
absl::string_view ListProblemName(ListProblemKind kind);  // "too-large"

struct ListProblem {
  ListProblemKind kind;
  std::string text;  // one line, names the record
};

struct ListVerdict {
  std::optional<size_t> signer_record;  // index into TrustList::records of who signed
  std::vector<ListProblem> problems;    // all that were found
  bool verified() const { return problems.empty(); }
};

// Judges the list by itself: it is whole, and signed by a SAST it carries. That it is whole says
// nothing about who made it; a phone decides that by the list it already holds, or by asking TVS.
ListVerdict VerifyTrustList(const TrustList& list);

// The signature alone, by a certificate that comes from elsewhere: the phone's own list, TVS, a
// file. NotFound when the header names another signer (serial or issuer); PermissionDenied when
// the signature is not by it; InvalidArgument for algorithms and keys phones do not take.
absl::Status VerifyListSignature(const TrustList& list, const Certificate& signer);

}  // namespace trustline
