// What `trustline inventory --limit` leaves of an inventory.
#pragma once

#include <set>
#include <string>

#include "controller/inventory/inventory.h"

namespace trustline::controller {

// As those of inventory.h, with the hosts of `only` and the groups that have one of them.
std::string RenderInventoryGraph(const Inventory& inventory, bool with_variables,
                                 const std::set<std::string>& only);
std::string RenderInventoryList(const Inventory& inventory, const std::set<std::string>& only);

}  // namespace trustline::controller
