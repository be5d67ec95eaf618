// Colour, width and the small words every view shares.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "protos/trustline/v1/report.pb.h"

namespace trustline::controller {

enum class Paint { kPlain, kGood, kChanged, kBad, kWarning, kFaint };

struct Style {
  bool colour = false;
  int width = 80;  // columns banners are filled to

  std::string Apply(Paint paint, absl::string_view text) const;
};

// "auto", "always" or "never", with NO_COLOR, CLICOLOR_FORCE, TERM=dumb and COLUMNS honoured for
// `fd`.
Style StyleFor(int fd, const std::string& colour_flag);

Paint PaintOf(v1::Outcome outcome);

// "PLAY [name] ****" filled with stars to the width less one, at least three.
std::string Banner(absl::string_view title, const Style& style);

// Whole units, the largest that fits: "4 y", "12 d", "2 m", "43 s"; under a second "0 s".
std::string HumanDuration(absl::Duration duration);
// "2 m ago"; "never" for InfinitePast.
std::string HumanAgo(absl::Time when, absl::Time now);

// Columns left-aligned, two blanks apart, no trailing blanks. The first row is the heading.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows, bool headings = true);

// 1241 -> "1,241".
std::string GroupDigits(int64_t value);
// "1 node", "3 nodes".
std::string Count(int64_t value, absl::string_view singular, absl::string_view plural);

}  // namespace trustline::controller
