// Which part of which document is in force while a playbook moves from one document to the next.
#include "agent/document_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_host.h"
#include "trust/envelope.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// `label` tells documents apart; resource "rN" is of stage N.
ReceivedDocument Document(const std::string& label, uint32_t stages) {
  ReceivedDocument received;
  received.state.set_node("n");
  received.state.set_playbook("site");
  received.state.mutable_topology()->set_domain(label);
  for (uint32_t stage = 1; stage <= stages; ++stage) {
    received.state.add_stages()->set_number(stage);
    v1::Resource* resource = received.state.add_resources();
    resource->set_id("r" + std::to_string(stage));
    resource->set_stage(stage);
  }
  received.envelope.set_payload(received.state.SerializeAsString());
  received.digest = PayloadDigest(received.envelope);
  return received;
}

StageProgress Passed(uint32_t stage, const std::string& run = "run") {
  return {stage, true, {"r" + std::to_string(stage)}, run, absl::FromUnixSeconds(100)};
}
StageProgress Partly(uint32_t stage, std::vector<std::string> ids) {
  return {stage, false, std::move(ids), "run", absl::FromUnixSeconds(100)};
}

std::vector<std::string> Ids(const v1::StoredDocument& stored) {
  std::vector<std::string> ids;
  const auto layers = InForce(stored);
  for (const LayerInForce& layer : *layers) {
    for (const v1::Resource* resource : layer.resources) {
      ids.push_back(layer.document.state.topology().domain() + "/" + resource->id());
    }
  }
  return ids;
}

TEST(DocumentStoreTest, OldDocumentStaysInForceUntilTheNewOneHasPassedTheStage) {
  const ReceivedDocument old = Document("old", 3), fresh = Document("new", 3);
  v1::StoredDocument stored;
  for (uint32_t stage = 1; stage <= 3; ++stage) stored = AfterStage(stored, old, Passed(stage));
  EXPECT_THAT(Ids(stored), ElementsAre("old/r1", "old/r2", "old/r3"));
  stored = AfterStage(stored, fresh, Passed(1));
  EXPECT_EQ(ThroughStage(stored, fresh.digest), 1u);
  EXPECT_EQ(ThroughStage(stored, old.digest), 0u);
  EXPECT_THAT(Ids(stored), ElementsAre("new/r1", "old/r2", "old/r3"));
  const ReceivedDocument third = Document("third", 3);
  v1::StoredDocument other = AfterStage(AfterStage(stored, fresh, Passed(2)), third, Passed(1));
  EXPECT_THAT(Ids(other), ElementsAre("third/r1", "new/r2", "old/r3"));
  stored = AfterStage(AfterStage(stored, fresh, Passed(2)), fresh, Passed(3));
  EXPECT_THAT(Ids(stored), ElementsAre("new/r1", "new/r2", "new/r3"));
  EXPECT_EQ(stored.layers_size(), 1);
}

TEST(DocumentStoreTest, ShorterDocumentEndsTheLongerOne) {
  v1::StoredDocument stored;
  for (uint32_t stage = 1; stage <= 3; ++stage) {
    stored = AfterStage(stored, Document("old", 3), Passed(stage));
  }
  stored = AfterStage(stored, Document("new", 1), Passed(1));
  EXPECT_THAT(Ids(stored), ElementsAre("new/r1"));
}

TEST(DocumentStoreTest, PassingAStageTwiceMovesNothing) {
  const ReceivedDocument document = Document("d", 2);
  const v1::StoredDocument stored = AfterStage({}, document, Passed(1));
  StageProgress later = Passed(1, "another run");
  later.now = absl::FromUnixSeconds(200);
  EXPECT_EQ(AfterStage(stored, document, later).SerializeAsString(), stored.SerializeAsString());
}

