// What an operator asks a Trust Verification Service, and what is known of the service beforehand,
// from files and words of the command line.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trust/certificate.h"
#include "trust/tvs/message.h"

namespace trustline::controller {

// The certificates the service may present: all in the PEM or DER file, or all that the TVS records
// of a trust list carry. NotFound: no such file; InvalidArgument: it holds none. Messages name the
// file.
absl::StatusOr<std::vector<Certificate>> PinsOfFile(const std::string& path);
absl::StatusOr<std::vector<Certificate>> PinsOfTrustList(const std::string& path);

// Serial and issuer of the one certificate in a file.
absl::StatusOr<TvsRequest> QueryForFile(const std::string& path);
// `serial`: hex digits, with or without ':' between bytes. InvalidArgument for anything else.
absl::StatusOr<TvsRequest> QueryForNames(const std::string& serial, const std::string& issuer,
                                         const std::string& subject);
absl::StatusOr<TvsRequest> VerifyForFile(const std::string& path);

// "sast", "ccm", "ccm+tftp", "tftp", "capf", "app-server", "tvs". InvalidArgument names the words.
absl::StatusOr<ListRole> RoleOfWord(const std::string& word);

}  // namespace trustline::controller
