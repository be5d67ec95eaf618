#include "controller/phone_evidence.h"

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "controller/input_file.h"
#include "trust/phone/evidence_csv.h"
#include "trust/phone/file_download.h"
#include "trust/rsa_signature.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr size_t kMaxCsvBytes = size_t{64} << 20;

std::string Beside(const std::string& csv, const std::string& file) {
  if (file.empty() || file[0] == '/') return file;
  const size_t slash = csv.rfind('/');
  return slash == std::string::npos ? file : absl::StrCat(csv.substr(0, slash + 1), file);
}

// Lists that are files become known by their digest; each file is read once.
absl::Status ReadListFile(const std::string& csv, std::map<std::string, std::string>* digests,
                          ListLibrary* library, ListEvidence* list) {
  if (list->file.empty()) return absl::OkStatus();
  std::string& digest = (*digests)[list->file];
  if (digest.empty()) {
    TL_ASSIGN_OR_RETURN(const std::string bytes,
                        ReadInputFile(Beside(csv, list->file), kMaxPhoneFileBytes));
    library->Add(bytes, list->file);
    digest = absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
  }
  list->digest = digest;
  return absl::OkStatus();
}

}  // namespace

std::string RenderCsvProblems(const std::string& path, const std::string& text,
                              const std::vector<CsvProblem>& problems) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  std::string out;
  for (const CsvProblem& problem : problems) {
    absl::StrAppendFormat(&out, "%s:%d:%d: error: %s\n", path, problem.line, problem.column,
                          problem.text);
    if (problem.line == 0 || problem.line > lines.size()) continue;
    const std::string line =
        absl::Utf8SafeCHexEscape(absl::StripTrailingAsciiWhitespace(lines[problem.line - 1]));
    // Of a long line the part before the place says enough.
    if (line.size() > 160 || problem.column > line.size() + 1) continue;
    absl::StrAppendFormat(&out, "%5d | %s\n      | %s^\n", problem.line, line,
                          std::string(problem.column - 1, ' '));
  }
  return out;
}

absl::StatusOr<LoadedEvidence> LoadEvidence(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const std::string text, ReadInputFile(path, kMaxCsvBytes));
  EvidenceCsv csv = ParseEvidenceCsv(text);
  LoadedEvidence loaded;
  loaded.diagnostics = RenderCsvProblems(path, text, csv.problems);
  if (!csv.problems.empty()) return loaded;
  std::map<std::string, std::string> digests;
  for (PhoneEvidence& phone : csv.phones) {
    TL_RETURN_IF_ERROR(ReadListFile(path, &digests, &loaded.library, &phone.itl));
    TL_RETURN_IF_ERROR(ReadListFile(path, &digests, &loaded.library, &phone.ctl));
  }
  loaded.phones = std::move(csv.phones);
  return loaded;
}

}  // namespace trustline::controller
