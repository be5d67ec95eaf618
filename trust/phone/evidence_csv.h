// Evidence of phones as a CSV file (RFC 4180: commas, quotes doubled inside quotes). Columns, by
// the names in the first line, in any order; only `device` is required:
//   device          SEP and the MAC address
//   mac             hardware address; default: the one in `device`
//   address         its IPv4 address
//   subnet          the subnet it is in, "10.30.0.0/24"
//   model           "CP-8861"
//   itl, ctl        what it holds: a SHA-1 or MD5 digest in hex as its screen shows it (blanks
//                   and colons do not matter), the path of the list's file (with a '/' or ending
//                   in .tlv), "none", or nothing where it is not known
//   tvs             TVS servers of its CallManager group in order, blanks between: HOST or
//                   HOST:PORT
//   tftp            TFTP servers it uses now, blanks between
//   alternate_tftp  TFTP servers set by hand: "no", or addresses, blanks between
//   abilities       what its firmware lacks, blanks between: no-sbd, no-sha512, no-ec
//   lsc_issuer      SHA-256 of the CAPF certificate that issued its LSC, hex
//   excluded        why it is not to be judged, in words
//   read_at         when this was read, RFC 3339
// Lines that are empty or begin with '#' are skipped.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "trust/phone/evidence.h"

namespace trustline {

struct CsvProblem {
  size_t line = 0, column = 0;  // from 1; columns count bytes
  std::string text;
};

struct EvidenceCsv {
  std::vector<PhoneEvidence> phones;
  std::vector<CsvProblem> problems;  // none: the file was taken whole; at most 20 are told
};

// Pure. At most 64 MiB, 1,000,000 phones and 4096 bytes per cell. A device that comes twice is a
// problem.
EvidenceCsv ParseEvidenceCsv(absl::string_view text);

// The same as a file: every column, a line per phone. What ParseEvidenceCsv reads back is equal but
// for the bytes of lists.
std::string WriteEvidenceCsv(const std::vector<PhoneEvidence>& phones);

}  // namespace trustline
