// tvs: asking a Trust Verification Service as a phone asks it.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/render/tvs_output.h"
#include "controller/tvs_questions.h"

namespace trustline::controller {
namespace {

constexpr int kShowsFrames = 2;  // -vv

// What Fail() does not tell apart.
int Refuse(const absl::Status& status, int when_invalid) {
  const int code = Fail(status);
  if (absl::IsUnavailable(status)) return kExitUnavailable;
  return absl::IsInvalidArgument(status) ? when_invalid : code;
}

absl::StatusOr<TvsRequest> QuestionOf(const Arguments& arguments) {
  const TvsArguments& t = arguments.tvs;
  if (arguments.command == "tvs verify") return VerifyForFile(t.certificate);
  return t.certificate.empty() ? QueryForNames(t.serial, t.issuer, t.subject)
                               : QueryForFile(t.certificate);
}

}  // namespace

int TvsCommand(const Arguments& arguments) {
  const TvsArguments& t = arguments.tvs;
  const bool query = arguments.command == "tvs query";
  if (t.pin.empty() == t.itl.empty()) {
    std::cerr << "trustline: what the service must present: either --pin CERTIFICATE or --itl "
                 "TRUSTLIST\n";
    return kExitUsage;
  }
  if (query && t.certificate.empty() && (t.serial.empty() || t.issuer.empty())) {
    std::cerr << "trustline: what to ask for: either --certificate FILE or --serial and --issuer\n";
    return kExitUsage;
  }
  const absl::StatusOr<TvsAddress> server = ParseTvsAddress(t.server);
  if (!server.ok()) return Refuse(server.status(), kExitUsage);
  std::optional<ListRole> role;
  if (!t.role.empty()) {
    const absl::StatusOr<ListRole> wanted = RoleOfWord(t.role);
    if (!wanted.ok()) return Refuse(wanted.status(), kExitUsage);
    role = *wanted;
  }
  absl::StatusOr<TvsRequest> request = QuestionOf(arguments);
  if (!request.ok()) {
    return Refuse(request.status(), t.certificate.empty() ? kExitUsage : kExitBadPlaybook);
  }
  request->device = t.device;
  absl::StatusOr<std::vector<Certificate>> pins =
      t.pin.empty() ? PinsOfTrustList(t.itl) : PinsOfFile(t.pin);
  if (!pins.ok()) return Refuse(pins.status(), kExitBadPlaybook);
  TvsClientOptions options;
  options.pinned = *std::move(pins);
  options.timeout = absl::Seconds(arguments.timeout_seconds);
  options.legacy_tls = t.legacy_tls;
  const absl::StatusOr<TvsAnswer> answer = AskTvs(*server, *request, options);
  if (!answer.ok()) return Refuse(answer.status(), kExitError);
  if (arguments.verbosity >= kShowsFrames) {
    std::cerr << HexDump("sent", answer->request_bytes) << HexDump("received", answer->reply_bytes);
  }
  std::cout << (arguments.output == "json"
                    ? TvsAnswerJson(*server, *request, *answer)
                    : TvsAnswerText(*server, *request, *answer, absl::Now()));
  if (answer->reply.status != 0) return kExitFailed;
  if (role && !answer->reply.HasRole(*role)) {
    std::cerr << "trustline: the service does not give it the role " << t.role
              << (*role == ListRole::kSast
                      ? ", without which phones take no trust list signed by it: is it in "
                        "Phone-SAST-trust there?\n"
                      : "\n");
    return kExitFailed;
  }
  return kExitOk;
}

}  // namespace trustline::controller
