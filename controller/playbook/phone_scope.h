// Which phones a pointer concerns, as far as their evidence says where they are.
#pragma once

#include <string>

#include "protos/trustline/v1/kinds/tftp_pointer.pb.h"
#include "trust/phone/evidence.h"

namespace trustline::controller {

// A phone whose place is not known may be in any subnet.
bool InScope(const PhoneEvidence& phone, const v1::PointerScope& scope);

// "SEP001B54AABB01" of "00:1b:54:aa:bb:01".
std::string DeviceOf(const std::string& mac);

}  // namespace trustline::controller
