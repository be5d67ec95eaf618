// What the three bundle kinds share: whom they believe, whom they wait for, and the words for it.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/kinds/bundle.pb.h"
#include "trust/cluster_rules.h"
#include "trust/exchange.h"

namespace trustline::agent {

// The fields the three Specs have in common. Refers into the Spec.
struct ExchangeSpec {
  const v1::HubAddress& hub;
  const std::string& exchange;
  std::vector<std::string> units;  // ascending, each once
  const v1::SecretRef& bundle_password;
};
template <typename Spec>
ExchangeSpec ExchangeSpecOf(const Spec& spec) {
  std::vector<std::string> units(spec.units().begin(), spec.units().end());
  std::sort(units.begin(), units.end());
  units.erase(std::unique(units.begin(), units.end()), units.end());
  return {spec.hub(), spec.exchange(), std::move(units), spec.bundle_password()};
}

Resolved Refused(std::string reason);

// The bundles' password; empty where the playbook names none. (A named one that is not held never
// gets this far.) Lives as long as the context's secrets.
absl::string_view PasswordOf(const PlanContext& context, const v1::SecretRef& reference);

ExchangeTrust TrustOf(const PlanContext& context, const std::string& exchange);

// Every export the exchange needs, over all clusters. Where the topology allows no answer,
// `refused` says why and the list is empty.
std::vector<ExpectedExport> ExpectedOrRefused(const PlanContext& context, const ExchangeSpec& spec,
                                              std::optional<Resolved>& refused);

// "exchange 'spring' in directory '/bulk' of hub.example.net".
std::string ExchangePlace(const ExchangeSpec& spec);
// "no export of CallManager by dst-sub1 (cluster dst) in exchange ...: run its bundle_export".
std::string MissingExport(const ExpectedExport& who, const ExchangeSpec& spec);

// The certificates of the exchange's units that somebody vouches for: by raw SHA-256, with a note
// "CallManager of dst-pub" (joined where several nodes export one).
using Notes = std::map<std::string, std::string>;
void AddNote(Notes& notes, const std::string& sha256, const ExpectedExport& who);

// A pin of one of the exchange's units: for whom it stands, and the raw SHA-256.
struct Pin {
  ExpectedExport who;
  std::string sha256;
};
absl::StatusOr<std::vector<Pin>> PinsOf(
    const google::protobuf::RepeatedPtrField<v1::BundlePin>& pins, const ExchangeSpec& spec);

BundleProfile ProfileOf(v1::Pkcs12Profile profile);

// An error of the link rather than of what was read: worth another try, no reason to call an object
// bad.
bool ConcernsTheLink(const absl::Status& status);

}  // namespace trustline::agent
