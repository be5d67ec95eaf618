// How verdicts read, and what mends them.
#include "controller/render/gate_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/gate_hints.h"

namespace trustline::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::GateReport Refusing() {
  v1::GateReport report;
  report.set_judge("probe-floor3");
  report.set_evidence("phones.csv: 1241 phones, taken 40 m ago");
  report.set_phones(1253);
  report.set_locked(37);
  report.set_unproven(12);
  report.add_unproven_examples("SEP001B54AABB77");
  v1::GateClass& good = *report.add_classes();
  good.set_number(1);
  good.set_phones(1204);
  good.set_holds("ITL src-pub 3fa9...");
  v1::GateDecision& accept = *good.add_decisions();
  accept.set_node("dst-pub");
  accept.set_accepted(true);
  accept.set_reason("signer ITLRecovery 4F22 vouched for by src-pub TVS, role SAST");
  v1::GateClass& bad = *report.add_classes();
  bad.set_number(2);
  bad.set_phones(37);
  bad.set_holds("ITL src-sub1 88c1...");
  v1::GateDecision& locked = *bad.add_decisions();
  locked.set_node("dst-pub");
  locked.set_reason("src-sub1 TVS answered: certificate unknown");
  locked.add_notes("present on src-pub");
  locked.set_next("trustline apply migrate.yml -l src-sub1");
  v1::GateMissing& missing = *locked.add_missing();
  missing.set_node("src-sub1");
  missing.set_serial("4F22");
  missing.set_subject("CN=ITLRECOVERY_dst-pub");
  report.add_reasons("37 phones would be locked");
  report.add_reasons("12 phones are unproven: no evidence of their trust list");
  return report;
}

v1::CertificateStatus Stored(const std::string& store, const std::string& serial) {
  v1::CertificateStatus certificate;
  certificate.set_store(store);
  certificate.set_serial(serial);
  certificate.set_subject("CN=ITLRECOVERY_dst-pub");
  return certificate;
}

CompiledPlaybook Playbook() {
  CompiledPlaybook playbook;
  v1::Resource& import = *playbook.documents["src-sub1"].add_resources();
  import.mutable_bundle_import();
  import.add_tags("import");
  return playbook;
}

TEST(GateText, ShowsClassesAgainstNodesAndWhatMends) {
  const v1::GateReport report = Refusing();
  EXPECT_EQ(GateTable(report, Style()),
            "judge     probe-floor3\n"
            "evidence  phones.csv: 1241 phones, taken 40 m ago\n"
            "class 1   1,204 phones  ITL src-pub 3fa9...   ->  dst-pub accept  signer ITLRecovery "
            "4F22 vouched for by src-pub TVS, role SAST\n"
            "class 2      37 phones  ITL src-sub1 88c1...  ->  dst-pub LOCKED  src-sub1 TVS "
            "answered: certificate unknown\n"
            "                                                                  present on src-pub\n"
            "unproven     12 phones  SEP001B54AABB77\n");
  EXPECT_EQ(GateRefusal(report, Style()),
            "REFUSED  37 phones would be locked, 12 phones are unproven: no evidence of their "
            "trust list; option 150 was not changed.\n"
            "Next: trustline apply migrate.yml -l src-sub1\n");
  EXPECT_EQ(GateRefusal(report, Style(), /*overridden=*/true),
            "REFUSED  37 phones would be locked, 12 phones are unproven: no evidence of their "
            "trust list; the gate is overridden: option 150 moves where its agents allow that.\n"
            "Next: trustline apply migrate.yml -l src-sub1\n");
}

TEST(GateText, SaysWhatAnAcceptingVerdictAssumes) {
  v1::GateReport report = Refusing();
  report.mutable_classes(0)->mutable_decisions(0)->add_assumptions("a reset forgets TVS answers");
  EXPECT_THAT(GateTable(report, Style()), HasSubstr("role SAST\n" + std::string(66, ' ') +
                                                    "assumed: a reset forgets TVS answers\n"));
}

TEST(GateHints, ANodeThatWasNotImportedToIsImportedTo) {
  v1::GateReport report = Refusing();
  EXPECT_THAT(NodesInQuestion(report), ElementsAre("src-sub1"));
  const CompiledPlaybook playbook = Playbook();
  v1::StatusResponse status;
  *status.add_certificates() = Stored("CallManager-trust", "4F22");
  AddGateHints({playbook, "plays/migrate.yml", "-i inv.yml", {{"src-sub1", status}}}, report);
  EXPECT_EQ(report.classes(1).decisions(0).next(),
            "trustline apply plays/migrate.yml -i inv.yml -l src-sub1 --tags import");
}

TEST(GateHints, Scenario15SaysToRestartTvsWhereTheStoreHasIt) {
  v1::GateReport report = Refusing();
  const CompiledPlaybook playbook = Playbook();
  v1::StatusResponse status;
  *status.add_certificates() = Stored("Phone-SAST-trust", "004f22");
  AddGateHints({playbook, "migrate.yml", "", {{"src-sub1", status}}}, report);
  EXPECT_THAT(report.classes(1).decisions(0).notes(),
              Contains(HasSubstr("restart TVS on src-sub1")));
  EXPECT_EQ(report.classes(1).decisions(0).next(), "");
}

TEST(GateHints, Scenario21SaysThatTheCertificateWasRegeneratedAfterItsExport) {
  v1::GateReport report = Refusing();
  const CompiledPlaybook playbook = Playbook();
  v1::StatusResponse status;
  *status.add_certificates() = Stored("Phone-SAST-trust", "1111");
  AddGateHints({playbook, "migrate.yml", "", {{"src-sub1", status}}}, report);
  EXPECT_THAT(report.classes(1).decisions(0).notes(),
              Contains(HasSubstr("with serial 1111: it was regenerated after it was exported; "
                                 "export, consolidate and import again")));
  EXPECT_EQ(report.classes(1).decisions(0).next(), "trustline apply migrate.yml");
}

}  // namespace
}  // namespace trustline::controller
