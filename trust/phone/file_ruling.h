// What a phone rules about one file it was offered. Shared by the files of this folder that judge
// lists and configurations.
#pragma once

#include <string>
#include <vector>

#include "trust/phone/phone.h"
#include "trust/trust_list/list_format.h"

namespace trustline {

// Who signed a file, as its header names him.
struct FileSigner {
  std::string subject, issuer, serial;  // serial raw
  // "CN=ITLRECOVERY_dst-pub;... serial 4F22..."
  std::string Text() const;
};

struct FileRuling {
  enum class Kind {
    kAccept,
    kUnchanged,  // the phone has exactly this file
    kAskTvs,     // nobody in the phone's lists signed it: TVS decides
    kRefuse,
  };
  Kind kind = Kind::kRefuse;
  PhoneRefusal refusal = PhoneRefusal::kNone;
  std::string reason;  // one line
  FileSigner signer;
  bool first_trust = false;              // accepted without any proof
  std::vector<std::string> assumptions;  // undocumented behaviour that decided

  static FileRuling Refuse(PhoneRefusal refusal, std::string reason) {
    FileRuling ruling;
    ruling.refusal = refusal;
    ruling.reason = std::move(reason);
    return ruling;
  }
  static FileRuling Accept(std::string reason) {
    FileRuling ruling;
    ruling.kind = Kind::kAccept;
    ruling.reason = std::move(reason);
    return ruling;
  }
};

// "SHA-512" where the phone takes it; else why not.
FileRuling CheckDigestAbility(uint8_t digest_code, const PhoneAbilities& abilities);

}  // namespace trustline
