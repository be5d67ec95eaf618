#include "tests/fakes/fake_kinds.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr char kDirectory[] = "/etc/pointers/";
constexpr char kLoaded[] = "/run/dhcp-loaded/";

std::string Flat(const std::string& subnet) { return absl::StrReplaceAll(subnet, {{"/", "_"}}); }

}  // namespace

std::string FakePointerKind::PathOf(const v1::Resource& resource) const {
  return absl::StrCat(directory, "/", Flat(resource.tftp_pointer().scope().subnet()));
}

void FakePointerKind::Install(FakeHost& host) {
  FakeFiles* files = &host.files;
  host.services.Add("dhcp", true, [files] {
    // What the daemon has in memory is kept as files no Snapshot comparison looks at.
    for (const auto& [path, image] : files->Snapshot()) {
      if (path.rfind(kLoaded, 0) == 0) files->Erase(path);
    }
    for (const auto& [path, image] : files->Snapshot()) {
      if (path.rfind(kDirectory, 0) == 0 && path.find("/.") == std::string::npos) {
        files->Put(kLoaded + path.substr(sizeof kDirectory - 1), image);
      }
    }
  });
}

std::vector<std::string> FakePointerKind::Claims(const v1::Resource& resource) const {
  return {absl::StrCat("tftp_pointer subnet ", resource.tftp_pointer().scope().subnet())};
}

absl::StatusOr<Resolved> FakePointerKind::Resolve(const PlanContext& context) const {
  const v1::TftpPointerSpec& spec = context.resource.tftp_pointer();
  Resolved resolved;
  if (spec.tftp_servers().empty()) {
    resolved.verdict = v1::OUTCOME_PENDING;
    resolved.reasons.push_back("no servers yet");
    return resolved;
  }
  auto state = std::make_unique<v1::TftpPointerState>();
  v1::ServedPointer* pointer = state->add_pointers();
  pointer->set_scope(absl::StrCat("subnet ", spec.scope().subnet()));
  pointer->set_tftp_servers(absl::StrJoin(spec.tftp_servers(), ", "));
  pointer->set_active(true);
  resolved.desired = std::move(state);
  return resolved;
}

absl::StatusOr<Observed> FakePointerKind::Observe(const PlanContext& context,
                                                  const google::protobuf::Message&) const {
  const std::string path = PathOf(context.resource);
  auto state = std::make_unique<v1::TftpPointerState>();
  const absl::StatusOr<FileImage> file = context.host.files.Read(path);
  if (!file.ok() && !absl::IsNotFound(file.status())) return file.status();
  if (file.ok()) {
    v1::ServedPointer* pointer = state->add_pointers();
    pointer->set_scope(absl::StrCat("subnet ", context.resource.tftp_pointer().scope().subnet()));
    pointer->set_tftp_servers(file->bytes);
    const absl::StatusOr<FileImage> in_memory =
        context.host.files.Read(loaded + path.substr(directory.size()));
    pointer->set_active(in_memory.ok() && in_memory->bytes == file->bytes);
  }
  Observed observed;
  observed.present = std::move(state);
  return observed;
}

absl::Status FakePointerKind::Stage(const PlanContext& context, const google::protobuf::Message&,
                                    const google::protobuf::Message&,
                                    TransactionBuilder& transaction) const {
  const std::string path = PathOf(context.resource);
  absl::StatusOr<FileImage> image = transaction.Upcoming(path);
  if (!image.ok() && !absl::IsNotFound(image.status())) return image.status();
  FileImage next = image.ok() ? *image : FileImage{};
  next.bytes = absl::StrJoin(context.resource.tftp_pointer().tftp_servers(), ", ");
  TL_RETURN_IF_ERROR(transaction.WriteFile(path, next));
  transaction.AddEffect("reload dhcp", "dhcp",
                        [](const Host& host, Hubs&) { return host.services.Reload("dhcp"); });
  return absl::OkStatus();
}

absl::Status FakePointerKind::Prove(const PlanContext& context, const google::protobuf::Message&,
                                    Prover& prover) const {
  if (!prove) return absl::OkStatus();
  v1::ProbeRequest probe;
  probe.set_subnet(context.resource.tftp_pointer().scope().subnet());
  TL_ASSIGN_OR_RETURN(const v1::ProbeResponse response,
                      prover.Ask(context.resource.tftp_pointer().probe_from(), probe));
  if (response.option_150() ==
      absl::StrJoin(context.resource.tftp_pointer().tftp_servers(), ", ")) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("the wire says otherwise");
}

absl::Status FakePointerKind::Undo(const std::string& undo_argument, const Host& host) const {
  return host.services.Reload(undo_argument);
}

