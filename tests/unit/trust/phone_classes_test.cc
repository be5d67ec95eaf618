// Phones that decide alike are decided once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "tests/fakes/phone_world.h"
#include "trust/phone/classes.h"
#include "trust/phone/evidence_csv.h"
#include "trust/rsa_signature.h"

namespace trustline {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MakeItl;
using testing::PhoneWorld;
using ::testing::SizeIs;
using testing::TestPki;
using End = BootResult::End;

// A world whose files are the same for every device, for many phones at once.
class ManyPhones : public PhoneNetwork {
 public:
  explicit ManyPhones(PhoneWorld* world) : world_(world) {}
  absl::StatusOr<std::string> Fetch(const std::string& server, const std::string& file) override {
    absl::MutexLock lock(&mutex_);
    ++fetches_;
    std::string name = file;
    const size_t device = name.find("SEP");
    if (device != std::string::npos && missing_ != name.substr(device, 15))
      name.replace(device, 15, PhoneWorld::kDevice);
    return world_->Fetch(server, name);
  }
  absl::StatusOr<TvsReply> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                  const std::vector<Certificate>& pinned) override {
    absl::MutexLock lock(&mutex_);
    return world_->AskTvs(server, request, pinned);
  }
  std::string missing_;  // the device that has no files
  size_t fetches_ = 0;

 private:
  PhoneWorld* const world_;
  absl::Mutex mutex_;
};

std::string Device(size_t number) { return absl::StrFormat("SEP%012X", number); }

class PhoneClasses : public ::testing::Test {
 protected:
  PhoneClasses() : network_(&world_) {
    world_.ServeDestination(world_.dst_pub);
    world_.SourceKnows(world_.dst_pub.itlrecovery);
    options_.tftp_servers = {world_.dst_pub.address};
    options_.behaviour.fetch_config = false;
  }
  PhoneEvidence Phone(size_t number) {
    PhoneEvidence phone;
    phone.device = Device(number);
    phone.itl.bytes = itl_;
    phone.tvs = {{world_.src_pub.address, 2445}};
    return phone;
  }
  std::vector<ClassDecision> Decide(const std::vector<PhoneEvidence>& phones) {
    return DecideClasses(phones, network_, options_, TestPki::SomeTime());
  }
  PhoneWorld world_;
  ManyPhones network_;
  FleetOptions options_;
  const std::string itl_ = MakeItl(world_.src_pub, world_.source);
};

TEST_F(PhoneClasses, PhonesWithTheSameListsServersAndAbilitiesAreOneClass) {
  std::vector<PhoneEvidence> phones;
  for (size_t i = 0; i < 10; ++i) phones.push_back(Phone(i));
  phones[3].abilities.sha512 = false;
  phones[4].tvs = {{world_.src_sub.address, 2445}};
  phones[5].alternate_tftp = {"10.0.0.1"};
  phones[6].excluded = "no record in the destination";
  phones[7].itl = {};
  phones[8].lsc_issuer = std::string(64, 'a');
  const std::vector<EvidenceClass> classes = ClassifyPhones(phones);
  ASSERT_THAT(classes, SizeIs(7));
  EXPECT_THAT(classes[0].phones, ElementsAre(0, 1, 2, 9));
  EXPECT_EQ(classes[0].examples[3], Device(9));
  EXPECT_THAT(classes[0].Holds(), HasSubstr("ITL "));
  for (size_t i = 1; i < classes.size(); ++i) EXPECT_THAT(classes[i].phones, SizeIs(1));
}

TEST_F(PhoneClasses, EachClassIsDecidedAndSpotChecked) {
  std::vector<PhoneEvidence> phones;
  for (size_t i = 0; i < 100; ++i) phones.push_back(Phone(i));
  for (size_t i = 60; i < 100; ++i) phones[i].tvs = {{"10.10.0.99", 2445}};
  const std::vector<ClassDecision> decisions = Decide(phones);
  ASSERT_THAT(decisions, SizeIs(2));
  EXPECT_EQ(decisions[0].phones.phones.size(), 60u);
  EXPECT_EQ(decisions[0].result.end, End::kMoved);
  EXPECT_EQ(decisions[1].result.end, End::kLocked);
  for (const ClassDecision& decision : decisions) {
    EXPECT_EQ(decision.booted, 3u);
    EXPECT_THAT(decision.deviations, IsEmpty());
  }
}

