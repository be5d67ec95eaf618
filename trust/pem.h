// The blocks of a PEM text (RFC 7468): what lies between -----BEGIN X----- and -----END X-----.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline {

struct PemBlock {
  std::string label;     // "CERTIFICATE"
  std::string bytes;     // decoded; left empty for private keys, so that no copy of one lies about
  std::string preamble;  // the text since the block before, where tools write names
  size_t line = 0;       // of its BEGIN, from 1

  bool IsPrivateKey() const;
};

// Every block, in order; text around them is kept as preamble. A block that is cut off or damaged
// is InvalidArgument naming its number and line: a file that lost its tail must not look like a
// shorter list.
absl::StatusOr<std::vector<PemBlock>> ReadPemBlocks(absl::string_view text);

std::string WritePemBlock(absl::string_view label, absl::string_view bytes);

}  // namespace trustline
