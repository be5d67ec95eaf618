#include "trust/phone/csv_table.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace trustline {
namespace {

constexpr size_t kMaxCell = 4096;
constexpr size_t kMaxCells = 64;

}  // namespace

CsvReader::CsvReader(absl::string_view text) : text_(text) {
  if (absl::StartsWith(text_, "\xef\xbb\xbf")) text_.remove_prefix(3);
}

void CsvReader::Skip() {
  if (text_[at_] == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
  ++at_;
}

void CsvReader::SkipLine() {
  while (!AtEnd() && Peek() != '\n') Skip();
  if (!AtEnd()) Skip();
}

bool CsvReader::ReadQuoted(CsvCell* cell, CsvProblem* problem) {
  Skip();  // the opening quote
  while (true) {
    if (AtEnd()) {
      *problem = {cell->line, cell->column, "the quote that begins here does not end"};
      return false;
    }
    if (Peek() == '"') {
      Skip();
      if (AtEnd() || Peek() != '"') break;
    }
    cell->text.push_back(Peek());
    Skip();
    if (cell->text.size() > kMaxCell) {
      *problem = {cell->line, cell->column,
                  absl::StrCat("this cell has more than ", kMaxCell, " bytes")};
      return false;
    }
  }
  if (!AtEnd() && Peek() != ',' && Peek() != '\n' && Peek() != '\r') {
    *problem = {line_, column_, "text behind a closing quote"};
    return false;
  }
  return true;
}

bool CsvReader::Next(std::vector<CsvCell>* cells, CsvProblem* problem) {
  cells->clear();
  problem->text.clear();
  while (!AtEnd() && (Peek() == '\n' || Peek() == '#' ||
                      (Peek() == '\r' && (at_ + 1 >= text_.size() || text_[at_ + 1] == '\n')))) {
    SkipLine();
  }
  if (AtEnd()) return false;
  while (true) {
    CsvCell cell;
    cell.line = line_;
    cell.column = column_;
    if (!AtEnd() && Peek() == '"') {
      if (!ReadQuoted(&cell, problem)) {
        SkipLine();
        return true;
      }
    } else {
      while (!AtEnd() && Peek() != ',' && Peek() != '\n') {
        if (cell.text.size() == kMaxCell) {
          *problem = {cell.line, cell.column,
                      absl::StrCat("this cell has more than ", kMaxCell, " bytes")};
          SkipLine();
          return true;
        }
        cell.text.push_back(Peek());
        Skip();
      }
    }
    if (!AtEnd() && Peek() == '\r') Skip();
    if (absl::EndsWith(cell.text, "\r")) cell.text.pop_back();
    cells->push_back(std::move(cell));
    if (AtEnd()) return true;
    if (Peek() == '\n') {
      Skip();
      return true;
    }
    if (cells->size() == kMaxCells) {
      *problem = {line_, column_, absl::StrCat("more than ", kMaxCells, " cells in a line")};
      SkipLine();
      return true;
    }
    Skip();  // the comma
  }
}

std::string CsvQuoted(absl::string_view text) {
  if (text.find_first_of(",\"\r\n#") == absl::string_view::npos) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace trustline
