// From a YAML value to a typed message by its descriptor and field options; no per-kind code.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::yaml {

struct ReadOptions {
  // Reads a file of the controller for `file_content_for` fields. Null: such fields are an error.
  std::function<absl::StatusOr<std::string>(const std::string& path)> read_file;
};

// Fills `message` (cleared first) from `value`, which must be a map. Reports, all in one go:
// unknown fields (did you mean), wrong types, missing required fields, patterns, item counts,
// one_of groups; then applies defaults. A single value where a list is wanted is an error, not a
// list of one. Enum values are the lower-case name without the type's prefix ("modern"). SecretRef
// fields take only !env / !file values; a literal there is an error that does not repeat the value.
// `what` names the thing in messages ("bundle_import"). Returns false when it reported an error.
bool ReadMessage(const Value& value, const std::string& what, const ReadOptions& options,
                 google::protobuf::Message& message, Diagnostics& diagnostics);

}  // namespace trustline::yaml
