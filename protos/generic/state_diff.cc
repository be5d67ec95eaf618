#include "protos/generic/state_diff.h"

#include <openssl/evp.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "protos/generic/field_text.h"

namespace trustline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kHexDigest = 64;

enum class Role { kIdentity, kCompared, kInformative };

Role RoleOf(const FieldDescriptor& field) {
  const v1::FieldRule& rule = RuleOf(field);
  return rule.identity() ? Role::kIdentity
                         : (rule.informative() ? Role::kInformative : Role::kCompared);
}

std::vector<const FieldDescriptor*> FieldsOf(const Descriptor& type, Role role) {
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < type.field_count(); ++i) {
    if (RoleOf(*type.field(i)) == role) fields.push_back(type.field(i));
  }
  return fields;
}

std::vector<std::string> Texts(const Message& fact, Role role) {
  std::vector<std::string> texts;
  for (const FieldDescriptor* field : FieldsOf(*fact.GetDescriptor(), role)) {
    texts.push_back(FieldText(fact, *field, /*with_secrets=*/true));
  }
  return texts;
}

// The facts of one repeated field by identity. Of several with one identity the one whose compared
// fields sort first counts, whatever their order.
using Facts = std::map<std::vector<std::string>, const Message*>;

Facts FactsOf(const Message& state, const FieldDescriptor& field) {
  Facts facts;
  for (int i = 0; i < state.GetReflection()->FieldSize(state, &field); ++i) {
    const Message& fact = state.GetReflection()->GetRepeatedMessage(state, &field, i);
    const auto [place, fresh] = facts.emplace(Texts(fact, Role::kIdentity), &fact);
    if (!fresh && Texts(fact, Role::kCompared) < Texts(*place->second, Role::kCompared)) {
      place->second = &fact;
    }
  }
  return facts;
}

