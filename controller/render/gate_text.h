// A gate's verdict as an operator reads it.
#pragma once

#include <string>

#include "controller/render/style.h"
#include "protos/trustline/v1/gate.pb.h"

namespace trustline::controller {

// The evidence and every class against every TFTP node, a line per decision; warnings last.
std::string GateTable(const v1::GateReport& report, const Style& style);
// "REFUSED  37 phones would be locked, ...; option 150 was not changed." and the commands that mend
// it. In a run that overrides the gate it says that instead of the pointer.
std::string GateRefusal(const v1::GateReport& report, const Style& style, bool overridden = false);

}  // namespace trustline::controller
