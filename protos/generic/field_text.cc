#include "protos/generic/field_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "protos/generic/enum_words.h"

namespace trustline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// `quote`: text inside a structure, where a bare comma or brace would be ambiguous.
std::string Text(const Message& message, const FieldDescriptor& field, int index, bool quote,
                 bool with_secrets);

std::string MessageText(const Message& message, bool with_secrets) {
  std::vector<std::string> parts;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (!IsSet(message, field)) continue;
    if (RuleOf(field).secret() && !with_secrets) {
      parts.push_back(absl::StrCat(field.name(), ": ", kRedacted));
      continue;
    }
    if (!field.is_repeated()) {
      parts.push_back(
          absl::StrCat(field.name(), ": ", Text(message, field, -1, true, with_secrets)));
      continue;
    }
    std::vector<std::string> items;
    for (int k = 0; k < message.GetReflection()->FieldSize(message, &field); ++k) {
      items.push_back(Text(message, field, k, true, with_secrets));
    }
    if (field.is_map()) std::sort(items.begin(), items.end());
    parts.push_back(absl::StrCat(field.name(), ": [", absl::StrJoin(items, ", "), "]"));
  }
  return parts.empty() ? "{}" : absl::StrCat("{ ", absl::StrJoin(parts, ", "), " }");
}

std::string Text(const Message& message, const FieldDescriptor& field, int index, bool quote,
                 bool with_secrets) {
  const google::protobuf::Reflection& r = *message.GetReflection();
  const bool item = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(item ? r.GetRepeatedInt32(message, &field, index)
                               : r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(item ? r.GetRepeatedInt64(message, &field, index)
                               : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(item ? r.GetRepeatedUInt32(message, &field, index)
                               : r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(item ? r.GetRepeatedUInt64(message, &field, index)
                               : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(item ? r.GetRepeatedDouble(message, &field, index)
                               : r.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return absl::StrCat(item ? r.GetRepeatedFloat(message, &field, index)
                               : r.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool value =
          item ? r.GetRepeatedBool(message, &field, index) : r.GetBool(message, &field);
      return value ? "true" : "false";
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumWord(
          *(item ? r.GetRepeatedEnum(message, &field, index) : r.GetEnum(message, &field)));
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string value =
          item ? r.GetRepeatedString(message, &field, index) : r.GetString(message, &field);
      if (field.type() == FieldDescriptor::TYPE_BYTES) return absl::BytesToHexString(value);
      return quote ? absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"") : value;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageText(
          item ? r.GetRepeatedMessage(message, &field, index) : r.GetMessage(message, &field),
          with_secrets);
  }
  return "";
}

}  // namespace

bool IsSet(const Message& message, const FieldDescriptor& field) {
  const google::protobuf::Reflection& r = *message.GetReflection();
  return field.is_repeated() ? r.FieldSize(message, &field) > 0 : r.HasField(message, &field);
}

std::string FieldText(const Message& message, const FieldDescriptor& field, bool with_secrets) {
  if (RuleOf(field).secret() && !with_secrets) return IsSet(message, field) ? kRedacted : "";
  if (!field.is_repeated()) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsSet(message, field)) return "";
    return Text(message, field, -1, /*quote=*/false, with_secrets);
  }
  std::vector<std::string> items;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    // To compare, a comma inside an item must not look like two items.
    items.push_back(Text(message, field, i, /*quote=*/with_secrets, with_secrets));
  }
  if (field.is_map()) std::sort(items.begin(), items.end());
  return absl::StrJoin(items, ", ");
}

}  // namespace trustline
