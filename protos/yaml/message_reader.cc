#include "protos/yaml/message_reader.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "protos/generic/enum_words.h"
#include "protos/generic/field_text.h"
#include "protos/trustline/v1/secret.pb.h"
#include "protos/yaml/core_schema.h"
#include "protos/yaml/document.h"

namespace trustline::yaml {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Patterns come from the descriptors alone, so there are few and they stay.
const RE2& Compiled(const std::string& pattern) {
  static std::mutex mutex;
  static auto* const cache = new std::map<std::string, std::unique_ptr<RE2>>();
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<RE2>& entry = (*cache)[pattern];
  if (entry == nullptr) entry = std::make_unique<RE2>(pattern, RE2::Quiet);
  return *entry;
}

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

// "a", "b" and "c"
std::string Enumerate(const std::vector<std::string>& words, absl::string_view conjunction) {
  if (words.size() < 2) return absl::StrJoin(words, "");
  return absl::StrCat(absl::StrJoin(words.begin(), words.end() - 1, ", "), " ", conjunction, " ",
                      words.back());
}

// The alternatives of a pattern that is nothing but words: CallManager|CAPF.
std::vector<std::string> PatternWords(const std::string& pattern) {
  std::vector<std::string> words = absl::StrSplit(pattern, '|');
  for (const std::string& word : words) {
    for (const char c : word) {
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_') return {};
    }
  }
  return words;
}

bool IsSecretRef(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == v1::SecretRef::descriptor();
}

void HideAll(const Value& value, Diagnostics& diagnostics) {
  if (value.is_list()) {
    for (const Value& item : value.list()) HideAll(item, diagnostics);
  } else if (value.is_map()) {
    for (const Value::Member& member : value.map()) HideAll(member.value, diagnostics);
  } else if (!value.is_null() && value.type() != Type::kSecret) {
    diagnostics.Hide(value.span());
  }
}

class Reader {
 public:
  Reader(const ReadOptions& options, Diagnostics& diagnostics)
      : options_(options), diagnostics_(diagnostics) {}

  void ReadMap(const Value& value, const std::string& what, Message& message) {
    if (!value.is_map()) {
      diagnostics_.Error(value.span(),
                         absl::StrCat(what, " must be a map, not ", TypeName(value.type())));
      return;
    }
    const Descriptor& type = *message.GetDescriptor();
    std::set<const FieldDescriptor*> given;
    for (const Value::Member& member : value.map()) {
      const FieldDescriptor* field = type.FindFieldByName(member.key);
      if (field == nullptr) {
        RefuseUnknown(member, what, type);
        continue;
      }
      CheckGroup(*field, given, member.key_span, what);
      given.insert(field);
      ReadField({*field, message, what}, member.value);
    }
    ReportMissing(type, given, value.span(), what);
    ApplyDefaults(given, what, message);
  }

 private:
  // A field on its way into its message, which `what` names.
  struct Target {
    const FieldDescriptor& field;
    Message& message;
    const std::string& what;

    std::string Name() const { return absl::StrCat(Quoted(field.name()), " in ", what); }
  };

  void RefuseUnknown(const Value::Member& member, const std::string& what, const Descriptor& type) {
    std::vector<std::string> names;
    for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
    const FieldDescriptor* meant = type.FindFieldByName(DidYouMean(member.key, names));
    // A literal under a misspelt "password" is as secret as under the right one.
    if (meant != nullptr && RuleOf(*meant).secret()) HideAll(member.value, diagnostics_);
    diagnostics_.Error(member.key_span, absl::StrCat("unknown field ", Quoted(member.key), " in ",
                                                     what, DidYouMeanSuffix(member.key, names)));
  }

  void CheckGroup(const FieldDescriptor& field, const std::set<const FieldDescriptor*>& given,
                  const Span& span, const std::string& what) {
    const std::string& group = RuleOf(field).one_of_group();
    if (group.empty()) return;
    for (const FieldDescriptor* other : given) {
      if (RuleOf(*other).one_of_group() != group) continue;
      diagnostics_.Error(span, absl::StrCat(Quoted(field.name()), " in ", what,
                                            " cannot stand beside ", Quoted(other->name())));
      return;
    }
  }

