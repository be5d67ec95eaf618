#include "controller/render/yaml_output.h"

#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace trustline::controller {
namespace {

using Json = nlohmann::ordered_json;

// Whether a string stands for itself without quotes in every version of YAML: a word of letters
// that is none of the words for true, false, null and their kin, and no number.
bool IsPlain(const std::string& text) {
  if (text.empty() || text.size() > 200 || !absl::ascii_isalpha(text[0])) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains("_-./", std::string(1, c))) return false;
  }
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (absl::EqualsIgnoreCase(text, word)) return false;
  }
  return true;
}

// A JSON string is a double-quoted YAML string.
std::string Scalar(const Json& value) {
  if (value.is_string() && IsPlain(value.get_ref<const std::string&>())) return value;
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Key(const std::string& key) { return IsPlain(key) ? key : Scalar(Json(key)); }

void Append(const Json& value, const std::string& indent, std::string& out);

// What follows a key or a dash.
void AppendAfter(const Json& value, const std::string& indent, bool dash, std::string& out) {
  if (!value.is_structured()) {
    absl::StrAppend(&out, " ", Scalar(value), "\n");
  } else if (value.empty()) {
    absl::StrAppend(&out, value.is_array() ? " []\n" : " {}\n");
  } else if (dash) {
    // The first line goes behind the dash.
    std::string inner;
    Append(value, indent + "  ", inner);
    absl::StrAppend(&out, " ", absl::string_view(inner).substr(indent.size() + 2));
  } else {
    out += "\n";
    Append(value, indent + "  ", out);
  }
}

void Append(const Json& value, const std::string& indent, std::string& out) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      absl::StrAppend(&out, indent, Key(key), ":");
      AppendAfter(member, indent, /*dash=*/false, out);
    }
  } else {
    for (const Json& item : value) {
      absl::StrAppend(&out, indent, "-");
      AppendAfter(item, indent, /*dash=*/true, out);
    }
  }
}

}  // namespace

std::string YamlOfJson(const std::string& json) {
  std::istringstream in(json);
  std::string out;
  while (in >> std::ws && !in.eof()) {
    const Json document = [&] {
      Json parsed = Json::value_t::discarded;
      try {
        in >> parsed;
      } catch (const Json::parse_error&) {
        parsed = Json::value_t::discarded;
      }
      return parsed;
    }();
    if (document.is_discarded()) return json;
    if (!out.empty()) out += "---\n";
    if (document.is_structured() && !document.empty()) {
      Append(document, "", out);
    } else {
      absl::StrAppend(&out, Scalar(document), "\n");
    }
  }
  return out;
}

}  // namespace trustline::controller
