#include "trust/phone/evidence_csv.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "trust/dhcp_message.h"
#include "trust/phone/csv_table.h"

namespace trustline {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr size_t kMaxPhones = 1000000;
constexpr size_t kMaxProblems = 20;
constexpr size_t kMaxServers = 5;

std::vector<std::string> Words(const std::string& text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t;"), absl::SkipEmpty());
}

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

bool IsDevice(absl::string_view text) {
  return absl::StartsWith(text, "SEP") && text.size() == 15 && IsHex(text.substr(3));
}

std::string Shown(absl::string_view text) { return absl::Utf8SafeCHexEscape(text.substr(0, 60)); }

// Each returns what is wrong, or nothing.
std::string ReadList(const std::string& text, ListEvidence* list) {
  if (text.empty()) return "";
  if (text == "none") {
    list->none = true;
    return "";
  }
  if (absl::StrContains(text, '/') || absl::EndsWith(text, ".tlv")) {
    list->file = text;
    return "";
  }
  std::string digits;
  for (const char c : text)
    if (c != ' ' && c != ':') digits.push_back(c);
  if (!IsHex(digits) || (digits.size() != 40 && digits.size() != 32)) {
    return absl::StrCat("\"", Shown(text),
                        "\" is no SHA-1 or MD5 digest, no path of a .tlv file and not \"none\"");
  }
  list->digest = absl::AsciiStrToLower(digits);
  return "";
}

std::string ReadServers(const std::string& text, std::vector<std::string>* servers) {
  *servers = Words(text);
  if (servers->size() > kMaxServers) return absl::StrCat("more than ", kMaxServers, " servers");
  for (const std::string& server : *servers) {
    if (!ParseTvsAddress(server).ok()) return absl::StrCat("\"", Shown(server), "\" is no address");
  }
  return "";
}

std::string ReadTvs(const std::string& text, std::vector<TvsAddress>* servers) {
  std::vector<std::string> words;
  if (std::string wrong = ReadServers(text, &words); !wrong.empty()) return wrong;
  for (const std::string& word : words) servers->push_back(*ParseTvsAddress(word));
  return "";
}

std::string ReadAbilities(const std::string& text, PhoneAbilities* abilities) {
  for (const std::string& word : Words(text)) {
    if (word == "no-sbd") {
      abilities->security_by_default = false;
    } else if (word == "no-sha512") {
      abilities->sha512 = false;
    } else if (word == "no-ec") {
      abilities->elliptic_curves = false;
    } else {
      return absl::StrCat("\"", Shown(word), "\" is none of no-sbd, no-sha512, no-ec");
    }
  }
  return "";
}

struct Column {
  const char* name;
  std::function<std::string(const std::string&, PhoneEvidence*)> read;
  std::function<std::string(const PhoneEvidence&)> write;
};

std::string WriteList(const ListEvidence& list) {
  return list.none ? "none" : list.digest.empty() ? list.file : list.digest;
}

const std::vector<Column>& Columns() {
  using E = PhoneEvidence;
  static const std::vector<Column>& columns = *new std::vector<Column>{
      {"device",
       [](const std::string& text, E* e) {
         e->device = text;
         return IsDevice(text) ? ""
                               : absl::StrCat("\"", Shown(text),
                                              "\" is not SEP and a MAC "
                                              "address");
       },
       [](const E& e) { return e.device; }},
      {"mac",
       [](const std::string& text, E* e) {
         e->mac = CanonicalMac(text);
         return text.empty() || !e->mac.empty()
                    ? ""
                    : absl::StrCat("\"", Shown(text), "\" is no MAC address");
       },
       [](const E& e) { return e.mac; }},
      {"address",
       [](const std::string& text, E* e) {
         e->address = text;
         return text.empty() || ParseIpv4(text).ok()
                    ? ""
                    : absl::StrCat("\"", Shown(text), "\" is no IPv4 address");
       },
       [](const E& e) { return e.address; }},
      {"subnet",
       [](const std::string& text, E* e) {
         e->subnet = text;
         if (text.empty()) return std::string();
         return std::string(ParseIpv4Subnet(text).status().message());
       },
       [](const E& e) { return e.subnet; }},
      {"model",
       [](const std::string& text, E* e) {
         e->model = text;
         return std::string();
       },
       [](const E& e) { return e.model; }},
      {"itl", [](const std::string& text, E* e) { return ReadList(text, &e->itl); },
       [](const E& e) { return WriteList(e.itl); }},
      {"ctl", [](const std::string& text, E* e) { return ReadList(text, &e->ctl); },
       [](const E& e) { return WriteList(e.ctl); }},
      {"tvs", [](const std::string& text, E* e) { return ReadTvs(text, &e->tvs); },
       [](const E& e) {
         return absl::StrJoin(e.tvs, " ", [](std::string* out, const TvsAddress& server) {
           absl::StrAppend(out, server.port == kTvsPort ? server.host : server.Text());
         });
       }},
      {"tftp", [](const std::string& text, E* e) { return ReadServers(text, &e->tftp); },
       [](const E& e) { return absl::StrJoin(e.tftp, " "); }},
      {"alternate_tftp",
       [](const std::string& text, E* e) {
         if (absl::AsciiStrToLower(text) == "no") return std::string();
         return ReadServers(text, &e->alternate_tftp);
       },
       [](const E& e) { return absl::StrJoin(e.alternate_tftp, " "); }},
      {"abilities",
       [](const std::string& text, E* e) { return ReadAbilities(text, &e->abilities); },
       [](const E& e) {
         std::vector<std::string> words;
         if (!e.abilities.security_by_default) words.emplace_back("no-sbd");
         if (!e.abilities.sha512) words.emplace_back("no-sha512");
         if (!e.abilities.elliptic_curves) words.emplace_back("no-ec");
         return absl::StrJoin(words, " ");
       }},
      {"lsc_issuer",
       [](const std::string& text, E* e) {
         e->lsc_issuer = absl::AsciiStrToLower(text);
         return text.empty() || (text.size() == 64 && IsHex(text))
                    ? ""
                    : absl::StrCat("\"", Shown(text), "\" is no SHA-256 in hex");
       },
       [](const E& e) { return e.lsc_issuer; }},
      {"excluded",
       [](const std::string& text, E* e) {
         e->excluded = text;
         return std::string();
       },
       [](const E& e) { return e.excluded; }},
      {"read_at",
       [](const std::string& text, E* e) {
         std::string error;
         return text.empty() || absl::ParseTime(absl::RFC3339_full, text, &e->read_at, &error)
                    ? ""
                    : absl::StrCat("\"", Shown(text), "\" is no time: ", error);
       },
       [](const E& e) {
         return e.read_at == absl::InfinitePast()
                    ? std::string()
                    : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", e.read_at, absl::UTCTimeZone());
       }},
  };
  return columns;
}

size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string UnknownColumn(const std::string& name) {
  const Column* nearest = nullptr;
  size_t best = 3;
  for (const Column& column : Columns()) {
    const size_t distance = name.size() > 40 ? best : Distance(name, column.name);
    if (distance >= best) continue;
    best = distance;
    nearest = &column;
  }
  const std::string suggestion =
      nearest != nullptr
          ? absl::StrCat(" (did you mean \"", nearest->name, "\"?)")
          : absl::StrCat("; known: ",
                         absl::StrJoin(Columns(), ", ", [](std::string* out, const Column& column) {
                           absl::StrAppend(out, column.name);
                         }));
  return absl::StrCat("unknown column \"", Shown(name), "\"", suggestion);
}

std::vector<const Column*> ReadHeading(const std::vector<CsvCell>& cells,
                                       std::vector<CsvProblem>* problems) {
  std::vector<const Column*> heading;
  std::set<std::string> seen;
  for (const CsvCell& cell : cells) {
    const std::string name(absl::StripAsciiWhitespace(cell.text));
    const auto found = std::find_if(Columns().begin(), Columns().end(),
                                    [&name](const Column& column) { return name == column.name; });
    heading.push_back(found == Columns().end() ? nullptr : &*found);
    if (problems->size() == kMaxProblems) break;  // a file of another kind may have thousands
    if (found == Columns().end()) {
      problems->push_back({cell.line, cell.column, UnknownColumn(name)});
    } else if (!seen.insert(name).second) {
      problems->push_back({cell.line, cell.column, absl::StrCat("column \"", name, "\" twice")});
    }
  }
  if (seen.count("device") == 0 && problems->empty())
    problems->push_back({cells.empty() ? 1 : cells[0].line, 1, "there is no column \"device\""});
  return heading;
}

void ReadPhone(const std::vector<const Column*>& heading, const std::vector<CsvCell>& cells,
               std::map<std::string, size_t>* seen, EvidenceCsv* csv) {
  PhoneEvidence phone;
  if (cells.size() > heading.size()) {
    const CsvCell& first = cells[heading.size()];
    csv->problems.push_back({first.line, first.column,
                             absl::StrCat("more cells than the ", heading.size(), " columns")});
    return;
  }
  bool good = true;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string text(absl::StripAsciiWhitespace(cells[i].text));
    const std::string wrong = heading[i]->read(text, &phone);
    if (wrong.empty()) continue;
    if (csv->problems.size() == kMaxProblems) return;
    csv->problems.push_back({cells[i].line, cells[i].column, wrong});
    good = false;
  }
  if (!good) return;
  if (phone.device.empty()) {
    csv->problems.push_back({cells[0].line, 1, "this line names no device"});
    return;
  }
  const auto [first, is_new] = seen->emplace(phone.device, cells[0].line);
  if (!is_new) {
    csv->problems.push_back(
        {cells[0].line, 1,
         absl::StrCat(phone.device, " stands in line ", first->second, " already")});
    return;
  }
  if (phone.mac.empty()) phone.mac = CanonicalMac(phone.device.substr(3));
  csv->phones.push_back(std::move(phone));
}

}  // namespace

