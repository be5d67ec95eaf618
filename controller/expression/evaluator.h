// The walk over an expression's tree. Internal to controller/expression.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/expression/evaluated.h"
#include "controller/expression/syntax.h"

namespace trustline::controller {

inline std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

// Evaluates trees that were parsed from the text of `scalar` at `base`. Borrows both.
class Evaluator {
 public:
  Evaluator(const yaml::Value& scalar, size_t base, Environment& environment)
      : scalar_(scalar), base_(base), environment_(environment) {}

  Evaluated Evaluate(const ExpressionNode& node);

 private:
  // Values that come out well stand where the scalar stands; finding the exact place is for errors.
  const yaml::Span& Here() const { return scalar_.span(); }
  yaml::Span SpanOf(const ExpressionNode& node) const;
  ExpressionError Error(const ExpressionNode& node, std::string message) const;
  ExpressionError Undefined(const ExpressionNode& node, std::string message) const;
  static bool IsHostvars(const ExpressionNode& node);
  Evaluated EvaluateName(const ExpressionNode& node);
  Evaluated EvaluateList(const ExpressionNode& node);
  Evaluated Bounded(const ExpressionNode& node, yaml::Value value);
  // What stands in brackets or behind the dot.
  Evaluated KeyOf(const ExpressionNode& node);
  Evaluated EvaluatePath(const ExpressionNode& node);
  Environment* HostEnvironment(const ExpressionNode& node, const yaml::Value& host,
                               ExpressionError& error);
  Evaluated AllVariablesOf(const ExpressionNode& node, const yaml::Value& host);
  Evaluated VariableOf(const ExpressionNode& node, const yaml::Value& host, const yaml::Value& key);
  Evaluated Member(const ExpressionNode& node, const yaml::Value& container,
                   const yaml::Value& key);
  Evaluated EvaluateBool(const ExpressionNode& node, absl::string_view who);
  Evaluated EvaluateLogic(const ExpressionNode& node);
  Evaluated EvaluateSum(const ExpressionNode& node);
  Evaluated Add(const ExpressionNode& node, const yaml::Value& left, const yaml::Value& right);
  // Both operands of a binary operator.
  std::optional<ExpressionError> Operands(const ExpressionNode& node, yaml::Value& left,
                                          yaml::Value& right);
  Evaluated EvaluateEquality(const ExpressionNode& node);
  Evaluated EvaluateOrder(const ExpressionNode& node);
  Evaluated EvaluateMembership(const ExpressionNode& node);
  Evaluated EvaluateFilter(const ExpressionNode& node);
  // Argument `index` (from 0), positional or by name; nullptr when absent.
  static const ExpressionNode* Argument(const ExpressionNode& node, size_t index,
                                        absl::string_view name);
  std::optional<ExpressionError> CheckArguments(const ExpressionNode& node, size_t most,
                                                const std::vector<std::string>& names);
  Evaluated FilterDefault(const ExpressionNode& node);
  Evaluated FilterJoin(const ExpressionNode& node);
  Evaluated FilterLength(const ExpressionNode& node);
  Evaluated FilterMap(const ExpressionNode& node);
  Evaluated MapAttribute(const ExpressionNode& node, const yaml::Value& input);
  Evaluated MapExtract(const ExpressionNode& node, const yaml::Value& input);

  const yaml::Value& scalar_;
  const size_t base_;
  Environment& environment_;
};

}  // namespace trustline::controller
