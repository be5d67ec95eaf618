// The simulated phone: what a Cisco IP phone does at a reset with the lists and configurations it
// is offered, decided step by step and with a reason an engineer can check. Source: domain facts
// (phone logs, vendor documents). Where the behaviour of real phones is not documented, the
// strictest one is assumed, PhoneBehaviour says which, and the result names what it decided by.
//
// PhoneBoot is pure: no clock, no network. Boot() drives it against a PhoneNetwork.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/private_key.h"
#include "trust/tvs/message.h"
#include "trust/tvs/tvs_address.h"

namespace trustline {

struct PhoneAbilities {
  bool security_by_default = true;  // without: no ITL and no TVS, a CTL only
  bool sha512 = true;
  bool elliptic_curves = true;
  friend auto operator<=>(const PhoneAbilities&, const PhoneAbilities&) = default;
};

// An answer of TVS a phone keeps, good and bad ones alike.
struct CachedTvsAnswer {
  std::string issuer, serial;  // what was asked for; serial raw
  uint8_t status = 0;
  std::string certificate;  // DER; empty where the answer had none
  std::vector<uint8_t> roles;
  std::string server;  // who said it, as text
  absl::Time expires;
};

struct PhoneStatusLine {
  absl::Time at;
  std::string text;  // "Trust List Updated", as the phone's own screen says it
};

// Everything a phone remembers over a reset. Built from just `itl` and `tvs` it already decides.
struct PhoneState {
  std::string device;                   // "SEP001B54AABB01"
  std::string model;                    // "CP-8861"
  std::optional<std::string> ctl, itl;  // bytes of the files
  // Content of the last configuration that was accepted.
  std::optional<std::string> config;
  // The CallManager group of that configuration, in order; a phone asks three at most.
  std::vector<TvsAddress> tvs;
  std::vector<std::string> alternate_tftp;  // set by hand: option 150 is ignored
  PhoneAbilities abilities;
  // The LSC or MIC and its key, for encrypted configurations; without it these are authenticated
  // but not opened.
  std::optional<Certificate> identity;
  std::shared_ptr<const PrivateKey> identity_key;
  std::vector<CachedTvsAnswer> tvs_cache;
  std::vector<PhoneStatusLine> status;  // oldest first, the last 50
};

// How a phone behaves where nobody has documented it: the defaults are strict. `lenient` sets the
// most forgiving phone at once.
struct PhoneBehaviour {
  // A signed file under another name than it was asked for is accepted.
  bool other_file_names = false;
  // "Certificate unknown" from one TVS server does not keep the phone from asking the next.
  bool next_tvs_after_refusal = false;
  // TVS certificates in the phone's list count after they have expired.
  bool expired_tvs_certificates = false;
  // More than 39 certificates, more than 2 SAST records, and records that contradict their own
  // certificate are accepted; more than 64 KB never is.
  bool odd_lists = false;
  // A list that does not carry its own signer as SAST is accepted when the signer is trusted.
  bool lists_without_own_signer = false;
  // "No such file" from one TFTP server does not keep the phone from asking the second.
  bool next_tftp_after_no_file = false;

  // A reset forgets TVS answers (a 79xx log suggests it, nothing proves it). False: the phone only
  // reads its files anew, or keeps answers over a reset.
  bool reset_forgets_tvs = true;
  bool fetch_config = true;
  // address -> name of a node, for reasons: "src-pub (10.10.0.11)".
  std::map<std::string, std::string> names;

  // For LiveNetwork only.
  uint16_t http_port = 6970, tftp_port = 69;
  absl::Duration file_timeout = absl::Seconds(10), tvs_timeout = absl::Seconds(10);
  bool legacy_tls = false;  // TLS 1.0 and old ciphers towards TVS, as phones of the 79xx series

  static PhoneBehaviour Lenient();
  std::string NameOf(const std::string& address) const;
};

// The effects a phone has on the world. Blocking.
class PhoneNetwork {
 public:
  virtual ~PhoneNetwork() = default;
  // The file by HTTP, else by TFTP. NotFound: a server is there and has no such file.
  // ResourceExhausted: it is larger than phones take. Any other error: no server, or it broke off.
  virtual absl::StatusOr<std::string> Fetch(const std::string& tftp_server,
                                            const std::string& file) = 0;
  // `pinned`: the certificates one of which the server must present (role TVS of the phone's ITL).
  // PermissionDenied: it presented another one. Any other error: it could not be asked.
  virtual absl::StatusOr<TvsReply> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                          const std::vector<Certificate>& pinned) = 0;
  // Called after each change of what the phone remembers, so that a simulated reboot in between
  // loses what a real one would.
  virtual void Remember(const PhoneState&) {}
};

