#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/phone/boot_machine.h"

namespace trustline {
namespace {

constexpr size_t kTftpServersUsed = 2;
constexpr size_t kStatusLines = 50;

}  // namespace

PhoneBoot::Machine::Machine(PhoneState state, const std::vector<std::string>& tftp_servers,
                            PhoneBehaviour behaviour, absl::Time now)
    : state_(std::move(state)), behaviour_(std::move(behaviour)), now_(now) {
  if (!state_.abilities.security_by_default) state_.itl.reset();
  if (behaviour_.reset_forgets_tvs) state_.tvs_cache.clear();
  if (!state_.alternate_tftp.empty()) {
    servers_ = state_.alternate_tftp;
    Note("", absl::StrCat("TFTP servers are set by hand (", absl::StrJoin(servers_, ", "),
                          "): option 150 is ignored"));
  } else {
    servers_ = tftp_servers;
  }
  if (servers_.size() > kTftpServersUsed) {
    Note("", absl::StrCat("phones use two TFTP servers; ",
                          absl::StrJoin(servers_.begin() + kTftpServersUsed, servers_.end(), ", "),
                          " not used"));
    servers_.resize(kTftpServersUsed);
  }
  if (servers_.empty()) Stop("the phone is given no TFTP server");
}

std::string PhoneBoot::Machine::ServerName() const {
  return server_ < servers_.size() ? behaviour_.NameOf(servers_[server_]) : "";
}

std::string PhoneBoot::Machine::FileName() const {
  switch (phase_) {
    case Phase::kCtl:
      return absl::StrCat("CTL", state_.device, ".tlv");
    case Phase::kItl:
      return absl::StrCat("ITL", state_.device, ".tlv");
    case Phase::kDefaultItl:
      return "ITLFile.tlv";
    case Phase::kConfiguration:
      return ConfigurationName(state_);
    case Phase::kUnsignedConfiguration:
      return UnsignedConfigurationName(state_);
    case Phase::kEncryptedConfiguration:
      return EncryptedConfigurationName(state_);
    case Phase::kDone:
      break;
  }
  return "";
}

void PhoneBoot::Machine::Note(const std::string& file, std::string text, bool ok, bool changed) {
  PhoneStep step;
  step.file = file;
  if (!file.empty()) step.server = ServerName();
  step.text = std::move(text);
  step.ok = ok;
  step.changed = changed;
  result_.steps.push_back(std::move(step));
}

void PhoneBoot::Machine::Status(absl::string_view text) {
  state_.status.push_back({now_, std::string(text)});
  if (state_.status.size() > kStatusLines) state_.status.erase(state_.status.begin());
}

void PhoneBoot::Machine::Assume(const std::vector<std::string>& assumptions) {
  for (const std::string& assumption : assumptions) {
    if (std::find(result_.assumptions.begin(), result_.assumptions.end(), assumption) ==
        result_.assumptions.end()) {
      result_.assumptions.push_back(assumption);
    }
  }
}

void PhoneBoot::Machine::Stop(std::string why) {
  unreachable_ = std::move(why);
  Note("", unreachable_, false);
  phase_ = Phase::kDone;
}

void PhoneBoot::Machine::GoOn() {
  const bool lists_only = !behaviour_.fetch_config;
  switch (phase_) {
    case Phase::kCtl:
      if (state_.abilities.security_by_default) {
        phase_ = Phase::kItl;
      } else {
        phase_ = lists_only ? Phase::kDone : Phase::kConfiguration;
      }
      return;
    case Phase::kItl:
    case Phase::kDefaultItl:
      phase_ = lists_only ? Phase::kDone : Phase::kConfiguration;
      return;
    case Phase::kConfiguration:
    case Phase::kUnsignedConfiguration:
    case Phase::kEncryptedConfiguration:
    case Phase::kDone:
      phase_ = Phase::kDone;
      return;
  }
}

void PhoneBoot::Machine::Refuse(PhoneRefusal refusal, const std::string& reason) {
  const std::string file = FileName();
  Note(file, absl::StrCat("refused: ", reason), false);
  if (result_.refusal == PhoneRefusal::kNone) {
    result_.refusal = refusal;
    result_.refused_file = file;
    refused_reason_ = reason;
  }
  if (InLists()) Status("Trust List Update Failed");
  pending_.reset();
  GoOn();
}

PhoneWants PhoneBoot::Machine::Next() const {
  PhoneWants wants;
  if (phase_ == Phase::kDone) return wants;
  if (pending_) {
    wants.kind = PhoneWants::Kind::kTvs;
    wants.tvs = state_.tvs[pending_->next];
    wants.request = pending_->request;
    wants.pinned = pending_->pinned;
    return wants;
  }
  wants.kind = PhoneWants::Kind::kFile;
  wants.tftp_server = servers_[server_];
  wants.file = FileName();
  return wants;
}

void PhoneBoot::Machine::OnFile(std::string bytes) {
  result_.tftp_server = servers_[server_];
  if (phase_ == Phase::kUnsignedConfiguration ||
      (phase_ == Phase::kConfiguration && !state_.ctl && !state_.itl)) {
    FileRuling ruling = FileRuling::Accept("not signed, and the phone has no list to check by");
    ruling.first_trust = true;
    return Rule(std::move(ruling), std::move(bytes));
  }
  FileRuling ruling = InLists() ? JudgeList(phase_ == Phase::kCtl ? ListKind::kCtl : ListKind::kItl,
                                            bytes, state_, behaviour_)
                                : JudgeSignedFile(FileName(), bytes, state_, behaviour_);
  Rule(std::move(ruling), std::move(bytes));
}

void PhoneBoot::Machine::Rule(FileRuling ruling, std::string bytes) {
  Assume(ruling.assumptions);
  switch (ruling.kind) {
    case FileRuling::Kind::kUnchanged:
      Note(FileName(), absl::StrCat("unchanged: ", ruling.reason));
      if (phase_ == Phase::kCtl) ctl_offered_ = true;
      return GoOn();
    case FileRuling::Kind::kRefuse:
      return Refuse(ruling.refusal, ruling.reason);
    case FileRuling::Kind::kAskTvs:
      return AskTvs(ruling, std::move(bytes));
    case FileRuling::Kind::kAccept:
      break;
  }
  pending_.reset();
  if (InLists()) {
    TakeList(ruling, std::move(bytes));
  } else {
    TakeConfiguration(ruling, bytes);
  }
}

void PhoneBoot::Machine::TakeList(const FileRuling& ruling, std::string bytes) {
  const bool ctl = phase_ == Phase::kCtl;
  const absl::StatusOr<TrustList> list = ParseTrustList(bytes);
  if (list.ok() && list->header.signer_version && list->header.signer_version->minor >= 1) {
    Assume(
        {"the list's signer version is 1.1: newer phones then fetch their configuration by HTTPS "
         "6971, where it is not signed; judged as fetched signed"});
  }
  (ctl ? state_.ctl : state_.itl) = std::move(bytes);
  (ctl ? result_.ctl_changed : result_.itl_changed) = true;
  if (ctl) ctl_offered_ = true;
  first_trust_ = first_trust_ || ruling.first_trust;
  state_.tvs_cache.clear();
  Note(FileName(), absl::StrCat("accepted: ", ruling.reason), true, true);
  accepted_reasons_.emplace_back(ctl ? "CTL" : "ITL", ruling.reason);
  Status("Trust List Updated");
  GoOn();
}

void PhoneBoot::Machine::TakeConfiguration(const FileRuling& ruling, const std::string& bytes) {
  const std::string file = FileName();
  const bool is_signed = phase_ != Phase::kUnsignedConfiguration &&
                         !(phase_ == Phase::kConfiguration && !state_.ctl && !state_.itl);
  ConfigurationContent content = OpenConfiguration(file, bytes, is_signed, state_);
  if (content.ruling.kind != FileRuling::Kind::kAccept)
    return Refuse(content.ruling.refusal, content.ruling.reason);
  if (content.sealed) {
    Assume(
        {"the configuration is encrypted for the phone's own key, which the simulated phone does "
         "not have: its content was not looked at"});
    Note(file, absl::StrCat("accepted: ", ruling.reason, "; ", content.ruling.reason), true, true);
    result_.config_changed = true;
    accepted_reasons_.emplace_back("configuration", ruling.reason);
    return GoOn();
  }
  if (content.configuration.encrypted_elsewhere && phase_ == Phase::kConfiguration) {
    Note(file, absl::StrCat("accepted: ", ruling.reason, "; it says that the configuration itself ",
                            "is encrypted"));
    phase_ = Phase::kEncryptedConfiguration;
    return;
  }
  if (state_.config == content.xml) {
    Note(file, absl::StrCat("unchanged: ", ruling.reason));
    return GoOn();
  }
  state_.config = std::move(content.xml);
  state_.tvs = content.configuration.tvs;
  result_.config_changed = true;
  std::vector<std::string> group;
  for (const std::string& host : content.configuration.call_managers)
    group.push_back(behaviour_.NameOf(host));
  Note(file,
       absl::StrCat("accepted: ", ruling.reason, "; ",
                    group.empty() ? "it names no CallManager to register at"
                                  : absl::StrCat("registers at ", absl::StrJoin(group, ", "))),
       true, true);
  accepted_reasons_.emplace_back("configuration", ruling.reason);
  GoOn();
}

void PhoneBoot::Machine::OnNoFile() {
  result_.tftp_server = servers_[server_];
  const std::string file = FileName();
  const bool another = server_ + 1 < servers_.size();
  if (another && behaviour_.next_tftp_after_no_file) {
    Note(file, "no such file; the next TFTP server is asked");
    ++server_;
    return;
  }
  auto mind_the_other_server = [&] {
    if (another) {
      Assume(
          {"whether phones ask the second TFTP server for a file the first does not have is not "
           "documented"});
    }
  };
  switch (phase_) {
    case Phase::kCtl:
      Note(file, "no such file: normal unless the cluster is in mixed mode");
      Status(absl::StrCat("File Not Found: ", file));
      return GoOn();
    case Phase::kItl:
      Note(file, "no such file; the common one is asked for");
      phase_ = Phase::kDefaultItl;
      return;
    case Phase::kDefaultItl:
      if ((state_.ctl || state_.itl) && !ctl_offered_) {
        mind_the_other_server();
        return Refuse(PhoneRefusal::kNoList,
                      "the server has no trust list, and the phone keeps the one it has, which "
                      "vouches for nothing this server offers");
      }
      Note(file, "no such file");
      return GoOn();
    case Phase::kConfiguration:
      if (HeldLists(state_).BelievesAnything()) {
        Note(file, "no such file; the phone's ITL is empty, so one that is not signed will do");
        phase_ = Phase::kUnsignedConfiguration;
        return;
      }
      break;
    case Phase::kUnsignedConfiguration:
    case Phase::kEncryptedConfiguration:
    case Phase::kDone:
      break;
  }
  mind_the_other_server();
  Refuse(PhoneRefusal::kNoConfiguration,
         absl::StrCat("the server has no ", file, ": the phone has no record there, or it is not ",
                      "signed; the phone goes on with the configuration it has"));
}

void PhoneBoot::Machine::OnFileFailure(const absl::Status& why) {
  if (absl::IsResourceExhausted(why)) {
    // There is a file, and a phone has no room for it.
    result_.tftp_server = servers_[server_];
    return Refuse(InLists() ? PhoneRefusal::kListSize : PhoneRefusal::kMalformed,
                  std::string(why.message()));
  }
  Note(FileName(), absl::StrCat("could not be fetched: ", why.message()), false);
  failures_.push_back(absl::StrCat(ServerName(), ": ", why.message()));
  if (server_ + 1 < servers_.size()) {
    ++server_;
    return;
  }
  const bool any = !result_.tftp_server.empty();
  Stop(absl::StrCat(any ? "no TFTP server gave " : "no TFTP server answered",
                    any ? FileName() : std::string(), " (", absl::StrJoin(failures_, "; "), ")"));
}

BootResult PhoneBoot::Machine::Result() const {
  BootResult result = result_;
  if (!refused_reason_.empty()) {
    result.end = BootResult::End::kLocked;
    result.reason = refused_reason_;
  } else if (!unreachable_.empty()) {
    result.end = BootResult::End::kUnreachable;
    result.reason = unreachable_;
  } else {
    result.end = first_trust_ ? BootResult::End::kFirstTrust
                 : result.ctl_changed || result.itl_changed || result.config_changed
                     ? BootResult::End::kMoved
                     : BootResult::End::kUnchanged;
    std::vector<std::string> reasons;
    for (const auto& [what, reason] : accepted_reasons_) {
      // Of a phone whose list has changed, the list is what decided.
      if (what == "configuration" && !reasons.empty()) continue;
      reasons.push_back(accepted_reasons_.size() > 1 ? absl::StrCat(what, ": ", reason) : reason);
    }
    result.reason =
        reasons.empty() ? "everything offered is what the phone has" : absl::StrJoin(reasons, "; ");
  }
  if (state_.config) {
    const absl::StatusOr<PhoneConfiguration> configuration =
        ParsePhoneConfiguration(*state_.config);
    if (configuration.ok()) result.registers_at = configuration->call_managers;
  } else if (!result.config_changed) {
    for (const TvsAddress& address : state_.tvs) result.registers_at.push_back(address.host);
  }
  result.after = state_;
  return result;
}

}  // namespace trustline
