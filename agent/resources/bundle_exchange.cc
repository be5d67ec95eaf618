#include "agent/resources/bundle_exchange.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace trustline::agent {

ExchangeTrust TrustOf(const PlanContext& context, const std::string& exchange) {
  return {exchange, context.document.topology(), context.self.roots, context.host.clock.Now()};
}

Resolved Refused(std::string reason) {
  Resolved resolved;
  resolved.verdict = v1::OUTCOME_REFUSED;
  resolved.reasons.push_back(std::move(reason));
  return resolved;
}

absl::string_view PasswordOf(const PlanContext& context, const v1::SecretRef& reference) {
  const auto found = context.secrets.by_name().find(reference.name());
  if (found == context.secrets.by_name().end()) return "";
  return found->second;
}

std::vector<ExpectedExport> ExpectedOrRefused(const PlanContext& context, const ExchangeSpec& spec,
                                              std::optional<Resolved>& refused) {
  absl::StatusOr<std::vector<ExpectedExport>> expected =
      ExpectedExports(context.document.topology(), spec.units);
  if (expected.ok()) return *std::move(expected);
  refused = Refused(absl::StrCat(ExchangePlace(spec), ": ", expected.status().message()));
  return {};
}

std::string ExchangePlace(const ExchangeSpec& spec) {
  return absl::StrCat("exchange '", spec.exchange, "' in directory '",
                      spec.hub.directory().empty() ? "." : spec.hub.directory(), "' of ",
                      spec.hub.host());
}

std::string MissingExport(const ExpectedExport& who, const ExchangeSpec& spec) {
  return absl::StrCat("no export of ", who.unit, " by ", who.node, " (cluster ", who.cluster,
                      ") in ", ExchangePlace(spec), ": run its bundle_export");
}

void AddNote(Notes& notes, const std::string& sha256, const ExpectedExport& who) {
  const auto [place, fresh] = notes.emplace(sha256, absl::StrCat(who.unit, " of ", who.node));
  if (!fresh) absl::StrAppend(&place->second, ", ", who.unit, " of ", who.node);
}

absl::StatusOr<std::vector<Pin>> PinsOf(
    const google::protobuf::RepeatedPtrField<v1::BundlePin>& pins, const ExchangeSpec& spec) {
  std::vector<Pin> result;
  for (const v1::BundlePin& pin : pins) {
    if (std::find(spec.units.begin(), spec.units.end(), pin.unit()) == spec.units.end()) continue;
    if (pin.sha256().size() != 64 ||
        pin.sha256().find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("the pin of ", pin.unit(), " of ", pin.node(),
                                                     " is no SHA-256: give 64 hex digits"));
    }
    result.push_back(
        {{pin.cluster(), pin.node(), pin.unit()}, absl::HexStringToBytes(pin.sha256())});
  }
  return result;
}

BundleProfile ProfileOf(v1::Pkcs12Profile profile) {
  return profile == v1::PKCS12_PROFILE_COMPAT_3DES ? BundleProfile::kCompat3Des
                                                   : BundleProfile::kModern;
}

bool ConcernsTheLink(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
      return false;
    default:
      return true;
  }
}

}  // namespace trustline::agent
