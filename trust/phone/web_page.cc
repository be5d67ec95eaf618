#include "trust/phone/web_page.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trust/dhcp_message.h"

namespace trustline {
namespace {

constexpr size_t kMaxBytes = 256 << 10;
constexpr size_t kMaxCellText = 512;

// The text of an entity ("amp", "#x2D"); empty for one that is not known here.
std::string EntityText(absl::string_view name) {
  static const std::map<absl::string_view, absl::string_view>& named =
      *new std::map<absl::string_view, absl::string_view>{
          {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}};
  if (const auto found = named.find(name); found != named.end()) return std::string(found->second);
  if (!absl::ConsumePrefix(&name, "#")) return "";
  uint32_t code = 0;
  const bool hex = absl::ConsumePrefix(&name, "x") || absl::ConsumePrefix(&name, "X");
  if (hex ? !absl::SimpleHexAtoi(name, &code) : !absl::SimpleAtoi(name, &code)) return "";
  if (code < 0x20 || code > 0x7e) return " ";
  return std::string(1, static_cast<char>(code));
}

std::string WithoutEntities(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t amp = text.find('&');
    absl::string_view before = text.substr(0, amp);
    out.append(before.data(), before.size());
    if (amp == absl::string_view::npos) break;
    text.remove_prefix(amp + 1);
    const size_t end = text.substr(0, 10).find(';');
    const std::string entity =
        end == absl::string_view::npos ? std::string() : EntityText(text.substr(0, end));
    if (entity.empty()) {
      out.push_back('&');
      continue;
    }
    out += entity;
    text.remove_prefix(end + 1);
  }
  absl::RemoveExtraAsciiWhitespace(&out);
  return out;
}

// The texts of the innermost table cells, row by row: a new cell or row drops what an outer one has
// gathered.
std::vector<std::vector<std::string>> Rows(absl::string_view html) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> cells;
  std::string text;
  bool in_cell = false;
  auto end_cell = [&] {
    if (in_cell) cells.push_back(WithoutEntities(text));
    in_cell = false;
    text.clear();
  };
  auto end_row = [&] {
    end_cell();
    if (!cells.empty()) rows.push_back(std::move(cells));
    cells.clear();
  };
  size_t at = 0;
  while (at < html.size()) {
    if (html[at] != '<') {
      if (in_cell && text.size() < kMaxCellText) text.push_back(html[at]);
      ++at;
      continue;
    }
    const size_t end = html.find('>', at);
    if (end == absl::string_view::npos) break;
    absl::string_view tag = html.substr(at + 1, end - at - 1);
    at = end + 1;
    const bool closing = absl::ConsumePrefix(&tag, "/");
    const std::string name = absl::AsciiStrToLower(tag.substr(0, tag.find_first_of(" \t\r\n/")));
    if (name == "tr" || name == "table") {
      if (!closing) cells.clear();
      if (!closing) in_cell = false;
      end_row();
    } else if (name == "td" || name == "th") {
      end_cell();
      in_cell = !closing;
    }
  }
  end_row();
  return rows;
}

// "CUCM server1", "Unified CM 1" and "CallManager 1" alike.
std::string Label(const std::string& cell) {
  std::string label;
  for (const char c : cell) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)))
      label.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return label;
}

int GroupPlace(const std::string& label) {
  for (const absl::string_view prefix : {"cucmserver", "unifiedcm", "callmanager"}) {
    absl::string_view rest = label;
    int place = 0;
    if (absl::ConsumePrefix(&rest, prefix) && absl::SimpleAtoi(rest, &place) && place >= 1 &&
        place <= 5) {
      return place;
    }
  }
  return 0;
}

std::string FirstWord(const std::string& text) { return text.substr(0, text.find(' ')); }
bool IsYes(const std::string& text) { return absl::AsciiStrToLower(text) == "yes"; }

std::string DigestIn(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == ':') continue;
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return "";
    digits.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return digits.size() == 40 || digits.size() == 32 ? digits : "";
}

