#include "tests/fakes/fake_fleet.h"

#include "absl/strings/str_cat.h"

namespace trustline::testing {
namespace {

class Handle : public controller::CallHandle {
 public:
  explicit Handle(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  void Cancel() override {
    if (cancel_) cancel_();
    cancel_ = nullptr;
  }

 private:
  std::function<void()> cancel_;
};

}  // namespace

v1::StageReport ReportOf(const std::string& node, uint32_t stage,
                         const std::vector<v1::Outcome>& outcomes, const std::string& kind) {
  v1::StageReport report;
  report.set_node(node);
  report.set_stage(stage);
  report.set_document_sha256("d1");
  for (size_t i = 0; i < outcomes.size(); ++i) {
    v1::ResourceOutcome* outcome = report.add_resources();
    outcome->set_id(absl::StrCat(kind, " ", i));
    outcome->set_kind(kind);
    outcome->set_task(absl::StrCat("task ", i));
    outcome->set_stage(stage);
    outcome->set_outcome(outcomes[i]);
  }
  return report;
}

FakeFleet::FakeFleet() {
  thread_ = std::thread([this] {
    while (true) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || !work_.empty(); });
        if (work_.empty()) return;
        work = std::move(work_.front());
        work_.pop_front();
      }
      work();
    }
  });
}

FakeFleet::~FakeFleet() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void FakeFleet::Post(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  wake_.notify_all();
}

void FakeFleet::Note(std::string call) {
  std::lock_guard lock(mutex_);
  calls_.push_back(std::move(call));
}

std::vector<std::string> FakeFleet::Calls() {
  std::lock_guard lock(mutex_);
  return calls_;
}

std::map<std::string, v1::ProofAnswer> FakeFleet::Answers() {
  std::lock_guard lock(mutex_);
  return answers_;
}

std::unique_ptr<controller::CallHandle> FakeFleet::Describe(
    const std::string& node, absl::Duration, controller::Callback<v1::DescribeResponse> done) {
  Post([node, done] {
    v1::DescribeResponse response;
    response.set_node(node);
    done(response);
  });
  return std::make_unique<Handle>(nullptr);
}

std::unique_ptr<controller::CallHandle> FakeFleet::Status(
    const std::string& node, absl::Duration, controller::Callback<v1::StatusResponse> done) {
  if (hanging.contains(node)) {
    return std::make_unique<Handle>(
        [this, done] { Post([done] { done(absl::CancelledError("cancelled")); }); });
  }
  Post([this, node, done] {
    if (on_status) return done(on_status(node));
    v1::StatusResponse response;
    response.set_node(node);
    done(response);
  });
  return std::make_unique<Handle>(nullptr);
}

std::unique_ptr<controller::CallHandle> FakeFleet::Plan(
    const std::string& node, const v1::PlanRequest& request, absl::Duration,
    controller::Callback<v1::PlanResponse> done) {
  Note(absl::StrCat("plan ", node, " ", request.stage()));
  Post([this, node, request, done] {
    absl::StatusOr<v1::Plan> plan = on_plan(node, request);
    if (!plan.ok()) return done(plan.status());
    v1::PlanResponse response;
    *response.mutable_plan() = *std::move(plan);
    done(response);
  });
  return std::make_unique<Handle>(nullptr);
}

std::unique_ptr<controller::CallHandle> FakeFleet::Lease(
    const std::string& node, const v1::LeaseRequest& request, absl::Duration,
    controller::Callback<v1::LeaseResponse> done) {
  Note(absl::StrCat(
      "lease ", request.action() == v1::LeaseRequest::ACTION_TAKE ? "take " : "release ", node));
  Post([this, node, request, done] {
    if (auto error = lease_errors.find(node); error != lease_errors.end())
      return done(error->second);
    if (on_lease != nullptr) {
      if (absl::Status status = on_lease(node, request); !status.ok()) return done(status);
    }
    v1::LeaseResponse response;
    response.set_run_id(request.run_id());
    done(response);
  });
  return std::make_unique<Handle>(nullptr);
}

std::unique_ptr<controller::CallHandle> FakeFleet::Probe(
    const std::string& node, const v1::ProbeRequest& request, absl::Duration,
    controller::Callback<v1::ProbeResponse> done) {
  Note(absl::StrCat("probe ", node));
  Post([this, node, request, done] { done(on_probe(node, request)); });
  return std::make_unique<Handle>(nullptr);
}

std::unique_ptr<controller::CallHandle> FakeFleet::Judge(
    const std::string& node, const v1::JudgeRequest& request, absl::Duration,
    controller::Callback<v1::JudgeResponse> done) {
  Note(absl::StrCat("judge ", node));
  Post([this, node, request, done] {
    done(on_judge ? on_judge(node, request)
                  : absl::StatusOr<v1::JudgeResponse>(absl::NotFoundError("no such gate")));
  });
  return std::make_unique<Handle>(nullptr);
}

std::unique_ptr<controller::CallHandle> FakeFleet::Apply(
    const std::string& node, const v1::ApplyStart& request, absl::Duration,
    std::function<void(const v1::ApplyEvent&)> on_event, controller::ProofHandler on_question,
    controller::Callback<v1::StageReport> done) {
  Note(absl::StrCat("apply ", node, " ", request.stage()));
  if (hanging.contains(node)) {
    return std::make_unique<Handle>(
        [this, done] { Post([done] { done(absl::CancelledError("cancelled")); }); });
  }
  auto finish = [this, node, request, on_event, done] {
    absl::StatusOr<v1::StageReport> report =
        on_apply ? on_apply(node, request) : ReportOf(node, request.stage(), {v1::OUTCOME_CHANGED});
    if (report.ok()) {
      for (const v1::ResourceOutcome& outcome : report->resources()) {
        v1::ApplyEvent event;
        *event.mutable_resource() = outcome;
        on_event(event);
      }
    }
    done(std::move(report));
  };
  if (auto question = questions.find(node); question != questions.end()) {
    Post([this, node, question = question->second, on_question, finish] {
      on_question(question, [this, node, finish](v1::ProofAnswer answer) {
        {
          std::lock_guard lock(mutex_);
          answers_[node] = std::move(answer);
        }
        Post(finish);
      });
    });
  } else {
    Post(finish);
  }
  return std::make_unique<Handle>(nullptr);
}

std::unique_ptr<controller::CallHandle> FakeFleet::Rollback(
    const std::string& node, const v1::RollbackStart& request, absl::Duration,
    std::function<void(const v1::ApplyEvent&)>, controller::ProofHandler,
    controller::Callback<v1::StageReport> done) {
  Note(absl::StrCat("rollback ", node));
  Post([this, node, request, done] { done(on_rollback(node, request)); });
  return std::make_unique<Handle>(nullptr);
}

}  // namespace trustline::testing
