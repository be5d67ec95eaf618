// The generic difference State against State over descriptors (design: a State is sets of facts
// keyed by identity).
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/message.h"
#include "protos/trustline/v1/report.pb.h"

namespace trustline {

// What must happen to `present` to become `desired`; both are the same State type, whose fields are
// repeated messages (facts). Facts are matched by their (rule).identity fields; other fields except
// (rule).informative ones are compared. Order: by fact type, then identity; independent of input
// order. Secret fields appear redacted. Empty <=> nothing to do.
std::vector<v1::Change> DiffState(const google::protobuf::Message& desired,
                                  const google::protobuf::Message& present);

// A digest (hex SHA-256) of a State that is equal exactly when DiffState is empty both ways;
// informative fields do not count.
std::string StateDigest(const google::protobuf::Message& state);

// `message` with every (rule).secret field replaced by a mark that says only that it is set. For
// anything that is printed, logged or stored.
std::string RedactedText(const google::protobuf::Message& message);

}  // namespace trustline
