// Comparing distinguished names that different products wrote as text.
#pragma once

#include "absl/strings/string_view.h"

namespace trustline {

// Whether two texts name the same holder: the same attributes in whatever order, joined by ';' (as
// Cisco's products write) or ',' (as open tools do), with or without blanks and escapes between. A
// cheap match of texts, not of the names' structure: what it is used to select must then be proven
// by a signature or a serial number.
bool SameDirectoryName(absl::string_view a, absl::string_view b);

}  // namespace trustline