TEST(DocumentStoreTest, PartsCountAloneAndStagesAreNotSkipped) {
  const ReceivedDocument document = Document("d", 3);
  // Stage 3 was asked for alone: its resource is in force, the stage is not passed.
  v1::StoredDocument stored = AfterStage({}, document, Passed(3));
  EXPECT_EQ(ThroughStage(stored, document.digest), 0u);
  EXPECT_THAT(Ids(stored), ElementsAre("d/r3"));
  stored = AfterStage(stored, document, Partly(1, {}));
  EXPECT_THAT(Ids(stored), ElementsAre("d/r3"));
  stored = AfterStage(AfterStage(stored, document, Passed(1)), document, Passed(2));
  EXPECT_EQ(ThroughStage(stored, document.digest), 2u);
  EXPECT_THAT(Ids(stored), ElementsAre("d/r1", "d/r2", "d/r3"));
  EXPECT_EQ(AfterStage(stored, document, Passed(3)).layers(0).touched_size(), 0);
}

TEST(DocumentStoreTest, NothingSettledIsNotRecorded) {
  EXPECT_EQ(AfterStage({}, Document("d", 1), Partly(1, {})).layers_size(), 0);
}

TEST(DocumentStoreTest, RemembersWhatWasBeforeTheRun) {
  const ReceivedDocument first = Document("first", 2), second = Document("second", 2);
  v1::StoredDocument stored = AfterStage({}, first, Passed(1, "a"));
  stored = AfterStage(stored, first, Passed(2, "a"));
  EXPECT_THAT(Ids(BeforeRun(stored, "a")), IsEmpty());
  EXPECT_THAT(Ids(BeforeRun(stored, "b")), ElementsAre("first/r1", "first/r2"));
  stored = AfterStage(stored, second, Passed(1, "b"));
  EXPECT_THAT(Ids(BeforeRun(stored, "b")), ElementsAre("first/r1", "first/r2"));
}

TEST(DocumentStoreTest, AnyPlaybookNameIsAFile) {
  FakeHost host;
  StateFiles state(host.files, "/state");
  DocumentStore store(state);
  for (const std::string& name :
       {std::string("../../etc/passwd"), std::string(".hidden"), std::string("migrate-phones"),
        std::string(300, 'x'), std::string("umlaut \xc3\xbc")}) {
    v1::StoredDocument stored = AfterStage({}, Document("d", 1), Passed(1));
    stored.set_playbook(name);
    ASSERT_TRUE(store.Put(stored).ok()) << name;
    EXPECT_EQ(store.Get(name)->layers_size(), 1);
  }
  EXPECT_EQ(store.All()->size(), 5u);
  for (const auto& [path, image] : host.files.Snapshot()) {
    EXPECT_EQ(path.rfind("/state/documents/", 0), 0u) << path;
    EXPECT_EQ(image.mode, 0600u);
  }
  v1::StoredDocument gone;
  gone.set_playbook("migrate-phones");
  ASSERT_TRUE(store.Put(gone).ok());
  EXPECT_EQ(store.Get("migrate-phones")->layers_size(), 0);
  EXPECT_EQ(store.All()->size(), 4u);
}

TEST(StateFilesTest, DamageIsNoticed) {
  FakeHost host;
  StateFiles state(host.files, "/state");
  v1::Hold hold, read;
  hold.set_reason("because");
  ASSERT_TRUE(state.Write("hold", hold).ok());
  ASSERT_TRUE(state.Read("hold", read).ok());
  EXPECT_EQ(read.reason(), "because");
  const FileImage good = *host.files.Read("/state/hold");
  for (size_t i = 0; i < good.bytes.size(); ++i) {
    FileImage bad = good;
    bad.bytes[i] ^= 1;
    host.files.Put("/state/hold", bad);
    EXPECT_TRUE(absl::IsDataLoss(state.Read("hold", read))) << i;
    bad = good;
    bad.bytes.resize(i);
    host.files.Put("/state/hold", bad);
    EXPECT_TRUE(absl::IsDataLoss(state.Read("hold", read))) << i;
  }
}

}  // namespace
}  // namespace trustline::agent
