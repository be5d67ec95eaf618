#include "controller/expression/templating.h"

#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "controller/expression/evaluate.h"
#include "controller/expression/scalar_span.h"

namespace trustline::controller {
namespace {

using yaml::Type;
using yaml::Value;

// A stretch of a scalar: text as it is, or the inside of {{ }}.
struct Piece {
  bool expression = false;
  size_t offset = 0;
  size_t length = 0;
};

// The closing braces of the template whose inside begins at `begin`; strings of the expression may
// hold braces.
size_t FindClose(absl::string_view text, size_t begin) {
  char quote = 0;
  for (size_t i = begin; i + 1 < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == quote) {
        quote = 0;
      }
    } else if (text[i] == '\'' || text[i] == '"') {
      quote = text[i];
    } else if (text[i] == '}' && text[i + 1] == '}') {
      return i;
    }
  }
  return absl::string_view::npos;
}

std::variant<std::vector<Piece>, ExpressionError> Split(const Value& scalar) {
  const absl::string_view text = scalar.text();
  std::vector<Piece> pieces;
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = text.find('{', at);
    size_t brace = open;
    while (brace != absl::string_view::npos && text.substr(brace, 2) != "{{" &&
           text.substr(brace, 2) != "{%") {
      brace = text.find('{', brace + 1);
    }
    if (brace == absl::string_view::npos) {
      pieces.push_back({false, at, text.size() - at});
      break;
    }
    if (text[brace + 1] == '%') {
      return ExpressionError{SpanInScalar(scalar, brace, 2),
                             "unsupported: {% %} statements; use loop, when and {{ }}",
                             false,
                             {}};
    }
    if (brace > at) pieces.push_back({false, at, brace - at});
    const size_t close = FindClose(text, brace + 2);
    if (close == absl::string_view::npos) {
      return ExpressionError{
          SpanInScalar(scalar, brace, 2), "this \"{{\" has no \"}}\"", false, {}};
    }
    pieces.push_back({true, brace + 2, close - brace - 2});
    at = close + 2;
  }
  return pieces;
}

bool IsTemplate(const Value& value) {
  return value.is_string() && (value.text().find("{{") != std::string::npos ||
                               value.text().find("{%") != std::string::npos);
}

// Blanks around a single template do not make it text.
bool OnlyOne(const std::vector<Piece>& pieces, absl::string_view text, size_t& which) {
  size_t expressions = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].expression) {
      ++expressions;
      which = i;
    } else if (!absl::StripAsciiWhitespace(text.substr(pieces[i].offset, pieces[i].length))
                    .empty()) {
      return false;
    }
  }
  return expressions == 1;
}

Evaluated RenderScalar(const Value& scalar, Environment& environment) {
  auto split = Split(scalar);
  if (auto* error = std::get_if<ExpressionError>(&split)) return std::move(*error);
  const auto& pieces = std::get<std::vector<Piece>>(split);
  const absl::string_view text = scalar.text();
  size_t only = 0;
  if (OnlyOne(pieces, text, only)) {
    Evaluated whole =
        EvaluateExpression(scalar, pieces[only].offset, pieces[only].length, environment);
    if (!whole.ok()) return whole;
    return whole.value().WithSpan(scalar.span());
  }
  std::string result;
  for (const Piece& piece : pieces) {
    if (!piece.expression) {
      absl::StrAppend(&result, text.substr(piece.offset, piece.length));
      continue;
    }
    Evaluated part = EvaluateExpression(scalar, piece.offset, piece.length, environment);
    if (!part.ok()) return part;
    const Type type = part.value().type();
    if (type == Type::kSecret || type == Type::kNull || type == Type::kList || type == Type::kMap) {
      return ExpressionError{SpanInScalar(scalar, piece.offset - 2, piece.length + 4),
                             absl::StrCat(yaml::TypeName(type), " cannot be a part of a text",
                                          type == Type::kList   ? "; use join"
                                          : type == Type::kNull ? "; use default(..., true)"
                                                                : ""),
                             false,
                             {}};
    }
    absl::StrAppend(&result, part.value().ToText());
    if (result.size() > kMaxTextBytes) {
      return ExpressionError{scalar.span(), "the text becomes too large", false, {}};
    }
  }
  return Value::String(std::move(result), scalar.span());
}

using ErrorSink = std::function<void(const ExpressionError&)>;

Value RenderAll(const Value& value, Environment& environment, const ErrorSink& report) {
  if (value.is_list()) {
    Value::List items;
    items.reserve(value.list().size());
    for (const Value& item : value.list()) items.push_back(RenderAll(item, environment, report));
    return Value::FromList(std::move(items), value.span());
  }
  if (value.is_map()) {
    Value::Map members;
    members.reserve(value.map().size());
    for (const Value::Member& member : value.map()) {
      members.push_back(
          {member.key, member.key_span, RenderAll(member.value, environment, report)});
    }
    return Value::FromMap(std::move(members), value.span());
  }
  if (!IsTemplate(value)) return value;
  Evaluated rendered = RenderScalar(value, environment);
  if (rendered.ok()) return std::move(rendered.value());
  report(rendered.error());
  return value;
}