// Why a phone did not take what it was offered.
enum class PhoneRefusal {
  kNone,
  kSignerUnknown,  // neither in its lists nor known to TVS ("certificate unknown")
  kSignerRole,     // TVS knows the certificate, but not with the role it takes
  kTvsUnreachable,
  kTvsIdentity,      // TVS does not present a certificate of the phone's list, or an expired one
  kTvsNone,          // the phone has no TVS server to ask, or no certificate to know one by
  kSignature,        // not by the named signer, or altered
  kAlgorithm,        // a digest or key it does not take
  kListSize,         // over 64 KB or 39 certificates
  kMalformed,        // not a list, not a signed file, not a configuration; a torn download
  kFileName,         // signed under another name
  kNoList,           // the server has no trust list for a phone that holds one
  kNoConfiguration,  // no configuration for this phone, or none that is signed
  kOtherPhone        // a configuration that is encrypted for another phone certificate
};
std::string PhoneRefusalName(PhoneRefusal refusal);  // "signer-unknown"

// One thing that happened.
struct PhoneStep {
  std::string file;    // "ITLSEP001B54AABB01.tlv"; empty where the step is about none
  std::string server;  // who it was asked of, by name and address; empty for none
  std::string text;    // what happened and why, one line
  bool ok = true;
  bool changed = false;  // the phone now remembers something else
};

// One question to a Trust Verification Service and what came of it.
struct TvsQuestionAsked {
  TvsAddress server;
  std::string file;                            // whose signer was asked for
  std::string issuer, serial;                  // raw serial
  PhoneRefusal refusal = PhoneRefusal::kNone;  // kNone: vouched for
  bool from_cache = false;
  std::string text;  // "answered: certificate unknown"
};

struct BootResult {
  enum class End {
    kMoved,        // accepted lists or a configuration it did not have
    kUnchanged,    // everything offered is what it has
    kFirstTrust,   // it had no list: the first one was believed, whoever made it
    kLocked,       // something offered was refused; it stays with what it has
    kUnreachable,  // no TFTP server answered
  };
  End end = End::kUnchanged;
  PhoneRefusal refusal = PhoneRefusal::kNone;  // of a locked phone: the first one
  std::string refused_file;
  std::string reason;  // one line: why it moved or is locked
  std::vector<PhoneStep> steps;
  std::vector<TvsQuestionAsked> tvs;
  std::vector<std::string> assumptions;  // undocumented behaviour that decided something
  std::string tftp_server;               // that gave the last file
  bool ctl_changed = false, itl_changed = false, config_changed = false;
  // CallManager group of the configuration in force after this: where it registers.
  std::vector<std::string> registers_at;
  PhoneState after;

  bool accepted() const {
    return end == End::kMoved || end == End::kUnchanged || end == End::kFirstTrust;
  }
};
std::string EndName(BootResult::End end);  // "moved"

// What the machine wants next.
struct PhoneWants {
  enum class Kind { kNothing, kFile, kTvs };
  Kind kind = Kind::kNothing;
  std::string tftp_server, file;  // kFile
  TvsAddress tvs;                 // kTvs
  TvsRequest request;
  std::vector<Certificate> pinned;
};

// One reset, from the first file to the configuration. Thread-compatible.
class PhoneBoot {
 public:
  // `tftp_servers`: what option 150 says; the first two count, and none when `state` has alternate
  // ones.
  PhoneBoot(PhoneState state, const std::vector<std::string>& tftp_servers,
            PhoneBehaviour behaviour, absl::Time now);
  PhoneBoot(PhoneBoot&&) noexcept;
  ~PhoneBoot();

  PhoneWants Next() const;
  // Exactly one of these answers what Next() wanted, by its kind.
  void OnFile(std::string bytes);
  void OnNoFile();                              // the server has none
  void OnFileFailure(const absl::Status& why);  // no server, too large, or the download broke off
  void OnTvsReply(const TvsReply& reply);
  void OnTvsFailure(const absl::Status& why);

  // What the phone remembers so far: what a reboot now would start from.
  const PhoneState& state() const;
  // Valid once Next() wants nothing.
  BootResult Result() const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

BootResult Boot(PhoneState state, const std::vector<std::string>& tftp_servers,
                PhoneNetwork& network, const PhoneBehaviour& behaviour, absl::Time now);

}  // namespace trustline
