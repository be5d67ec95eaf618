// The ledger of phones that did not arrive, as a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include "controller/history/history_store.h"

namespace trustline::controller {

// "missing", "arrived", "excused".
std::string StragglerStateName(Straggler::State state);
std::string StragglersTable(const std::vector<Straggler>& stragglers, bool headers);
std::string StragglersJson(const std::vector<Straggler>& stragglers);

}  // namespace trustline::controller
