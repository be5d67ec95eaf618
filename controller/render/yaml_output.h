// The JSON documents of render/json_output.h as YAML.
#pragma once

#include <string>

namespace trustline::controller {

// The same document as YAML 1.2 in block style, which every JSON reader's YAML counterpart reads
// back to the same values. Several documents one after the other are separated by "---". Text that
// is not JSON is returned as it is.
std::string YamlOfJson(const std::string& json);

}  // namespace trustline::controller
