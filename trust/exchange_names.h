// The file names of an exchange (layout: trust/exchange.h). Pure. A name is only ever compared with
// what signed content says it must be; nothing is learnt from one except which files are worth
// reading and which sequences are taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trust/cluster_rules.h"

namespace trustline {

inline constexpr uint64_t kMaxSequence = 99999999;  // 8 decimal digits

// InvalidArgument unless `exchange` is [A-Za-z0-9][A-Za-z0-9_.-]{0,63}.
absl::Status CheckExchangeName(absl::string_view exchange);
// InvalidArgument unless cluster and node are of the same letters, at most 63 and 253 of them, and
// the unit is letters, digits and '-'.
absl::Status CheckExportNames(const ExpectedExport& who);
absl::Status CheckUnitName(absl::string_view unit);

// What names a set of certificates: 16 hex digits of the SHA-256 over the ascending concatenation
// of the certificates' SHA-256s. `digests` must be ascending.
std::string SetName(const std::vector<std::string>& digests);

// Paths relative to the exchange's directory.
std::string ManifestFile(const ExpectedExport& who, uint64_t sequence);
std::string ExportObject(const ExpectedExport& who, uint64_t sequence, absl::string_view set_name);
std::string IndexFile(absl::string_view unit, uint64_t sequence);
// `extension` is "p12" or "pem". With `sequence` the name carries it too, for a name that is taken
// by other content.
std::string ConsolidatedObject(absl::string_view unit, absl::string_view set_name,
                               std::optional<uint64_t> sequence, absl::string_view extension);

// A bare file name that has the form of a manifest: "<stem>.<sequence>.manifest".
struct ManifestName {
  std::string stem;
  uint64_t sequence = 0;
};
std::optional<ManifestName> ParseManifestName(absl::string_view name);
// "<cluster>.<node>.<unit>". Two exports may share one when names hold dots; signed content tells
// them apart.
std::string ManifestStem(const ExpectedExport& who);

// What the files of one trust list begin with: "<cluster>.<node>.itl", "<cluster>.ctl". Signed
// content tells apart what shares one because names hold dots.
std::string ListStem(absl::string_view cluster, absl::string_view node, absl::string_view list);
std::string ListManifestFile(absl::string_view stem, uint64_t sequence);
// `sha256` of the list, raw: its first 16 hex digits name the object.
std::string ListObject(absl::string_view stem, uint64_t sequence, absl::string_view sha256);
std::optional<uint64_t> SequenceOfListManifest(absl::string_view name, absl::string_view stem);
std::optional<uint64_t> SequenceOfListObject(absl::string_view name, absl::string_view stem);

// Sequence in a bare file name, when the name is one of this export's or unit's; nothing otherwise.
std::optional<uint64_t> SequenceOfExportObject(absl::string_view name, const ExpectedExport& who);
std::optional<uint64_t> SequenceOfIndex(absl::string_view name, absl::string_view unit);
std::optional<uint64_t> SequenceOfConsolidatedObject(absl::string_view name,
                                                     absl::string_view unit);

}  // namespace trustline
