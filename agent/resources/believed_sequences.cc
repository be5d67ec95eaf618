#include "agent/resources/believed_sequences.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/resources/kind_record.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

// Exchange and unit are names without '/'; the unit has no dot, so no two pairs share a file.
std::string PathOf(const Layout& layout, absl::string_view kind, const std::string& exchange,
                   const std::string& unit) {
  return absl::StrCat(layout.state_directory, "/kinds/", kind, "/", exchange, ".", unit,
                      ".sequences");
}

// A line per node: cluster, node, sequence, separated by tabs.
absl::StatusOr<Sequences> Parse(const std::string& path, const std::string& text) {
  Sequences sequences;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    uint64_t sequence = 0;
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[2], &sequence)) {
      return absl::DataLossError(
          absl::StrCat(path,
                       ": is no record of believed manifests; remove it only if nobody can "
                       "have put old files back on the hub"));
    }
    sequences[{parts[0], parts[1]}] = sequence;
  }
  return sequences;
}

absl::StatusOr<Sequences> FromImage(const std::string& path,
                                    const absl::StatusOr<FileImage>& image) {
  if (absl::IsNotFound(image.status())) return Sequences();
  TL_RETURN_IF_ERROR(image.status());
  return Parse(path, image->bytes);
}

// The record with every sequence raised to at least that.
FileImage Raised(Sequences record, const Sequences& sequences) {
  for (const auto& [who, sequence] : sequences) {
    uint64_t& known = record[who];
    known = std::max(known, sequence);
  }
  std::string text;
  for (const auto& [who, sequence] : record) {
    absl::StrAppend(&text, who.first, "\t", who.second, "\t", sequence, "\n");
  }
  return KindRecord(std::move(text));
}

}  // namespace

absl::StatusOr<Sequences> ReadBelievedSequences(const FileView& files, const Layout& layout,
                                                absl::string_view kind, const std::string& exchange,
                                                const std::string& unit) {
  const std::string path = PathOf(layout, kind, exchange, unit);
  return FromImage(path, files.Read(path));
}

absl::Status RaiseBelievedSequences(const Layout& layout, absl::string_view kind,
                                    const std::string& exchange, const std::string& unit,
                                    const Sequences& sequences, TransactionBuilder& transaction) {
  const std::string path = PathOf(layout, kind, exchange, unit);
  TL_ASSIGN_OR_RETURN(const Sequences before, FromImage(path, transaction.Upcoming(path)));
  return transaction.WriteFile(path, Raised(before, sequences));
}

absl::Status RememberSequences(Files& files, const Layout& layout, absl::string_view kind,
                               const std::string& exchange, const std::string& unit,
                               const Sequences& sequences) {
  const std::string path = PathOf(layout, kind, exchange, unit);
  TL_ASSIGN_OR_RETURN(const Sequences before, FromImage(path, files.Read(path)));
  TL_ASSIGN_OR_RETURN(const std::string staged, files.Stage(path, Raised(before, sequences)));
  const absl::Status renamed = files.Rename(staged, path);
  if (!renamed.ok()) {
    const absl::Status removed = files.Remove(staged);
    if (removed.ok()) return renamed;
    return absl::Status(renamed.code(), absl::StrCat(renamed.message(), "; and ", staged,
                                                     " was left: ", removed.message()));
  }
  return files.SyncDirectory(path.substr(0, path.rfind('/')));
}

std::string SequencesText(const Sequences& sequences) {
  return absl::StrJoin(sequences, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first.first, "/", entry.first.second, "#", entry.second);
  });
}

v1::BelievedSequences BelievedFact(const std::string& exchange, const std::string& unit,
                                   const Sequences& sequences) {
  v1::BelievedSequences fact;
  fact.set_exchange(exchange);
  fact.set_unit(unit);
  fact.set_manifests(SequencesText(sequences));
  return fact;
}

absl::StatusOr<std::optional<v1::BelievedSequences>> PresentBelieved(
    const HostView& host, absl::string_view kind, const v1::BelievedSequences& desired) {
  TL_ASSIGN_OR_RETURN(
      const Sequences all,
      ReadBelievedSequences(host.files, host.layout, kind, desired.exchange(), desired.unit()));
  // Nodes that are not expected any more stay on record but are none of this resource's business.
  std::set<std::string> asked;
  for (const absl::string_view part : absl::StrSplit(desired.manifests(), ", ")) {
    asked.emplace(part.substr(0, part.rfind('#')));
  }
  Sequences known;
  for (const auto& [who, sequence] : all) {
    if (asked.count(absl::StrCat(who.first, "/", who.second)) > 0) known[who] = sequence;
  }
  if (known.empty()) return std::optional<v1::BelievedSequences>();
  return std::optional(BelievedFact(desired.exchange(), desired.unit(), known));
}

std::string DescribeBelieved(
    const v1::Change& change,
    const google::protobuf::RepeatedPtrField<v1::BelievedSequences>& desired) {
  if (change.fact() != v1::BelievedSequences::descriptor()->name()) return "";
  for (const v1::BelievedSequences& fact : desired) {
    if (absl::StrCat(fact.exchange(), " ", fact.unit()) != change.identity()) continue;
    return absl::StrCat("record  newest manifests believed of ", fact.unit(), ": ",
                        fact.manifests());
  }
  return "";
}

}  // namespace trustline::agent
