#include "trust/tvs/tvs_address.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace trustline {
namespace {

constexpr size_t kMaxHostBytes = 253;

absl::Status Wrong(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("'", absl::CHexEscape(text),
                                                 "' is no HOST or HOST:PORT (an IPv6 address "
                                                 "with a port stands in brackets)"));
}

}  // namespace

std::string TvsAddress::Text() const {
  const bool colons = host.find(':') != std::string::npos;
  return absl::StrCat(colons ? "[" : "", host, colons ? "]" : "", ":", port);
}

absl::StatusOr<TvsAddress> ParseTvsAddress(absl::string_view text) {
  TvsAddress address;
  absl::string_view host = text;
  absl::string_view port;
  if (!text.empty() && text.front() == '[') {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return Wrong(text);
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (host.find(':') == absl::string_view::npos) return Wrong(text);
    if (!port.empty() && port.front() != ':') return Wrong(text);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':'));
  }
  const bool plain =
      !host.empty() && host.size() <= kMaxHostBytes && host.front() != '-' &&
      std::all_of(host.begin(), host.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
      });
  if (!plain) return Wrong(text);
  address.host = std::string(host);
  if (port.empty()) return address;
  int number = 0;
  if (!absl::SimpleAtoi(port.substr(1), &number) || number < 1 || number > 65535) {
    return Wrong(text);
  }
  address.port = static_cast<uint16_t>(number);
  return address;
}

}  // namespace trustline
