// Kea's dialect of JSON, read so that every value knows where it stands in the text. The dialect
// adds comments (// # /* */), tolerates a comma before a closing bracket, and knows <?include
// "file"?>, which is refused here: a value could then live in another file than the one that is
// edited. Source: Kea Administrator Reference Manual, "JSON Syntax". Pure; bounded in depth.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline::agent {

struct KeaMember;

struct KeaValue {
  enum class Type { kNull, kBool, kNumber, kString, kList, kMap };
  Type type = Type::kNull;
  size_t begin = 0, end = 0;  // bytes of the text, `end` exclusive
  bool boolean = false;
  std::string text;  // strings: the characters meant; numbers: as written
  std::vector<KeaValue> items;
  std::vector<KeaMember> members;  // in the order of the text; keys are unique

  // The member's value; nullptr when absent or this is no map.
  const KeaValue* Find(absl::string_view key) const;
  bool IsString() const { return type == Type::kString; }
  bool IsMap() const { return type == Type::kMap; }
  bool IsList() const { return type == Type::kList; }
};

struct KeaMember {
  std::string key;
  size_t begin = 0;  // of the key's opening quote
  KeaValue value;
};

// InvalidArgument: not Kea's JSON, with line and column. Unimplemented: an <?include?>.
absl::StatusOr<KeaValue> ParseKeaJson(absl::string_view text);

// The value without comments and extra commas, as any JSON reader takes it.
std::string ToStrictJson(const KeaValue& value);
// A JSON string literal with quotes.
std::string QuoteJson(absl::string_view text);

// Adds `element` ("key": value, or a value) behind the last element of a map or list of `text`,
// laid out like its neighbours. Every byte of `text` stays, comments keep the line they are on.
std::string AppendElement(absl::string_view text, const KeaValue& container,
                          absl::string_view element);

}  // namespace trustline::agent
