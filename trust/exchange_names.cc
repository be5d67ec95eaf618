#include "trust/exchange_names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "trust/sha256.h"

namespace trustline {
namespace {

constexpr size_t kSequenceDigits = 8;
constexpr size_t kSetNameDigits = 16;
constexpr size_t kMaxNameBytes = 512;

bool IsPlain(absl::string_view text, size_t longest) {
  return !text.empty() && text.size() <= longest && absl::ascii_isalnum(text[0]) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
         });
}

std::string Digits(uint64_t sequence) { return absl::StrFormat("%08d", sequence); }

// Takes exactly eight digits off the front.
bool ConsumeSequence(absl::string_view* text, uint64_t* sequence) {
  const absl::string_view digits = text->substr(0, kSequenceDigits);
  if (digits.size() != kSequenceDigits ||
      !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, sequence)) {
    return false;
  }
  text->remove_prefix(kSequenceDigits);
  return true;
}

bool ConsumeSetName(absl::string_view* text) {
  const absl::string_view digits = text->substr(0, kSetNameDigits);
  if (digits.size() != kSetNameDigits ||
      !std::all_of(digits.begin(), digits.end(), [](unsigned char c) {
        return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
      })) {
    return false;
  }
  text->remove_prefix(kSetNameDigits);
  return true;
}

}  // namespace

absl::Status CheckExchangeName(absl::string_view exchange) {
  if (IsPlain(exchange, 64)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "exchange '", exchange, "' is not 1 to 64 letters, digits, '-', '_' or '.', starting with a ",
      "letter or digit"));
}

absl::Status CheckUnitName(absl::string_view unit) {
  if (IsPlain(unit, 64) && !absl::StrContains(unit, '.')) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("unit '", unit, "' cannot be part of a file name"));
}

absl::Status CheckExportNames(const ExpectedExport& who) {
  if (!IsPlain(who.cluster, 63)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster '", who.cluster, "' cannot be part of a file name"));
  }
  if (!IsPlain(who.node, 253)) {
    return absl::InvalidArgumentError(
        absl::StrCat("node '", who.node, "' cannot be part of a file name"));
  }
  return CheckUnitName(who.unit);
}

std::string SetName(const std::vector<std::string>& digests) {
  std::string all;
  for (const std::string& digest : digests) all += digest;
  return Sha256Hex(all).substr(0, kSetNameDigits);
}

std::string ManifestFile(const ExpectedExport& who, uint64_t sequence) {
  return absl::StrCat("manifests/", ManifestStem(who), ".", Digits(sequence), ".manifest");
}

std::string ExportObject(const ExpectedExport& who, uint64_t sequence, absl::string_view set_name) {
  return absl::StrCat("exports/", ManifestStem(who), ".", Digits(sequence), ".", set_name, ".p12");
}

std::string IndexFile(absl::string_view unit, uint64_t sequence) {
  return absl::StrCat("consolidated/consolidated.", unit, ".", Digits(sequence), ".index");
}

std::string ConsolidatedObject(absl::string_view unit, absl::string_view set_name,
                               std::optional<uint64_t> sequence, absl::string_view extension) {
  return absl::StrCat("consolidated/consolidated.", unit, ".", set_name,
                      sequence ? absl::StrCat(".", Digits(*sequence)) : "", ".", extension);
}

std::string ManifestStem(const ExpectedExport& who) {
  return absl::StrCat(who.cluster, ".", who.node, ".", who.unit);
}

std::optional<ManifestName> ParseManifestName(absl::string_view name) {
  if (!IsPlain(name, kMaxNameBytes) || !absl::ConsumeSuffix(&name, ".manifest") ||
      name.size() <= kSequenceDigits + 1) {
    return std::nullopt;
  }
  ManifestName parsed;
  absl::string_view digits = name.substr(name.size() - kSequenceDigits);
  if (!ConsumeSequence(&digits, &parsed.sequence)) return std::nullopt;
  name.remove_suffix(kSequenceDigits);
  if (!absl::ConsumeSuffix(&name, ".")) return std::nullopt;
  parsed.stem = std::string(name);
  return parsed;
}

std::optional<uint64_t> SequenceOfExportObject(absl::string_view name, const ExpectedExport& who) {
  uint64_t sequence = 0;
  if (absl::ConsumePrefix(&name, absl::StrCat(ManifestStem(who), ".")) &&
      ConsumeSequence(&name, &sequence) && absl::ConsumePrefix(&name, ".") &&
      ConsumeSetName(&name) && name == ".p12") {
    return sequence;
  }
  return std::nullopt;
}

std::optional<uint64_t> SequenceOfIndex(absl::string_view name, absl::string_view unit) {
  uint64_t sequence = 0;
  if (absl::ConsumePrefix(&name, absl::StrCat("consolidated.", unit, ".")) &&
      ConsumeSequence(&name, &sequence) && name == ".index") {
    return sequence;
  }
  return std::nullopt;
}

std::optional<uint64_t> SequenceOfConsolidatedObject(absl::string_view name,
                                                     absl::string_view unit) {
  uint64_t sequence = 0;
  if (absl::ConsumePrefix(&name, absl::StrCat("consolidated.", unit, ".")) &&
      ConsumeSetName(&name) && absl::ConsumePrefix(&name, ".") &&
      ConsumeSequence(&name, &sequence) && (name == ".p12" || name == ".pem")) {
    return sequence;
  }
  return std::nullopt;
}

std::string ListStem(absl::string_view cluster, absl::string_view node, absl::string_view list) {
  return absl::StrCat(cluster, node.empty() ? "" : ".", node, ".", list);
}

std::string ListManifestFile(absl::string_view stem, uint64_t sequence) {
  return absl::StrCat("lists/", stem, ".", Digits(sequence), ".manifest");
}

std::string ListObject(absl::string_view stem, uint64_t sequence, absl::string_view sha256) {
  return absl::StrCat("lists/", stem, ".", Digits(sequence), ".",
                      absl::BytesToHexString(sha256).substr(0, kSetNameDigits), ".tlv");
}

std::optional<uint64_t> SequenceOfListManifest(absl::string_view name, absl::string_view stem) {
  uint64_t sequence = 0;
  if (absl::ConsumePrefix(&name, absl::StrCat(stem, ".")) && ConsumeSequence(&name, &sequence) &&
      name == ".manifest") {
    return sequence;
  }
  return std::nullopt;
}

std::optional<uint64_t> SequenceOfListObject(absl::string_view name, absl::string_view stem) {
  uint64_t sequence = 0;
  if (absl::ConsumePrefix(&name, absl::StrCat(stem, ".")) && ConsumeSequence(&name, &sequence) &&
      absl::ConsumePrefix(&name, ".") && ConsumeSetName(&name) && name == ".tlv") {
    return sequence;
  }
  return std::nullopt;
}

}  // namespace trustline
