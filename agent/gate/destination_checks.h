// What is judged of a destination's node whatever phones come: its lists, its mode, its TVS, and
// whether it knows who issued the phones' certificates.
#pragma once

#include <string>
#include <vector>

#include "agent/gate/served_lists.h"
#include "agent/gate/trip.h"

namespace trustline::agent {

struct DestinationFindings {
  std::vector<std::string> refusals, warnings;
};
// `address`: of a TFTP node. That it serves nothing at all is left to the phones' trips.
DestinationFindings CheckDestination(const std::string& address, const TripGround& ground);

// Phones with an LSC register over TLS only where the CAPF that issued it is trusted. Asks the
// destination's TVS for that certificate, found in the lists served now.
struct LscFinding {
  bool refuses = false;
  std::string text;  // empty: it is trusted
};
LscFinding CheckLscIssuer(const std::string& issuer_sha256, const std::string& address,
                          ServedLists& lists, const TripGround& ground);

}  // namespace trustline::agent
