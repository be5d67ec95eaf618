#include "agent/resources/trust_verification.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/file_image.h"
#include "agent/linux_certificate_store.h"
#include "agent/resources/kind_record.h"
#include "agent/tvs_config.h"
#include "protos/trustline/v1/kinds/trust_verification.pb.h"
#include "trust/cluster_rules.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"
#include "trust/tvs/tvs_client.h"

namespace trustline::agent {
namespace {

using google::protobuf::Message;

constexpr char kUnit[] = "TVS";
constexpr char kSastStore[] = "Phone-SAST-trust";
constexpr absl::Duration kAnswersWithin = absl::Seconds(10);

const v1::TrustVerificationSpec& Spec(const PlanContext& context) {
  return context.resource.trust_verification();
}

const v1::AnsweringService& Fact(const Message& state) {
  return static_cast<const v1::TrustVerificationState&>(state).services(0);
}

std::string Below(const v1::TrustVerificationSpec& spec, absl::string_view name) {
  return absl::StrCat(absl::StripSuffix(spec.directory(), "/"), "/", name);
}
std::string ConfigPath(const v1::TrustVerificationSpec& spec) { return Below(spec, "tvs.yaml"); }
std::string CertificatePath(const v1::TrustVerificationSpec& spec) {
  return Below(spec, "tvs.pem");
}
std::string KeyPath(const v1::TrustVerificationSpec& spec) { return Below(spec, "tvs.key"); }

std::string RecordPath(const Layout& layout, const std::string& service) {
  return absl::StrCat(layout.state_directory, "/kinds/trust_verification/", service, ".loaded");
}

FileImage Image(const v1::TrustVerificationSpec& spec, std::string bytes, uint32_t mode) {
  FileImage image;
  image.bytes = std::move(bytes);
  image.mode = mode;
  image.uid = spec.uid();
  image.gid = spec.gid();
  return image;
}

// Over what matters of a file: attributes that the system adds do not.
std::string DigestOf(const FileImage& image) {
  return Sha256Hex(absl::StrCat(image.mode, " ", image.uid, " ", image.gid, "\n", image.bytes));
}

bool SameFile(const MaybeImage& present, const FileImage& desired) {
  return present && DigestOf(*present) == DigestOf(desired);
}

absl::StatusOr<FileImage> ConfigImage(const PlanContext& context) {
  const v1::TrustVerificationSpec& spec = Spec(context);
  const v1::Cluster* cluster = ClusterOf(context.document.topology(), context.self.node);
  v1::TvsConfig config;
  config.set_listen(spec.listen());
  config.set_certificate(CertificatePath(spec));
  config.set_key(KeyPath(spec));
  config.set_stores(context.host.layout.certificate_root);
  config.set_mixed_mode(cluster != nullptr && cluster->security_mode() == v1::SECURITY_MODE_MIXED);
  config.set_compatibility(spec.compatibility());
  config.set_ttl_seconds(spec.ttl_seconds());
  config.set_ask_phone_certificate(spec.ask_phone_certificate());
  config.set_max_connections(spec.max_connections());
  config.set_connection_seconds(spec.connection_seconds());
  config.set_threads(1);
  config.set_drain_seconds(5);
  config.set_uid(spec.uid());
  config.set_gid(spec.gid());
  config.set_log_format("text");
  config.set_log_level("info");
  TL_ASSIGN_OR_RETURN(std::string text, RenderTvsConfig(config));
  // What the service would refuse is refused here, before it is written.
  TL_RETURN_IF_ERROR(ParseTvsConfig(ConfigPath(spec), text).status());
  return Image(spec, std::move(text), 0644);
}

Resolved Verdict(v1::Outcome outcome, std::string reason) {
  Resolved resolved;
  resolved.verdict = outcome;
  resolved.reasons = {std::move(reason)};
  return resolved;
}

bool StageMakesIdentity(const PlanContext& context) {
  const auto& resources = context.document.resources();
  return std::any_of(resources.begin(), resources.end(), [&](const v1::Resource& resource) {
    return resource.has_certificate() && resource.certificate().unit() == kUnit &&
           resource.certificate().purpose() == v1::CERTIFICATE_PURPOSE_IDENTITY &&
           resource.certificate().state() != v1::PRESENCE_ABSENT &&
           resource.stage() == context.resource.stage();
  });
}

struct Identity {
  std::optional<StoredEntry> entry;
  Resolved verdict;  // where there is none
};

// The TVS certificate of this node whose key is here too.
absl::StatusOr<Identity> FindIdentity(const PlanContext& context,
                                      const LinuxCertificateStore& store,
                                      std::vector<std::string>& warnings) {
  TL_ASSIGN_OR_RETURN(const StoreContents contents, store.List(kUnit));
  warnings.insert(warnings.end(), contents.warnings.begin(), contents.warnings.end());
  std::vector<StoredEntry> own;
  for (const StoredEntry& entry : contents.entries) {
    if (entry.key_matches) own.push_back(entry);
  }
  Identity identity;
  if (own.empty()) {
    if (StageMakesIdentity(context)) {
      identity.verdict =
          Verdict(v1::OUTCOME_PENDING,
                  "the TVS certificate is made in the same play; declare it in an earlier one, or "
                  "run again");
      return identity;
    }
    identity.verdict = Verdict(
        v1::OUTCOME_REFUSED,
        absl::StrCat(context.self.node,
                     " has no TVS certificate with its key. Phones know the one in their trust "
                     "lists, so none is made here: put it into the TVS slot, or for a new cluster "
                     "write in an earlier play\n    - certificate: { unit: TVS, purpose: identity, "
                     "generate: { common_name: ",
                     context.self.node, " } }"));
    return identity;
  }
  if (own.size() == 1) {
    identity.entry = own.front();
    return identity;
  }
  TL_ASSIGN_OR_RETURN(const MaybeImage served,
                      ReadImage(context.host.files, CertificatePath(Spec(context))));
  std::string all;
  for (const StoredEntry& entry : own) {
    absl::StrAppend(&all, all.empty() ? "" : "; ", DescribeCertificate(entry.certificate));
    if (served && served->bytes == entry.certificate.ToPem()) identity.entry = entry;
  }
  if (!identity.entry) {
    identity.verdict = Verdict(
        v1::OUTCOME_REFUSED,
        absl::StrCat(context.self.node, " has ", own.size(),
                     " TVS certificates, and phones accept only the one in their trust lists: "
                     "leave that one in the slot. There are ",
                     all));
  }
  return identity;
}

absl::Status Act(const Host& host, const std::string& service, bool restart) {
  TL_RETURN_IF_ERROR(restart ? host.services.Restart(service) : host.services.Start(service));
  TL_ASSIGN_OR_RETURN(const ServiceStatus status, host.services.Status(service));
  if (status.running) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("service ", service, " does not run after it was told to: ", status.detail));
}

// What the certificate and key files hold, as one fact: the certificate's fingerprint only when all
// is as it must be for the service to use it.
absl::StatusOr<std::string> ServedCertificate(const FileView& files,
                                              const v1::TrustVerificationSpec& spec) {
  TL_ASSIGN_OR_RETURN(const MaybeImage pem, ReadImage(files, CertificatePath(spec)));
  TL_ASSIGN_OR_RETURN(const MaybeImage key_pem, ReadImage(files, KeyPath(spec)));
  if (!pem) return std::string();
  const absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem->bytes);
  if (!certificate.ok()) return std::string("unreadable");
  const absl::StatusOr<PrivateKey> key =
      key_pem ? PrivateKey::FromPem(key_pem->bytes) : absl::NotFoundError("no key");
  if (!key.ok() || !key->Matches(*certificate)) {
    return absl::StrCat(certificate->sha256_hex(), " without its key");
  }
  if (!SameFile(pem, Image(spec, certificate->ToPem(), 0644)) ||
      !SameFile(key_pem, Image(spec, key->ToPkcs8Pem(), 0600))) {
    return absl::StrCat(certificate->sha256_hex(), " with another owner, mode or text");
  }
  return certificate->sha256_hex();
}

