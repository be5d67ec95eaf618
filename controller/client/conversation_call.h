// The controller's end of ApplyStage and Rollback.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/client/callback_thread.h"
#include "controller/client/node_channel.h"
#include "controller/client/pending_call.h"
#include "controller/fleet.h"
#include "grpcpp/support/client_callback.h"

namespace trustline::controller {

// Owned by InFlight and by every callback and reply that still may come. gRPC's reactions never run
// user code: that goes to the callback thread, in order.
template <typename Request>
class ConversationCall final : public PendingCall,
                               private grpc::ClientBidiReactor<Request, v1::ApplyEvent> {
 public:
  ConversationCall(NodeChannel& channel, CallbackThread& thread, absl::Duration timeout,
                   std::function<void(const v1::ApplyEvent&)> on_event, ProofHandler on_question,
                   Callback<v1::StageReport> done, std::shared_ptr<InFlight> in_flight)
      : channel_(channel),
        thread_(thread),
        timeout_(timeout),
        on_event_(std::move(on_event)),
        on_question_(std::move(on_question)),
        done_(std::move(done)),
        in_flight_(std::move(in_flight)) {
    SetDeadline(context_, timeout);
  }

  template <typename StartCall>
  void Start(Request start, const StartCall& start_call) {
    self_ = std::static_pointer_cast<ConversationCall>(this->shared_from_this());
    outgoing_.push_back(std::move(start));
    writing_ = true;
    start_call(channel_, &context_,
               static_cast<grpc::ClientBidiReactor<Request, v1::ApplyEvent>*>(this));
    this->StartRead(&event_);
    // Replies come from outside of gRPC's reactions: gRPC must not end the call between our
    // decision to write and the write. Released by the write's end.
    this->AddHold();
    this->StartWrite(&outgoing_.front());
    this->StartCall();
  }

 private:
  using Reactor = grpc::ClientBidiReactor<Request, v1::ApplyEvent>;

  void OnReadDone(bool ok) override {
    if (!ok) {
      std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
      return;
    }
    switch (event_.event_case()) {
      case v1::ApplyEvent::kReport:
        report_ = std::move(*event_.mutable_report());
        break;
      case v1::ApplyEvent::kAsk:
        thread_.Post([self = self_, event = std::move(event_)] {
          self->on_event_(event);
          self->AskController(event.ask());
        });
        break;
      case v1::ApplyEvent::EVENT_NOT_SET:
        break;  // a newer agent's event
      default:
        thread_.Post([self = self_, event = std::move(event_)] { self->on_event_(event); });
    }
    event_.Clear();
    this->StartRead(&event_);
  }

  void OnWriteDone(bool ok) override {
    const Request* next = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      outgoing_.pop_front();
      if (!ok) outgoing_.clear();  // the stream is broken; OnReadDone and OnDone say so too
      if (!outgoing_.empty()) next = &outgoing_.front();
      writing_ = next != nullptr;
    }
    if (next != nullptr) {
      this->StartWrite(next);
    } else {
      this->RemoveHold();
    }
  }

  void OnDone(const grpc::Status& status) override {
    absl::Status explained = channel_.Explain(status, timeout_);
    // Our reference goes along: gRPC's thread must not drop the last one (see UnaryCall).
    thread_.Post([self = std::move(self_), explained = std::move(explained)]() mutable {
      if (!explained.ok()) {
        self->done_(std::move(explained));
      } else if (!self->report_.has_value()) {
        self->done_(absl::InternalError("the agent ended the call without a report"));
      } else {
        self->done_(*std::move(self->report_));
      }
      self->in_flight_->Remove(self);
    });
    // `this` may be gone
  }

  void AskController(const v1::ProofQuestion& question) {
    const std::weak_ptr<ConversationCall> weak =
        std::static_pointer_cast<ConversationCall>(this->shared_from_this());
    on_question_(question, [weak, id = question.id()](v1::ProofAnswer answer) {
      const std::shared_ptr<ConversationCall> call = weak.lock();
      if (call == nullptr) return;  // nobody waits any more
      answer.set_id(id);
      Request request;
      *request.mutable_answer() = std::move(answer);
      call->Write(std::move(request));
    });
  }

  // From any thread, until and after the call's end.
  void Write(Request request) {
    const Request* now = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (ended_) return;
      outgoing_.push_back(std::move(request));
      if (writing_) return;
      writing_ = true;
      now = &outgoing_.front();
      this->AddHold();  // under the lock: while !ended_ a read is under way, so the call cannot be
                        // over
    }
    this->StartWrite(now);
  }

  NodeChannel& channel_;
  CallbackThread& thread_;
  const absl::Duration timeout_;
  const std::function<void(const v1::ApplyEvent&)> on_event_;
  const ProofHandler on_question_;
  const Callback<v1::StageReport> done_;
  const std::shared_ptr<InFlight> in_flight_;
  std::shared_ptr<ConversationCall> self_;  // until OnDone
  v1::ApplyEvent event_;                    // of the read under way
  std::optional<v1::StageReport> report_;   // set by a read, used after OnDone

  std::mutex mutex_;              // guards everything below
  std::deque<Request> outgoing_;  // the first is being written while writing_
  bool writing_ = false;
  bool ended_ = false;
};

}  // namespace trustline::controller
