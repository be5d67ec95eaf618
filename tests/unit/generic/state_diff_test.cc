#include "protos/generic/state_diff.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protos/trustline/v1/agent.pb.h"
#include "protos/trustline/v1/desired_state.pb.h"

namespace trustline {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

void AddCertificate(v1::CertificateState& state, const std::string& store, char digit,
                    const std::string& subject = "CN=dst-pub") {
  v1::StoredCertificate& certificate = *state.add_certificates();
  certificate.set_store(store);
  certificate.set_sha256(std::string(64, digit));
  certificate.set_subject(subject);
  certificate.set_issuer(subject);
  certificate.set_serial("5A0F91");
  certificate.set_not_after_unix(1932854400);
  certificate.set_note("CallManager of dst-pub");
  certificate.set_key_matches(true);
}

TEST(DiffState, FactsAreMatchedByIdentityInAnyOrder) {
  v1::CertificateState a, b;
  AddCertificate(a, "Phone-SAST-trust", 'a');
  AddCertificate(a, "CallManager-trust", 'b');
  AddCertificate(b, "CallManager-trust", 'b');
  AddCertificate(b, "Phone-SAST-trust", 'a');
  EXPECT_THAT(DiffState(a, b), IsEmpty());
  EXPECT_EQ(StateDigest(a), StateDigest(b));
}

TEST(DiffState, InformativeFieldsAreNoDifference) {
  v1::CertificateState a, b;
  AddCertificate(a, "CallManager-trust", 'a', "CN=one");
  AddCertificate(b, "CallManager-trust", 'a', "CN=two");
  EXPECT_THAT(DiffState(a, b), IsEmpty());
  EXPECT_EQ(StateDigest(a), StateDigest(b));
}

TEST(DiffState, MissingFactIsAddedWithALineForTheOperator) {
  v1::CertificateState desired, present;
  AddCertificate(desired, "Phone-SAST-trust", 'a');
  const std::vector<v1::Change> changes = DiffState(desired, present);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].action(), v1::Change::ACTION_ADD);
  EXPECT_EQ(changes[0].fact(), "StoredCertificate");
  EXPECT_EQ(changes[0].identity(), "Phone-SAST-trust " + std::string(64, 'a'));
  EXPECT_EQ(changes[0].text(),
            "Phone-SAST-trust  CN=dst-pub  serial 5A0F91  CallManager of dst-pub, expires "
            "2031-04-02");
  EXPECT_NE(StateDigest(desired), StateDigest(present));
}

TEST(DiffState, SurplusFactIsRemovedAndOthersIssuersAreNamed) {
  v1::CertificateState desired, present;
  AddCertificate(present, "tomcat-trust", 'a');
  present.mutable_certificates(0)->set_issuer("CN=Corporate CA");
  present.mutable_certificates(0)->clear_note();
  const std::vector<v1::Change> changes = DiffState(desired, present);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].action(), v1::Change::ACTION_REMOVE);
  EXPECT_EQ(changes[0].text(),
            "tomcat-trust  CN=dst-pub  issuer CN=Corporate CA  serial 5A0F91  expires 2031-04-02");
}

TEST(DiffState, DigestStandsInWhereNothingElseTellsFactsApart) {
  v1::BundleExportState desired, present;
  desired.add_certificates()->set_unit("CallManager");
  desired.mutable_certificates(0)->set_sha256(std::string(64, 'c'));
  EXPECT_EQ(DiffState(desired, present)[0].text(), "CallManager  cccccccccccc...");
}

