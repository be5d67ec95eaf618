#include "tests/fakes/filled_message.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

namespace trustline::testing {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void FillEverything(Message& message, int depth) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const auto text = absl::StrCat(field->name(), " \xc3\xa4\n\"", i);
    if (field->is_repeated()) {
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_MESSAGE:
          if (depth < 5) FillEverything(*reflection->AddMessage(&message, field), depth + 1);
          break;
        case FieldDescriptor::CPPTYPE_STRING:
          reflection->AddString(&message, field, text);
          break;
        default:
          FAIL() << field->full_name() << ": a repeated scalar: fill it here";
      }
      continue;
    }
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < 5) FillEverything(*reflection->MutableMessage(&message, field), depth + 1);
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        reflection->SetString(&message, field, text);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        reflection->SetBool(&message, field, true);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        reflection->SetEnumValue(&message, field, 1);
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        reflection->SetInt32(&message, field, -7);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        reflection->SetInt64(&message, field, INT64_MIN);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection->SetUInt32(&message, field, UINT32_MAX);
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        reflection->SetUInt64(&message, field, UINT64_MAX);
        break;
      default:
        FAIL() << field->full_name() << ": fill it here";
    }
  }
}

void ExpectRoundTrip(const Message& message) {
  const std::unique_ptr<Message> back(message.New());
  ASSERT_TRUE(back->ParseFromString(message.SerializeAsString()));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(message, *back));
}

}  // namespace trustline::testing
