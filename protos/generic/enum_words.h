// How enum values are spelled outside the wire format: "compat_3des" for
// PKCS12_PROFILE_COMPAT_3DES.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace trustline {

// The name in lower case without the prefix its type gives it (that of the _UNSPECIFIED value).
std::string EnumWord(const google::protobuf::EnumValueDescriptor& value);
// Every word of the type in the order of the proto, without "unspecified".
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor& type);
// nullptr for a word the type does not have.
const google::protobuf::EnumValueDescriptor* FindEnumWord(
    const google::protobuf::EnumDescriptor& type, absl::string_view word);

}  // namespace trustline