ExpressionError TooLarge(const Value& value) {
  return ExpressionError{value.span(), "the value becomes too large", false, {}};
}

// Names a Jinja habit that is wrong here.
bool ConditionHasBraces(const Value& condition, yaml::Diagnostics& diagnostics) {
  const size_t braces = condition.text().find("{{");
  if (braces == std::string::npos) return false;
  diagnostics.Error(SpanInScalar(condition, braces, 2),
                    "a condition is an expression already; write it without {{ }}");
  return true;
}

}  // namespace

std::optional<yaml::Value> Render(const yaml::Value& value, Environment& environment,
                                  yaml::Diagnostics& diagnostics) {
  bool failed = false;
  Value result = RenderAll(value, environment, [&](const ExpressionError& error) {
    failed = true;
    error.ReportTo(diagnostics);
  });
  if (!failed && !WithinBounds(result)) {
    failed = true;
    TooLarge(value).ReportTo(diagnostics);
  }
  if (failed) return std::nullopt;
  return result;
}

Evaluated RenderOrError(const yaml::Value& value, Environment& environment) {
  std::optional<ExpressionError> first;
  Value result = RenderAll(value, environment, [&](const ExpressionError& error) {
    if (!first) first = error;
  });
  if (!first && !WithinBounds(result)) first = TooLarge(value);
  if (first) return *std::move(first);
  return result;
}

bool CheckTemplates(const yaml::Value& value, yaml::Diagnostics& diagnostics) {
  bool good = true;
  if (value.is_list()) {
    for (const Value& item : value.list()) good = CheckTemplates(item, diagnostics) && good;
  } else if (value.is_map()) {
    for (const Value::Member& member : value.map()) {
      if (member.key.find("{{") != std::string::npos) {
        diagnostics.Error(member.key_span, "a key cannot be a template");
        good = false;
      }
      good = CheckTemplates(member.value, diagnostics) && good;
    }
  } else if (IsTemplate(value)) {
    auto split = Split(value);
    if (auto* error = std::get_if<ExpressionError>(&split)) {
      error->ReportTo(diagnostics);
      return false;
    }
    for (const Piece& piece : std::get<std::vector<Piece>>(split)) {
      if (piece.expression)
        good = CheckExpression(value, piece.offset, piece.length, diagnostics) && good;
    }
  }
  return good;
}

bool CheckCondition(const yaml::Value& condition, yaml::Diagnostics& diagnostics) {
  if (condition.type() == Type::kBool) return true;
  if (condition.is_list()) {
    bool good = true;
    for (const Value& item : condition.list()) good = CheckCondition(item, diagnostics) && good;
    return good;
  }
  if (!condition.is_string()) {
    diagnostics.Error(
        condition.span(),
        absl::StrCat("\"when\" is true, false, an expression or a list of these, got ",
                     yaml::TypeName(condition.type())));
    return false;
  }
  if (ConditionHasBraces(condition, diagnostics)) return false;
  return CheckExpression(condition, 0, condition.text().size(), diagnostics);
}

std::optional<bool> EvaluateCondition(const yaml::Value& condition, Environment& environment,
                                      yaml::Diagnostics& diagnostics) {
  if (condition.type() == Type::kBool) return condition.bool_value();
  if (condition.is_list()) {
    for (const Value& item : condition.list()) {
      std::optional<bool> one = EvaluateCondition(item, environment, diagnostics);
      if (!one || !*one) return one;
    }
    return true;
  }
  if (!CheckCondition(condition, diagnostics)) return std::nullopt;
  Evaluated result = EvaluateExpression(condition, 0, condition.text().size(), environment);
  if (!result.ok()) {
    result.error().ReportTo(diagnostics);
    return std::nullopt;
  }
  if (result.value().type() != Type::kBool) {
    diagnostics.Error(condition.span(), absl::StrCat("\"when\" must be true or false, this is ",
                                                     yaml::TypeName(result.value().type())));
    return std::nullopt;
  }
  return result.value().bool_value();
}

bool HasTemplates(const yaml::Value& value) {
  if (value.is_list()) {
    for (const Value& item : value.list()) {
      if (HasTemplates(item)) return true;
    }
  } else if (value.is_map()) {
    for (const Value::Member& member : value.map()) {
      if (HasTemplates(member.value)) return true;
    }
  }
  return IsTemplate(value);
}

}  // namespace trustline::controller
