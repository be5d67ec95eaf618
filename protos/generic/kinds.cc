#include "protos/generic/kinds.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "protos/generic/field_text.h"
#include "protos/trustline/v1/secret.pb.h"

namespace trustline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const google::protobuf::OneofDescriptor& SpecOneof() {
  return *v1::Resource::descriptor()->FindOneofByName("spec");
}

// A nested message is labelled by what is set in it: "subnet 10.30.0.0/24", or "global" for a flag.
std::string LabelText(const Message& message, const FieldDescriptor& field) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field.is_repeated() ||
      RuleOf(field).secret()) {
    return FieldText(message, field);
  }
  const Message& nested = message.GetReflection()->GetMessage(message, &field);
  std::vector<std::string> parts;
  for (int i = 0; i < nested.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& inner = *nested.GetDescriptor()->field(i);
    if (!IsSet(nested, inner)) continue;
    const bool flag = inner.cpp_type() == FieldDescriptor::CPPTYPE_BOOL;
    parts.push_back(flag ? inner.name()
                         : absl::StrCat(inner.name(), " ", FieldText(nested, inner)));
  }
  return absl::StrJoin(parts, ", ");
}

void CollectSecrets(const Message& message, std::set<std::string>& names) {
  if (message.GetDescriptor() == v1::SecretRef::descriptor()) {
    const auto& reference = static_cast<const v1::SecretRef&>(message);
    if (!reference.name().empty()) names.insert(reference.name());
    return;
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      CollectSecrets(message.GetReflection()->GetMessage(message, field), names);
      continue;
    }
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      CollectSecrets(message.GetReflection()->GetRepeatedMessage(message, field, i), names);
    }
  }
}

}  // namespace

const std::vector<KindDescriptor>& AllKinds() {
  static const auto* const kKinds = [] {
    auto* kinds = new std::vector<KindDescriptor>();
    for (int i = 0; i < SpecOneof().field_count(); ++i) {
      const FieldDescriptor* field = SpecOneof().field(i);
      kinds->push_back({field->name(), field, field->message_type(),
                        field->message_type()->options().GetExtension(v1::kind)});
    }
    return kinds;
  }();
  return *kKinds;
}

const KindDescriptor* FindKind(absl::string_view name) {
  for (const KindDescriptor& kind : AllKinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

const KindDescriptor* KindOf(const v1::Resource& resource) {
  const FieldDescriptor* field =
      resource.GetReflection()->GetOneofFieldDescriptor(resource, &SpecOneof());
  return field == nullptr ? nullptr : FindKind(field->name());
}

const Message& SpecOf(const v1::Resource& resource) {
  const KindDescriptor* kind = KindOf(resource);
  // Without a kind there is no Spec; its absence reads as the default instance of Resource itself,
  // which has no Spec fields.
  if (kind == nullptr) return v1::Resource::default_instance();
  return resource.GetReflection()->GetMessage(resource, kind->field);
}

Message& MutableSpec(v1::Resource& resource, const KindDescriptor& kind) {
  return *resource.GetReflection()->MutableMessage(&resource, kind.field);
}

std::string ResourceLabel(const v1::Resource& resource) {
  const KindDescriptor* kind = KindOf(resource);
  if (kind == nullptr) return "resource without a kind";
  const Message& spec = SpecOf(resource);
  std::vector<std::string> parts;
  for (const absl::string_view name :
       absl::StrSplit(kind->rule.label_fields(), ',', absl::SkipWhitespace())) {
    const FieldDescriptor* field = kind->spec->FindFieldByName(std::string(name));
    if (field == nullptr || !IsSet(spec, *field)) continue;
    parts.push_back(LabelText(spec, *field));
  }
  if (parts.empty()) return kind->name;
  return absl::StrCat(kind->name, " \"", absl::StrJoin(parts, " "), "\"");
}

std::vector<std::string> SecretNames(const Message& message) {
  std::set<std::string> names;
  CollectSecrets(message, names);
  return {names.begin(), names.end()};
}

}  // namespace trustline
