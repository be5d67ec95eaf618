#include "protos/yaml/document.h"

#include <sys/stat.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "protos/yaml/core_schema.h"
#include "protos/yaml/places.h"

namespace trustline::yaml {
namespace {

constexpr size_t kMaxBytes = 4 << 20;
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxAliasNodes = 100'000;
constexpr absl::string_view kCoreTag = "tag:yaml.org,2002:";

// Builds values from the events of one document. After an error it goes on, to find the next one.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Places& places, Diagnostics& diagnostics)
      : places_(places), diagnostics_(diagnostics) {}

  Value TakeRoot() { return std::move(root_.value); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (ignored_ > 0) return;
    const size_t offset = Offset(mark);
    const absl::string_view rest = places_.text().substr(places_.SkipProperties(offset));
    for (const absl::string_view word : {"~", "null", "Null", "NULL"}) {
      if (!absl::StartsWith(rest, word)) continue;
      if (AtKey()) return RefuseKey(places_.Scalar(offset, word), "null");
      return Emit({Value::Null(places_.Scalar(offset, word))}, anchor);
    }
    if (AtKey()) return RefuseKey(places_.At(offset, offset + 1), "nothing");
    const bool member = !frames_.empty() && frames_.back().is_map;
    if (!member && absl::StartsWith(rest, ",")) {
      diagnostics_.Error(places_.At(offset, offset + 1),
                         "a list item is missing before this comma");
    }
    Emit({Value::Null(member ? frames_.back().key_span : places_.MissingValue(offset))}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (ignored_ > 0) return;
    const size_t offset = Offset(mark);
    size_t end = offset + 1;
    while (end < places_.text().size() && !absl::ascii_isspace(places_.text()[end]) &&
           !absl::StrContains(",[]{}", places_.text().substr(end, 1))) {
      ++end;
    }
    const Span span = places_.At(offset, end);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      for (const Frame& frame : frames_) {
        if (frame.anchor == anchor) {
          diagnostics_.Error(span, "alias refers to the value that contains it");
        }
      }
      return EmitOrRefuseKey({Value::Null(span)}, span);
    }
    const Node& node = found->second;
    alias_nodes_ += node.nodes;
    if (alias_nodes_ > kMaxAliasNodes || frames_.size() + node.height > kMaxDepth) {
      if (!alias_refused_) {
        diagnostics_.Error(span, alias_nodes_ > kMaxAliasNodes
                                     ? absl::StrFormat("aliases of this file expand to more than "
                                                       "%d values",
                                                       kMaxAliasNodes)
                                     : TooDeep());
      }
      alias_refused_ = true;
      return EmitOrRefuseKey({Value::Null(span)}, span);
    }
    EmitOrRefuseKey({node.value.WithSpan(span), node.nodes, node.height}, span);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (ignored_ > 0) return;
    const Span span = places_.Scalar(Offset(mark), value);
    if (places_.CutOff(Offset(mark))) {
      diagnostics_.Error(span, "this quoted string has no end");
    }
    if (AtKey()) {
      Value key = Resolve(tag, value, span, /*key=*/true);
      if (!key.is_string()) {
        if (!key.is_null() || tag == "?") RefuseKey(span, value);
        frames_.back().key_pending = true;  // an unknown tag has been reported
        return;
      }
      if (anchor != 0) anchors_[anchor] = {key};
      if (frames_.back().block && !places_.KeyHasColon(Offset(mark), value)) {
        diagnostics_.Error(span, absl::StrCat("expected \":\" after \"", value, "\""));
      }
      return TakeKey(key.text(), span, key.plain());
    }
    Emit({Resolve(tag, value, span, /*key=*/false)}, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    Open(mark, tag, anchor, /*is_map=*/false, style);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    Open(mark, tag, anchor, /*is_map=*/true, style);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Node {
    Value value;
    size_t nodes = 1;   // with everything below, aliases expanded
    size_t height = 0;  // levels of collections
  };
  struct Frame {
    bool is_map = false;
    bool block = false;  // written without brackets
    Span span;
    YAML::anchor_t anchor = 0;
    size_t nodes = 1, height = 1;
    Value::List items;
    Value::Map members;
    std::map<std::string, Span> seen;
    bool key_pending = false;        // a key stands, its value comes next
    std::optional<std::string> key;  // empty while pending: the member is dropped
    Span key_span;
  };

  size_t Offset(const YAML::Mark& mark) const {
    if (mark.pos < 0) return places_.text().size();
    return std::min(static_cast<size_t>(mark.pos), places_.text().size());
  }

  static std::string TooDeep() {
    return absl::StrFormat("values are nested deeper than %d levels", kMaxDepth);
  }

  bool AtKey() const {
    return !frames_.empty() && frames_.back().is_map && !frames_.back().key_pending;
  }

  void RefuseKey(const Span& span, absl::string_view text) {
    diagnostics_.Error(span, absl::StrCat("key ", text, " is not a string; quote it"));
    frames_.back().key_pending = true;
    frames_.back().key.reset();
    frames_.back().key_span = span;
  }

  void TakeKey(const std::string& key, const Span& span, bool plain) {
    Frame& frame = frames_.back();
    frame.key_pending = true;
    frame.key.reset();
    frame.key_span = span;
    if (plain && key == "<<") {
      diagnostics_.Error(
          span, "merge keys (<<) are not part of YAML 1.2; write the keys out or use a variable");
      return;
    }
    const auto [known, fresh] = frame.seen.emplace(key, span);
    if (!fresh) {
      diagnostics_.Error(span, absl::StrCat("key \"", key, "\" is given twice in one map"));
      diagnostics_.Note(known->second, "the first one is here");
      return;
    }
    frame.key = key;
  }

  void EmitOrRefuseKey(Node node, const Span& span) {
    if (!AtKey()) return Emit(std::move(node), 0);
    if (!node.value.is_string()) return RefuseKey(span, "by alias");
    TakeKey(node.value.text(), span, /*plain=*/false);
  }

  void Emit(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    frame.nodes += node.nodes;
    frame.height = std::max(frame.height, node.height + 1);
    if (!frame.is_map) {
      frame.items.push_back(std::move(node.value));
      return;
    }
    if (frame.key.has_value()) {
      frame.members.push_back({*std::move(frame.key), frame.key_span, std::move(node.value)});
    }
    frame.key.reset();
    frame.key_pending = false;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, bool is_map,
            YAML::EmitterStyle::value style) {
    if (ignored_ > 0) {
      ++ignored_;
      return;
    }
    const size_t offset = Offset(mark);
    const Span span = places_.At(offset, offset + 1);
    if (AtKey()) {
      const bool bare_template = is_map && offset > 0 && places_.text()[offset] == '{' &&
                                 places_.text()[offset - 1] == '{';
      // Said when it closes: an unclosed bracket also looks like a key, and has an error of its
      // own.
      refused_key_ = {Severity::kError, bare_template ? places_.At(offset - 1, offset + 1) : span,
                      bare_template ? "a value that begins with {{ must be quoted: \"{{ ... }}\""
                                    : "a key must be a string, not a list or a map"};
      frames_.back().key_pending = true;
      frames_.back().key.reset();
      frames_.back().key_span = span;
      ignored_ = 1;
      return;
    }
    if (frames_.size() == kMaxDepth) {
      diagnostics_.Error(span, TooDeep());
      ignored_ = 1;
      return;
    }
    const size_t content = places_.SkipProperties(offset);
    if (tag != "?" && tag != "!" && tag != absl::StrCat(kCoreTag, is_map ? "map" : "seq")) {
      RefuseTag(tag, places_.At(offset, std::max(offset + 1, content)),
                is_map ? "a map" : "a list");
    }
    Frame frame;
    frame.is_map = is_map;
    frame.block = style == YAML::EmitterStyle::Block;
    frame.span = span;
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void Close() {
    if (ignored_ > 0) {
      if (--ignored_ > 0) return;
      if (!refused_key_.has_value()) return Emit({Value()}, 0);
      diagnostics_.Error(refused_key_->span, refused_key_->message);
      refused_key_.reset();
      return;
    }
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Value value = frame.is_map ? Value::FromMap(std::move(frame.members), frame.span)
                               : Value::FromList(std::move(frame.items), frame.span);
    Emit({std::move(value), frame.nodes, frame.height}, frame.anchor);
  }

  void RefuseTag(absl::string_view tag, const Span& span, absl::string_view what) {
    if (tag == "!env" || tag == "!file") {
      diagnostics_.Error(
          span, absl::StrCat(tag, " takes a ", tag == "!env" ? "name" : "path", ", not ", what));
    } else if (tag == "!vault") {
      diagnostics_.Error(
          span, "unsupported: !vault, ansible-vault is not read yet; use !env NAME or !file PATH");
    } else if (absl::ConsumePrefix(&tag, kCoreTag)) {
      diagnostics_.Error(span, absl::StrCat("tag !!", tag, " does not fit ", what));
    } else {
      diagnostics_.Error(span,
                         absl::StrCat("unknown tag ", tag, DidYouMeanSuffix(tag, {"!env", "!file"}),
                                      "; known are !env NAME and !file PATH"));
    }
  }

  Value Resolve(const std::string& tag, const std::string& text, const Span& span, bool key) {
    if (tag == "!") return Value::String(text, span);
    if (tag == "?") return ResolveUntagged(text, span, key);
    if (key && (tag == "!env" || tag == "!file")) {
      diagnostics_.Error(span, "a key cannot be a secret");
      return Value::Null(span);
    }
    if (tag == "!env") return Environment(text, span);
    if (tag == "!file") {
      if (text.empty()) diagnostics_.Error(span, "!file takes a path");
      return Value::Secret(absl::StrCat("file:", text), span);
    }
    absl::string_view core = tag;
    if (!absl::ConsumePrefix(&core, kCoreTag)) {
      RefuseTag(tag, span, "a scalar");
      return Value::Null(span);
    }
    if (core == "str") return Value::String(text, span);
    const PlainScalar plain = ResolvePlain(text);
    if (!plain.problem.empty()) {
      diagnostics_.Error(span, plain.problem);
    } else if (core == "null" && plain.type == Type::kNull) {
      return Value::Null(span);
    } else if (core == "bool" && plain.type == Type::kBool) {
      return Value::Bool(plain.bool_value, span);
    } else if (core == "int" && plain.type == Type::kInt) {
      return Value::Int(plain.int_value, span);
    } else if (core == "float" && plain.type == Type::kFloat) {
      return Value::Float(plain.float_value, span);
    } else if (core == "float" && plain.type == Type::kInt) {
      return Value::Float(static_cast<double>(plain.int_value), span);
    } else {
      RefuseTag(tag, span, absl::StrCat("\"", text, "\""));
    }
    return Value::Null(span);
  }

  Value ResolveUntagged(const std::string& text, const Span& span, bool key) {
    const PlainScalar plain = ResolvePlain(text);
    if (!plain.problem.empty()) {
      diagnostics_.Error(span, plain.problem);
      return Value::String(text, span, /*plain=*/true);
    }
    if (plain.looks_like_boolean && !key) {
      diagnostics_.Warning(
          span, absl::StrCat(text, " is a string in YAML 1.2; write true or false, or quote it"));
    }
    switch (plain.type) {
      case Type::kNull:
        return Value::Null(span);
      case Type::kBool:
        return Value::Bool(plain.bool_value, span);
      case Type::kInt:
        return Value::Int(plain.int_value, span);
      case Type::kFloat:
        return Value::Float(plain.float_value, span);
      default:
        return Value::String(text, span, /*plain=*/true);
    }
  }

  Value Environment(const std::string& name, const Span& span) {
    bool valid = !name.empty() && !absl::ascii_isdigit(name[0]);
    for (const char c : name) valid = valid && (absl::ascii_isalnum(c) || c == '_');
    if (!valid) {
      diagnostics_.Error(span,
                         "!env takes the name of an environment variable: letters, digits and _");
    }
    return Value::Secret(absl::StrCat("env:", name), span);
  }

  const Places& places_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Node> anchors_;
  Node root_;
  size_t alias_nodes_ = 0;
  bool alias_refused_ = false;
  size_t ignored_ = 0;                     // levels of a collection that is read over
  std::optional<Diagnostic> refused_key_;  // why, where that collection stands for a key
};

// The parser's words, said so that a reader of the file knows what to do.
std::string Explain(absl::string_view words) {
  static constexpr std::pair<absl::string_view, absl::string_view> kBetter[] = {
      {"illegal map value", "a second \": \" in one line; quote the value if it is text"},
      {"end of map not found", "expected a key here; check the indentation and the quotes before"},
      {"end of sequence not found",
       "expected \"- \" here; check the indentation and the quotes before"},
      {"end of map flow not found", "expected \",\" or \"}\" here"},
      {"end of sequence flow not found", "expected \",\" or \"]\" here"},
      {"illegal tab when looking for indentation", "indentation must be spaces, not tabs"},
      {"illegal EOF in scalar", "this quoted string has no end"},
      {"unknown token", "unexpected character; quote the value if it is text"},
      {"illegal flow end", "this bracket closes nothing"},
      {"illegal block entry", "a list item is not allowed here; check the indentation"},
      {"illegal map key", "a key is not allowed here; check the indentation"},
      {"bad file", "values are nested too deeply"},
      {"the referenced anchor is not defined", "alias to an anchor that is not defined"},
  };
  for (const auto& [theirs, ours] : kBetter) {
    if (absl::StartsWith(words, theirs)) return std::string(ours);
  }
  return std::string(words);
}

// Hands the events of the one document to `builder`. False after an error of syntax.
bool Parse(const std::string& text, const Places& places, Builder& builder,
           Diagnostics& diagnostics) {
  // Sees whether anything comes after the document, and builds nothing.
  class Rest : public YAML::EventHandler {
   public:
    void OnDocumentStart(const YAML::Mark& mark) override { at = mark; }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
    YAML::Mark at;
  };

  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return true;
    Rest rest;
    if (!parser.HandleNextDocument(rest)) return true;
    const auto offset = static_cast<size_t>(std::max(rest.at.pos, 0));
    const bool marked =
        absl::StartsWith(places.text().substr(std::min(offset, text.size())), "---");
    diagnostics.Error(places.At(offset, offset + (marked ? 3 : 1)),
                      marked ? "a second document begins here; a file holds one"
                             : "unexpected content after the document; check the indentation");
  } catch (const YAML::Exception& error) {
    const auto offset =
        error.mark.is_null() ? text.size() : static_cast<size_t>(std::max(error.mark.pos, 0));
    const Span span = places.At(offset, offset + 1);
    diagnostics.Error(span, Explain(error.msg));
    const absl::string_view line =
        places.text().substr(std::min(offset - (span.column - 1), text.size()));
    if (absl::StrContains(line.substr(0, line.find('\n')), ": {{") ||
        absl::StrContains(line.substr(0, line.find('\n')), "- {{")) {
      diagnostics.Note(span, "a value that begins with {{ must be quoted: \"{{ ... }}\"");
    }
  } catch (const std::exception& error) {
    diagnostics.Error(places.At(0), absl::StrCat("cannot parse: ", error.what()));
  }
  return false;
}

}  // namespace

Value ParseYaml(std::string file_name, std::string text, Diagnostics& diagnostics) {
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) text.erase(0, 3);
  auto file = std::make_shared<SourceFile>();
  file->name = std::move(file_name);
  if (text.size() > kMaxBytes) {
    Span span;
    span.file = file;
    diagnostics.Error(span, absl::StrFormat("file is larger than %d MiB", kMaxBytes >> 20));
    return Value();
  }
  file->text = std::move(text);
  const Places places(file);
  const size_t unreadable = FindUnreadableByte(file->text);
  if (unreadable != absl::string_view::npos) {
    const auto byte = static_cast<unsigned char>(file->text[unreadable]);
    diagnostics.Error(places.At(unreadable, unreadable + 1),
                      byte < 0x80
                          ? absl::StrFormat("control character 0x%02x is not allowed in YAML", byte)
                          : absl::StrFormat("byte 0x%02x is not valid UTF-8 here", byte));
    return Value();
  }
  const int errors = diagnostics.errors();
  Builder builder(places, diagnostics);
  if (!Parse(file->text, places, builder, diagnostics) || diagnostics.errors() > errors) {
    return Value();
  }
  return builder.TakeRoot();
}

Value LoadYaml(const std::string& path, Diagnostics& diagnostics) {
  const auto refuse = [&](absl::string_view why) {
    diagnostics.Error(Span(), absl::StrCat("cannot read ", path, ": ", why));
    return Value();
  };
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return refuse(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return refuse("not a regular file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return refuse(std::strerror(errno));
  // One byte over the limit is enough to be refused for size.
  std::string text(kMaxBytes + 4, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return refuse(std::strerror(errno));
  text.resize(static_cast<size_t>(stream.gcount()));
  return ParseYaml(path, std::move(text), diagnostics);
}

}  // namespace trustline::yaml
