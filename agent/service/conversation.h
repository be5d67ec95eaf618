// The server's end of ApplyStage and Rollback: one start, then events out, questions out and
// answers in, a report last.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "agent/converger.h"
#include "agent/resource_kind.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "protos/trustline/v1/agent.pb.h"
#include "protos/wire/grpc_status.h"

namespace trustline::agent {

// Lives from the call's first byte to its last, then deletes itself. `begin` gets the start message
// on a gRPC thread, must not block, and either refuses or has End() called exactly once later, from
// a worker. Until End() the worker may use everything public here, from one thread at a time;
// Broken() from any.
template <typename Request>
class Conversation final : public grpc::ServerBidiReactor<Request, v1::ApplyEvent>, public Prover {
 public:
  using Begin = std::function<absl::Status(Conversation&, const Request& start)>;
  using Ended = std::function<void(const absl::Status&)>;

  // `ended` is told the outcome once, just before the caller is.
  Conversation(grpc::CallbackServerContext* context, Begin begin, Ended ended)
      : begin_(std::move(begin)), ended_(std::move(ended)) {
    const auto forever = std::chrono::system_clock::time_point::max();
    if (context->deadline() != forever)
      deadline_ = std::chrono::steady_clock::now() +
                  (context->deadline() - std::chrono::system_clock::now());
    this->StartRead(&request_);
  }

  // The caller is gone or its deadline is over: what works for it stops at the next safe point.
  bool Broken() {
    std::lock_guard<std::mutex> lock(mutex_);
    return broken_ || (deadline_.has_value() && std::chrono::steady_clock::now() >= *deadline_);
  }

  void Emit(const v1::ApplyEvent& event) {
    const v1::ApplyEvent* write = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (deaf_) return;
      outgoing_.push_back(event);
      if (!std::exchange(writing_, true)) write = &outgoing_.front();
    }
    if (write != nullptr) this->StartWrite(write);
  }

  absl::StatusOr<v1::ProbeResponse> Ask(const std::string& from_node,
                                        const v1::ProbeRequest& probe) override {
    v1::ProofQuestion question;
    question.set_from_node(from_node);
    *question.mutable_probe() = probe;
    // The other end bounds the probe itself; this bounds an other end that forgets to answer.
    absl::StatusOr<v1::ProofAnswer> answer =
        AskRun(std::move(question), std::chrono::milliseconds(probe.timeout_ms()) + kAnswerGrace,
               probe.server());
    if (!answer.ok()) return answer.status();
    if (!answer->has_response())
      return absl::UnavailableError(
          absl::StrCat(from_node, ": the answer holds neither response nor error"));
    return std::move(*answer->mutable_response());
  }

  absl::StatusOr<v1::Envelope> AskGate(const std::string& judge,
                                       const v1::GateQuestion& gate) override {
    v1::ProofQuestion question;
    question.set_from_node(judge);
    *question.mutable_gate() = gate;
    absl::StatusOr<v1::ProofAnswer> answer =
        AskRun(std::move(question), kVerdictPatience, gate.gate());
    if (!answer.ok()) return answer.status();
    if (!answer->has_verdict())
      return absl::UnavailableError(
          absl::StrCat(judge, ": the answer holds neither verdict nor error"));
    return std::move(*answer->mutable_verdict());
  }

