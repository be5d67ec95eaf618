#include "trust/exchange_envelope.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/exchange_names.h"
#include "trust/identity.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

constexpr size_t kMaxListedFiles = 4096;

}  // namespace

bool ConcernsTheHub(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
      return false;
    default:
      return true;
  }
}

absl::StatusOr<std::vector<std::string>> ListExchangeFiles(HubReader& hub,
                                                           absl::string_view directory) {
  const absl::StatusOr<std::vector<HubEntry>> entries = hub.List(directory);
  std::vector<std::string> names;
  if (absl::IsNotFound(entries.status())) return names;
  TL_RETURN_IF_ERROR(entries.status());
  if (entries->size() > kMaxListedFiles) {
    return absl::ResourceExhaustedError(
        absl::StrCat(directory, " on the hub holds ", entries->size(), " files, more than ",
                     kMaxListedFiles, "; remove old ones or use another exchange"));
  }
  for (const HubEntry& entry : *entries) {
    if (!entry.is_directory) names.push_back(entry.name);
  }
  return names;
}

absl::Status CheckExchangeTrust(const ExchangeTrust& trust) {
  TL_RETURN_IF_ERROR(CheckExchangeName(trust.exchange));
  if (trust.topology.domain().empty()) {
    return absl::InvalidArgumentError("the topology names no domain; no signature can be believed");
  }
  return absl::OkStatus();
}

absl::StatusOr<Opened> OpenFromAgent(const std::string& bytes, absl::string_view type,
                                     const ExchangeTrust& trust) {
  v1::Envelope envelope;
  if (!envelope.ParseFromString(bytes)) return absl::InvalidArgumentError("is not an envelope");
  TL_ASSIGN_OR_RETURN(Opened opened, Open(envelope, type, trust.roots, trust.now));
  if (opened.signer.kind != IdentityKind::kAgent) {
    return absl::PermissionDeniedError(
        absl::StrCat("signed by ", opened.signer.ToUri(), ", which is no agent"));
  }
  if (opened.signer.domain != trust.topology.domain()) {
    return absl::PermissionDeniedError(absl::StrCat(
        "signed by ", opened.signer.ToUri(), " of another domain than ", trust.topology.domain()));
  }
  return opened;
}

absl::Status OtherExchange(absl::string_view made_for, absl::string_view exchange) {
  return absl::PermissionDeniedError(absl::StrCat(
      "was made for exchange '", absl::CHexEscape(made_for), "', not '", exchange, "'"));
}

absl::Status CheckSequence(uint64_t sequence) {
  if (sequence == 0) return absl::InvalidArgumentError("a sequence starts at 1");
  if (sequence > kMaxSequence) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sequence numbers up to ", kMaxSequence,
                     " are used up in this exchange; use another exchange"));
  }
  return absl::OkStatus();
}

absl::Status CheckEnvelopeSigner(absl::string_view node, const Certificate& signer) {
  TL_ASSIGN_OR_RETURN(const Identity identity, IdentityOf(signer));
  if (identity.kind == IdentityKind::kAgent && identity.name == node) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(identity.ToUri(), " cannot sign for node ", node));
}

absl::Status PublishEnvelope(Hub& hub, const std::string& path, absl::string_view type,
                             const google::protobuf::MessageLite& message, const PrivateKey& key,
                             const Certificate& signer) {
  TL_ASSIGN_OR_RETURN(const v1::Envelope envelope,
                      Seal(type, message.SerializeAsString(), key, signer));
  const std::string bytes = envelope.SerializeAsString();
  if (bytes.size() > kMaxEnvelopeBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": would be larger than ", kMaxEnvelopeBytes, " bytes"));
  }
  return hub.Publish(path, bytes);
}

}  // namespace trustline
