// Strict YAML 1.2 (core schema) into values with spans. The one file that knows yaml-cpp.
//
// Errors, each with its place: duplicate keys; keys that are not strings; numbers with a leading
// zero such as 0644 (the octal trap: "quote it"); yes/no/on/off as plain scalars where they look
// like booleans are strings, with a warning; unknown tags (known: !env, !file, the core schema's);
// anchors are fine, but aliases that expand to more than 100,000 nodes in total, depth over 64,
// files over 4 MiB, NUL bytes and invalid UTF-8 are not; several documents in a file.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::yaml {

// Parses `text`. On errors returns null and `diagnostics` says why. An empty text is null without
// an error.
Value ParseYaml(std::string file_name, std::string text, Diagnostics& diagnostics);

// Reads and parses a file; an unreadable file is an error without place.
Value LoadYaml(const std::string& path, Diagnostics& diagnostics);

}  // namespace trustline::yaml
