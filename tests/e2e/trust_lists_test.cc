// The trust lists and signed files of a cluster through the real programs and a real sshd:
// playbooks/cluster-trust-lists.yml as it is.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

class TrustListsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TL_NEEDS_HUB();
    fleet_ = std::make_unique<TestFleet>();
    fleet_->AddClusters();
    ASSERT_TRUE(fleet_->StartAll());
    fleet_->WriteClusterInventory();
    ASSERT_TRUE(fleet_->MakeClusterIdentities());
    for (Node* node : fleet_->nodes()) {
      std::ofstream(node->tftp_root() + "/SEP001B54AABB01.cnf.xml") << "<device/>";
    }
  }
  std::vector<std::string> Run(const std::string& command, const std::string& group,
                               std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        command,
        TRUSTLINE_SOURCE_DIR "/playbooks/cluster-trust-lists.yml",
        "-i",
        fleet_->inventory(),
        "-e",
        absl::StrCat(
            "{\"lists_of\": \"", group, "\", \"tftp_root\": \"", fleet_->directory(),
            "/nodes/{{ inventory_hostname }}/tftp\", \"signed_files\": [\"SEP*.cnf.xml\"], "
            "\"phone_devices\": [\"SEP001B54AABB01\"]}")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string Served(const std::string& node, const std::string& name) {
    return absl::StrCat(fleet_->node(node).tftp_root(), "/", name);
  }
  // The one certificate in a slot of a node.
  std::string CertificateIn(const std::string& node, const std::string& unit) {
    for (const std::string& name : NamesIn(fleet_->node(node).certificates() + "/" + unit)) {
      if (name.size() > 4 && name.substr(name.size() - 4) == ".pem") {
        return absl::StrCat(fleet_->node(node).certificates(), "/", unit, "/", name);
      }
    }
    ADD_FAILURE() << node << " has no " << unit;
    return "";
  }

  std::unique_ptr<TestFleet> fleet_;
};

TEST_F(TrustListsTest, PhonesFindVerifiedListsAndSignedFilesOnEveryTftpNode) {
  for (const char* group : {"source", "destination"}) {
    const Finished first = fleet_->Operate(Run("apply", group));
    ASSERT_EQ(first.exit_code, 0) << first;
  }
  for (Node* node : fleet_->nodes()) {
    const std::string itl = Served(node->name(), "ITLFile.tlv");
    const Finished verified = fleet_->Operate({"trust-list", "verify", itl});
    EXPECT_EQ(verified.exit_code, 0) << verified;
    // 11.5 lists are signed by the node itself, 14 lists by the publisher's ITLRecovery.
    const bool old = node->name()[0] == 's';
    EXPECT_THAT(verified.out, HasSubstr(old ? absl::StrCat("signed by CN=", node->name())
                                            : std::string("signed by CN=ITLRECOVERY_dst-pub")));
    EXPECT_EQ(Content(Served(node->name(), "ITLSEP001B54AABB01.tlv")), Content(itl));
    EXPECT_EQ(std::filesystem::status(itl).permissions(), std::filesystem::perms(0644));
    const Finished file = fleet_->Operate(
        {"signed-file", "verify", Served(node->name(), "SEP001B54AABB01.cnf.xml.sgn"),
         "--certificate", CertificateIn(node->name(), "CallManager")});
    EXPECT_EQ(file.exit_code, 0) << file;
  }

  const auto before = fleet_->Everything();
  const std::string itl = Content(Served("dst-sub1", "ITLFile.tlv"));
  const Finished second = fleet_->Operate(Run("apply", "destination"));
  EXPECT_EQ(second.exit_code, 0) << second;
  for (const char* node : {"dst-pub", "dst-sub1"}) {
    EXPECT_THAT(second.out, ContainsRegex(absl::StrCat(node, " *: ok=[1-9] *changed=0 ")));
  }
  EXPECT_EQ(fleet_->Everything(), before);
  EXPECT_EQ(Content(Served("dst-sub1", "ITLFile.tlv")), itl);
}

TEST_F(TrustListsTest, AnAlteredListOnTheHubReachesNoPhone) {
  ASSERT_EQ(fleet_->Operate(Run("apply", "destination", {"--tags", "publish,build"})).exit_code, 0);
  int altered = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(fleet_->hub().data())) {
    if (entry.path().extension() != ".tlv") continue;
    std::string bytes = Content(entry.path());
    bytes.back() ^= 1;
    std::ofstream(entry.path(), std::ios::binary) << bytes;
    ++altered;
  }
  ASSERT_EQ(altered, 2);
  const Finished refused = fleet_->Operate(Run("apply", "destination", {"--tags", "install"}));
  EXPECT_NE(refused.exit_code, 0) << refused;
  EXPECT_THAT(refused.out, HasSubstr("was altered"));
  for (const char* node : {"dst-pub", "dst-sub1"}) {
    EXPECT_THAT(Content(Served(node, "ITLFile.tlv")), IsEmpty());
  }
}

}  // namespace
}  // namespace trustline::e2e
