#include "agent/resources/certificate.h"

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/linux_certificate_store.h"
#include "agent/resources/kind_record.h"
#include "trust/pki.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr uint32_t kMaxDays = 36500;

const v1::CertificateSpec& Spec(const PlanContext& context) {
  return context.resource.certificate();
}

bool IsIdentity(const v1::CertificateSpec& spec) {
  return spec.purpose() == v1::CERTIFICATE_PURPOSE_IDENTITY;
}
bool IsAbsent(const v1::CertificateSpec& spec) { return spec.state() == v1::PRESENCE_ABSENT; }

Resolved Refused(std::string reason) {
  Resolved resolved;
  resolved.verdict = v1::OUTCOME_REFUSED;
  resolved.reasons.push_back(std::move(reason));
  return resolved;
}

// Says that trustline once made this identity here. What was made once and is gone was lost.
std::string MadeRecord(const Layout& layout, const std::string& unit) {
  return absl::StrCat(layout.state_directory, "/kinds/certificate/", unit, ".made");
}

// The fingerprint a Spec speaks of, in lower-case hex; and the certificate where it gives one.
struct Named {
  std::string sha256;
  std::optional<Certificate> certificate;
};
absl::StatusOr<Named> ReadNamed(const v1::CertificateSpec& spec) {
  Named named{absl::AsciiStrToLower(spec.sha256()), std::nullopt};
  if (spec.pem().empty()) return named;
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(spec.pem());
  if (!certificate.ok()) {
    return absl::Status(certificate.status().code(),
                        absl::StrCat("the certificate given for ", spec.unit(),
                                     " cannot be read: ", certificate.status().message()));
  }
  named.certificate = *std::move(certificate);
  return named;
}

// What is wrong with the Spec on any node; nothing when it is in order.
std::optional<Resolved> RefuseSpec(const v1::CertificateSpec& spec, const Named& named) {
  const std::string& unit = spec.unit();
  if (named.certificate && !named.sha256.empty() &&
      named.certificate->sha256_hex() != named.sha256) {
    return Refused(absl::StrCat("the certificate given for ", unit, " has SHA-256 ",
                                named.certificate->sha256_hex(), ", pinned is ", named.sha256));
  }
  if (IsIdentity(spec)) {
    if (absl::EndsWith(unit, "-trust")) {
      return Refused(absl::StrCat(unit,
                                  " is a trust store; an identity belongs into a slot such as ",
                                  unit.substr(0, unit.size() - 6)));
    }
    if (IsAbsent(spec) && IsPhoneFacing(unit)) {
      return Refused(absl::StrCat(
          "removing the ", unit,
          " identity would lock every phone that trusts it; enforcement never does that"));
    }
    if (spec.has_generate() && !spec.sha256().empty()) {
      return Refused(absl::StrCat(unit,
                                  ": a certificate that is yet to be generated cannot be "
                                  "pinned; leave out sha256"));
    }
    if (!IsAbsent(spec) && !spec.has_generate() && named.sha256.empty() && !named.certificate) {
      return Refused(absl::StrCat(unit, ": say what the identity is: generate, pem or src"));
    }
  } else {
    if (IsIdentitySlot(unit)) {
      return Refused(absl::StrCat(unit,
                                  " is the slot of an identity; a certificate to believe "
                                  "belongs into a trust store such as ",
                                  unit, "-trust"));
    }
    if (spec.has_generate()) {
      return Refused(absl::StrCat(unit,
                                  ": only an identity can be generated; set purpose: "
                                  "identity, or give pem or src"));
    }
    if (!IsAbsent(spec) && named.sha256.empty() && !named.certificate) {
      return Refused(absl::StrCat(unit, ": say which certificate: pem or src"));
    }
  }
  if (IsAbsent(spec) && (spec.has_generate() || (named.sha256.empty() && !named.certificate))) {
    return Refused(
        absl::StrCat(unit, ": say which certificate must be absent: sha256, pem or src"));
  }
  return std::nullopt;
}

absl::Status CheckGenerate(const v1::CertificateSpec& spec) {
  if (!spec.has_generate() || IsAbsent(spec)) return absl::OkStatus();
  const uint32_t bits = spec.generate().rsa_bits();
  if (bits != 1024 && bits != 2048 && bits != 3072 && bits != 4096) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.unit(), ": rsa_bits is ", bits, "; give 1024, 2048, 3072 or 4096"));
  }
  if (spec.generate().days() == 0 || spec.generate().days() > kMaxDays) {
    return absl::InvalidArgumentError(
        absl::StrCat(spec.unit(), ": days is ", spec.generate().days(), "; give 1 to ", kMaxDays));
  }
  return absl::OkStatus();
}

