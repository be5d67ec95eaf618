// Messages with something in every field, for tests that hold for all messages.
#pragma once

#include "google/protobuf/message.h"

namespace trustline::testing {

// Down to five levels of messages. Fails the test for a field it does not know how to fill.
void FillEverything(google::protobuf::Message& message, int depth = 0);
// Written and read back it is the same.
void ExpectRoundTrip(const google::protobuf::Message& message);

}  // namespace trustline::testing
