// {{ }} in any scalar of a YAML value, and bare conditions.
#pragma once

#include "controller/expression/evaluated.h"

namespace trustline::controller {

// `value` with every template replaced. A scalar that is exactly one {{ }} becomes what the
// expression gives, type and all; any other becomes text. The places of what the file says are
// kept; a value that came out of a scalar stands where that scalar stands. Errors of all scalars
// come in one go; nullopt then.
std::optional<yaml::Value> Render(const yaml::Value& value, Environment& environment,
                                  yaml::Diagnostics& diagnostics);

// The same for one variable, whose first error is its value.
Evaluated RenderOrError(const yaml::Value& value, Environment& environment);

// Syntax of every template in `value`, and no template in keys. False when it reported.
bool CheckTemplates(const yaml::Value& value, yaml::Diagnostics& diagnostics);

// `when`: true, false, an expression without braces, or a list of these that must all be true.
bool CheckCondition(const yaml::Value& condition, yaml::Diagnostics& diagnostics);
// nullopt when it reported an error. A condition that is not true or false is an error.
std::optional<bool> EvaluateCondition(const yaml::Value& condition, Environment& environment,
                                      yaml::Diagnostics& diagnostics);

// Whether any scalar in it is a template.
bool HasTemplates(const yaml::Value& value);

}  // namespace trustline::controller
