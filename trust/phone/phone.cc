#include "trust/phone/phone.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "trust/phone/boot_machine.h"

namespace trustline {

PhoneBehaviour PhoneBehaviour::Lenient() {
  PhoneBehaviour lenient;
  lenient.other_file_names = true;
  lenient.next_tvs_after_refusal = true;
  lenient.expired_tvs_certificates = true;
  lenient.odd_lists = true;
  lenient.lists_without_own_signer = true;
  lenient.next_tftp_after_no_file = true;
  return lenient;
}

std::string PhoneBehaviour::NameOf(const std::string& address) const {
  const auto found = names.find(address);
  return found == names.end() ? address : absl::StrCat(found->second, " (", address, ")");
}

std::string PhoneRefusalName(PhoneRefusal refusal) {
  switch (refusal) {
    case PhoneRefusal::kNone:
      return "none";
    case PhoneRefusal::kSignerUnknown:
      return "signer-unknown";
    case PhoneRefusal::kSignerRole:
      return "signer-role";
    case PhoneRefusal::kTvsUnreachable:
      return "tvs-unreachable";
    case PhoneRefusal::kTvsIdentity:
      return "tvs-identity";
    case PhoneRefusal::kTvsNone:
      return "tvs-none";
    case PhoneRefusal::kSignature:
      return "signature";
    case PhoneRefusal::kAlgorithm:
      return "algorithm";
    case PhoneRefusal::kListSize:
      return "list-size";
    case PhoneRefusal::kMalformed:
      return "malformed";
    case PhoneRefusal::kFileName:
      return "file-name";
    case PhoneRefusal::kNoList:
      return "no-list";
    case PhoneRefusal::kNoConfiguration:
      return "no-configuration";
    case PhoneRefusal::kOtherPhone:
      return "other-phone";
  }
  return "";
}

std::string EndName(BootResult::End end) {
  switch (end) {
    case BootResult::End::kMoved:
      return "moved";
    case BootResult::End::kUnchanged:
      return "unchanged";
    case BootResult::End::kFirstTrust:
      return "first-trust";
    case BootResult::End::kLocked:
      return "locked";
    case BootResult::End::kUnreachable:
      return "unreachable";
  }
  return "";
}

PhoneBoot::PhoneBoot(PhoneState state, const std::vector<std::string>& tftp_servers,
                     PhoneBehaviour behaviour, absl::Time now)
    : machine_(
          std::make_unique<Machine>(std::move(state), tftp_servers, std::move(behaviour), now)) {}
PhoneBoot::PhoneBoot(PhoneBoot&&) noexcept = default;
PhoneBoot::~PhoneBoot() = default;

PhoneWants PhoneBoot::Next() const { return machine_->Next(); }
void PhoneBoot::OnFile(std::string bytes) {
  assert(Next().kind == PhoneWants::Kind::kFile);
  machine_->OnFile(std::move(bytes));
}
void PhoneBoot::OnNoFile() {
  assert(Next().kind == PhoneWants::Kind::kFile);
  machine_->OnNoFile();
}
void PhoneBoot::OnFileFailure(const absl::Status& why) {
  assert(Next().kind == PhoneWants::Kind::kFile);
  machine_->OnFileFailure(why);
}
void PhoneBoot::OnTvsReply(const TvsReply& reply) {
  assert(Next().kind == PhoneWants::Kind::kTvs);
  machine_->OnTvsReply(reply);
}
void PhoneBoot::OnTvsFailure(const absl::Status& why) {
  assert(Next().kind == PhoneWants::Kind::kTvs);
  machine_->OnTvsFailure(why);
}
const PhoneState& PhoneBoot::state() const { return machine_->state(); }
BootResult PhoneBoot::Result() const { return machine_->Result(); }

BootResult Boot(PhoneState state, const std::vector<std::string>& tftp_servers,
                PhoneNetwork& network, const PhoneBehaviour& behaviour, absl::Time now) {
  PhoneBoot boot(std::move(state), tftp_servers, behaviour, now);
  while (true) {
    const PhoneWants wants = boot.Next();
    switch (wants.kind) {
      case PhoneWants::Kind::kNothing:
        return boot.Result();
      case PhoneWants::Kind::kFile: {
        absl::StatusOr<std::string> file = network.Fetch(wants.tftp_server, wants.file);
        if (file.ok()) {
          boot.OnFile(*std::move(file));
        } else if (absl::IsNotFound(file.status())) {
          boot.OnNoFile();
        } else {
          boot.OnFileFailure(file.status());
        }
        break;
      }
      case PhoneWants::Kind::kTvs: {
        const absl::StatusOr<TvsReply> reply =
            network.AskTvs(wants.tvs, wants.request, wants.pinned);
        if (reply.ok()) {
          boot.OnTvsReply(*reply);
        } else {
          boot.OnTvsFailure(reply.status());
        }
        break;
      }
    }
    network.Remember(boot.state());
  }
}

}  // namespace trustline
