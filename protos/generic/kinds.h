// The kinds, read from Resource's `spec` oneof: the single list of what can be declared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "protos/trustline/v1/options.pb.h"

namespace trustline {

struct KindDescriptor {
  std::string name;                                // "bundle_import", the field's name in the oneof
  const google::protobuf::FieldDescriptor* field;  // in Resource
  const google::protobuf::Descriptor* spec;
  v1::KindRule rule;
};

// In the order of the proto. Immutable, built once.
const std::vector<KindDescriptor>& AllKinds();
// nullptr for an unknown name.
const KindDescriptor* FindKind(absl::string_view name);
// The kind set in a resource; nullptr when none is.
const KindDescriptor* KindOf(const v1::Resource& resource);
// The message in the oneof; an empty Resource when no kind is set.
const google::protobuf::Message& SpecOf(const v1::Resource& resource);
google::protobuf::Message& MutableSpec(v1::Resource& resource, const KindDescriptor& kind);

// `bundle_import "CallManager, ITLRecovery"`: the kind and its label fields.
std::string ResourceLabel(const v1::Resource& resource);

// Names of every SecretRef reachable in a message, ascending, unique.
std::vector<std::string> SecretNames(const google::protobuf::Message& message);

// JSON schema (draft 2020-12) of a playbook, for editors; the task kinds come from the descriptors.
std::string PlaybookJsonSchema();
// The text of `trustline explain KIND`: summary, fields with type, default, meaning, and the
// example.
std::string ExplainKind(const KindDescriptor& kind);

}  // namespace trustline