  void ReportMissing(const Descriptor& type, const std::set<const FieldDescriptor*>& given,
                     const Span& span, const std::string& what) {
    std::vector<std::string> missing;
    std::map<std::string, std::vector<std::string>> groups;  // those of which one is required
    std::set<std::string> answered;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const v1::FieldRule& rule = RuleOf(field);
      if (given.count(&field) > 0) answered.insert(rule.one_of_group());
      if (!rule.one_of_group().empty()) {
        groups[rule.one_of_group()].push_back(Quoted(field.name()));
        if (!rule.required()) answered.insert(rule.one_of_group());
      } else if (rule.required() && given.count(&field) == 0) {
        missing.push_back(Quoted(field.name()));
      }
    }
    if (!missing.empty()) {
      diagnostics_.Error(span,
                         absl::StrCat("missing required field", missing.size() > 1 ? "s " : " ",
                                      Enumerate(missing, "and"), " in ", what));
    }
    for (const auto& [group, names] : groups) {
      if (answered.count(group) > 0) continue;
      diagnostics_.Error(span, absl::StrCat(what, " needs ", names.size() > 1 ? "one of " : "",
                                            Enumerate(names, "or")));
    }
  }

  void ApplyDefaults(const std::set<const FieldDescriptor*>& given, const std::string& what,
                     Message& message) {
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message.GetDescriptor()->field(i);
      const std::string& text = RuleOf(field).default_value();
      if (text.empty() || given.count(&field) > 0) continue;
      const Value value =
          ParseYaml(absl::StrCat("default of ", field.full_name()), text, diagnostics_);
      ReadField({field, message, what}, value);
    }
  }

  void ReadField(const Target& target, const Value& value) {
    if (target.field.is_map() || target.field.type() == FieldDescriptor::TYPE_BYTES ||
        target.field.type() == FieldDescriptor::TYPE_GROUP) {
      diagnostics_.Error(value.span(), absl::StrCat(target.Name(), " cannot be given in YAML"));
      return;
    }
    if (!target.field.is_repeated()) return ReadItem(target, value);
    if (!value.is_list()) {
      std::string hint;
      if (value.is_string() && !RuleOf(target.field).secret()) {
        hint = absl::StrCat("; write [", value.text(), "] for a list of one");
      }
      if (RuleOf(target.field).secret()) HideAll(value, diagnostics_);
      diagnostics_.Error(value.span(), absl::StrCat(target.Name(), " must be a list, not ",
                                                    TypeName(value.type()), hint));
      return;
    }
    const v1::FieldRule& rule = RuleOf(target.field);
    const size_t count = value.list().size();
    // A required list that is empty says nothing.
    const size_t least = std::max<size_t>(rule.min_items(), rule.required() ? 1 : 0);
    if (count < least) {
      diagnostics_.Error(value.span(), absl::StrCat(target.Name(), " needs at least ", least,
                                                    least == 1 ? " item" : " items"));
    }
    if (rule.max_items() > 0 && count > rule.max_items()) {
      diagnostics_.Error(value.span(),
                         absl::StrCat(target.Name(), " takes at most ", rule.max_items(),
                                      rule.max_items() == 1 ? " item" : " items"));
    }
    for (const Value& item : value.list()) ReadItem(target, item);
  }

  // One value of a field, repeated or not.
  void ReadItem(const Target& target, const Value& value) {
    if (value.is_null()) {
      diagnostics_.Error(value.span(), absl::StrCat(target.Name(), " has no value"));
      return;
    }
    if (IsSecretRef(target.field)) return ReadSecret(target, value);
    if (value.type() == Type::kSecret) {
      diagnostics_.Error(
          value.span(),
          absl::StrCat(target.Name(), " cannot be a secret: plans and reports show its value"));
      return;
    }
    switch (target.field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return ReadString(target, value);
      case FieldDescriptor::CPPTYPE_BOOL:
        return ReadBool(target, value);
      case FieldDescriptor::CPPTYPE_ENUM:
        return ReadEnum(target, value);
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return ReadMap(
            value, target.field.name(),
            target.field.is_repeated()
                ? *target.message.GetReflection()->AddMessage(&target.message, &target.field)
                : *target.message.GetReflection()->MutableMessage(&target.message, &target.field));
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return ReadFloat(target, value);
      default:
        return ReadInteger(target, value);
    }
  }

  void RefuseType(const Target& target, const Value& value, absl::string_view wanted,
                  absl::string_view hint = "") {
    if (RuleOf(target.field).secret()) HideAll(value, diagnostics_);
    diagnostics_.Error(
        value.span(),
        absl::StrCat(target.Name(), target.field.is_repeated() ? " takes " : " must be ", wanted,
                     ", not ", TypeName(value.type()), hint));
  }

  void ReadSecret(const Target& target, const Value& value) {
    if (value.type() != Type::kSecret) {
      HideAll(value, diagnostics_);
      diagnostics_.Error(
          value.span(),
          absl::StrCat(target.Name(), " is a secret: give it as !env NAME or !file PATH"));
      return;
    }
    v1::SecretRef reference;
    reference.set_name(value.text());
    const google::protobuf::Reflection& r = *target.message.GetReflection();
    Message& place = target.field.is_repeated() ? *r.AddMessage(&target.message, &target.field)
                                                : *r.MutableMessage(&target.message, &target.field);
    place.CopyFrom(reference);
  }

  void ReadString(const Target& target, const Value& value) {
    if (!value.is_string()) {
      const bool scalar =
          value.type() == Type::kInt || value.type() == Type::kFloat || value.type() == Type::kBool;
      return RefuseType(target, value, target.field.is_repeated() ? "strings" : "a string",
                        scalar ? "; quote it" : "");
    }
    const v1::FieldRule& rule = RuleOf(target.field);
    const std::string& text = value.text();
    if (FindUnreadableByte(text) != absl::string_view::npos) {
      diagnostics_.Error(value.span(),
                         absl::StrCat(target.Name(), " contains a control character"));
      return;
    }
    if (text.empty() && rule.required()) {
      diagnostics_.Error(value.span(), absl::StrCat(target.Name(), " must not be empty"));
      return;
    }
    if (!rule.pattern().empty() && !CheckPattern(target, value)) return;
    if (!rule.file_content_for().empty()) return ReadContent(target, value);
    const google::protobuf::Reflection& r = *target.message.GetReflection();
    if (target.field.is_repeated()) {
      r.AddString(&target.message, &target.field, text);
    } else {
      r.SetString(&target.message, &target.field, text);
    }
  }

  bool CheckPattern(const Target& target, const Value& value) {
    const v1::FieldRule& rule = RuleOf(target.field);
    const RE2& pattern = Compiled(rule.pattern());
    if (!pattern.ok()) {
      diagnostics_.Error(value.span(), absl::StrCat("pattern of ", target.field.full_name(),
                                                    " is broken: ", pattern.error()));
      return false;
    }
    if (RE2::FullMatch(value.text(), pattern)) return true;
    std::string message =
        absl::StrCat(target.Name(), " must be ",
                     rule.pattern_name().empty() ? rule.pattern() : rule.pattern_name());
    if (rule.secret()) {
      HideAll(value, diagnostics_);
    } else {
      absl::StrAppend(&message, ", not ", Quoted(value.text()),
                      DidYouMeanSuffix(value.text(), PatternWords(rule.pattern())));
    }
    diagnostics_.Error(value.span(), std::move(message));
    return false;
  }

  void ReadContent(const Target& target, const Value& value) {
    const std::string& sibling_name = RuleOf(target.field).file_content_for();
    const FieldDescriptor* sibling = target.message.GetDescriptor()->FindFieldByName(sibling_name);
    if (options_.read_file == nullptr || sibling == nullptr) {
      diagnostics_.Error(value.span(), absl::StrCat(target.Name(), " cannot be used here; give ",
                                                    Quoted(sibling_name), " instead"));
      return;
    }
    absl::StatusOr<std::string> content = options_.read_file(value.text());
    const auto refuse = [&](absl::string_view why) {
      diagnostics_.Error(value.span(),
                         absl::StrCat("cannot read ", Quoted(value.text()), ": ", why));
    };
    if (!content.ok()) return refuse(content.status().message());
    if (content->empty()) return refuse("the file is empty");
    if (FindUnreadableByte(*content) != absl::string_view::npos) {
      return refuse("the file is not text");
    }
    target.message.GetReflection()->SetString(&target.message, sibling, *std::move(content));
  }

  void ReadBool(const Target& target, const Value& value) {
    if (value.type() != Type::kBool) {
      return RefuseType(target, value, "true or false");
    }
    // Beside others of its group a flag that is false would choose and not choose at once.
    if (!value.bool_value() && !RuleOf(target.field).one_of_group().empty()) {
      diagnostics_.Error(value.span(),
                         absl::StrCat(target.Name(), " can only be true; leave it out instead"));
      return;
    }
    const google::protobuf::Reflection& r = *target.message.GetReflection();
    if (target.field.is_repeated()) {
      r.AddBool(&target.message, &target.field, value.bool_value());
    } else {
      r.SetBool(&target.message, &target.field, value.bool_value());
    }
  }

  void ReadEnum(const Target& target, const Value& value) {
    const google::protobuf::EnumDescriptor& type = *target.field.enum_type();
    const std::vector<std::string> words = EnumWords(type);
    if (!value.is_string()) return RefuseType(target, value, Enumerate(words, "or"));
    const google::protobuf::EnumValueDescriptor* found = FindEnumWord(type, value.text());
    if (found == nullptr) {
      diagnostics_.Error(value.span(),
                         absl::StrCat(target.Name(), " must be ", Enumerate(words, "or"), ", not ",
                                      Quoted(value.text()), DidYouMeanSuffix(value.text(), words)));
      return;
    }
    const google::protobuf::Reflection& r = *target.message.GetReflection();
    if (target.field.is_repeated()) {
      r.AddEnum(&target.message, &target.field, found);
    } else {
      r.SetEnum(&target.message, &target.field, found);
    }
  }

  void ReadFloat(const Target& target, const Value& value) {
    if (value.type() != Type::kFloat && value.type() != Type::kInt) {
      return RefuseType(target, value, "a number");
    }
    const double number =
        value.type() == Type::kInt ? static_cast<double>(value.int_value()) : value.float_value();
    const google::protobuf::Reflection& r = *target.message.GetReflection();
    const bool item = target.field.is_repeated();
    if (target.field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
      item ? r.AddDouble(&target.message, &target.field, number)
           : r.SetDouble(&target.message, &target.field, number);
    } else {
      const auto narrow = static_cast<float>(number);
      item ? r.AddFloat(&target.message, &target.field, narrow)
           : r.SetFloat(&target.message, &target.field, narrow);
    }
  }

  void ReadInteger(const Target& target, const Value& value) {
    if (value.type() != Type::kInt) {
      const bool quoted = value.is_string() && ResolvePlain(value.text()).type == Type::kInt;
      return RefuseType(target, value, target.field.is_repeated() ? "integers" : "an integer",
                        quoted ? "; write it without quotes" : "");
    }
    const int64_t number = value.int_value();
    const google::protobuf::Reflection& r = *target.message.GetReflection();
    const FieldDescriptor* field = &target.field;
    Message* message = &target.message;
    const bool item = field->is_repeated();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_UINT32:
        if (!InRange(target, value, 0, std::numeric_limits<uint32_t>::max())) return;
        return item ? r.AddUInt32(message, field, static_cast<uint32_t>(number))
                    : r.SetUInt32(message, field, static_cast<uint32_t>(number));
      case FieldDescriptor::CPPTYPE_INT32:
        if (!InRange(target, value, std::numeric_limits<int32_t>::min(),
                     std::numeric_limits<int32_t>::max())) {
          return;
        }
        return item ? r.AddInt32(message, field, static_cast<int32_t>(number))
                    : r.SetInt32(message, field, static_cast<int32_t>(number));
      case FieldDescriptor::CPPTYPE_UINT64:
        if (!InRange(target, value, 0, std::numeric_limits<int64_t>::max())) return;
        return item ? r.AddUInt64(message, field, static_cast<uint64_t>(number))
                    : r.SetUInt64(message, field, static_cast<uint64_t>(number));
      default:
        return item ? r.AddInt64(message, field, number) : r.SetInt64(message, field, number);
    }
  }

  bool InRange(const Target& target, const Value& value, int64_t least, int64_t most) {
    if (value.int_value() >= least && value.int_value() <= most) return true;
    diagnostics_.Error(value.span(), absl::StrCat(target.Name(), " must be between ", least,
                                                  " and ", most, ", not ", value.int_value()));
    return false;
  }

  const ReadOptions& options_;
  Diagnostics& diagnostics_;
};

}  // namespace

bool ReadMessage(const Value& value, const std::string& what, const ReadOptions& options,
                 Message& message, Diagnostics& diagnostics) {
  message.Clear();
  const int errors = diagnostics.errors();
  Reader(options, diagnostics).ReadMap(value, what, message);
  return diagnostics.errors() == errors;
}

}  // namespace trustline::yaml
