#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/expression/evaluate.h"
#include "controller/expression/evaluator.h"

namespace trustline::controller {
namespace {

using yaml::Type;
using yaml::Value;
using Kind = ExpressionNode::Kind;

bool IsFalsy(const Value& value) {
  switch (value.type()) {
    case Type::kNull:
      return true;
    case Type::kBool:
      return !value.bool_value();
    case Type::kString:
      return value.text().empty();
    case Type::kList:
      return value.list().empty();
    case Type::kMap:
      return value.map().empty();
    default:
      return false;
  }
}

}  // namespace

Evaluated Evaluator::EvaluateFilter(const ExpressionNode& node) {
  if (node.name == "default") return FilterDefault(node);
  if (node.name == "join") return FilterJoin(node);
  if (node.name == "length") return FilterLength(node);
  if (node.name == "map") return FilterMap(node);
  if (node.name == "list") return Error(node, "unknown filter \"list\"; map already gives a list");
  return Error(node,
               absl::StrCat("unknown filter ", Quoted(node.name),
                            yaml::DidYouMeanSuffix(node.name, {"default", "join", "length", "map"}),
                            "; known are default, join, length, map"));
}

const ExpressionNode* Evaluator::Argument(const ExpressionNode& node, size_t index,
                                          absl::string_view name) {
  size_t position = 0;
  for (size_t i = 0; i < node.argument_names.size(); ++i) {
    const std::string& given = node.argument_names[i];
    if (!given.empty() ? given == name : position == index) return node.children[i + 1].get();
    if (given.empty()) ++position;
  }
  return nullptr;
}

std::optional<ExpressionError> Evaluator::CheckArguments(const ExpressionNode& node, size_t most,
                                                         const std::vector<std::string>& names) {
  if (node.argument_names.size() > most) {
    return Error(node, absl::StrCat(Quoted(node.name), " takes at most ", most,
                                    most == 1 ? " argument" : " arguments"));
  }
  for (size_t i = 0; i < node.argument_names.size(); ++i) {
    const std::string& given = node.argument_names[i];
    if (given.empty()) continue;
    bool known = false;
    for (const std::string& name : names) known = known || name == given;
    if (!known) {
      return Error(*node.children[i + 1],
                   absl::StrCat(Quoted(node.name), " has no argument ", Quoted(given),
                                yaml::DidYouMeanSuffix(given, names)));
    }
  }
  return std::nullopt;
}

Evaluated Evaluator::FilterDefault(const ExpressionNode& node) {
  if (auto error = CheckArguments(node, 2, {"default_value", "boolean"})) return *error;
  const ExpressionNode* fallback = Argument(node, 0, "default_value");
  if (fallback == nullptr) return Error(node, "\"default\" needs the value to use: default('x')");
  Evaluated input = Evaluate(*node.children[0]);
  if (!input.ok() && !input.error().undefined) return input;
  bool use = !input.ok();
  if (!use) {
    if (const ExpressionNode* also_falsy = Argument(node, 1, "boolean")) {
      Evaluated flag = EvaluateBool(*also_falsy, "default");
      if (!flag.ok()) return flag;
      use = flag.value().bool_value() && IsFalsy(input.value());
    }
  }
  return use ? Evaluate(*fallback) : input;
}

Evaluated Evaluator::FilterJoin(const ExpressionNode& node) {
  if (auto error = CheckArguments(node, 1, {"d"})) return *error;
  Evaluated input = Evaluate(*node.children[0]);
  if (!input.ok()) return input;
  if (!input.value().is_list()) {
    return Error(node,
                 absl::StrCat("\"join\" takes a list, got ", yaml::TypeName(input.value().type())));
  }
  std::string separator;
  if (const ExpressionNode* argument = Argument(node, 0, "d")) {
    Evaluated given = Evaluate(*argument);
    if (!given.ok()) return given;
    if (!given.value().is_string()) return Error(*argument, "the separator is a string");
    separator = given.value().text();
  }
  std::string text;
  bool first = true;
  for (const Value& item : input.value().list()) {
    if (item.type() == Type::kSecret || item.is_null() || item.is_list() || item.is_map()) {
      return Error(node, absl::StrCat("\"join\" takes strings, numbers and booleans, got ",
                                      yaml::TypeName(item.type())));
    }
    if (!first) text += separator;
    first = false;
    text += item.ToText();
    if (text.size() > kMaxTextBytes) return Error(node, "the value becomes too large");
  }
  return Value::String(std::move(text), Here());
}

Evaluated Evaluator::FilterLength(const ExpressionNode& node) {
  if (auto error = CheckArguments(node, 0, {})) return *error;
  Evaluated input = Evaluate(*node.children[0]);
  if (!input.ok()) return input;
  const Value& value = input.value();
  size_t length = 0;
  if (value.is_list()) {
    length = value.list().size();
  } else if (value.is_map()) {
    length = value.map().size();
  } else if (value.is_string()) {
    length = value.text().size();
  } else {
    return Error(node, absl::StrCat("\"length\" takes a list, a map or a string, got ",
                                    yaml::TypeName(value.type())));
  }
  return Value::Int(static_cast<int64_t>(length), Here());
}

Evaluated Evaluator::FilterMap(const ExpressionNode& node) {
  Evaluated input = Evaluate(*node.children[0]);
  if (!input.ok()) return input;
  if (!input.value().is_list()) {
    return Error(node,
                 absl::StrCat("\"map\" takes a list, got ", yaml::TypeName(input.value().type())));
  }
  if (node.argument_names.size() == 1 && node.argument_names[0] == "attribute") {
    return MapAttribute(node, input.value());
  }
  if (node.argument_names.size() >= 2 && node.argument_names[0].empty() &&
      node.children[1]->kind == Kind::kLiteral && node.children[1]->literal.is_string() &&
      node.children[1]->literal.text() == "extract") {
    return MapExtract(node, input.value());
  }
  return Error(node, "\"map\" is map(attribute='name') or map('extract', hostvars, 'name')");
}

Evaluated Evaluator::MapAttribute(const ExpressionNode& node, const Value& input) {
  Evaluated attribute = Evaluate(*node.children[1]);
  if (!attribute.ok()) return attribute;
  if (!attribute.value().is_string()) return Error(*node.children[1], "the attribute is a string");
  Value::List items;
  for (const Value& item : input.list()) {
    Evaluated part(item);
    for (absl::string_view name : absl::StrSplit(attribute.value().text(), '.')) {
      part = Member(*node.children[1], part.value(), Value::String(std::string(name), {}));
      if (!part.ok()) return part;
    }
    items.push_back(std::move(part.value()));
  }
  return Bounded(node, Value::FromList(std::move(items), Here()));
}

Evaluated Evaluator::MapExtract(const ExpressionNode& node, const Value& input) {
  for (const std::string& name : node.argument_names) {
    if (!name.empty())
      return Error(node, absl::StrCat("map('extract', ...) has no argument ", Quoted(name)));
  }
  const ExpressionNode& container = *node.children[2];
  std::vector<Value> keys;
  for (size_t i = 3; i < node.children.size(); ++i) {
    Evaluated key = Evaluate(*node.children[i]);
    if (!key.ok()) return key;
    // extract takes its further keys one by one or as one list.
    if (key.value().is_list()) {
      keys.insert(keys.end(), key.value().list().begin(), key.value().list().end());
    } else {
      keys.push_back(std::move(key.value()));
    }
  }
  std::optional<Value> from;
  if (!IsHostvars(container)) {
    Evaluated evaluated = Evaluate(container);
    if (!evaluated.ok()) return evaluated;
    from = std::move(evaluated.value());
  }
  Value::List items;
  for (const Value& item : input.list()) {
    size_t next = 0;
    Evaluated part = from           ? Member(node, *from, item)
                     : keys.empty() ? AllVariablesOf(node, item)
                                    : VariableOf(node, item, keys[next++]);
    while (part.ok() && next < keys.size()) part = Member(node, part.value(), keys[next++]);
    if (!part.ok()) return part;
    items.push_back(std::move(part.value()));
  }
  return Bounded(node, Value::FromList(std::move(items), Here()));
}

}  // namespace trustline::controller
