#include "trust/pem.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace trustline {
namespace {

constexpr size_t kLineLength = 64;

// The X of "-----BEGIN X-----", or empty.
absl::string_view LabelOf(absl::string_view line, absl::string_view marker) {
  if (!absl::ConsumePrefix(&line, marker) || !absl::ConsumeSuffix(&line, "-----")) return {};
  return line;
}

}  // namespace

bool PemBlock::IsPrivateKey() const { return absl::EndsWith(label, "PRIVATE KEY"); }

absl::StatusOr<std::vector<PemBlock>> ReadPemBlocks(absl::string_view text) {
  std::vector<PemBlock> blocks;
  PemBlock block;
  std::string base64;
  bool inside = false;
  size_t number = 0;
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");  // a byte order mark must not hide the first block
  const auto broken = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("PEM block ", blocks.size() + 1, " (line ", block.line, ") ", why));
  };
  for (absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(raw);  // pasted text is indented
    if (!inside) {
      if (!absl::StartsWith(line, "-----BEGIN")) {
        absl::StrAppend(&block.preamble, line, "\n");
        continue;
      }
      block.line = number;
      block.label = std::string(LabelOf(line, "-----BEGIN "));
      if (block.label.empty()) return broken("has a damaged BEGIN line");
      inside = true;
      base64.clear();
      continue;
    }
    if (absl::StartsWith(line, "-----")) {
      if (LabelOf(line, "-----END ") != block.label) {
        return broken(absl::StrCat("is not ended by -----END ", block.label, "-----"));
      }
      if (!block.IsPrivateKey() &&
          (base64.empty() || !absl::Base64Unescape(base64, &block.bytes))) {
        return broken("does not hold valid base64");
      }
      blocks.push_back(std::move(block));
      block = PemBlock();
      inside = false;
      continue;
    }
    if (!block.IsPrivateKey()) absl::StrAppend(&base64, line);
  }
  if (inside) return broken("is cut off: its END line is missing");
  return blocks;
}

std::string WritePemBlock(absl::string_view label, absl::string_view bytes) {
  const std::string base64 = absl::Base64Escape(bytes);
  std::string pem = absl::StrCat("-----BEGIN ", label, "-----\n");
  for (size_t at = 0; at < base64.size(); at += kLineLength) {
    absl::StrAppend(&pem, base64.substr(at, kLineLength), "\n");
  }
  absl::StrAppend(&pem, "-----END ", label, "-----\n");
  return pem;
}

}  // namespace trustline