TvsRequest QuestionFor(const Certificate& certificate) {
  TvsRequest request;
  request.session = 1;
  request.device = "trustline-agent";
  request.subject = certificate.subject();
  request.issuer = certificate.issuer();
  request.serial = certificate.serial();
  return request;
}

}  // namespace

std::vector<std::string> TrustVerificationKind::Claims(const v1::Resource& resource) const {
  const v1::TrustVerificationSpec& spec = resource.trust_verification();
  return {absl::StrCat("trust_verification ", spec.service()),
          absl::StrCat("trust_verification ", absl::StripSuffix(spec.directory(), "/"))};
}

absl::StatusOr<Resolved> TrustVerificationKind::Resolve(const PlanContext& context) const {
  const v1::TrustVerificationSpec& spec = Spec(context);
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  const absl::StatusOr<TvsListenAddress> listen = ParseTvsListen(spec.listen());
  if (!listen.ok()) return Verdict(v1::OUTCOME_REFUSED, std::string(listen.status().message()));
  if (listen->port == 0) {
    return Verdict(v1::OUTCOME_REFUSED, "listen: phones need a port that stays; 0 is any");
  }
  Resolved resolved;
  TL_ASSIGN_OR_RETURN(Identity identity, FindIdentity(context, store, resolved.warnings));
  if (!identity.entry) return std::move(identity.verdict);
  const absl::StatusOr<FileImage> config = ConfigImage(context);
  if (absl::IsInvalidArgument(config.status())) {
    return Verdict(v1::OUTCOME_REFUSED, std::string(config.status().message()));
  }
  TL_RETURN_IF_ERROR(config.status());
  const Certificate& certificate = identity.entry->certificate;
  std::string expiry = ExpiryWarning(kUnit, certificate, context.host.clock.Now());
  if (!expiry.empty()) {
    if (certificate.not_after() < context.host.clock.Now()) {
      absl::StrAppend(&expiry, "; phones may refuse this service and be stranded");
    }
    resolved.warnings.push_back(std::move(expiry));
  }
  auto desired = std::make_unique<v1::TrustVerificationState>();
  v1::AnsweringService& service = *desired->add_services();
  service.set_service(spec.service());
  service.set_listen(spec.listen());
  service.set_certificate(certificate.sha256_hex());
  service.set_settings(DigestOf(*config));
  service.set_running(true);
  service.set_loaded(Sha256Hex(absl::StrCat(service.settings(), "\n", service.certificate())));
  resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> TrustVerificationKind::Observe(const PlanContext& context,
                                                        const Message& desired_message) const {
  const v1::TrustVerificationSpec& spec = Spec(context);
  const v1::AnsweringService& desired = Fact(desired_message);
  const absl::StatusOr<ServiceStatus> status = context.host.services.Status(spec.service());
  if (absl::IsNotFound(status.status())) {
    return absl::NotFoundError(absl::StrCat(
        "service ", spec.service(),
        " is unknown: name it in agent.yaml under services, or install trustline-tvs.service as ",
        spec.service(), ".service"));
  }
  TL_RETURN_IF_ERROR(status.status());
  TL_ASSIGN_OR_RETURN(const MaybeImage config, ReadImage(context.host.files, ConfigPath(spec)));
  TL_ASSIGN_OR_RETURN(const std::string certificate, ServedCertificate(context.host.files, spec));
  TL_ASSIGN_OR_RETURN(
      const MaybeImage record,
      ReadImage(context.host.files, RecordPath(context.host.layout, spec.service())));
  Observed observed;
  auto present = std::make_unique<v1::TrustVerificationState>();
  if (config || !certificate.empty() || record || status->running) {
    v1::AnsweringService& service = *present->add_services();
    service.set_service(spec.service());
    if (config) {
      service.set_settings(DigestOf(*config));
      const absl::StatusOr<v1::TvsConfig> read = ParseTvsConfig(ConfigPath(spec), config->bytes);
      service.set_listen(read.ok() ? read->listen() : "unreadable");
    }
    service.set_certificate(certificate);
    service.set_running(status->running);
    if (record) service.set_loaded(std::string(absl::StripAsciiWhitespace(record->bytes)));
    if (service.loaded() != desired.loaded()) {
      observed.summary = "has not loaded what it is to have";
    }
  }
  if (!status->running) observed.summary = absl::StrCat("does not run: ", status->detail);
  observed.present = std::move(present);
  return observed;
}

absl::Status TrustVerificationKind::Stage(const PlanContext& context,
                                          const Message& desired_message,
                                          const Message& present_message,
                                          TransactionBuilder& transaction) const {
  const v1::TrustVerificationSpec& spec = Spec(context);
  const v1::AnsweringService& desired = Fact(desired_message);
  const auto& present = static_cast<const v1::TrustVerificationState&>(present_message);
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  std::vector<std::string> warnings;
  TL_ASSIGN_OR_RETURN(const Identity identity, FindIdentity(context, store, warnings));
  if (!identity.entry || identity.entry->certificate.sha256_hex() != desired.certificate()) {
    return absl::AbortedError("the TVS certificate changed while it was looked at: run again");
  }
  TL_ASSIGN_OR_RETURN(const PrivateKey key, store.KeyOf(*identity.entry));
  TL_ASSIGN_OR_RETURN(FileImage config, ConfigImage(context));
  const std::string record = RecordPath(context.host.layout, spec.service());
  TL_RETURN_IF_ERROR(transaction.WriteFile(KeyPath(spec), Image(spec, key.ToPkcs8Pem(), 0600)));
  TL_RETURN_IF_ERROR(transaction.WriteFile(CertificatePath(spec),
                                           Image(spec, identity.entry->certificate.ToPem(), 0644)));
  TL_RETURN_IF_ERROR(transaction.WriteFile(ConfigPath(spec), std::move(config)));
  // The record and the files it speaks of are one transaction: it stays only when the service came
  // up with them.
  TL_RETURN_IF_ERROR(
      transaction.WriteFile(record, KindRecord(absl::StrCat(desired.loaded(), "\n"))));
  const bool restart = present.services_size() > 0 && present.services(0).running();
  const std::string service = spec.service();
  transaction.AddEffect(
      absl::StrCat(restart ? "restart " : "start ", service),
      absl::StrCat(restart ? "restart" : "start", "\n", service, "\n", record),
      [service, restart](const Host& host, Hubs&) { return Act(host, service, restart); });
  return absl::OkStatus();
}

absl::Status TrustVerificationKind::Prove(const PlanContext& context,
                                          const Message& desired_message, Prover&) const {
  const v1::TrustVerificationSpec& spec = Spec(context);
  const v1::AnsweringService& desired = Fact(desired_message);
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  std::vector<std::string> warnings;
  TL_ASSIGN_OR_RETURN(const Identity identity, FindIdentity(context, store, warnings));
  if (!identity.entry || identity.entry->certificate.sha256_hex() != desired.certificate()) {
    return absl::AbortedError("the TVS certificate changed while it was looked at: run again");
  }
  TL_ASSIGN_OR_RETURN(const TvsListenAddress listen, ParseTvsListen(spec.listen()));
  TL_ASSIGN_OR_RETURN(const StoreContents signers, store.List(kSastStore));
  const TvsAddress server{listen.ipv4 == "0.0.0.0" ? "127.0.0.1" : listen.ipv4, listen.port};
  TvsClientOptions options;
  options.pinned = {identity.entry->certificate};
  options.timeout = kAnswersWithin;
  options.legacy_tls = spec.compatibility() == v1::TVS_COMPATIBILITY_LEGACY_PHONES;

  struct Question {
    Certificate certificate;
    ListRole role;
  };
  std::vector<Question> questions = {{identity.entry->certificate, ListRole::kTvs}};
  for (const StoredEntry& entry : signers.entries) {
    questions.push_back({entry.certificate, ListRole::kSast});
  }
  for (const Question& question : questions) {  // one connection each, as phones ask
    const Certificate& wanted = question.certificate;
    const absl::StatusOr<TvsAnswer> answer =
        context.host.tvs.Ask(server, QuestionFor(wanted), options);
    if (!answer.ok()) {
      return absl::FailedPreconditionError(absl::StrCat(
          spec.service(), " does not answer as it should: ", answer.status().message()));
    }
    if (answer->reply.status == 0 && answer->reply.HasRole(question.role)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        spec.service(), " answers status ", answer->reply.status, " without the role ",
        RoleText(static_cast<uint16_t>(question.role)), " for ", DescribeCertificate(wanted),
        ", which is in ", question.role == ListRole::kTvs ? kUnit : kSastStore,
        ": does another service listen there, or can it not read ",
        context.host.layout.certificate_root, "?"));
  }
  return absl::OkStatus();
}

absl::Status TrustVerificationKind::Undo(const std::string& undo_argument, const Host& host) const {
  const std::vector<std::string> parts = absl::StrSplit(undo_argument, '\n');
  if (parts.size() != 3) {
    return absl::InvalidArgumentError("the record of a service's restart cannot be read");
  }
  const std::string& service = parts[1];
  const std::string& record = parts[2];
  absl::Status status;
  if (parts[0] == "restart") status = Act(host, service, /*restart=*/true);
  if (parts[0] == "restart" && status.ok()) return status;
  // It runs with what is no longer there, or not at all: without a record a start is owed.
  const absl::Status dropped = host.files.Remove(record);
  if (status.ok() || dropped.ok()) return status.ok() ? dropped : status;
  return absl::Status(status.code(), absl::StrCat(status.message(), "; ", dropped.message()));
}

}  // namespace trustline::agent
