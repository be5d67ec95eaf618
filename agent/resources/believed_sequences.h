// A node's memory of the newest manifests it has believed, one file per exchange and unit below the
// state directory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host.h"
#include "agent/resource_kind.h"

namespace trustline::agent {

// (cluster, node) -> sequence.
using Sequences = std::map<std::pair<std::string, std::string>, uint64_t>;

// Empty where nothing was believed yet. DataLoss names a file that cannot be read as a record.
absl::StatusOr<Sequences> ReadBelievedSequences(const FileView& files, const Layout& layout,
                                                const std::string& exchange,
                                                const std::string& unit);

// Raises the record to at least `sequences`, over what the transaction already holds; never lowers
// one, forgets none.
absl::Status RaiseBelievedSequences(const Layout& layout, const std::string& exchange,
                                    const std::string& unit, const Sequences& sequences,
                                    TransactionBuilder& transaction);

// "dst/dst-pub#1, dst/dst-sub1#4".
std::string SequencesText(const Sequences& sequences);

}  // namespace trustline::agent
