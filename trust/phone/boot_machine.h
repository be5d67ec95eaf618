// The state machine behind PhoneBoot: which file comes next, and what an answer changes. boot.cc
// has the files' order, boot_tvs.cc the questions to TVS in between. Internal to this folder.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "trust/phone/file_ruling.h"
#include "trust/phone/held_lists.h"
#include "trust/phone/list_authentication.h"
#include "trust/phone/phone.h"
#include "trust/phone/signed_configuration.h"
#include "trust/phone/tvs_questions.h"

namespace trustline {

class PhoneBoot::Machine {
 public:
  Machine(PhoneState state, const std::vector<std::string>& tftp_servers, PhoneBehaviour behaviour,
          absl::Time now);

  PhoneWants Next() const;
  void OnFile(std::string bytes);
  void OnNoFile();
  void OnFileFailure(const absl::Status& why);
  void OnTvsReply(const TvsReply& reply);
  void OnTvsFailure(const absl::Status& why);
  const PhoneState& state() const { return state_; }
  BootResult Result() const;

 private:
  enum class Phase {
    kCtl,
    kItl,
    kDefaultItl,
    kConfiguration,
    kUnsignedConfiguration,
    kEncryptedConfiguration,
    kDone
  };
  // A file whose signer TVS is being asked for.
  struct Pending {
    std::string bytes;
    FileSigner signer;
    TvsRequest request;
    std::vector<Certificate> pinned;
    size_t next = 0;                // index into state_.tvs
    std::vector<std::string> said;  // one per server that did not vouch
    PhoneRefusal refusal = PhoneRefusal::kNone;
  };

  bool InLists() const {
    return phase_ == Phase::kCtl || phase_ == Phase::kItl || phase_ == Phase::kDefaultItl;
  }
  std::vector<ListRole> RolesWanted() const;
  std::string FileName() const;
  std::string ServerName() const;
  void Note(const std::string& file, std::string text, bool ok = true, bool changed = false);
  void Status(absl::string_view text);
  void Assume(const std::vector<std::string>& assumptions);
  void GoOn();                 // to the next file
  void Stop(std::string why);  // there is nothing more to fetch from
  void Rule(FileRuling ruling, std::string bytes);
  void Refuse(PhoneRefusal refusal, const std::string& reason);
  void TakeList(const FileRuling& ruling, std::string bytes);
  void TakeConfiguration(const FileRuling& ruling, const std::string& bytes);

  void AskTvs(const FileRuling& ruling, std::string bytes);
  void OnOpinion(const TvsOpinion& opinion, bool from_cache, const std::string& server);
  void NoTvsVouches();
  size_t TvsServers() const { return std::min(state_.tvs.size(), kTvsServersAsked); }

  PhoneState state_;
  const PhoneBehaviour behaviour_;
  const absl::Time now_;
  std::vector<std::string> servers_;
  size_t server_ = 0;  // once one does not answer, the next is used for the rest
  Phase phase_ = Phase::kCtl;
  std::optional<Pending> pending_;
  bool ctl_offered_ = false;  // and the phone has it now
  bool first_trust_ = false;
  std::string refused_reason_, unreachable_;
  std::vector<std::string> failures_;
  std::vector<std::pair<std::string, std::string>> accepted_reasons_;  // what, why
  BootResult result_;
};

}  // namespace trustline
