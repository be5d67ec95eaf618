// The text of `trustline explain KIND`.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "protos/generic/enum_words.h"
#include "protos/generic/field_text.h"
#include "protos/generic/kinds.h"
#include "protos/trustline/v1/secret.pb.h"

namespace trustline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

bool IsSecret(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == v1::SecretRef::descriptor();
}

bool IsNested(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsSecret(field);
}

std::string TypeText(const FieldDescriptor& field) {
  std::string one, many;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      one = "string", many = "strings";
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      one = "true or false", many = "booleans";
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      one = absl::StrJoin(EnumWords(*field.enum_type()), "|");
      many = one;
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      one = IsSecret(field) ? "secret" : "map", many = IsSecret(field) ? "secrets" : "maps";
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      one = "number", many = "numbers";
      break;
    default:
      one = "integer", many = "integers";
  }
  return field.is_repeated() ? absl::StrCat("list of ", many) : one;
}

// "required", "default 22", "this or private_key is required".
std::string Obligation(const FieldDescriptor& field) {
  const v1::FieldRule& rule = RuleOf(field);
  if (!rule.one_of_group().empty()) {
    std::vector<std::string> names;
    for (int i = 0; i < field.containing_type()->field_count(); ++i) {
      const FieldDescriptor& other = *field.containing_type()->field(i);
      if (&other != &field && RuleOf(other).one_of_group() == rule.one_of_group()) {
        names.push_back(other.name());
      }
    }
    const std::string others = absl::StrJoin(names, " or ");
    return rule.required() ? absl::StrCat("this or ", others, " is required")
                           : absl::StrCat("not together with ", others);
  }
  if (rule.required()) return "required";
  if (!rule.default_value().empty()) return absl::StrCat("default ", rule.default_value());
  return "";
}

struct Row {
  std::string name, type, meaning;
};

void AddRows(const Descriptor& type, const std::string& indent, std::vector<Row>& rows) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const v1::FieldRule& rule = RuleOf(field);
    std::string meaning = rule.doc();
    const auto also = [&meaning](const std::string& more) {
      if (more.empty()) return;
      absl::StrAppend(&meaning, meaning.empty() ? "" : "; ", more);
    };
    also(Obligation(field));
    if (!rule.pattern_name().empty() && rule.pattern_name() != rule.doc()) {
      also(absl::StrCat(field.is_repeated() ? "each " : "", rule.pattern_name()));
    }
    rows.push_back({absl::StrCat(indent, field.name()), TypeText(field), std::move(meaning)});
    if (IsNested(field)) AddRows(*field.message_type(), indent + "  ", rows);
  }
}

}  // namespace

std::string ExplainKind(const KindDescriptor& kind) {
  std::vector<Row> rows;
  AddRows(*kind.spec, "  ", rows);
  size_t name_width = 0, type_width = 0;
  for (const Row& row : rows) {
    name_width = std::max(name_width, row.name.size());
    type_width = std::max(type_width, row.type.size());
  }
  std::string text = absl::StrCat(kind.name, ": ", kind.rule.summary(), "\n\nFields\n");
  for (const Row& row : rows) {
    std::string line =
        absl::StrCat(row.name, std::string(name_width - row.name.size() + 2, ' '), row.type,
                     std::string(type_width - row.type.size() + 2, ' '), row.meaning);
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  if (kind.rule.holds_trust()) {
    absl::StrAppend(&text,
                    "\nRollback keeps what it installed, because phones may need it on their way "
                    "back, unless --include-trust is given.\n");
  }
  if (kind.rule.pointer()) {
    absl::StrAppend(&text,
                    "\nAll servers of a scope change in one batch, and max_fail_percentage must be "
                    "0 in its play.\n");
  }
  absl::StrAppend(&text, "\nExample\n  - ", kind.name, ": ", kind.rule.example(), "\n");
  return text;
}

}  // namespace trustline
