// Expressions over variables. Types are kept; what is not there is an error with its place, never
// an empty text.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"
#include "controller/expression/evaluated.h"

namespace trustline::controller {

// No value an expression or a variable makes may have more nodes, and no text more bytes, than
// this.
inline constexpr size_t kMaxValueNodes = 100000;
inline constexpr size_t kMaxTextBytes = 1 << 20;

// Evaluates the bytes [offset, offset + length) of the string `scalar` as one expression. Errors
// point into the scalar.
//   and, or, not take true and false only. == and != take everything but secrets; < <= > >= two
//   numbers or two strings; `in` looks for an item of a list, a key of a map or a part of a string.
//   + adds two integers or floats, joins two strings or two lists. default(value[, true])  `value`
//   for what is undefined (with true: also for null, "", [], {} and false) join([separator]) the
//   items' text; length: items of a list or map, bytes of a string map(attribute='a.b')    of every
//   item; map('extract', container, key...): container[item][key]..., with `hostvars` as the usual
//   container
Evaluated EvaluateExpression(const yaml::Value& scalar, size_t offset, size_t length,
                             Environment& environment);

// Syntax only. Reports into `diagnostics`; false when wrong.
bool CheckExpression(const yaml::Value& scalar, size_t offset, size_t length,
                     yaml::Diagnostics& diagnostics);

// An error when `value` is larger than the bounds above.
bool WithinBounds(const yaml::Value& value);

}  // namespace trustline::controller
