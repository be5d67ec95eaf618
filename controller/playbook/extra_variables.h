// -e / --extra-vars.
#pragma once

#include <string>
#include <vector>

#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

// Each of `arguments` is "k=v k2='v 2'" (values are strings), a YAML or JSON map, or @file with
// such a map; later ones win. `input_missing` is set when a file is not there.
yaml::Value::Map ReadExtraVariables(const std::vector<std::string>& arguments,
                                    yaml::Diagnostics& diagnostics, bool& input_missing);

}  // namespace trustline::controller