std::string WantedSubject(const v1::GenerateCertificate& generate) {
  std::string subject = absl::StrCat("CN=", generate.common_name());
  const auto add = [&](absl::string_view name, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&subject, ";", name, "=", value);
  };
  add("OU", generate.organizational_unit());
  add("O", generate.organization());
  add("L", generate.locality());
  add("ST", generate.state());
  add("C", generate.country());
  return subject;
}

// A slot whose identity is made once: whether there is one, and what is wrong with it.
absl::Status ObserveSlot(const PlanContext& context, const StoreContents& contents,
                         v1::CertificateState& present, Observed& observed) {
  const v1::CertificateSpec& spec = Spec(context);
  const std::string& unit = spec.unit();
  for (const StoredEntry& entry : contents.entries) {
    if (!entry.key_matches) {
      observed.refusals.push_back(absl::StrCat(
          entry.path, ": the key of this ", unit,
          " certificate is lost or another one's; restore it, since a new identity would lock the "
          "phones that trust this one"));
      continue;
    }
    if (present.slots_size() == 0) {
      v1::FilledSlot* slot = present.add_slots();
      slot->set_unit(unit);
      slot->set_subject(entry.certificate.subject());
    } else {
      observed.warnings.push_back(
          absl::StrCat(unit, ": there is more than one identity; also serial ",
                       entry.certificate.serial_hex(), " of ", entry.certificate.subject()));
    }
    const std::string expiry = ExpiryWarning(unit, entry.certificate, context.host.clock.Now());
    if (!expiry.empty()) {
      observed.warnings.push_back(
          absl::StrCat(expiry, "; it is left as it is, because replacing it must be asked for"));
    }
    if (entry.certificate.common_name() != spec.generate().common_name()) {
      observed.warnings.push_back(
          absl::StrCat(unit, ": the identity here is ", entry.certificate.subject(), ", not ",
                       WantedSubject(spec.generate()), "; it is left as it is"));
    }
  }
  if (!contents.entries.empty()) return absl::OkStatus();
  for (const std::string& path : contents.unreadable) {
    observed.refusals.push_back(
        absl::StrCat(path, ": cannot be read as this node's ", unit,
                     " identity; restore it or move it away before a new one is made"));
  }
  if (!IsPhoneFacing(unit)) return absl::OkStatus();
  const std::string record = MadeRecord(context.host.layout, unit);
  const absl::StatusOr<FileImage> made = context.host.files.Read(record);
  if (absl::IsNotFound(made.status())) return absl::OkStatus();
  TL_RETURN_IF_ERROR(made.status());
  observed.refusals.push_back(absl::StrCat(
      "the ", unit, " identity of this node is lost: ", absl::StripAsciiWhitespace(made->bytes),
      " was made here; restore it from a backup, since a new one would lock the phones that trust "
      "it (to make a new one all the same, remove ",
      record, ")"));
  return absl::OkStatus();
}

// An own certificate that is given: it needs a key that is already on the node.
void ObserveIdentity(const PlanContext& context, const Named& named, const StoreContents& contents,
                     const std::string& sha256, v1::CertificateState& present, Observed& observed) {
  const v1::CertificateSpec& spec = Spec(context);
  const std::string& unit = spec.unit();
  bool there = false, keyed = false;
  for (const StoredEntry& entry : contents.entries) {
    const bool same = entry.certificate.sha256_hex() == sha256;
    keyed |= entry.key_matches && named.certificate &&
             entry.certificate.public_key_der() == named.certificate->public_key_der();
    if (same && !entry.key_matches) {
      observed.refusals.push_back(
          absl::StrCat(entry.path, ": the key of this certificate is not here; restore it"));
    }
    there |= same;
    if (same || !IsAbsent(spec)) {
      *present.add_certificates() = StoredFact(unit, entry.certificate, "");
    }
    const std::string expiry = ExpiryWarning(unit, entry.certificate, context.host.clock.Now());
    if (same && !expiry.empty()) observed.warnings.push_back(expiry);
  }
  if (IsAbsent(spec) || there) {
    // Others in the slot of a phone-facing unit are reported, never removed.
    if (!IsAbsent(spec) && IsPhoneFacing(unit) && present.certificates_size() > 1) {
      present.clear_certificates();
      for (const StoredEntry& entry : contents.entries) {
        if (entry.certificate.sha256_hex() == sha256) {
          *present.add_certificates() = StoredFact(unit, entry.certificate, "");
        } else {
          observed.warnings.push_back(absl::StrCat(unit, ": there is another identity, ",
                                                   DescribeCertificate(entry.certificate),
                                                   "; it is left as it is"));
        }
      }
    }
    return;
  }
  if (IsPhoneFacing(unit) && !contents.entries.empty()) {
    observed.refusals.push_back(
        absl::StrCat("this node's ", unit, " identity is ",
                     DescribeCertificate(contents.entries.front().certificate),
                     "; replacing it would lock the phones that trust it, so it is left as it is"));
  } else if (!named.certificate) {
    observed.refusals.push_back(
        absl::StrCat(unit, ": no certificate with SHA-256 ", sha256, " is here; give pem or src"));
  } else if (!keyed) {
    observed.refusals.push_back(absl::StrCat(
        unit, ": no key on this node belongs to ", DescribeCertificate(*named.certificate),
        "; keys never travel, so let the node generate its identity"));
  }
}

