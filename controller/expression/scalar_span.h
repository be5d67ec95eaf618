// Where a part of a scalar stands in its file.
#pragma once

#include <cstddef>

#include "protos/yaml/value.h"

namespace trustline::controller {

// The place of the bytes [offset, offset + length) of the string `scalar` in the file it was read
// from: quotes, escapes, folded lines and block scalars are followed. Where that fails, the place
// of the whole scalar.
yaml::Span SpanInScalar(const yaml::Value& scalar, size_t offset, size_t length);

}  // namespace trustline::controller
