#include "protos/yaml/value.h"

#include <charconv>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "protos/yaml/core_schema.h"

namespace trustline::yaml {
namespace {

// Keeps a point or an exponent, so that 14.0 does not turn into 14 on its way through a template.
std::string FloatText(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, end.ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string SecretText(const std::string& reference) {
  const size_t colon = reference.find(':');
  if (colon == std::string::npos) return "a secret";
  return absl::StrCat("!", reference.substr(0, colon), " ", reference.substr(colon + 1));
}

// Inside a flow collection text is quoted unless it is clearly one plain word or phrase.
std::string FlowText(const Value& value) {
  if (!value.is_string()) return value.ToText();
  const std::string& text = value.text();
  bool plain = !text.empty() && absl::ascii_isalpha(text[0]) && text.back() != ' ';
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains("_-./ ", absl::string_view(&c, 1))) {
      plain = false;
    }
  }
  const PlainScalar resolved = ResolvePlain(text);
  if (resolved.type != Type::kString || resolved.looks_like_boolean) plain = false;
  if (plain) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

absl::string_view TypeName(Type type) {
  switch (type) {
    case Type::kNull:
      return "nothing";
    case Type::kBool:
      return "a boolean";
    case Type::kInt:
      return "an integer";
    case Type::kFloat:
      return "a number";
    case Type::kString:
      return "a string";
    case Type::kList:
      return "a list";
    case Type::kMap:
      return "a map";
    case Type::kSecret:
      return "a secret";
  }
  return "a value";
}

Value Value::Null(Span span) {
  Value result;
  result.span_ = std::move(span);
  return result;
}

Value Value::Bool(bool value, Span span) {
  Value result;
  result.type_ = Type::kBool;
  result.bool_ = value;
  result.span_ = std::move(span);
  return result;
}

Value Value::Int(int64_t value, Span span) {
  Value result;
  result.type_ = Type::kInt;
  result.int_ = value;
  result.span_ = std::move(span);
  return result;
}

Value Value::Float(double value, Span span) {
  Value result;
  result.type_ = Type::kFloat;
  result.float_ = value;
  result.span_ = std::move(span);
  return result;
}

Value Value::String(std::string value, Span span, bool plain) {
  Value result;
  result.type_ = Type::kString;
  result.text_ = std::move(value);
  result.plain_ = plain;
  result.span_ = std::move(span);
  return result;
}

Value Value::FromList(List items, Span span) {
  Value result;
  result.type_ = Type::kList;
  result.list_ = std::move(items);
  result.span_ = std::move(span);
  return result;
}

Value Value::FromMap(Map members, Span span) {
  Value result;
  result.type_ = Type::kMap;
  result.map_ = std::make_shared<const Map>(std::move(members));
  result.span_ = std::move(span);
  return result;
}

Value Value::Secret(std::string reference, Span span) {
  Value result;
  result.type_ = Type::kSecret;
  result.text_ = std::move(reference);
  result.span_ = std::move(span);
  return result;
}

const Value::Map& Value::map() const {
  static const Map* const kEmpty = new Map();
  return map_ == nullptr ? *kEmpty : *map_;
}

const Value* Value::Find(absl::string_view key) const {
  for (const Member& member : map()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Value Value::WithSpan(Span span) const {
  Value result = *this;
  result.span_ = std::move(span);
  return result;
}

std::string Value::ToText() const {
  switch (type_) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return bool_ ? "true" : "false";
    case Type::kInt:
      return absl::StrCat(int_);
    case Type::kFloat:
      return FloatText(float_);
    case Type::kString:
      return text_;
    case Type::kSecret:
      return SecretText(text_);
    case Type::kList:
      return absl::StrCat("[",
                          absl::StrJoin(list_, ", ",
                                        [](std::string* out, const Value& item) {
                                          absl::StrAppend(out, FlowText(item));
                                        }),
                          "]");
    case Type::kMap:
      if (map().empty()) return "{}";
      return absl::StrCat("{ ",
                          absl::StrJoin(map(), ", ",
                                        [](std::string* out, const Member& member) {
                                          absl::StrAppend(
                                              out, FlowText(Value::String(member.key, Span())),
                                              ": ", FlowText(member.value));
                                        }),
                          " }");
  }
  return "";
}

bool operator==(const Value& a, const Value& b) {
  if (a.type_ != b.type_) {
    if (a.type_ == Type::kInt && b.type_ == Type::kFloat) {
      return static_cast<double>(a.int_) == b.float_;
    }
    if (a.type_ == Type::kFloat && b.type_ == Type::kInt) {
      return a.float_ == static_cast<double>(b.int_);
    }
    return false;
  }
  switch (a.type_) {
    case Type::kNull:
      return true;
    case Type::kBool:
      return a.bool_ == b.bool_;
    case Type::kInt:
      return a.int_ == b.int_;
    case Type::kFloat:
      return a.float_ == b.float_;
    case Type::kString:
    case Type::kSecret:
      return a.text_ == b.text_;
    case Type::kList:
      return a.list_ == b.list_;
    case Type::kMap:
      // The order of keys carries no meaning in YAML.
      if (a.map().size() != b.map().size()) return false;
      for (const Value::Member& member : a.map()) {
        const Value* other = b.Find(member.key);
        if (other == nullptr || !(member.value == *other)) return false;
      }
      return true;
  }
  return false;
}

}  // namespace trustline::yaml