void ReadList(const std::map<std::string, std::string>& values, const std::string& name,
              ListEvidence* list) {
  const auto file = values.find(name + "file");
  if (file == values.end()) return;
  if (absl::AsciiStrToLower(file->second) == "not installed") {
    list->none = true;
    return;
  }
  // Some firmware shows the digest in the line of the file itself.
  const auto signature = values.find(name + "signature");
  list->digest = DigestIn(signature == values.end() ? file->second : signature->second);
}

std::string SubnetOf(const std::string& address, const std::string& mask) {
  const absl::StatusOr<uint32_t> host = ParseIpv4(address), bits = ParseIpv4(mask);
  if (!host.ok() || !bits.ok()) return "";
  const uint32_t inverse = ~*bits;
  if ((inverse & (inverse + 1)) != 0) return "";
  int prefix = 0;
  for (uint32_t rest = *bits; rest != 0; rest <<= 1) ++prefix;
  return absl::StrCat(FormatIpv4(*host & *bits), "/", prefix);
}

std::string ModelIn(absl::string_view html) {
  const size_t at = html.find("CP-");
  if (at == absl::string_view::npos) return "";
  size_t end = at + 3;
  while (end < html.size() && end < at + 16 &&
         absl::ascii_isalnum(static_cast<unsigned char>(html[end]))) {
    ++end;
  }
  return std::string(html.substr(at, end - at));
}

}  // namespace

absl::StatusOr<PhoneEvidence> ParsePhoneWebPage(absl::string_view html) {
  if (html.size() > kMaxBytes) return absl::InvalidArgumentError("the page is over 256 KiB");
  std::map<std::string, std::string> values;
  std::map<int, std::string> group;
  for (const std::vector<std::string>& row : Rows(html)) {
    if (row.size() < 2) continue;
    const std::string label = Label(row.front());
    // The first counts: entries of the lists ("TVS", "TFTP server") come after the settings.
    values.emplace(label, row.back());
    const int place = GroupPlace(label);
    if (place > 0 && !row.back().empty()) group.emplace(place, FirstWord(row.back()));
  }
  auto value = [&values](const std::string& label) {
    const auto found = values.find(label);
    return found == values.end() ? std::string() : found->second;
  };
  PhoneEvidence phone;
  phone.device = absl::AsciiStrToUpper(value("hostname"));
  phone.mac = CanonicalMac(value("macaddress"));
  if (!absl::StartsWith(phone.device, "SEP") && !phone.mac.empty())
    phone.device = absl::StrCat("SEP", absl::AsciiStrToUpper(Label(value("macaddress"))));
  const std::string dhcp = values.count("dhcp") > 0 ? value("dhcp") : value("dhcpenabled");
  if (phone.device.size() != 15 || !absl::StartsWith(phone.device, "SEP") ||
      CanonicalMac(phone.device.substr(3)).empty() || values.count("alternatetftp") == 0) {
    return absl::InvalidArgumentError(
        "this is not a phone's page \"Network configuration\": it names no host SEP... or says "
        "nothing of an alternate TFTP");
  }
  if (phone.mac.empty()) phone.mac = CanonicalMac(phone.device.substr(3));
  phone.model = ModelIn(html);
  phone.address = value("ipaddress");
  if (!ParseIpv4(phone.address).ok()) phone.address.clear();
  phone.subnet = SubnetOf(phone.address, value("subnetmask"));
  ReadList(values, "itl", &phone.itl);
  ReadList(values, "ctl", &phone.ctl);
  for (const auto& [place, host] : group) {
    const absl::StatusOr<TvsAddress> server = ParseTvsAddress(host);
    if (server.ok()) phone.tvs.push_back(*server);
  }
  for (const char* label : {"tftpserver1", "tftpserver2"}) {
    const std::string server = value(label);
    if (!server.empty() && ParseTvsAddress(server).ok()) phone.tftp.push_back(server);
  }
  if (IsYes(value("alternatetftp"))) phone.alternate_tftp = phone.tftp;
  if (!dhcp.empty() && !IsYes(dhcp)) phone.excluded = "static IP address: DHCP cannot move it";
  return phone;
}

}  // namespace trustline
