// What a plain scalar means under the core schema of YAML 1.2 (chapter 10.3), without the traps
// of 1.1.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "protos/yaml/value.h"

namespace trustline::yaml {

// A plain scalar resolved. With `problem` set the text is refused and the words say what to write
// instead.
struct PlainScalar {
  Type type = Type::kString;  // kNull, kBool, kInt, kFloat or kString
  bool bool_value = false;
  int64_t int_value = 0;
  double float_value = 0;
  std::string problem;
  // yes, no, on, off: booleans to YAML 1.1, strings here.
  bool looks_like_boolean = false;
};
PlainScalar ResolvePlain(absl::string_view text);

// Offset of the first byte that is no part of well-formed UTF-8 or is a control character YAML
// forbids; npos when there is none.
size_t FindUnreadableByte(absl::string_view text);

}  // namespace trustline::yaml
