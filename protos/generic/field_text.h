// Values of message fields as text, by descriptor.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "protos/trustline/v1/options.pb.h"

namespace trustline {

// What stands for a secret wherever something is printed.
inline constexpr char kRedacted[] = "<set>";

inline const v1::FieldRule& RuleOf(const google::protobuf::FieldDescriptor& field) {
  return field.options().GetExtension(v1::rule);
}

// True for a singular field that is set (a scalar without presence: not its zero), and for a
// repeated one with items.
bool IsSet(const google::protobuf::Message& message,
           const google::protobuf::FieldDescriptor& field);

// A scalar bare, items joined by ", ", a message as "{ name: value }" of its set fields, bytes in
// hex. Secret fields, also nested ones, as kRedacted unless `with_secrets`, which is for comparing
// and hashing only. Equal texts with secrets <=> equal contents for fields of one type.
std::string FieldText(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field, bool with_secrets = false);

}  // namespace trustline
