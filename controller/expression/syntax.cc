#include "controller/expression/syntax.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace trustline::controller {
namespace {

using Kind = ExpressionNode::Kind;
using NodePtr = std::unique_ptr<ExpressionNode>;

struct Token {
  enum class Kind { kEnd, kName, kInteger, kFloat, kString, kSymbol } kind = Kind::kEnd;
  uint32_t offset = 0;
  uint32_t length = 0;
  std::string text;  // name, symbol, or the content of a string
};

bool IsNameStart(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool IsNamePart(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// Recursive descent; the first error ends it.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  std::variant<NodePtr, SyntaxError> Parse() {
    Advance();
    NodePtr node;
    if (!error_ && token_.kind == Token::Kind::kEnd) Fail("an expression is missing here");
    if (!error_) node = ParseOr();
    if (!error_ && token_.kind != Token::Kind::kEnd) FailUnexpected();
    if (error_) return *std::move(error_);
    return node;
  }

 private:
  // Lexing.

  void Advance() {
    size_t i = position_;
    while (i < text_.size() && absl::ascii_isspace(text_[i])) ++i;
    token_ = Token();
    token_.offset = static_cast<uint32_t>(i);
    if (i >= text_.size()) {
      position_ = i;
      return;
    }
    const char c = text_[i];
    size_t end = i + 1;
    if (IsNameStart(c)) {
      while (end < text_.size() && IsNamePart(text_[end])) ++end;
      token_.kind = Token::Kind::kName;
    } else if (absl::ascii_isdigit(c)) {
      end = LexNumber(i);
    } else if (c == '\'' || c == '"') {
      end = LexString(i);
      position_ = end;
      return;
    } else {
      token_.kind = Token::Kind::kSymbol;
      static constexpr absl::string_view kTwo[] = {"==", "!=", "<=", ">="};
      for (absl::string_view two : kTwo) {
        if (text_.substr(i, 2) == two) end = i + 2;
      }
    }
    token_.length = static_cast<uint32_t>(end - i);
    token_.text = std::string(text_.substr(i, end - i));
    position_ = end;
  }

  size_t LexNumber(size_t begin) {
    size_t end = begin;
    token_.kind = Token::Kind::kInteger;
    while (end < text_.size() && absl::ascii_isdigit(text_[end])) ++end;
    if (end + 1 < text_.size() && text_[end] == '.' && absl::ascii_isdigit(text_[end + 1])) {
      token_.kind = Token::Kind::kFloat;
      ++end;
      while (end < text_.size() && absl::ascii_isdigit(text_[end])) ++end;
    }
    return end;
  }

  size_t LexString(size_t begin) {
    const char quote = text_[begin];
    token_.kind = Token::Kind::kString;
    size_t i = begin + 1;
    while (i < text_.size() && text_[i] != quote) {
      if (text_[i] == '\\' && i + 1 < text_.size()) {
        const char next = text_[++i];
        token_.text.push_back(next == 'n' ? '\n' : next == 't' ? '\t' : next);
      } else {
        token_.text.push_back(text_[i]);
      }
      ++i;
    }
    if (i >= text_.size()) {
      token_.length = static_cast<uint32_t>(text_.size() - begin);
      Fail("this string has no end");
      return i;
    }
    token_.length = static_cast<uint32_t>(i + 1 - begin);
    return i + 1;
  }

  // Errors.

  void FailAt(uint32_t offset, uint32_t length, std::string message) {
    if (!error_) error_ = SyntaxError{offset, length == 0 ? 1 : length, std::move(message)};
  }
  void Fail(std::string message) { FailAt(token_.offset, token_.length, std::move(message)); }
  void FailUnexpected() {
    if (token_.kind == Token::Kind::kEnd) return Fail("the expression ends too early");
    if (IsKeyword("is")) {
      return Fail("tests with \"is\" are not part of the language; use a comparison or default()");
    }
    if (IsKeyword("if"))
      return Fail("inline \"if\" is not part of the language; use default() or when");
    if (IsSymbol("-")) {
      return Fail(
          "unexpected \"-\"; write a name that has dashes in brackets, as in groups['a-b']");
    }
    if (IsSymbol("=")) return Fail("unexpected \"=\"; a comparison is \"==\"");
    Fail(absl::StrCat("unexpected ", Describe()));
  }
  std::string Describe() const {
    if (token_.kind == Token::Kind::kEnd) return "end of the expression";
    if (token_.kind == Token::Kind::kString) return "string";
    return absl::StrCat("\"", token_.text, "\"");
  }

  bool IsSymbol(absl::string_view symbol) const {
    return token_.kind == Token::Kind::kSymbol && token_.text == symbol;
  }
  bool IsKeyword(absl::string_view word) const {
    return token_.kind == Token::Kind::kName && token_.text == word;
  }
  bool Expect(absl::string_view symbol) {
    if (error_) return false;
    if (!IsSymbol(symbol)) {
      Fail(absl::StrCat("expected \"", symbol, "\", found ", Describe()));
      return false;
    }
    Advance();
    return !error_;
  }

  // Nodes.

  NodePtr Make(Kind kind, uint32_t offset) {
    if (++nodes_ > kMaxExpressionNodes) FailAt(offset, 1, "the expression is too long");
    auto node = std::make_unique<ExpressionNode>();
    node->kind = kind;
    node->offset = offset;
    return node;
  }
  void Adopt(ExpressionNode& node, NodePtr child) {
    if (child == nullptr) return;
    if (child->depth + 1 > node.depth) node.depth = child->depth + 1;
    if (node.depth > kMaxExpressionDepth)
      FailAt(node.offset, 1, "the expression is nested too deeply");
    node.children.push_back(std::move(child));
  }
  // Ends `node` where the token before the current one ended.
  NodePtr Close(NodePtr node, uint32_t end) {
    node->length = end > node->offset ? end - node->offset : 1;
    return node;
  }
  static uint32_t EndOf(const NodePtr& node) {
    return node == nullptr ? 0 : node->offset + node->length;
  }

  // Counts the recursion of the parser itself, which nested brackets and `not` drive.
  class Deeper {
   public:
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.recursion_ > kMaxExpressionDepth) {
        parser_.Fail("the expression is nested too deeply");
      }
    }
    ~Deeper() { --parser_.recursion_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Parser& parser_;
  };