bool IsFacts(const FieldDescriptor& field) {
  return field.is_repeated() && !field.is_map() &&
         field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

bool IsHexDigest(const std::string& text) {
  return text.size() == kHexDigest && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

std::string Identity(const Message& fact) {
  std::vector<std::string> texts;
  for (const FieldDescriptor* field : FieldsOf(*fact.GetDescriptor(), Role::kIdentity)) {
    texts.push_back(FieldText(fact, *field));
  }
  return absl::StrJoin(texts, " ");
}

// The identity for a reader: a digest only where nothing else tells facts apart, and then its
// beginning.
std::vector<std::string> ReadableIdentity(const Message& fact) {
  const FieldDescriptor* serial = fact.GetDescriptor()->FindFieldByName("serial");
  const bool has_serial = serial != nullptr && IsSet(fact, *serial);
  std::vector<std::string> parts;
  for (const FieldDescriptor* field : FieldsOf(*fact.GetDescriptor(), Role::kIdentity)) {
    std::string text = FieldText(fact, *field);
    if (IsHexDigest(text)) {
      if (has_serial) continue;
      text = text.substr(0, 12) + "...";
    }
    if (!text.empty()) parts.push_back(std::move(text));
  }
  return parts;
}

std::string Date(int64_t unix_seconds) {
  return absl::FormatTime("%Y-%m-%d", absl::FromUnixSeconds(unix_seconds), absl::UTCTimeZone());
}

// "CN=dst-pub  serial 5A0F91  CallManager of dst-pub, expires 2031-04-02": context for a reader,
// times last.
std::vector<std::string> Context(const Message& fact) {
  std::vector<std::string> parts;
  std::string times;
  for (const FieldDescriptor* field : FieldsOf(*fact.GetDescriptor(), Role::kInformative)) {
    if (!IsSet(fact, *field) || field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) continue;
    const std::string text = FieldText(fact, *field);
    absl::string_view name = field->name();
    if (absl::ConsumeSuffix(&name, "_unix") &&
        field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      absl::StrAppend(&times, times.empty() ? "" : ", ",
                      name == "not_after" ? "expires" : std::string(name), " ",
                      Date(fact.GetReflection()->GetInt64(fact, field)));
    } else if (name == "issuer") {
      // Only worth a reader's time when somebody else signed.
      const FieldDescriptor* subject = fact.GetDescriptor()->FindFieldByName("subject");
      if (subject != nullptr && FieldText(fact, *subject) == text) continue;
      parts.push_back(absl::StrCat("issuer ", text));
    } else if (name == "subject" || name == "note") {
      parts.push_back(text);
    } else {
      parts.push_back(absl::StrCat(name, " ", text));
    }
  }
  if (times.empty()) return parts;
  const FieldDescriptor* note = fact.GetDescriptor()->FindFieldByName("note");
  if (note != nullptr && IsSet(fact, *note)) {
    absl::StrAppend(&parts.back(), ", ", times);
  } else {
    parts.push_back(times);
  }
  return parts;
}

v1::Change MakeChange(v1::Change::Action action, const Message* before, const Message* after) {
  const Message& shown = after != nullptr ? *after : *before;
  v1::Change change;
  change.set_action(action);
  change.set_fact(shown.GetDescriptor()->name());
  change.set_identity(Identity(shown));
  std::vector<std::string> parts = ReadableIdentity(shown);
  for (const FieldDescriptor* field : FieldsOf(*shown.GetDescriptor(), Role::kCompared)) {
    const bool differs = before == nullptr || after == nullptr ||
                         FieldText(*before, *field, true) != FieldText(*after, *field, true);
    const bool had = before != nullptr && IsSet(*before, *field);
    const bool has = after != nullptr && IsSet(*after, *field);
    if (!differs || (!had && !has)) continue;
    v1::FieldChange& line = *change.add_fields();
    line.set_field(field->name());
    if (before != nullptr) line.set_before(FieldText(*before, *field));
    if (after != nullptr) line.set_after(FieldText(*after, *field));
    if (before == nullptr || after == nullptr) {
      parts.push_back(absl::StrCat(field->name(), " ", after ? line.after() : line.before()));
    } else {
      const auto or_none = [](const std::string& text) { return text.empty() ? "none" : text; };
      parts.push_back(
          absl::StrCat(field->name(), ": ", or_none(line.before()), " -> ", or_none(line.after())));
    }
  }
  for (std::string& part : Context(shown)) parts.push_back(std::move(part));
  change.set_text(absl::StrJoin(parts, "  "));
  return change;
}

void AppendSized(absl::string_view text, std::string& out) {
  absl::StrAppend(&out, text.size(), ":", text);
}

}  // namespace

std::vector<v1::Change> DiffState(const Message& desired, const Message& present) {
  std::vector<v1::Change> changes;
  const Descriptor& type = *desired.GetDescriptor();
  if (present.GetDescriptor() != &type) {
    // A mistake of the caller that must not read as "nothing to do".
    v1::Change change;
    change.set_action(v1::Change::ACTION_UPDATE);
    change.set_fact(type.name());
    change.set_text(
        absl::StrCat("cannot compare ", type.name(), " with ", present.GetDescriptor()->name()));
    return {change};
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!IsFacts(field)) {
      if (RuleOf(field).informative()) continue;
      if (FieldText(desired, field, true) == FieldText(present, field, true)) continue;
      v1::Change change;
      change.set_action(v1::Change::ACTION_UPDATE);
      change.set_fact(field.name());
      v1::FieldChange& line = *change.add_fields();
      line.set_field(field.name());
      line.set_before(FieldText(present, field));
      line.set_after(FieldText(desired, field));
      change.set_text(absl::StrCat(field.name(), ": ", line.before(), " -> ", line.after()));
      changes.push_back(std::move(change));
      continue;
    }
    const Facts wanted = FactsOf(desired, field);
    const Facts there = FactsOf(present, field);
    std::map<std::vector<std::string>, std::pair<const Message*, const Message*>> both;
    for (const auto& [identity, fact] : there) both[identity].first = fact;
    for (const auto& [identity, fact] : wanted) both[identity].second = fact;
    for (const auto& [identity, pair] : both) {
      const auto& [before, after] = pair;
      if (before == nullptr) {
        changes.push_back(MakeChange(v1::Change::ACTION_ADD, before, after));
      } else if (after == nullptr) {
        changes.push_back(MakeChange(v1::Change::ACTION_REMOVE, before, after));
      } else if (Texts(*before, Role::kCompared) != Texts(*after, Role::kCompared)) {
        changes.push_back(MakeChange(v1::Change::ACTION_UPDATE, before, after));
      }
    }
  }
  return changes;
}

std::string StateDigest(const Message& state) {
  std::string canonical;
  const Descriptor& type = *state.GetDescriptor();
  AppendSized(type.full_name(), canonical);
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!IsFacts(field)) {
      if (RuleOf(field).informative()) continue;
      AppendSized(FieldText(state, field, true), canonical);
      continue;
    }
    const Facts facts = FactsOf(state, field);
    absl::StrAppend(&canonical, "#", facts.size(), " ");
    for (const auto& [identity, fact] : facts) {
      for (const std::string& text : identity) AppendSized(text, canonical);
      for (const std::string& text : Texts(*fact, Role::kCompared)) AppendSized(text, canonical);
    }
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(canonical.data(), canonical.size(), digest, &size, EVP_sha256(), nullptr) != 1) {
    size = 0;
  }
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

std::string RedactedText(const Message& message) {
  std::vector<std::string> parts;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (!IsSet(message, field)) continue;
    const std::string text = FieldText(message, field);
    parts.push_back(absl::StrCat(
        field.name(), ": ",
        field.is_repeated() && text != kRedacted ? absl::StrCat("[", text, "]") : text));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace trustline
