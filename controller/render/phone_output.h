// What simulated phones did, for people and as JSON.
#pragma once

#include <string>
#include <vector>

#include "controller/arrival.h"
#include "controller/render/style.h"
#include "trust/phone/classes.h"
#include "trust/phone/phone.h"

namespace trustline::controller {

// Step by step, then the end with its reason. `before`: what the phone remembered.
std::string BootText(const BootResult& result, const PhoneState& before,
                     const PhoneBehaviour& behaviour, const Style& style);
std::string BootJson(const BootResult& result, const PhoneState& before);
// One line: whether it moved, and where it registers.
std::string MoveText(const BootResult& result, const PhoneState& before,
                     const PhoneBehaviour& behaviour, const Style& style);

// Classes, not phones.
std::string FleetText(const std::vector<ClassDecision>& decisions, const ListLibrary& library,
                      const std::string& evidence, const Style& style);
std::string FleetJson(const std::vector<ClassDecision>& decisions, const ListLibrary& library);

// At most `examples` devices of each kind.
std::string ArrivalText(const Arrival& arrival, const std::vector<PhoneEvidence>& phones,
                        const Style& style, size_t examples = 5);
std::string ArrivalJson(const Arrival& arrival, const std::vector<PhoneEvidence>& phones);

}  // namespace trustline::controller
