// YAML values that know where they stand in which file, through templating up to the message they
// end in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace trustline::yaml {

// A source text kept for error snippets. Shared by all values read from it.
struct SourceFile {
  std::string name;  // as the user gave it
  std::string text;
};

// 1-based line and column (in bytes); `end_column` is exclusive and on the same line, 0 when
// unknown.
struct Span {
  std::shared_ptr<const SourceFile> file;
  uint32_t line = 0;
  uint32_t column = 0;
  uint32_t end_column = 0;
};

enum class Type { kNull, kBool, kInt, kFloat, kString, kList, kMap, kSecret };

// The type's name in error messages: "a string", "a list", ...
absl::string_view TypeName(Type type);

// An immutable tree by convention; cheap to move, copyable. Thread-compatible.
class Value {
 public:
  using List = std::vector<Value>;
  struct Member;
  using Map = std::vector<Member>;  // in file order, keys unique

  Value() = default;  // null
  static Value Null(Span span);
  static Value Bool(bool value, Span span);
  static Value Int(int64_t value, Span span);
  static Value Float(double value, Span span);
  // `plain`: written without quotes, as in `when: a == b`. A whole-value template such as "{{ hub
  // }}" is always quoted, because { begins a map.
  static Value String(std::string value, Span span, bool plain = false);
  static Value FromList(List items, Span span);
  static Value FromMap(Map members, Span span);
  // A reference made by !env NAME or !file PATH; `reference` is "env:NAME" or "file:PATH". Holds no
  // secret value.
  static Value Secret(std::string reference, Span span);

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::kNull; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_list() const { return type_ == Type::kList; }
  bool is_map() const { return type_ == Type::kMap; }
  bool bool_value() const { return bool_; }
  int64_t int_value() const { return int_; }
  double float_value() const { return float_; }
  // Text of a string, or the reference of a secret.
  const std::string& text() const { return text_; }
  bool plain() const { return plain_; }
  const List& list() const { return list_; }
  const Map& map() const;
  // nullptr when absent or not a map.
  const Value* Find(absl::string_view key) const;
  const Span& span() const { return span_; }
  Value WithSpan(Span span) const;

  // Scalars as text in messages and templates: 5, true, text. Lists and maps in flow style.
  std::string ToText() const;
  // Equality of type and content; spans do not count; 1 == 1.0.
  friend bool operator==(const Value& a, const Value& b);

 private:
  Type type_ = Type::kNull;
  bool bool_ = false, plain_ = false;
  int64_t int_ = 0;
  double float_ = 0;
  std::string text_;
  List list_;
  std::shared_ptr<const Map> map_;
  Span span_;
};

struct Value::Member {
  std::string key;
  Span key_span;
  Value value;
};

}  // namespace trustline::yaml
