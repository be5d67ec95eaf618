// One way of one class of phones to one TFTP node: would phones accept what it serves, and if not,
// which of a cluster's nodes stand in the way. Every server of the CallManager group must do, since
// a phone asks whichever is up.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "agent/gate/cluster_map.h"
#include "protos/trustline/v1/gate.pb.h"
#include "trust/phone/phone.h"

namespace trustline::agent {

struct Trip {
  PhoneState state;     // the phone before
  std::string address;  // of the TFTP node
  bool return_trip = false;
};

struct TripResult {
  v1::GateDecision decision;
  BootResult boot;  // with the whole group at hand
  std::vector<std::string> warnings;
};

// What trips have in common. Everything outlives the calls.
struct TripGround {
  const ClusterMap& map;
  PhoneNetwork& network;
  PhoneBehaviour behaviour;  // `fetch_config` is set per phone: one without a name has none
  bool lenient = false;      // a server of the group that fails is a warning while another vouches
  std::string judge;         // node the phones are simulated at
  std::string playbook;      // for commands that mend
  absl::Time now;
};

TripResult JudgeTrip(const Trip& trip, const TripGround& ground);

// Who signed a list: its unit by what the list itself says of the signer. "ITLRecovery" or
// "CallManager".
struct ListSigner {
  std::string unit, subject, serial_hex;
  bool known = false;  // false: the bytes are no list
};
ListSigner SignerOf(const std::string& list);

}  // namespace trustline::agent
