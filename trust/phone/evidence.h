// What is known of a real phone before it is moved, wherever it comes from: a CSV file
// (evidence_csv.h) or the phone's own web page (web_page.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "trust/phone/phone.h"
#include "trust/tvs/tvs_address.h"

namespace trustline {

// What is known of one list of a phone.
struct ListEvidence {
  // 40 (SHA-1) or 32 (MD5) lower-case hex digits, as the phone's screen shows them; empty: unknown.
  std::string digest;
  std::string file;                  // path of the list itself, as it was written down
  std::optional<std::string> bytes;  // the list, once it was read or found by its digest
  bool none = false;                 // the phone is known to hold none

  bool known() const { return none || bytes || !digest.empty() || !file.empty(); }
  friend bool operator==(const ListEvidence&, const ListEvidence&) = default;
};

struct PhoneEvidence {
  std::string device;   // "SEP001B54AABB01"
  std::string mac;      // "00:1b:54:aa:bb:01"
  std::string address;  // its IPv4 address
  std::string subnet;   // "10.30.0.0/24"
  std::string model;    // "CP-8861"
  ListEvidence itl, ctl;
  std::vector<TvsAddress> tvs;              // its CallManager group, in order
  std::vector<std::string> tftp;            // what it uses now
  std::vector<std::string> alternate_tftp;  // set by hand
  PhoneAbilities abilities;
  std::string lsc_issuer;  // SHA-256 of the CAPF certificate that issued its LSC, hex; empty: none
  std::string excluded;    // why it is not to be judged, in words
  absl::Time read_at = absl::InfinitePast();

  // Why DHCP cannot move this phone; empty: it can.
  std::string Immovable() const;
  // Why nothing can be said about it; empty: enough is known to decide.
  std::string Unproven() const;
};

// The phone as it is known. Lists that are known by their digest alone are not in it.
PhoneState StateOf(const PhoneEvidence& evidence);

// "001B54AABB01" and "00-1b-54-aa-bb-01" as "00:1b:54:aa:bb:01"; empty: no such address.
std::string CanonicalMac(const std::string& text);

}  // namespace trustline
