#include "controller/proof_routes.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/run_options.h"

namespace trustline::controller {

ProofHandler RouteProofs(Fleet& fleet, std::shared_ptr<Mailbox> mailbox,
                         std::shared_ptr<std::vector<std::unique_ptr<CallHandle>>> handles) {
  return [&fleet, mailbox, handles](const v1::ProofQuestion& question,
                                    std::function<void(v1::ProofAnswer)> reply) {
    // Dialling happens on the runner's thread, so that a fleet callback never starts a call itself.
    mailbox->Post([&fleet, handles, question, reply = std::move(reply)] {
      if (question.has_gate()) {
        v1::JudgeRequest request;
        *request.mutable_question() = question.gate();
        handles->push_back(fleet.Judge(
            question.from_node(), request, kVerdictPatience,
            [question, reply](absl::StatusOr<v1::JudgeResponse> judged) {
              v1::ProofAnswer answer;
              answer.set_id(question.id());
              if (judged.ok()) {
                *answer.mutable_verdict() = std::move(*judged->mutable_verdict());
              } else {
                answer.set_error(absl::StrCat(question.from_node(),
                                              " did not judge: ", judged.status().message()));
              }
              reply(std::move(answer));
            }));
        return;
      }
      absl::Duration limit = absl::Seconds(10) + absl::Milliseconds(question.probe().timeout_ms());
      handles->push_back(fleet.Probe(question.from_node(), question.probe(), limit,
                                     [question, reply](absl::StatusOr<v1::ProbeResponse> response) {
                                       v1::ProofAnswer answer;
                                       answer.set_id(question.id());
                                       if (response.ok()) {
                                         *answer.mutable_response() = *std::move(response);
                                       } else {
                                         answer.set_error(absl::StrCat(
                                             question.from_node(),
                                             " could not ask: ", response.status().message()));
                                       }
                                       reply(std::move(answer));
                                     }));
    });
  };
}

}  // namespace trustline::controller