EvidenceCsv ParseEvidenceCsv(absl::string_view text) {
  EvidenceCsv csv;
  if (text.size() > kMaxBytes) {
    csv.problems.push_back({1, 1, "the file has more than 64 MiB"});
    return csv;
  }
  CsvReader reader(text);
  std::vector<CsvCell> cells;
  CsvProblem problem;
  if (!reader.Next(&cells, &problem)) {
    csv.problems.push_back({1, 1, "the file is empty; its first line names the columns"});
    return csv;
  }
  if (!problem.text.empty()) {
    csv.problems.push_back(problem);
    return csv;
  }
  const std::vector<const Column*> heading = ReadHeading(cells, &csv.problems);
  if (!csv.problems.empty()) return csv;
  std::map<std::string, size_t> seen;
  while (csv.problems.size() < kMaxProblems && reader.Next(&cells, &problem)) {
    if (!problem.text.empty()) {
      csv.problems.push_back(problem);
      continue;
    }
    if (csv.phones.size() == kMaxPhones) {
      csv.problems.push_back({cells[0].line, 1, "more than 1,000,000 phones"});
      break;
    }
    ReadPhone(heading, cells, &seen, &csv);
  }
  return csv;
}

std::string WriteEvidenceCsv(const std::vector<PhoneEvidence>& phones) {
  std::string text = absl::StrJoin(Columns(), ",", [](std::string* out, const Column& column) {
    absl::StrAppend(out, column.name);
  });
  absl::StrAppend(&text, "\n");
  for (const PhoneEvidence& phone : phones) {
    absl::StrAppend(&text,
                    absl::StrJoin(Columns(), ",",
                                  [&phone](std::string* out, const Column& column) {
                                    absl::StrAppend(out, CsvQuoted(column.write(phone)));
                                  }),
                    "\n");
  }
  return text;
}

}  // namespace trustline