TEST_F(PhoneClasses, EveryPhoneCanBeBooted) {
  options_.every_phone = true;
  std::vector<PhoneEvidence> phones;
  for (size_t i = 0; i < 50; ++i) phones.push_back(Phone(i));
  network_.missing_ = Device(49);  // the destination has a list of its own for nobody else
  const std::vector<ClassDecision> decisions = Decide(phones);
  ASSERT_THAT(decisions, SizeIs(1));
  EXPECT_EQ(decisions[0].booted, 50u);
  EXPECT_EQ(decisions[0].ends.at(End::kMoved), 49u);
  EXPECT_THAT(decisions[0].deviations, ElementsAre(HasSubstr(Device(49) + ": locked")));
}

TEST_F(PhoneClasses, ExcludedImmovableAndUnprovenPhonesAreNotJudged) {
  std::vector<PhoneEvidence> phones = {Phone(0), Phone(1), Phone(2)};
  phones[0].excluded = "no record in the destination";
  phones[1].alternate_tftp = {"10.0.0.1"};
  phones[2].itl = {};
  phones[2].itl.digest = std::string(40, '0');
  const std::vector<ClassDecision> decisions = Decide(phones);
  ASSERT_THAT(decisions, SizeIs(3));
  EXPECT_EQ(decisions[0].not_judged, "excluded: no record in the destination");
  EXPECT_FALSE(decisions[0].unproven);
  EXPECT_THAT(decisions[1].not_judged, HasSubstr("DHCP cannot move this phone"));
  EXPECT_THAT(decisions[2].not_judged, HasSubstr("is on no server that was asked"));
  EXPECT_TRUE(decisions[2].unproven);
  EXPECT_EQ(network_.fetches_, 0u);
}

TEST_F(PhoneClasses, ListsKnownByTheirDigestAreFoundOnTheirServers) {
  world_.Serve(world_.src_pub, "ITLFile.tlv", itl_);
  world_.broken_servers[world_.src_sub.address] = absl::UnavailableError("no answer in time");
  options_.behaviour.names = {{world_.src_pub.address, "src-pub"}};
  const LiveLists live = FetchLiveLists(network_, {world_.src_pub.address, world_.src_sub.address},
                                        options_.behaviour);
  ASSERT_THAT(live.lists, SizeIs(1));
  EXPECT_EQ(live.lists[0].node, "src-pub");
  EXPECT_FALSE(live.lists[0].ctl);
  EXPECT_THAT(live.problems, ElementsAre("10.10.0.12: ITL: no answer in time"));
  ListLibrary library;
  library.Add(live.lists[0].bytes, "ITL src-pub");
  for (const std::string& digest : {live.lists[0].Sha1(), live.lists[0].Md5()}) {
    ListEvidence list;
    list.digest = digest;
    EXPECT_TRUE(library.Resolve(&list)) << digest;
    EXPECT_EQ(list.bytes, itl_);
    EXPECT_EQ(library.OriginOf(list), "ITL src-pub");
  }
  ListEvidence unknown;
  unknown.digest = std::string(40, '0');
  EXPECT_FALSE(library.Resolve(&unknown));
  EXPECT_EQ(library.OriginOf(unknown), "");
}

// The figure is printed, not asserted.
TEST_F(PhoneClasses, AHundredThousandPhonesInFiftyClasses) {
  std::vector<PhoneEvidence> phones;
  for (size_t i = 0; i < 100000; ++i) {
    phones.push_back(Phone(i));
    phones.back().itl.bytes.reset();
    phones.back().itl.digest = absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, itl_));
    phones.back().lsc_issuer = absl::StrFormat("%064x", i % 50);
  }
  const std::string csv = WriteEvidenceCsv(phones);
  const absl::Time began = absl::Now();
  const EvidenceCsv read = ParseEvidenceCsv(csv);
  const absl::Time parsed = absl::Now();
  options_.library.Add(itl_, "ITL src-pub");
  const std::vector<ClassDecision> decisions = Decide(read.phones);
  const absl::Time decided = absl::Now();
  std::printf(
      "100,000 phones, 50 classes, 150 simulated boots: CSV of %zu KB read in %s, decided "
      "in %s\n",
      csv.size() >> 10, absl::FormatDuration(parsed - began).c_str(),
      absl::FormatDuration(decided - parsed).c_str());
  ASSERT_THAT(decisions, SizeIs(50));
  for (const ClassDecision& decision : decisions) {
    EXPECT_EQ(decision.phones.phones.size(), 2000u);
    EXPECT_EQ(decision.result.end, End::kMoved) << decision.result.reason;
    EXPECT_EQ(decision.booted, 3u);
  }
}

}  // namespace
}  // namespace trustline
