// A node's own certificates, and their publication on the hub under its manifests: what
// `bundle_export` and the publishing step of `trust_list` share, and whose keys sign what phones
// download.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/certificate_store.h"
#include "agent/resource_kind.h"
#include "agent/resources/bundle_exchange.h"

namespace trustline::agent {

// The unit's own certificates, with paths: those whose key is here. `warnings` gets a line for each
// that is left out, has expired or soon will.
absl::StatusOr<std::vector<StoredEntry>> OwnCertificates(const PlanContext& context,
                                                         const std::string& unit,
                                                         std::vector<std::string>& warnings);

// What this node has on the hub under believed manifests, by unit. What cannot be read, or is older
// than what this node published last, counts as absent, with a warning; errors of the link are
// errors.
struct OwnExports {
  std::map<std::string, std::vector<Certificate>> by_unit;
  std::vector<std::string> warnings;
};
absl::StatusOr<OwnExports> ReadOwnExports(const PlanContext& context, const ExchangeSpec& spec,
                                          const std::vector<ExpectedExport>& own);

// Fingerprints (hex) by unit.
using UnitFingerprints = std::map<std::string, std::set<std::string>>;

// Publishes anew every unit whose certificates on the hub are not those wanted, above every
// sequence on the hub and every one this node has used, so that nodes that believed it before
// believe it again after the hub was emptied. Aborted when the node's certificates changed since
// `wanted` was made.
absl::Status StageOwnExports(const PlanContext& context, const ExchangeSpec& spec,
                             const std::vector<ExpectedExport>& own, const UnitFingerprints& wanted,
                             const UnitFingerprints& there, BundleProfile profile,
                             TransactionBuilder& transaction);

}  // namespace trustline::agent
