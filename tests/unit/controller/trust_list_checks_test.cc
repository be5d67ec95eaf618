// Playbooks with trust lists: what is refused before anything is sent, and where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controller/compile.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Inventory(const std::string& mode, const std::string& publisher_roles) {
  return absl::StrCat(R"(all:
  vars:
    hub: { host: h, user: u, password: !env TL_TEST_HUB_PASSWORD, host_key: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }
  children:
    destination:
      vars: { cluster: dst, version: "14", security_mode: )",
                      mode, R"( }
      hosts:
        dst-pub: { roles: [)",
                      publisher_roles, R"(], address: 10.20.0.11 }
        dst-sub1: { roles: [tftp, tvs], address: 10.20.0.12 }
    dhcp:
      vars: { dhcp_server: kea }
      hosts: { dhcp-a: {}, dhcp-b: {} }
    probes:
      hosts: { probe: {} }
)");
}

// What compiling says, without the temporary directory; empty when all is well.
std::string Said(const std::string& playbook, const std::string& mode = "mixed",
                 const std::string& publisher_roles = "publisher, tftp, tvs, capf") {
  setenv("TL_TEST_HUB_PASSWORD", "x", 1);
  TempFiles files;
  yaml::Diagnostics diagnostics;
  CompileOptions options;
  options.playbook_path = files.Write("p.yml", playbook);
  options.inventories = {files.Write("i.yml", Inventory(mode, publisher_roles))};
  const bool compiled = Compile(options, diagnostics).compiled.has_value();
  unsetenv("TL_TEST_HUB_PASSWORD");
  EXPECT_EQ(compiled, !diagnostics.has_errors());
  return absl::StrReplaceAll(diagnostics.Render(), {{files.directory() + "/", ""}});
}

std::string List(const std::string& hosts, const std::string& fields) {
  return absl::StrCat("- hosts: ", hosts,
                      "\n  tasks:\n    - trust_list: { hub: \"{{ hub }}\", exchange: e, ", fields,
                      " }\n");
}
constexpr char kInstallCtl[] = "step: install, list: ctl, tftp_root: /srv/tftp";
std::string Pointer(const std::string& servers = "10.20.0.11, 10.20.0.12") {
  return absl::StrCat(
      "- hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { global: true }, "
      "tftp_servers: [",
      servers, "], probe_from: probe }\n");
}

TEST(MixedModePointer, NeedsACtlOnEveryServerInAnEarlierPlay) {
  EXPECT_THAT(
      Said(Pointer()),
      StartsWith("p.yml:3:7: error: cluster dst is in mixed mode, but no earlier play installs a "
                 "CTL on dst-pub (10.20.0.11): phones could not authenticate its ITL; put "
                 "trust_list { list: ctl, step: install } before this play"));
  EXPECT_THAT(Said(absl::StrCat(List("dst-pub", kInstallCtl), Pointer())),
              HasSubstr("p.yml:6:7: error: cluster dst is in mixed mode, but no earlier play "
                        "installs a CTL on dst-sub1"));
  EXPECT_EQ(Said(absl::StrCat(List("destination", kInstallCtl), Pointer())), "");
  EXPECT_EQ(Said(absl::StrCat(List("dst-sub1", kInstallCtl), Pointer("10.20.0.12"))), "");
}

TEST(MixedModePointer, ALaterCtlAnItlOrAnotherStepDoesNotDo) {
  for (const std::string& playbook :
       {absl::StrCat(Pointer(), List("destination", kInstallCtl)),
        absl::StrCat(List("destination", "step: install, tftp_root: /srv/tftp"), Pointer()),
        absl::StrCat(List("dst-pub", "step: build, list: ctl"), Pointer())}) {
    EXPECT_THAT(Said(playbook), HasSubstr("no earlier play installs a CTL on dst-sub1"))
        << playbook;
  }
}

TEST(MixedModePointer, NonSecureClustersNeedNone) { EXPECT_EQ(Said(Pointer(), "non-secure"), ""); }

TEST(TrustListChecks, ListsThatCannotBeAreRefusedWhereTheyAreDeclared) {
  const std::string place = "p.yml:3:7: error: ";
  EXPECT_THAT(Said(List("destination", kInstallCtl), "non-secure"),
              StartsWith(absl::StrCat(place, "cluster dst is not in mixed mode")));
  EXPECT_THAT(Said(List("destination", "step: build, content: empty")),
              StartsWith(absl::StrCat(place, "cluster dst is in mixed mode: an empty ITL")));
  EXPECT_THAT(Said(List("dst-pub", "step: build, list: ctl"), "mixed", "publisher, tftp, tvs"),
              StartsWith(absl::StrCat(place,
                                      "cluster dst is in mixed mode but no node has the role "
                                      "capf")));
  EXPECT_THAT(Said(List("destination", "step: publish"), "non-secure", "tftp"),
              StartsWith(absl::StrCat(place, "cluster dst has no node with the role publisher")));
  EXPECT_THAT(Said(List("destination", "step: install"), "non-secure"),
              StartsWith(absl::StrCat(place, "step install needs tftp_root")));
  EXPECT_THAT(Said(List("dhcp-a", "step: publish"), "non-secure"),
              StartsWith(absl::StrCat(place, "dhcp-a is a node of no cluster")));
}

TEST(TrustListChecks, TheThreeStepsCompile) {
  EXPECT_EQ(Said(absl::StrCat(List("destination", "step: publish"),
                              List("destination", "step: build, content: empty"),
                              List("destination",
                                   "step: install, content: empty, tftp_root: "
                                   "/srv/tftp, devices: [SEP001B54AABB01]")),
                 "non-secure"),
            "");
}

}  // namespace
}  // namespace trustline::controller
