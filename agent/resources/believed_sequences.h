// A node's memory of the newest manifests it has believed, one file per kind, exchange and unit
// below the state directory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/kinds/bundle.pb.h"

namespace trustline::agent {

// (cluster, node) -> sequence.
using Sequences = std::map<std::pair<std::string, std::string>, uint64_t>;

// Empty where nothing was believed yet. DataLoss names a file that cannot be read as a record.
absl::StatusOr<Sequences> ReadBelievedSequences(const FileView& files, const Layout& layout,
                                                absl::string_view kind, const std::string& exchange,
                                                const std::string& unit);

// Raises the record to at least `sequences`, over what the transaction already holds; never lowers
// one, forgets none.
absl::Status RaiseBelievedSequences(const Layout& layout, absl::string_view kind,
                                    const std::string& exchange, const std::string& unit,
                                    const Sequences& sequences, TransactionBuilder& transaction);

// The same at once, for what has left the node and no rollback takes back.
absl::Status RememberSequences(Files& files, const Layout& layout, absl::string_view kind,
                               const std::string& exchange, const std::string& unit,
                               const Sequences& sequences);

// "dst/dst-pub#1, dst/dst-sub1#4".
std::string SequencesText(const Sequences& sequences);

v1::BelievedSequences BelievedFact(const std::string& exchange, const std::string& unit,
                                   const Sequences& sequences);
// What is on record of the nodes that `desired` names; nothing where that is nothing.
absl::StatusOr<std::optional<v1::BelievedSequences>> PresentBelieved(
    const HostView& host, absl::string_view kind, const v1::BelievedSequences& desired);
// The line for a change that raises a record of `desired`; empty for other changes.
std::string DescribeBelieved(
    const v1::Change& change,
    const google::protobuf::RepeatedPtrField<v1::BelievedSequences>& desired);

}  // namespace trustline::agent