absl::Status FakePointerKind::ProveUndone(const std::string&, const std::string&,
                                          const HostView& host, Prover& prover,
                                          std::vector<std::string>&) const {
  if (undone_subnet.empty()) return absl::OkStatus();
  v1::ProbeRequest probe;
  probe.set_subnet(undone_subnet);
  TL_ASSIGN_OR_RETURN(const v1::ProbeResponse response, prover.Ask("probe", probe));
  TL_ASSIGN_OR_RETURN(const FileImage file,
                      host.files.Read(absl::StrCat(
                          directory, "/", absl::StrReplaceAll(undone_subnet, {{"/", "_"}}))));
  if (response.option_150() == file.bytes) return absl::OkStatus();
  return absl::FailedPreconditionError("the wire says otherwise");
}

std::string FakeTrustKind::PathOf(const v1::Resource& resource, const Layout& layout) {
  return absl::StrCat(layout.certificate_root, "/", resource.certificate().unit(), "/",
                      resource.certificate().name());
}

std::vector<std::string> FakeTrustKind::Claims(const v1::Resource&) const { return {}; }

absl::StatusOr<Resolved> FakeTrustKind::Resolve(const PlanContext& context) const {
  if (interfere) TL_RETURN_IF_ERROR(interfere("resolve", context.resource));
  auto state = std::make_unique<v1::CertificateState>();
  if (context.resource.certificate().state() != v1::PRESENCE_ABSENT) {
    v1::StoredCertificate* certificate = state->add_certificates();
    certificate->set_store(context.resource.certificate().unit());
    certificate->set_sha256(context.resource.certificate().pem());
  }
  Resolved resolved;
  resolved.desired = std::move(state);
  return resolved;
}

absl::StatusOr<Observed> FakeTrustKind::Observe(const PlanContext& context,
                                                const google::protobuf::Message&) const {
  if (interfere) TL_RETURN_IF_ERROR(interfere("observe", context.resource));
  auto state = std::make_unique<v1::CertificateState>();
  const absl::StatusOr<FileImage> file =
      context.host.files.Read(PathOf(context.resource, context.host.layout));
  if (!file.ok() && !absl::IsNotFound(file.status())) return file.status();
  if (file.ok()) {
    v1::StoredCertificate* certificate = state->add_certificates();
    certificate->set_store(context.resource.certificate().unit());
    certificate->set_sha256(file->bytes);
  }
  Observed observed;
  observed.present = std::move(state);
  return observed;
}

absl::Status FakeTrustKind::Stage(const PlanContext& context, const google::protobuf::Message&,
                                  const google::protobuf::Message&,
                                  TransactionBuilder& transaction) const {
  if (interfere) TL_RETURN_IF_ERROR(interfere("stage", context.resource));
  const std::string path = PathOf(context.resource, context.host.layout);
  if (context.resource.certificate().state() == v1::PRESENCE_ABSENT) {
    return transaction.RemoveFile(path);
  }
  FileImage image;
  image.bytes = context.resource.certificate().pem();
  image.mode = 0640;
  image.uid = context.host.layout.certificate_uid;
  image.gid = context.host.layout.certificate_gid;
  if (!origin.empty()) image.xattrs["user.origin"] = origin;
  return transaction.WriteFile(path, image);
}

v1::Resource PointerResource(const std::string& subnet, const std::vector<std::string>& servers) {
  v1::Resource resource;
  resource.set_id(absl::StrCat("pointer ", subnet));
  resource.mutable_tftp_pointer()->mutable_scope()->set_subnet(subnet);
  resource.mutable_tftp_pointer()->set_probe_from("probe");
  for (const std::string& server : servers) {
    resource.mutable_tftp_pointer()->add_tftp_servers(server);
  }
  return resource;
}

v1::Resource TrustResource(const std::string& unit, const std::string& name,
                           const std::string& content) {
  v1::Resource resource;
  resource.set_id(absl::StrCat("trust ", unit, "/", name));
  resource.mutable_certificate()->set_unit(unit);
  resource.mutable_certificate()->set_name(name);
  if (content.empty()) {
    resource.mutable_certificate()->set_state(v1::PRESENCE_ABSENT);
  } else {
    resource.mutable_certificate()->set_pem(content);
  }
  return resource;
}

FakeKinds::FakeKinds() {
  auto a_pointer = std::make_unique<FakePointerKind>();
  auto a_trust = std::make_unique<FakeTrustKind>();
  pointer = a_pointer.get();
  trust = a_trust.get();
  registry.push_back(std::move(a_pointer));
  registry.push_back(std::move(a_trust));
}

}  // namespace trustline::agent
