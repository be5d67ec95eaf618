#include "controller/render/gate_text.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace trustline::controller {
namespace {

std::string Phones(uint32_t count) {
  return absl::StrCat(GroupDigits(count), count == 1 ? " phone" : " phones");
}

struct Widths {
  size_t title = 0, phones = 0, holds = 0, node = 0;
};

Widths Measure(const v1::GateReport& report) {
  Widths widths;
  widths.title = report.unproven() > 0 ? std::string("unproven").size() : 0;
  widths.phones = Phones(report.unproven()).size();
  for (const v1::GateClass& row : report.classes()) {
    widths.title = std::max(widths.title, absl::StrCat("class ", row.number()).size());
    widths.phones = std::max(widths.phones, Phones(row.phones()).size());
    if (!row.decisions().empty()) widths.holds = std::max(widths.holds, row.holds().size());
    for (const v1::GateDecision& decision : row.decisions()) {
      widths.node = std::max(widths.node, decision.node().size());
    }
  }
  return widths;
}

std::string Lead(const Widths& widths, const std::string& title, const std::string& phones) {
  return absl::StrFormat("%-*s  %*s  ", static_cast<int>(widths.title), title,
                         static_cast<int>(widths.phones), phones);
}

}  // namespace

std::string GateTable(const v1::GateReport& report, const Style& style) {
  const Widths widths = Measure(report);
  std::string text;
  if (!report.judge().empty()) absl::StrAppend(&text, "judge     ", report.judge(), "\n");
  absl::StrAppend(&text, "evidence  ", report.evidence(), "\n");
  for (const v1::GateClass& row : report.classes()) {
    const std::string lead =
        Lead(widths, absl::StrCat("class ", row.number()), Phones(row.phones()));
    if (!row.excluded().empty()) {
      absl::StrAppend(&text, lead, row.holds(), row.holds().empty() ? "" : "  ", row.excluded(),
                      "\n");
      continue;
    }
    std::string before =
        absl::StrFormat("%s%-*s", lead, static_cast<int>(widths.holds), row.holds());
    const std::string blank(before.size(), ' ');
    for (const v1::GateDecision& decision : row.decisions()) {
      const std::string head =
          absl::StrFormat("%s  %s  %-*s ", before, decision.return_trip() ? "<-" : "->",
                          static_cast<int>(widths.node), decision.node());
      absl::StrAppend(&text, head,
                      style.Apply(decision.accepted() ? Paint::kGood : Paint::kBad,
                                  decision.accepted() ? "accept" : "LOCKED"),
                      decision.reason().empty() ? "" : "  ", decision.reason(), "\n");
      const std::string under(head.size() + std::string("accept  ").size(), ' ');
      for (const std::string& note : decision.notes()) {
        absl::StrAppend(&text, under, note, "\n");
      }
      for (const std::string& assumption : decision.assumptions()) {
        absl::StrAppend(&text, under, "assumed: ", assumption, "\n");
      }
      before = blank;
    }
  }
  if (report.unproven() > 0) {
    absl::StrAppend(&text, Lead(widths, "unproven", Phones(report.unproven())),
                    report.unproven_examples().empty()
                        ? "no evidence of their trust list"
                        : absl::StrJoin(report.unproven_examples(), ", "),
                    "\n");
  }
  for (const std::string& warning : report.warnings()) {
    absl::StrAppend(&text, style.Apply(Paint::kWarning, absl::StrCat("warning: ", warning)), "\n");
  }
  return text;
}

std::string GateRefusal(const v1::GateReport& report, const Style& style, bool overridden) {
  std::string text = absl::StrCat(
      style.Apply(Paint::kBad, "REFUSED"), "  ", absl::StrJoin(report.reasons(), ", "),
      overridden ? "; the gate is overridden: option 150 moves where its agents allow that.\n"
                 : "; option 150 was not changed.\n");
  std::set<std::string> said;
  for (const v1::GateClass& row : report.classes()) {
    for (const v1::GateDecision& decision : row.decisions()) {
      if (decision.accepted() || decision.next().empty() || !said.insert(decision.next()).second)
        continue;
      absl::StrAppend(&text, "Next: ", decision.next(), "\n");
    }
  }
  return text;
}

}  // namespace trustline::controller
