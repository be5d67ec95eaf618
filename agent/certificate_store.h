// A node's trust stores and own certificates, as resource kinds see them. Implementations:
// LinuxCertificateStore (agent/linux_certificate_store.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/host.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/kinds/certificate.pb.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline::agent {

struct StoreCapabilities {
  bool atomic = true;                  // what a transaction adds appears as a whole or not at all
  bool replicated_with_delay = false;  // other nodes see it later
  bool raw_bytes = true;               // the certificate comes back byte for byte
  bool one_per_subject = false;  // a newcomer takes the place of an older one of the same subject;
                                 // a newer one keeps it out
};

struct StoredEntry {
  Certificate certificate;
  std::string path;
  bool has_key = false;      // a private key lies beside it: an own certificate
  bool key_matches = false;  // and it is this certificate's key
};

struct StoreContents {
  std::vector<StoredEntry> entries;     // ascending by fingerprint
  std::vector<std::string> unreadable;  // files that should hold a certificate of the store, or the
                                        // key of one, and do not
  std::vector<std::string> warnings;    // one line each, naming the file; covers `unreadable`
};

// Reads now, writes through a transaction. A store is named as in playbooks: "Phone-SAST-trust", or
// "CallManager" for the slot of an own certificate. Names that are not a single plain word
// ([A-Za-z0-9][A-Za-z0-9_.-]{0,63}) are InvalidArgument, so no name leads out of the node's store
// directory. Safe for concurrent use where the host view is.
class CertificateStore {
 public:
  virtual ~CertificateStore() = default;
  virtual StoreCapabilities capabilities(const std::string& store) const = 0;
  // Every store that holds anything, ascending.
  virtual absl::StatusOr<std::vector<std::string>> Stores() const = 0;
  // An absent store is empty.
  virtual absl::StatusOr<StoreContents> List(const std::string& store) const = 0;
  // The key beside an own certificate. NotFound where there is none.
  virtual absl::StatusOr<PrivateKey> KeyOf(const StoredEntry& entry) const = 0;

  // All three: adding what is already there, or removing what is not, changes nothing on disk.
  virtual absl::Status Add(const std::string& store, const Certificate& certificate,
                           TransactionBuilder& transaction) const = 0;
  // Certificate and key together, in one transaction. InvalidArgument when they do not belong
  // together.
  virtual absl::Status AddIdentity(const std::string& unit, const Certificate& certificate,
                                   const PrivateKey& key,
                                   TransactionBuilder& transaction) const = 0;
  // Also the key beside it.
  virtual absl::Status Remove(const std::string& store, const Certificate& certificate,
                              TransactionBuilder& transaction) const = 0;

  // The facts about the files that repeat all certificates of the store (a merged PEM file, the
  // database of a tvsd): what they should be, and what they are. Empty where the node keeps none.
  virtual std::vector<v1::MergedStoreFile> DesiredMergedFiles(const std::string& store) const = 0;
  virtual absl::StatusOr<std::vector<v1::MergedStoreFile>> PresentMergedFiles(
      const std::string& store) const = 0;
  // Writes these files as the store will be when the transaction commits; call it after all that is
  // added and removed. Does nothing where there are none.
  virtual absl::Status RefreshMergedFiles(const std::string& store,
                                          TransactionBuilder& transaction) const = 0;
};

// CallManager, TVS, ITLRecovery, CAPF: identities phones rely on. Never made anew, renewed,
// replaced or removed by enforcement.
bool IsPhoneFacing(absl::string_view unit);
// The slots of own certificates: the phone-facing ones, tomcat and ipsec.
bool IsIdentitySlot(absl::string_view unit);

v1::StoredCertificate StoredFact(const std::string& store, const Certificate& certificate,
                                 const std::string& note);
// "CN=dst-pub, serial 5A0F91, SHA-256 3fa9...".
std::string DescribeCertificate(const Certificate& certificate);
// "2031-04-02", in UTC.
std::string DateText(absl::Time time);
// A line for a certificate that has expired or will within 30 days; empty otherwise.
std::string ExpiryWarning(const std::string& store, const Certificate& certificate, absl::Time now);

// What adding `newcomers` to a store that keeps one certificate per subject means (domain: an older
// one of the same subject is replaced, a newer or equally old one makes the vendor ignore the
// newcomer without a word). Empty for other stores.
struct SubjectConflicts {
  std::vector<std::string> refusals;    // name both serials and the store
  std::vector<StoredEntry> superseded;  // entries that make room
};
SubjectConflicts FindSubjectConflicts(const CertificateStore& certificates,
                                      const std::string& store,
                                      const std::vector<Certificate>& newcomers,
                                      const StoreContents& contents);

}  // namespace trustline::agent