  // The last thing said. `this` may be gone when it returns.
  void End(absl::StatusOr<v1::StageReport> result) {
    ended_(result.status());
    const v1::ApplyEvent* write = nullptr;
    bool finish = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      outcome_ = ToGrpc(result.status());
      if (result.ok() && !deaf_) {
        outgoing_.emplace_back();
        *outgoing_.back().mutable_report() = *std::move(result);
        if (!std::exchange(writing_, true)) write = &outgoing_.front();
      } else {
        finish = !writing_;
      }
    }
    // Exactly one of these, or the write under way, leads to Finish.
    if (write != nullptr) this->StartWrite(write);
    if (finish) this->Finish(*outcome_);
  }

  void OnReadDone(bool ok) override {
    if (!started_) {
      started_ = true;
      if (!ok || request_.message_case() != Request::kStart) {
        End(absl::InvalidArgumentError("the first message must be `start`"));
        return;
      }
      const Request start = std::move(request_);
      request_.Clear();
      this->StartRead(&request_);  // before `begin`: afterwards `this` may be gone
      const absl::Status begun = begin_(*this, start);
      if (!begun.ok()) End(begun);
      return;
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!ok)
        broken_ = true;  // also when the caller only stopped talking: it could not answer any more
      if (ok && request_.message_case() == Request::kAnswer) {
        const auto waiting = answers_.find(request_.answer().id());
        if (waiting != answers_.end()) waiting->second = request_.answer();
      }
    }
    answered_.notify_all();
    if (!ok) return;
    request_.Clear();
    this->StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    const v1::ApplyEvent* write = nullptr;
    bool finish = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      outgoing_.pop_front();
      if (!ok) {
        broken_ = deaf_ = true;
        outgoing_.clear();
      }
      if (!outgoing_.empty()) write = &outgoing_.front();
      writing_ = write != nullptr;
      finish = write == nullptr && outcome_.has_value();
    }
    if (!ok) answered_.notify_all();
    if (write != nullptr) this->StartWrite(write);
    if (finish) this->Finish(*outcome_);
  }

  void OnCancel() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      broken_ = true;
    }
    answered_.notify_all();
  }

  void OnDone() override { delete this; }

 private:
  static constexpr std::chrono::seconds kAnswerGrace{60};
  // Simulated phones may have to wait for several servers that do not answer.
  static constexpr std::chrono::seconds kVerdictPatience{300};

  // Puts a question to the run; its answer holds no error. `about` is for an answer that does not
  // come.
  absl::StatusOr<v1::ProofAnswer> AskRun(v1::ProofQuestion question,
                                         std::chrono::milliseconds patience,
                                         const std::string& about) {
    const std::string from_node = question.from_node();
    v1::ApplyEvent event;
    *event.mutable_ask() = std::move(question);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (broken_) return Gone();
      event.mutable_ask()->set_id(++last_question_);
      answers_[last_question_];
    }
    const uint64_t id = event.ask().id();
    Emit(event);
    auto until = std::chrono::steady_clock::now() + patience;
    if (deadline_.has_value() && *deadline_ < until) until = *deadline_;
    std::unique_lock<std::mutex> lock(mutex_);
    const bool woken =
        answered_.wait_until(lock, until, [&] { return broken_ || answers_[id].has_value(); });
    std::optional<v1::ProofAnswer> answer = std::move(answers_[id]);
    answers_.erase(id);
    if (answer.has_value()) {
      if (!answer->error().empty()) return absl::UnavailableError(answer->error());
      return *std::move(answer);
    }
    if (!woken)
      return absl::UnavailableError(
          absl::StrCat("no answer about ", about, " from ", from_node, " in time"));
    return Gone();
  }

  static absl::Status Gone() {
    return absl::UnavailableError("the run that could ask is gone: its connection is closed");
  }

  const Begin begin_;
  const Ended ended_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  Request request_;       // of the read under way
  bool started_ = false;  // reads come one after the other

  std::mutex mutex_;  // guards everything below
  std::condition_variable answered_;
  std::deque<v1::ApplyEvent> outgoing_;  // the first is being written while writing_
  bool writing_ = false;
  bool broken_ = false;
  bool deaf_ = false;  // a write failed: nothing more can be said
  uint64_t last_question_ = 0;
  std::map<uint64_t, std::optional<v1::ProofAnswer>> answers_;  // by question that waits
  std::optional<grpc::Status> outcome_;
};

}  // namespace trustline::agent