  template <typename Next>
  NodePtr ParseChain(Kind kind, absl::string_view word, bool keyword, Next next) {
    NodePtr first = next();
    auto at = [&] { return keyword ? IsKeyword(word) : IsSymbol(word); };
    if (error_ || !at()) return first;
    NodePtr chain = Make(kind, first->offset);
    Adopt(*chain, std::move(first));
    while (!error_ && at()) {
      Advance();
      if (error_) break;
      NodePtr operand = next();
      if (error_) break;
      const uint32_t end = EndOf(operand);
      Adopt(*chain, std::move(operand));
      chain->length = end - chain->offset;
    }
    return chain;
  }

  NodePtr ParseOr() {
    Deeper deeper(*this);
    if (error_) return nullptr;
    return ParseChain(Kind::kOr, "or", true, [this] { return ParseAnd(); });
  }
  NodePtr ParseAnd() {
    return ParseChain(Kind::kAnd, "and", true, [this] { return ParseNot(); });
  }
  NodePtr ParseNot() {
    Deeper deeper(*this);
    if (error_) return nullptr;
    if (!IsKeyword("not")) return ParseCompare();
    NodePtr node = Make(Kind::kNot, token_.offset);
    Advance();
    if (error_) return nullptr;
    NodePtr operand = ParseNot();
    const uint32_t end = EndOf(operand);
    Adopt(*node, std::move(operand));
    return Close(std::move(node), end);
  }

