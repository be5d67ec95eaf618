// The expression language inside {{ }} and in `when`, as a tree. Its grammar, loosest binding first
// (a subset of Jinja's, same precedence):
//   or       = and { "or" and }
//   and      = not { "and" not }
//   not      = "not" not | compare
//   compare  = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in" ) sum ]
//   sum      = filtered { "+" filtered }
//   filtered = path { "|" NAME [ "(" [ argument { "," argument } ] ")" ] }
//   path     = primary { "." NAME | "[" or "]" }
//   primary  = NAME | INTEGER | FLOAT | STRING | "true" | "false" | "none" | "(" or ")" | "[" [ or
//   { "," or } ] "]" argument = [ NAME "=" ] or
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

// Bounds: a tree is at most this deep and has at most this many nodes, so that evaluating it cannot
// exhaust the stack.
inline constexpr int kMaxExpressionDepth = 32;
inline constexpr int kMaxExpressionNodes = 500;

struct ExpressionNode {
  enum class Kind {
    kLiteral,    // literal
    kName,       // name
    kList,       // children: items
    kAttribute,  // children[0].name
    kIndex,      // children[0][children[1]]
    kFilter,  // children[0] | name(children[1..]); argument_names parallel to children[1..], "" for
              // positional ones
    kNot,     // not children[0]
    kAnd,     // children in order
    kOr,
    kSum,
    kEqual,  // children[0], children[1]
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kIn,
    kNotIn,
  };
  Kind kind = Kind::kLiteral;
  uint32_t offset = 0;  // in the text that was parsed, bytes
  uint32_t length = 0;
  int depth = 1;
  std::string name;
  yaml::Value literal;
  std::vector<std::unique_ptr<ExpressionNode>> children;
  std::vector<std::string> argument_names;
};

struct SyntaxError {
  uint32_t offset = 0;
  uint32_t length = 1;
  std::string message;
};

// Parses the whole of `text`. Offsets of nodes and errors count from the beginning of `text`.
std::variant<std::unique_ptr<ExpressionNode>, SyntaxError> ParseExpression(absl::string_view text);

}  // namespace trustline::controller
