#include "controller/expression/evaluate.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/expression/evaluator.h"
#include "controller/expression/scalar_span.h"
#include "controller/expression/syntax.h"

namespace trustline::controller {
namespace {

using yaml::Type;
using yaml::Value;
using Kind = ExpressionNode::Kind;

// Counts up to `left` and stops; false when there are more.
bool CountDown(const Value& value, size_t& left) {
  if (left == 0) return false;
  --left;
  if (value.is_string() && value.text().size() > kMaxTextBytes) return false;
  if (value.is_list()) {
    for (const Value& item : value.list()) {
      if (!CountDown(item, left)) return false;
    }
  } else if (value.is_map()) {
    for (const Value::Member& member : value.map()) {
      if (!CountDown(member.value, left)) return false;
    }
  }
  return true;
}

std::optional<double> Number(const Value& value) {
  if (value.type() == Type::kInt) return static_cast<double>(value.int_value());
  if (value.type() == Type::kFloat) return value.float_value();
  return std::nullopt;
}

bool ContainsSecret(const Value& value) {
  if (value.type() == Type::kSecret) return true;
  if (value.is_list()) {
    for (const Value& item : value.list()) {
      if (ContainsSecret(item)) return true;
    }
  } else if (value.is_map()) {
    for (const Value::Member& member : value.map()) {
      if (ContainsSecret(member.value)) return true;
    }
  }
  return false;
}

}  // namespace

Evaluated Evaluator::Evaluate(const ExpressionNode& node) {
  switch (node.kind) {
    case Kind::kLiteral:
      return node.literal.WithSpan(Here());
    case Kind::kName:
      return EvaluateName(node);
    case Kind::kList:
      return EvaluateList(node);
    case Kind::kAttribute:
    case Kind::kIndex:
      return EvaluatePath(node);
    case Kind::kFilter:
      return EvaluateFilter(node);
    case Kind::kNot: {
      Evaluated operand = EvaluateBool(*node.children[0], "not");
      if (!operand.ok()) return operand;
      return Value::Bool(!operand.value().bool_value(), Here());
    }
    case Kind::kAnd:
    case Kind::kOr:
      return EvaluateLogic(node);
    case Kind::kSum:
      return EvaluateSum(node);
    case Kind::kEqual:
    case Kind::kNotEqual:
      return EvaluateEquality(node);
    case Kind::kLess:
    case Kind::kLessEqual:
    case Kind::kGreater:
    case Kind::kGreaterEqual:
      return EvaluateOrder(node);
    case Kind::kIn:
    case Kind::kNotIn:
      return EvaluateMembership(node);
  }
  return Error(node, "this expression is of no known form");
}

yaml::Span Evaluator::SpanOf(const ExpressionNode& node) const {
  return SpanInScalar(scalar_, base_ + node.offset, node.length);
}

ExpressionError Evaluator::Error(const ExpressionNode& node, std::string message) const {
  return ExpressionError{SpanOf(node), std::move(message), false, {}};
}

ExpressionError Evaluator::Undefined(const ExpressionNode& node, std::string message) const {
  return ExpressionError{SpanOf(node), std::move(message), true, {}};
}

bool Evaluator::IsHostvars(const ExpressionNode& node) {
  return node.kind == Kind::kName && node.name == "hostvars";
}

Evaluated Evaluator::EvaluateName(const ExpressionNode& node) {
  if (node.name == "hostvars") {
    return Error(node, "hostvars needs a host in brackets: hostvars['name'].variable");
  }
  std::optional<Evaluated> found = environment_.Find(node.name);
  if (!found) {
    std::vector<std::string> names = environment_.Names();
    names.push_back("hostvars");
    return Undefined(node, absl::StrCat(Quoted(node.name), " is not defined",
                                        yaml::DidYouMeanSuffix(node.name, names)));
  }
  if (!found->ok()) {
    found->error().notes.push_back(
        {yaml::Severity::kNote, SpanOf(node), absl::StrCat("used here as ", Quoted(node.name))});
  }
  return *std::move(found);
}

Evaluated Evaluator::EvaluateList(const ExpressionNode& node) {
  Value::List items;
  for (const auto& child : node.children) {
    Evaluated item = Evaluate(*child);
    if (!item.ok()) return item;
    items.push_back(std::move(item.value()));
  }
  return Bounded(node, Value::FromList(std::move(items), Here()));
}

Evaluated Evaluator::Bounded(const ExpressionNode& node, Value value) {
  if (!WithinBounds(value)) return Error(node, "the value becomes too large");
  return value;
}

Evaluated Evaluator::KeyOf(const ExpressionNode& node) {
  if (node.kind == Kind::kAttribute) return Value::String(node.name, Here());
  return Evaluate(*node.children[1]);
}

Evaluated Evaluator::EvaluatePath(const ExpressionNode& node) {
  const ExpressionNode& base = *node.children[0];
  if (IsHostvars(base)) {
    Evaluated host = KeyOf(node);
    if (!host.ok()) return host;
    return AllVariablesOf(node, host.value());
  }
  // hostvars[h].x evaluates x only, not everything that is known of h.
  if ((base.kind == Kind::kAttribute || base.kind == Kind::kIndex) &&
      IsHostvars(*base.children[0])) {
    Evaluated host = KeyOf(base);
    if (!host.ok()) return host;
    Evaluated key = KeyOf(node);
    if (!key.ok()) return key;
    return VariableOf(node, host.value(), key.value());
  }
  Evaluated container = Evaluate(base);
  if (!container.ok()) return container;
  Evaluated key = KeyOf(node);
  if (!key.ok()) return key;
  return Member(node, container.value(), key.value());
}

Environment* Evaluator::HostEnvironment(const ExpressionNode& node, const Value& host,
                                        ExpressionError& error) {
  if (!host.is_string()) {
    error = Error(node,
                  absl::StrCat("hostvars needs a host's name, got ", yaml::TypeName(host.type())));
    return nullptr;
  }
  Environment* found = environment_.Host(host.text());
  if (found == nullptr) {
    error = Undefined(node,
                      absl::StrCat("no host ", Quoted(host.text()), " in the inventory",
                                   yaml::DidYouMeanSuffix(host.text(), environment_.HostNames())));
  }
  return found;
}

Evaluated Evaluator::AllVariablesOf(const ExpressionNode& node, const Value& host) {
  ExpressionError error;
  Environment* variables = HostEnvironment(node, host, error);
  if (variables == nullptr) return error;
  Value::Map members;
  for (const std::string& name : variables->Names()) {
    std::optional<Evaluated> found = variables->Find(name);
    if (!found) continue;
    if (!found->ok()) return *std::move(found);
    members.push_back({name, found->value().span(), found->value()});
  }
  return Bounded(node, Value::FromMap(std::move(members), Here()));
}

Evaluated Evaluator::VariableOf(const ExpressionNode& node, const Value& host, const Value& key) {
  ExpressionError error;
  Environment* variables = HostEnvironment(node, host, error);
  if (variables == nullptr) return error;
  if (!key.is_string()) {
    return Error(node,
                 absl::StrCat("a variable's name is a string, got ", yaml::TypeName(key.type())));
  }
  std::optional<Evaluated> found = variables->Find(key.text());
  if (!found) {
    return Undefined(
        node, absl::StrCat("host ", Quoted(host.text()), " has no variable ", Quoted(key.text()),
                           yaml::DidYouMeanSuffix(key.text(), variables->Names())));
  }
  if (!found->ok()) {
    found->error().notes.push_back(
        {yaml::Severity::kNote, SpanOf(node),
         absl::StrCat("used here as ", Quoted(key.text()), " of host ", Quoted(host.text()))});
  }
  return *std::move(found);
}

Evaluated Evaluator::Member(const ExpressionNode& node, const Value& container, const Value& key) {
  if (container.is_map()) {
    if (!key.is_string()) {
      return Error(node, absl::StrCat("a map's key is a string, got ", yaml::TypeName(key.type())));
    }
    if (const Value* member = container.Find(key.text())) return *member;
    std::vector<std::string> keys;
    for (const Value::Member& member : container.map()) keys.push_back(member.key);
    return Undefined(node, absl::StrCat(Quoted(key.text()), " is not defined here",
                                        yaml::DidYouMeanSuffix(key.text(), keys)));
  }
  if (container.is_list()) {
    if (key.type() != Type::kInt) {
      return Error(node, absl::StrCat("a list's index is a number, got ",
                                      key.is_string() ? Quoted(key.text())
                                                      : std::string(yaml::TypeName(key.type()))));
    }
    const auto size = static_cast<int64_t>(container.list().size());
    const int64_t index = key.int_value() < 0 ? key.int_value() + size : key.int_value();
    if (index < 0 || index >= size) {
      return Undefined(node,
                       absl::StrCat("index ", key.int_value(), " is outside a list of ", size));
    }
    return container.list()[static_cast<size_t>(index)];
  }
  const std::string name = key.is_string() ? Quoted(key.text()) : key.ToText();
  return Error(node, absl::StrCat(yaml::TypeName(container.type()), " has no ", name));
}

Evaluated Evaluator::EvaluateBool(const ExpressionNode& node, absl::string_view who) {
  Evaluated operand = Evaluate(node);
  if (!operand.ok()) return operand;
  if (operand.value().type() != Type::kBool) {
    return Error(node, absl::StrCat(Quoted(who), " takes true or false, got ",
                                    yaml::TypeName(operand.value().type())));
  }
  return operand;
}

Evaluated Evaluator::EvaluateLogic(const ExpressionNode& node) {
  const bool is_and = node.kind == Kind::kAnd;
  for (const auto& child : node.children) {
    Evaluated operand = EvaluateBool(*child, is_and ? "and" : "or");
    if (!operand.ok()) return operand;
    if (operand.value().bool_value() != is_and) return Value::Bool(!is_and, Here());
  }
  return Value::Bool(is_and, Here());
}

Evaluated Evaluator::EvaluateSum(const ExpressionNode& node) {
  Evaluated sum = Evaluate(*node.children[0]);
  for (size_t i = 1; sum.ok() && i < node.children.size(); ++i) {
    Evaluated next = Evaluate(*node.children[i]);
    if (!next.ok()) return next;
    sum = Add(node, sum.value(), next.value());
  }
  if (sum.ok()) return Bounded(node, sum.value().WithSpan(Here()));
  return sum;
}

Evaluated Evaluator::Add(const ExpressionNode& node, const Value& left, const Value& right) {
  if (left.is_list() && right.is_list()) {
    if (left.list().size() + right.list().size() > kMaxValueNodes) {
      return Error(node, "the value becomes too large");
    }
    Value::List items = left.list();
    items.insert(items.end(), right.list().begin(), right.list().end());
    return Value::FromList(std::move(items), left.span());
  }
  if (left.is_string() && right.is_string()) {
    return Value::String(absl::StrCat(left.text(), right.text()), left.span());
  }
  if (left.type() == Type::kInt && right.type() == Type::kInt) {
    int64_t sum = 0;
    if (__builtin_add_overflow(left.int_value(), right.int_value(), &sum)) {
      return Error(node, "the sum is too large");
    }
    return Value::Int(sum, left.span());
  }
  if (Number(left) && Number(right))
    return Value::Float(*Number(left) + *Number(right), left.span());
  return Error(node,
               absl::StrCat("\"+\" joins two lists, two strings or two numbers, got ",
                            yaml::TypeName(left.type()), " and ", yaml::TypeName(right.type())));
}

std::optional<ExpressionError> Evaluator::Operands(const ExpressionNode& node, Value& left,
                                                   Value& right) {
  Evaluated first = Evaluate(*node.children[0]);
  if (!first.ok()) return first.error();
  Evaluated second = Evaluate(*node.children[1]);
  if (!second.ok()) return second.error();
  if (ContainsSecret(first.value()) || ContainsSecret(second.value())) {
    return Error(node, "a secret cannot be compared: its value is not known here");
  }
  left = std::move(first.value());
  right = std::move(second.value());
  return std::nullopt;
}

Evaluated Evaluator::EvaluateEquality(const ExpressionNode& node) {
  Value left, right;
  if (std::optional<ExpressionError> error = Operands(node, left, right)) return *error;
  return Value::Bool((left == right) == (node.kind == Kind::kEqual), Here());
}

Evaluated Evaluator::EvaluateOrder(const ExpressionNode& node) {
  Value left, right;
  if (std::optional<ExpressionError> error = Operands(node, left, right)) return *error;
  const std::optional<double> a = Number(left), b = Number(right);
  int order = 0;
  if (left.type() == Type::kInt && right.type() == Type::kInt) {
    order = left.int_value() < right.int_value() ? -1 : left.int_value() > right.int_value();
  } else if (a && b) {
    order = *a < *b ? -1 : *a > *b;
  } else if (left.is_string() && right.is_string()) {
    order = left.text().compare(right.text());
  } else {
    return Error(node, absl::StrCat("cannot order ", yaml::TypeName(left.type()), " and ",
                                    yaml::TypeName(right.type())));
  }
  const bool holds = node.kind == Kind::kLess        ? order < 0
                     : node.kind == Kind::kLessEqual ? order <= 0
                     : node.kind == Kind::kGreater   ? order > 0
                                                     : order >= 0;
  return Value::Bool(holds, Here());
}

Evaluated Evaluator::EvaluateMembership(const ExpressionNode& node) {
  Value left, right;
  if (std::optional<ExpressionError> error = Operands(node, left, right)) return *error;
  bool found = false;
  if (right.is_list()) {
    for (const Value& item : right.list()) found = found || item == left;
  } else if (right.is_map() && left.is_string()) {
    found = right.Find(left.text()) != nullptr;
  } else if (right.is_string() && left.is_string()) {
    found = right.text().find(left.text()) != std::string::npos;
  } else {
    return Error(node,
                 absl::StrCat("\"in\" looks into a list, a map or a string, got ",
                              yaml::TypeName(left.type()), " in ", yaml::TypeName(right.type())));
  }
  return Value::Bool(found == (node.kind == Kind::kIn), Here());
}

bool WithinBounds(const yaml::Value& value) {
  size_t left = kMaxValueNodes;
  return CountDown(value, left);
}

Evaluated EvaluateExpression(const yaml::Value& scalar, size_t offset, size_t length,
                             Environment& environment) {
  auto parsed = ParseExpression(absl::string_view(scalar.text()).substr(offset, length));
  if (const auto* error = std::get_if<SyntaxError>(&parsed)) {
    return ExpressionError{
        SpanInScalar(scalar, offset + error->offset, error->length), error->message, false, {}};
  }
  return Evaluator(scalar, offset, environment)
      .Evaluate(*std::get<std::unique_ptr<ExpressionNode>>(parsed));
}

bool CheckExpression(const yaml::Value& scalar, size_t offset, size_t length,
                     yaml::Diagnostics& diagnostics) {
  auto parsed = ParseExpression(absl::string_view(scalar.text()).substr(offset, length));
  const auto* error = std::get_if<SyntaxError>(&parsed);
  if (error == nullptr) return true;
  diagnostics.Error(SpanInScalar(scalar, offset + error->offset, error->length), error->message);
  return false;
}

}  // namespace trustline::controller