  std::optional<Kind> TakeComparison() {
    static constexpr std::pair<absl::string_view, Kind> kOperators[] = {
        {"==", Kind::kEqual},     {"!=", Kind::kNotEqual}, {"<", Kind::kLess},
        {"<=", Kind::kLessEqual}, {">", Kind::kGreater},   {">=", Kind::kGreaterEqual}};
    for (const auto& [symbol, kind] : kOperators) {
      if (IsSymbol(symbol)) {
        Advance();
        return kind;
      }
    }
    if (IsKeyword("in")) {
      Advance();
      return Kind::kIn;
    }
    if (IsKeyword("not")) {
      Advance();
      if (!error_ && !IsKeyword("in")) Fail("expected \"in\" after \"not\"");
      if (!error_) Advance();
      return Kind::kNotIn;
    }
    return std::nullopt;
  }

  NodePtr ParseCompare() {
    NodePtr left = ParseSum();
    if (error_) return nullptr;
    std::optional<Kind> kind = TakeComparison();
    if (error_ || !kind) return left;
    NodePtr node = Make(*kind, left->offset);
    Adopt(*node, std::move(left));
    NodePtr right = ParseSum();
    if (error_) return nullptr;
    const uint32_t end = EndOf(right);
    Adopt(*node, std::move(right));
    const Token second = token_;
    if (!error_ && TakeComparison() && !error_) {
      FailAt(second.offset, second.length, "comparisons cannot be chained; join them with \"and\"");
    }
    return Close(std::move(node), end);
  }

  NodePtr ParseSum() {
    return ParseChain(Kind::kSum, "+", false, [this] { return ParseFiltered(); });
  }

  NodePtr ParseFiltered() {
    NodePtr node = ParsePath();
    while (!error_ && IsSymbol("|")) {
      Advance();
      if (error_) return nullptr;
      if (token_.kind != Token::Kind::kName) {
        Fail(absl::StrCat("expected a filter's name, found ", Describe()));
        return nullptr;
      }
      // The place of a filter in messages is its name, not what it filters.
      NodePtr filter = Make(Kind::kFilter, token_.offset);
      filter->name = token_.text;
      filter->length = token_.length;
      Adopt(*filter, std::move(node));
      Advance();
      if (!error_ && IsSymbol("(")) ParseArguments(*filter);
      node = std::move(filter);
    }
    return node;
  }

  void ParseArguments(ExpressionNode& filter) {
    Advance();
    while (!error_ && !IsSymbol(")")) {
      std::string name;
      if (token_.kind == Token::Kind::kName) {
        size_t i = position_;
        while (i < text_.size() && absl::ascii_isspace(text_[i])) ++i;
        if (i < text_.size() && text_[i] == '=' && text_.substr(i, 2) != "==") {
          name = token_.text;
          Advance();
          Advance();
        }
      }
      if (error_) return;
      NodePtr argument = ParseOr();
      if (error_) return;
      Adopt(filter, std::move(argument));
      filter.argument_names.push_back(std::move(name));
      if (IsSymbol(",")) {
        Advance();
      } else if (!IsSymbol(")")) {
        FailUnexpected();
      }
    }
    Expect(")");
  }

  NodePtr ParsePath() {
    NodePtr node = ParsePrimary();
    while (!error_ && (IsSymbol(".") || IsSymbol("["))) {
      const bool attribute = IsSymbol(".");
      NodePtr path = Make(attribute ? Kind::kAttribute : Kind::kIndex, node->offset);
      Adopt(*path, std::move(node));
      Advance();
      if (error_) return nullptr;
      uint32_t end = token_.offset + token_.length;
      if (attribute) {
        if (token_.kind != Token::Kind::kName) {
          Fail(absl::StrCat("expected a name after \".\", found ", Describe()));
          return nullptr;
        }
        path->name = token_.text;
        Advance();
      } else {
        NodePtr index = ParseOr();
        if (error_) return nullptr;
        Adopt(*path, std::move(index));
        if (IsSymbol(":")) {
          Fail("slices are not part of the language; host patterns know them: \"group[0:2]\"");
          return nullptr;
        }
        end = token_.offset + 1;
        if (!Expect("]")) return nullptr;
      }
      node = Close(std::move(path), end);
    }
    if (!error_ && IsSymbol("("))
      Fail("functions are not part of the language; filters are: \"x | length\"");
    return node;
  }

