// Phones that decide alike are one class: the same lists, TVS servers, abilities and TFTP servers
// set by hand. Each class is decided once, however many phones are in it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "trust/phone/evidence.h"
#include "trust/phone/phone.h"

namespace trustline {

struct EvidenceClass {
  PhoneEvidence evidence;             // of its first phone
  std::vector<size_t> phones;         // indices into what was classified
  std::vector<std::string> examples;  // the first few devices
  // "ITL 3fa9c0...  CTL none"; "no evidence".
  std::string Holds() const;
};

// Largest first, equal ones in the order of their first phone. Pure; linear in the phones.
std::vector<EvidenceClass> ClassifyPhones(const std::vector<PhoneEvidence>& phones);

// Lists by their digests, as phones show them: SHA-1 and MD5.
class ListLibrary {
 public:
  // `origin` says where the list is from, for people: "ITL src-pub". The first origin counts.
  void Add(const std::string& bytes, const std::string& origin);
  // Gives `list` its bytes when it is known by a digest only. False: no such list here.
  bool Resolve(ListEvidence* list) const;
  // Empty: not from here.
  std::string OriginOf(const ListEvidence& list) const;

 private:
  struct Entry {
    std::string bytes, origin;
  };
  std::map<std::string, Entry> by_digest_;  // hex
};

// What servers serve to everybody: ITLFile.tlv and CTLFile.tlv, or the ones for `device` where
// there are none.
struct LiveList {
  std::string server, node;  // address and name
  bool ctl = false;
  std::string bytes;
  std::string Sha1() const;
  std::string Md5() const;
};
struct LiveLists {
  std::vector<LiveList> lists;
  std::vector<std::string> problems;  // "dst-pub (10.20.0.11): no answer in time"
};
LiveLists FetchLiveLists(PhoneNetwork& network, const std::vector<std::string>& servers,
                         const PhoneBehaviour& behaviour, const std::string& device = "");

struct FleetOptions {
  std::vector<std::string> tftp_servers;  // as option 150 will give them
  PhoneBehaviour behaviour;
  // Where lists that are known by their digest are found. Bytes in the evidence itself are for a
  // few phones: those of thousands would be thousands of copies.
  ListLibrary library;
  size_t spot_checks = 2;    // further phones of a class that are booted for real
  bool every_phone = false;  // boot all of them
  size_t in_flight = 32;     // phones at a time
};

struct ClassDecision {
  EvidenceClass phones;
  std::string not_judged;  // excluded, immovable or unproven, with the reason; empty: judged
  bool unproven = false;
  BootResult result;  // of its first phone
  // Counts of the phones that were booted, the first included.
  size_t booted = 0;
  std::map<BootResult::End, size_t> ends;
  // Of phones that came to another end than the first: "SEP...: locked: ...". At most 5.
  std::vector<std::string> deviations;
};

// Blocks until every class is decided. Excluded, immovable and unproven classes are not booted.
// `network` must be safe for concurrent use.
std::vector<ClassDecision> DecideClasses(const std::vector<PhoneEvidence>& phones,
                                         PhoneNetwork& network, const FleetOptions& options,
                                         absl::Time now);

}  // namespace trustline