TEST(DiffState, ChangedFieldIsShownBeforeAndAfter) {
  v1::TftpPointerState desired, present;
  v1::ServedPointer* pointer = present.add_pointers();
  pointer->set_scope("subnet 10.30.0.0/24");
  pointer->set_tftp_servers("10.10.0.11");
  pointer->set_active(true);
  *desired.add_pointers() = *pointer;
  desired.mutable_pointers(0)->set_tftp_servers("10.20.0.11, 10.20.0.12");
  const std::vector<v1::Change> changes = DiffState(desired, present);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].action(), v1::Change::ACTION_UPDATE);
  ASSERT_EQ(changes[0].fields_size(), 1);
  EXPECT_EQ(changes[0].fields(0).field(), "tftp_servers");
  EXPECT_EQ(changes[0].fields(0).before(), "10.10.0.11");
  EXPECT_EQ(changes[0].fields(0).after(), "10.20.0.11, 10.20.0.12");
  EXPECT_EQ(changes[0].text(),
            "subnet 10.30.0.0/24  tftp_servers: 10.10.0.11 -> 10.20.0.11, 10.20.0.12");
  desired.mutable_pointers(0)->clear_tftp_servers();
  EXPECT_THAT(DiffState(desired, present)[0].text(), HasSubstr("10.10.0.11 -> none"));
}

TEST(DiffState, OrderOfChangesDoesNotDependOnTheOrderOfFacts) {
  v1::CertificateState a, b, none;
  for (const char digit : {'3', '1', '2'}) AddCertificate(a, "x", digit);
  for (const char digit : {'2', '3', '1'}) AddCertificate(b, "x", digit);
  a.add_slots()->set_unit("TVS");
  b.add_slots()->set_unit("TVS");
  const auto one = DiffState(a, none), other = DiffState(b, none);
  ASSERT_EQ(one.size(), 4U);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].SerializeAsString(), other[i].SerializeAsString());
  }
  EXPECT_EQ(one[3].fact(), "FilledSlot");
}

TEST(DiffState, DigestAndDifferenceAgree) {
  std::vector<v1::ServiceState> states(6);
  for (size_t i = 1; i < states.size(); ++i) {
    v1::RunningService* service = states[i].add_services();
    service->set_name(i == 5 ? "b" : "a");
    service->set_running(i >= 3);
    service->set_loaded(i == 4 ? "x" : "");
  }
  // The same fact twice is the same set.
  *states[2].add_services() = states[1].services(0);
  for (const v1::ServiceState& a : states) {
    for (const v1::ServiceState& b : states) {
      const bool same = DiffState(a, b).empty() && DiffState(b, a).empty();
      EXPECT_EQ(same, StateDigest(a) == StateDigest(b))
          << a.ShortDebugString() << " / " << b.ShortDebugString();
    }
  }
  EXPECT_THAT(StateDigest(states[0]), ::testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(StateDigest(states[0]).size(), 64U);
}

TEST(DiffState, DifferentStatesNeverReadAsNothingToDo) {
  EXPECT_THAT(DiffState(v1::ServiceState(), v1::CertificateState()), Not(IsEmpty()));
}

TEST(DiffState, SecretFieldsAreComparedButNotShown) {
  // Specs have the secret fields; a repeated Spec message serves as a fact.
  v1::DesiredState desired, present;
  for (v1::DesiredState* state : {&desired, &present}) {
    v1::HubAddress& hub = *state->add_resources()->mutable_bundle_import()->mutable_hub();
    hub.set_host("hub");
    hub.mutable_password()->set_name(state == &desired ? "env:NEW" : "env:OLD");
  }
  const std::vector<v1::Change> changes = DiffState(desired, present);
  ASSERT_EQ(changes.size(), 1U);
  const std::string text = changes[0].ShortDebugString();
  EXPECT_THAT(text, HasSubstr("hub"));
  EXPECT_THAT(text, HasSubstr("<set>"));
  EXPECT_THAT(text, Not(HasSubstr("NEW")));
  EXPECT_THAT(text, Not(HasSubstr("OLD")));
}

TEST(RedactedText, SecretsAreMarkedNotShown) {
  v1::ApplyRequest request;
  request.mutable_start()->set_run_id("run 1");
  (*request.mutable_start()->mutable_secrets()->mutable_by_name())["env:HUB"] = "hunter2";
  const std::string text = RedactedText(request);
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, HasSubstr("by_name: <set>"));
  EXPECT_THAT(text, HasSubstr("run_id: \"run 1\""));

  v1::HubAddress hub;
  hub.set_host("hub.example.net");
  hub.mutable_password()->set_name("env:HUB");
  EXPECT_EQ(RedactedText(hub), "host: hub.example.net, password: <set>");
}

}  // namespace
}  // namespace trustline
