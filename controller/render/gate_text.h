// A gate's verdict as an operator reads it.
#pragma once

#include <string>

#include "controller/render/style.h"
#include "protos/trustline/v1/gate.pb.h"

namespace trustline::controller {

// The evidence and every class against every TFTP node, a line per decision; warnings last.
std::string GateTable(const v1::GateReport& report, const Style& style);
// "REFUSED  37 phones would be locked, ...; option 150 was not changed." and the commands that mend
// it.
std::string GateRefusal(const v1::GateReport& report, const Style& style);

}  // namespace trustline::controller
