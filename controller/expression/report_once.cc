#include "controller/expression/report_once.h"

#include "absl/strings/str_cat.h"

namespace trustline::controller {

ReportOnce::ReportOnce(yaml::Diagnostics& diagnostics) : diagnostics_(diagnostics) {
  for (const yaml::Diagnostic& diagnostic : diagnostics.all()) IsNew(diagnostic);
}

bool ReportOnce::IsNew(const yaml::Diagnostic& diagnostic) {
  const yaml::Span& span = diagnostic.span;
  return said_
      .insert(absl::StrCat(span.file == nullptr ? "" : span.file->name, ":", span.line, ":",
                           span.column, ":", diagnostic.message))
      .second;
}

void ReportOnce::Take(const yaml::Diagnostics& found, const std::string& where) {
  const std::vector<yaml::Diagnostic>& all = found.all();
  for (size_t i = 0; i < all.size();) {
    const yaml::Diagnostic& head = all[i++];
    const bool is_new = IsNew(head);
    const bool error = head.severity == yaml::Severity::kError;
    if (is_new && error) diagnostics_.Error(head.span, head.message);
    if (is_new && !error) diagnostics_.Warning(head.span, head.message);
    for (; i < all.size() && all[i].severity == yaml::Severity::kNote; ++i) {
      if (is_new) diagnostics_.Note(all[i].span, all[i].message);
    }
    if (is_new && error && !where.empty()) diagnostics_.Note({}, where);
  }
}

}  // namespace trustline::controller
