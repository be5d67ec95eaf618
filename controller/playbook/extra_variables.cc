#include "controller/playbook/extra_variables.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "controller/expression/templating.h"
#include "controller/inventory/inventory.h"
#include "protos/yaml/document.h"

namespace trustline::controller {
namespace {

using yaml::Span;
using yaml::Value;

constexpr char kPlace[] = "--extra-vars";

void Take(Value::Map& variables, Value::Member member, yaml::Diagnostics& diagnostics) {
  if (std::string why = WhyNotAVariableName(member.key); !why.empty()) {
    diagnostics.Error(member.key_span, why);
    return;
  }
  if (!CheckTemplates(member.value, diagnostics)) return;
  auto same = std::find_if(variables.begin(), variables.end(),
                           [&](const Value::Member& other) { return other.key == member.key; });
  if (same != variables.end()) {
    *same = std::move(member);
  } else {
    variables.push_back(std::move(member));
  }
}

void TakeMap(Value::Map& variables, const Value& map, yaml::Diagnostics& diagnostics) {
  if (map.is_null()) return;
  if (!map.is_map()) {
    diagnostics.Error(map.span(),
                      absl::StrCat("extra variables are a map, got ", yaml::TypeName(map.type())));
    return;
  }
  for (const Value::Member& member : map.map()) Take(variables, member, diagnostics);
}

// Words as a shell would cut them: blanks separate, quotes hold together.
void TakePairs(Value::Map& variables, const std::string& text, yaml::Diagnostics& diagnostics) {
  auto file = std::make_shared<yaml::SourceFile>();
  file->name = kPlace;
  file->text = text;
  size_t at = 0;
  while (at < text.size()) {
    if (absl::ascii_isspace(text[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    std::string word;
    char quote = 0;
    for (; at < text.size() && (quote != 0 || !absl::ascii_isspace(text[at])); ++at) {
      if (quote == 0 && (text[at] == '\'' || text[at] == '"')) {
        quote = text[at];
      } else if (quote != 0 && text[at] == quote) {
        quote = 0;
      } else {
        word.push_back(text[at]);
      }
    }
    const Span span{file, 1, static_cast<uint32_t>(begin + 1), static_cast<uint32_t>(at + 1)};
    const size_t equals = word.find('=');
    if (quote != 0 || equals == std::string::npos || equals == 0) {
      diagnostics.Error(span, quote != 0
                                  ? "this quote has no end"
                                  : "extra variables are name=value, a YAML or JSON map, or @file");
      continue;
    }
    Take(variables, {word.substr(0, equals), span, Value::String(word.substr(equals + 1), span)},
         diagnostics);
  }
}

}  // namespace

yaml::Value::Map ReadExtraVariables(const std::vector<std::string>& arguments,
                                    yaml::Diagnostics& diagnostics, bool& input_missing) {
  Value::Map variables;
  for (const std::string& argument : arguments) {
    const absl::string_view text = absl::StripLeadingAsciiWhitespace(argument);
    if (text.empty()) continue;
    if (text[0] == '@') {
      const std::string path(text.substr(1));
      std::error_code error;
      if (!std::filesystem::exists(path, error)) {
        diagnostics.Error({}, absl::StrCat(kPlace, " ", text, ": no such file"));
        input_missing = true;
        continue;
      }
      TakeMap(variables, yaml::LoadYaml(path, diagnostics), diagnostics);
    } else if (text[0] == '{' || text[0] == '[' ||
               (text.find(": ") != absl::string_view::npos &&
                text.find("=") == absl::string_view::npos)) {
      TakeMap(variables, yaml::ParseYaml(kPlace, argument, diagnostics), diagnostics);
    } else {
      TakePairs(variables, argument, diagnostics);
    }
  }
  return variables;
}

}  // namespace trustline::controller