void ObserveTrust(const PlanContext& context, const Named& named,
                  const LinuxCertificateStore& store, const StoreContents& contents,
                  const std::string& sha256, v1::CertificateState& present, Observed& observed) {
  const v1::CertificateSpec& spec = Spec(context);
  bool there = false;
  for (const StoredEntry& entry : contents.entries) {
    if (entry.certificate.sha256_hex() != sha256) continue;
    there = true;
    *present.add_certificates() = StoredFact(spec.unit(), entry.certificate, "");
  }
  if (IsAbsent(spec)) return;
  if (!there && !named.certificate) {
    observed.refusals.push_back(absl::StrCat(spec.unit(), ": no certificate with SHA-256 ", sha256,
                                             " is here; give pem or src"));
  }
  if (!named.certificate) return;
  const std::string expiry =
      ExpiryWarning(spec.unit(), *named.certificate, context.host.clock.Now());
  if (!expiry.empty()) observed.warnings.push_back(expiry);
  SubjectConflicts conflicts =
      FindSubjectConflicts(store, spec.unit(), {*named.certificate}, contents);
  observed.refusals = std::move(conflicts.refusals);
  for (const StoredEntry& entry : conflicts.superseded) {
    *present.add_certificates() = StoredFact(spec.unit(), entry.certificate,
                                             "makes room for a newer one of the same subject");
  }
}

absl::Status StageGenerated(const PlanContext& context, const LinuxCertificateStore& store,
                            TransactionBuilder& transaction) {
  const v1::CertificateSpec& spec = Spec(context);
  const v1::GenerateCertificate& generate = spec.generate();
  SubjectNames names;
  names.common_name = generate.common_name();
  names.organization = generate.organization();
  names.organizational_unit = generate.organizational_unit();
  names.locality = generate.locality();
  names.state = generate.state();
  names.country = generate.country();
  TL_ASSIGN_OR_RETURN(const PrivateKey key,
                      PrivateKey::GenerateRsa(static_cast<int>(generate.rsa_bits())));
  TL_ASSIGN_OR_RETURN(
      const Certificate certificate,
      MakeSelfSigned(names, key, context.host.clock.Now(), absl::Hours(24 * generate.days())));
  TL_RETURN_IF_ERROR(store.AddIdentity(spec.unit(), certificate, key, transaction));
  if (!IsPhoneFacing(spec.unit())) return absl::OkStatus();
  return transaction.WriteFile(MadeRecord(context.host.layout, spec.unit()),
                               KindRecord(absl::StrCat(DescribeCertificate(certificate), "\n")));
}

}  // namespace

std::vector<std::string> CertificateKind::Claims(const v1::Resource& resource) const {
  const v1::CertificateSpec& spec = resource.certificate();
  if (IsIdentity(spec)) return {absl::StrCat("certificate identity ", spec.unit())};
  const absl::StatusOr<Named> named = ReadNamed(spec);
  if (!named.ok()) return {};
  const std::string sha256 = named->certificate ? named->certificate->sha256_hex() : named->sha256;
  return {absl::StrCat("certificate ", spec.unit(), " ", sha256)};
}