  NodePtr Literal(yaml::Value value) {
    NodePtr node = Make(Kind::kLiteral, token_.offset);
    node->literal = std::move(value);
    node->length = token_.length;
    Advance();
    return node;
  }

  NodePtr Number(bool negative, uint32_t offset) {
    const std::string text = absl::StrCat(negative ? "-" : "", token_.text);
    NodePtr node;
    if (token_.kind == Token::Kind::kInteger) {
      int64_t number = 0;
      if (!absl::SimpleAtoi(text, &number)) Fail("this number is too large");
      node = Literal(yaml::Value::Int(number, {}));
    } else {
      double number = 0;
      if (!absl::SimpleAtod(text, &number)) Fail("this number is too large");
      node = Literal(yaml::Value::Float(number, {}));
    }
    node->length += node->offset - offset;
    node->offset = offset;
    return node;
  }

  NodePtr ParsePrimary() {
    const uint32_t offset = token_.offset;
    switch (token_.kind) {
      case Token::Kind::kEnd:
        Fail("the expression ends too early");
        return nullptr;
      case Token::Kind::kInteger:
      case Token::Kind::kFloat:
        return Number(false, offset);
      case Token::Kind::kString:
        return Literal(yaml::Value::String(token_.text, {}));
      case Token::Kind::kName:
        return ParseName();
      case Token::Kind::kSymbol:
        break;
    }
    if (IsSymbol("-")) {
      Advance();
      if (!error_ && (token_.kind == Token::Kind::kInteger || token_.kind == Token::Kind::kFloat)) {
        return Number(true, offset);
      }
      Fail("\"-\" only stands before a number");
      return nullptr;
    }
    if (IsSymbol("(")) {
      Advance();
      if (error_) return nullptr;
      NodePtr inner = ParseOr();
      if (!Expect(")")) return nullptr;
      return inner;
    }
    if (IsSymbol("[")) return ParseList();
    if (IsSymbol("{")) {
      Fail("maps cannot be written in an expression; put the map into a variable");
      return nullptr;
    }
    FailUnexpected();
    return nullptr;
  }

  NodePtr ParseName() {
    const std::string& name = token_.text;
    if (name == "true" || name == "True") return Literal(yaml::Value::Bool(true, {}));
    if (name == "false" || name == "False") return Literal(yaml::Value::Bool(false, {}));
    if (name == "none" || name == "None" || name == "null") return Literal(yaml::Value::Null({}));
    if (name == "and" || name == "or" || name == "in" || name == "is" || name == "if" ||
        name == "else") {
      FailUnexpected();
      return nullptr;
    }
    NodePtr node = Make(Kind::kName, token_.offset);
    node->name = name;
    node->length = token_.length;
    Advance();
    return node;
  }

  NodePtr ParseList() {
    NodePtr node = Make(Kind::kList, token_.offset);
    Advance();
    while (!error_ && !IsSymbol("]")) {
      NodePtr item = ParseOr();
      if (error_) return nullptr;
      Adopt(*node, std::move(item));
      if (IsSymbol(",")) {
        Advance();
      } else if (!IsSymbol("]")) {
        FailUnexpected();
      }
    }
    const uint32_t end = token_.offset + 1;
    if (!Expect("]")) return nullptr;
    return Close(std::move(node), end);
  }

  absl::string_view text_;
  size_t position_ = 0;
  Token token_;
  std::optional<SyntaxError> error_;
  int nodes_ = 0;
  int recursion_ = 0;
};

}  // namespace

std::variant<std::unique_ptr<ExpressionNode>, SyntaxError> ParseExpression(absl::string_view text) {
  return Parser(text).Parse();
}

}  // namespace trustline::controller