absl::StatusOr<Resolved> CertificateKind::Resolve(const PlanContext& context) const {
  const v1::CertificateSpec& spec = Spec(context);
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  TL_ASSIGN_OR_RETURN(const Named named, ReadNamed(spec));
  if (std::optional<Resolved> refused = RefuseSpec(spec, named)) return *std::move(refused);
  TL_RETURN_IF_ERROR(CheckGenerate(spec));
  auto desired = std::make_unique<v1::CertificateState>();
  if (IsAbsent(spec)) {
    // Nothing is wanted; what is there shows up in the present state.
  } else if (spec.has_generate()) {
    v1::FilledSlot* slot = desired->add_slots();
    slot->set_unit(spec.unit());
    slot->set_subject(WantedSubject(spec.generate()));
  } else if (named.certificate) {
    *desired->add_certificates() = StoredFact(spec.unit(), *named.certificate, "");
  } else {
    v1::StoredCertificate* fact = desired->add_certificates();
    fact->set_store(spec.unit());
    fact->set_sha256(named.sha256);
  }
  if (!IsIdentity(spec)) {
    for (const v1::MergedStoreFile& merged : store.DesiredMergedFiles(spec.unit())) {
      *desired->add_merged() = merged;
    }
  }
  Resolved resolved;
  resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> CertificateKind::Observe(const PlanContext& context,
                                                  const google::protobuf::Message&) const {
  const v1::CertificateSpec& spec = Spec(context);
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  TL_ASSIGN_OR_RETURN(const Named named, ReadNamed(spec));
  TL_ASSIGN_OR_RETURN(const StoreContents contents, store.List(spec.unit()));
  const std::string sha256 = named.certificate ? named.certificate->sha256_hex() : named.sha256;
  Observed observed;
  observed.warnings = contents.warnings;
  auto present = std::make_unique<v1::CertificateState>();
  if (!IsIdentity(spec)) {
    ObserveTrust(context, named, store, contents, sha256, *present, observed);
    TL_ASSIGN_OR_RETURN(const std::vector<v1::MergedStoreFile> files,
                        store.PresentMergedFiles(spec.unit()));
    for (const v1::MergedStoreFile& merged : files) *present->add_merged() = merged;
  } else if (spec.has_generate() && !IsAbsent(spec)) {
    TL_RETURN_IF_ERROR(ObserveSlot(context, contents, *present, observed));
  } else {
    ObserveIdentity(context, named, contents, sha256, *present, observed);
  }
  observed.present = std::move(present);
  return observed;
}

absl::Status CertificateKind::Stage(const PlanContext& context,
                                    const google::protobuf::Message& desired_message,
                                    const google::protobuf::Message& present_message,
                                    TransactionBuilder& transaction) const {
  const auto& desired = static_cast<const v1::CertificateState&>(desired_message);
  const auto& present = static_cast<const v1::CertificateState&>(present_message);
  const v1::CertificateSpec& spec = Spec(context);
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  if (desired.slots_size() > present.slots_size()) {
    return StageGenerated(context, store, transaction);
  }
  TL_ASSIGN_OR_RETURN(const Named named, ReadNamed(spec));
  TL_ASSIGN_OR_RETURN(const StoreContents contents, store.List(spec.unit()));
  std::set<std::string> wanted, there;
  for (const auto& fact : desired.certificates()) wanted.insert(fact.sha256());
  for (const auto& fact : present.certificates()) there.insert(fact.sha256());
  if (named.certificate && wanted.count(named.certificate->sha256_hex()) > 0 &&
      there.count(named.certificate->sha256_hex()) == 0) {
    if (IsIdentity(spec)) {
      std::optional<PrivateKey> key;
      for (const StoredEntry& entry : contents.entries) {
        if (!entry.key_matches ||
            entry.certificate.public_key_der() != named.certificate->public_key_der()) {
          continue;
        }
        TL_ASSIGN_OR_RETURN(key, store.KeyOf(entry));
        break;
      }
      if (!key) {
        return absl::FailedPreconditionError(absl::StrCat(spec.unit(),
                                                          ": no key on this node belongs to ",
                                                          DescribeCertificate(*named.certificate)));
      }
      TL_RETURN_IF_ERROR(store.AddIdentity(spec.unit(), *named.certificate, *key, transaction));
    } else {
      TL_RETURN_IF_ERROR(store.Add(spec.unit(), *named.certificate, transaction));
    }
  }
  for (const StoredEntry& entry : contents.entries) {
    const std::string& sha256 = entry.certificate.sha256_hex();
    if (there.count(sha256) == 0 || wanted.count(sha256) > 0) continue;
    if (IsIdentity(spec) && IsPhoneFacing(spec.unit())) {
      return absl::InternalError(
          absl::StrCat("refusing to remove the ", spec.unit(), " identity of this node"));
    }
    TL_RETURN_IF_ERROR(store.Remove(spec.unit(), entry.certificate, transaction));
  }
  if (IsIdentity(spec)) return absl::OkStatus();
  return store.RefreshMergedFiles(spec.unit(), transaction);
}

std::string CertificateKind::Describe(const v1::Change& change,
                                      const google::protobuf::Message& desired_message,
                                      const google::protobuf::Message& present) const {
  const auto& desired = static_cast<const v1::CertificateState&>(desired_message);
  if (change.fact() == v1::FilledSlot::descriptor()->name() && desired.slots_size() > 0) {
    return absl::StrCat(desired.slots(0).unit(), "  ", desired.slots(0).subject(),
                        "  a new self-signed identity; its key is made here and stays here");
  }
  if (change.fact() == v1::MergedStoreFile::descriptor()->name()) {
    for (const v1::MergedStoreFile& fact : desired.merged()) {
      if (fact.store() != change.identity()) continue;
      return absl::StrCat(fact.store(), "  merged file ", fact.file(), " repeats the store again");
    }
  }
  return ResourceKind::Describe(change, desired_message, present);
}

}  // namespace trustline::agent
