// Who may talk to whom: agents under wrong names, operators of other fleets, of yesterday, and
// without a role. And the PKI's own commands.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Two nodes and a playbook that puts one certificate into a trust store; no hub.
class IdentityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fleet_.Write("peer.pem", testing::TestPki::UnitCertificate("peer").ToPem());
    fleet_.Write("trust.yml",
                 "- name: Trust the peer\n  hosts: all\n  tasks:\n    - name: The peer's "
                 "certificate\n      certificate: { unit: "
                 "CallManager-trust, src: peer.pem }\n");
  }
  void WriteInventory(uint16_t a, uint16_t b) {
    fleet_.Write(
        "inventory.yml",
        absl::StrCat("all:\n  hosts:\n    node-a: { ansible_host: 127.0.0.1, ansible_port: ", a,
                     " }\n    node-b: { ansible_host: 127.0.0.1, ansible_port: ", b, " }\n"));
  }
  std::vector<std::string> Arguments(const std::string& command,
                                     const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {command, fleet_.directory() + "/trust.yml", "-i",
                                          fleet_.inventory()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void ExpectNothingWritten() {
    for (Node* node : fleet_.nodes())
      EXPECT_THAT(Snapshot(node->certificates()), IsEmpty()) << node->name();
  }
  Finished As(const std::string& operator_directory, const std::vector<std::string>& arguments) {
    return RunToEnd(fleet_.Trustline(arguments, operator_directory));
  }

  TestFleet fleet_;
};

TEST_F(IdentityTest, AnotherNodesCertificateAtANodesAddressIsRefusedNamingBoth) {
  fleet_.Add("node-a");
  fleet_.Add("node-b");
  ASSERT_TRUE(fleet_.StartAll());
  WriteInventory(fleet_.node("node-b").port(), fleet_.node("node-a").port());
  const Finished done = fleet_.Operate(Arguments("apply", {"-o", "json"}));
  EXPECT_EQ(done.exit_code, 4) << done;
  const std::vector<std::string> rows = RowsOf(Json(done), "unreachable");
  ASSERT_THAT(rows, SizeIs(2));
  for (const std::string& row : rows) {
    EXPECT_THAT(row, HasSubstr("trustline://e2e.example/agent/node-a"));
    EXPECT_THAT(row, HasSubstr("trustline://e2e.example/agent/node-b"));
  }
  ExpectNothingWritten();
}

TEST_F(IdentityTest, AnAgentOfAnotherFleetIsRefused) {
  testing::TestPki foreign(kDomain);  // the same domain, another CA
  NodeOptions options;
  options.pki = &foreign;
  fleet_.Add("node-a");
  fleet_.Add("node-b", options);
  ASSERT_TRUE(fleet_.StartAll());
  WriteInventory(fleet_.node("node-a").port(), fleet_.node("node-b").port());
  const Finished done = fleet_.Operate(Arguments("apply", {"-o", "json"}));
  EXPECT_EQ(done.exit_code, 4) << done;
  EXPECT_THAT(absl::StrJoin(RowsOf(Json(done), "unreachable"), "\n"), HasSubstr("node-b"));
  EXPECT_THAT(absl::StrJoin(RowsOf(Json(done), "changed"), "\n"), HasSubstr("node-a"));
}

TEST_F(IdentityTest, AnOperatorOfAnotherFleetIsRefusedByTheAgents) {
  fleet_.Add("node-a");
  fleet_.Add("node-b");
  ASSERT_TRUE(fleet_.StartAll());
  WriteInventory(fleet_.node("node-a").port(), fleet_.node("node-b").port());
  testing::TestPki foreign(kDomain);
  const std::string directory = fleet_.directory() + "/operators/mallory";
  // He knows our CA's certificate, so that our agents' are good to him; his own is signed by
  // another.
  fleet_.WriteIdentity(directory, "operator", foreign.OperatorIdentity("alice"), foreign);
  const Finished own = As(directory, Arguments("apply"));
  EXPECT_EQ(own.exit_code, 4) << own;
  WriteFileOrDie(directory + "/ca.crt",
                 fleet_.pki().authority.certificate.ToPem() + foreign.authority.certificate.ToPem(),
                 0644);
  const Finished done = As(directory, Arguments("apply"));
  EXPECT_THAT(done.exit_code, ::testing::AnyOf(4, 77)) << done;
  EXPECT_THAT(done.out, Not(HasSubstr("changed: [")));
  ExpectNothingWritten();
}

TEST_F(IdentityTest, AnExpiredOperatorIsToldSo) {
  fleet_.Add("node-a");
  fleet_.Add("node-b");
  ASSERT_TRUE(fleet_.StartAll());
  WriteInventory(fleet_.node("node-a").port(), fleet_.node("node-b").port());
  const std::string directory = fleet_.directory() + "/operators/old";
  fleet_.WriteIdentity(directory, "operator",
                       fleet_.pki().Issue({kDomain, IdentityKind::kOperator, "alice"},
                                          testing::TestPki::ValidFrom(), absl::Hours(24)),
                       fleet_.pki());
  const Finished done = As(directory, Arguments("apply"));
  EXPECT_NE(done.exit_code, 0) << done;
  EXPECT_THAT(done.err, ContainsRegex("operator.crt.*expired"));
  ExpectNothingWritten();
}

TEST_F(IdentityTest, AnOperatorWithoutTheRoleIsDenied) {
  NodeOptions options;
  options.roles = "  - { operator: alice, role: viewer }\n";
  fleet_.Add("node-a", options);
  fleet_.Add("node-b", options);
  ASSERT_TRUE(fleet_.StartAll());
  WriteInventory(fleet_.node("node-a").port(), fleet_.node("node-b").port());
  // A viewer may look, not plan, not apply.
  EXPECT_EQ(fleet_.Operate({"status", "-i", fleet_.inventory()}).exit_code, 0);
  for (const char* command : {"plan", "apply"}) {
    const Finished done = fleet_.Operate(Arguments(command));
    EXPECT_EQ(done.exit_code, 77) << done;
    EXPECT_THAT(absl::StrCat(done.out, done.err),
                HasSubstr("trustline://e2e.example/operator/alice"));
    EXPECT_THAT(absl::StrCat(done.out, done.err), HasSubstr("operator"))
        << "the role that is missing";
  }
  EXPECT_EQ(fleet_.Operate({"rollback", "-i", fleet_.inventory()}).exit_code, 77);
  // Somebody no agent knows may not even look.
  EXPECT_EQ(As(fleet_.OperatorDirectory("nobody"), {"status", "-i", fleet_.inventory()}).exit_code,
            77);
  ExpectNothingWritten();
}

TEST_F(IdentityTest, RemovingTrustNeedsTheAdminRole) {
  NodeOptions options;
  options.roles = "  - { operator: alice, role: operator }\n  - { operator: root, role: admin }\n";
  fleet_.Add("node-a", options);
  fleet_.Add("node-b", options);
  ASSERT_TRUE(fleet_.StartAll());
  WriteInventory(fleet_.node("node-a").port(), fleet_.node("node-b").port());
  ASSERT_EQ(fleet_.Operate(Arguments("apply")).exit_code, 0);
  const auto before = Snapshot(fleet_.node("node-a").certificates());
  EXPECT_EQ(fleet_.Operate({"rollback", "-i", fleet_.inventory(), "--include-trust"}).exit_code,
            77);
  EXPECT_EQ(Snapshot(fleet_.node("node-a").certificates()), before);
  // Without the flag imported trust stays.
  const Finished kept = fleet_.Operate({"rollback", "-i", fleet_.inventory(), "-l", "node-b"});
  EXPECT_EQ(kept.exit_code, 0) << kept;
  EXPECT_THAT(kept.out, HasSubstr("kept: phones may need this trust on their way back; "
                                  "--include-trust takes it back"));
  EXPECT_THAT(kept.err, HasSubstr("nothing was put back"));
  // An id that is nearly right is told the right one.
  const std::string hint = "history: trustline history show ";
  const size_t at = kept.out.rfind(hint) + hint.size();
  const std::string id = kept.out.substr(at, kept.out.find('\n', at) - at);
  const Finished nearly = fleet_.Operate({"history", "show", id.substr(0, id.size() - 1)});
  EXPECT_EQ(nearly.exit_code, 66) << nearly;
  EXPECT_THAT(nearly.err, HasSubstr(absl::StrCat("did you mean \"", id, "\"")));
  const Finished unknown =
      fleet_.Operate({"rollback", "-i", fleet_.inventory(), "--run", "20200101-1-abcdef"});
  EXPECT_EQ(unknown.exit_code, 66) << unknown;
  EXPECT_THAT(unknown.err, HasSubstr("no run 20200101-1-abcdef in the history; no node knows it"));
  EXPECT_EQ(NamesIn(fleet_.node("node-b").certificates() + "/CallManager-trust").size(), 1u);
  const Finished removed =
      As(fleet_.OperatorDirectory("root"),
         {"rollback", "-i", fleet_.inventory(), "-l", "node-a", "--include-trust"});
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_THAT(NamesIn(fleet_.node("node-a").certificates() + "/CallManager-trust"), IsEmpty());
}

TEST_F(IdentityTest, NoIdentityIsMissingInputAndSaysHowToGetOne) {
  fleet_.Add("node-a");
  fleet_.Add("node-b");
  WriteInventory(1, 2);
  const Finished done = As(fleet_.directory() + "/nowhere", Arguments("apply"));
  EXPECT_EQ(done.exit_code, 66) << done;
  EXPECT_THAT(done.err, HasSubstr("trustline pki issue operator"));
}

TEST_F(IdentityTest, SeveralIdentitiesInOneDirectoryAreNotChosenFrom) {
  fleet_.Add("node-a");
  fleet_.Add("node-b");
  WriteInventory(1, 2);
  const std::string both = fleet_.directory() + "/both";
  std::filesystem::create_directory(both);
  for (const char* name : {"/alice.crt", "/bob.crt"}) WriteFileOrDie(both + name, "", 0644);
  const Finished done = As(both, Arguments("apply"));
  EXPECT_EQ(done.exit_code, 65) << done;
  EXPECT_THAT(done.err, HasSubstr("(alice, bob): leave one of them there, or name the directory of "
                                  "one with --pki"));
}

TEST_F(IdentityTest, TheCommandsOfThePkiMakeAFleetThatWorks) {
  const std::string ca = fleet_.directory() + "/ca", ops = fleet_.directory() + "/ops";
  auto must = [&](const std::vector<std::string>& arguments) {
    const Finished done = fleet_.Operate(arguments);
    EXPECT_EQ(done.exit_code, 0) << done;
  };
  must({"pki", "init", "--dir", ca, "--domain", kDomain});
  must({"pki", "issue", "operator", "alice", "--ca", ca, "--out", ops});
  for (const char* name : {"node-a", "node-b"}) {
    Node& node = fleet_.Add(name);
    std::filesystem::remove_all(node.pki());
    std::filesystem::create_directory(node.pki());
    must({"pki", "request", "agent", name, "--domain", kDomain, "--out", node.pki()});
    must({"pki", "sign", "agent", name, absl::StrCat(node.pki(), "/", name, ".csr"), "--ca", ca});
    WriteFileOrDie(node.pki() + "/ca.crt", ReadFileOrDie(ca + "/ca.crt"), 0644);
    struct stat info = {};
    ASSERT_EQ(stat(absl::StrCat(node.pki(), "/", name, ".key").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
  }
  ASSERT_TRUE(fleet_.StartAll());
  WriteInventory(fleet_.node("node-a").port(), fleet_.node("node-b").port());
  const Finished done = As(ops, Arguments("apply"));
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, ContainsRegex("node-a +: ok=1 +changed=1 "));

  const Finished show =
      fleet_.Operate({"pki", "show", fleet_.node("node-a").pki() + "/node-a.crt"});
  EXPECT_EQ(show.exit_code, 0);
  EXPECT_THAT(show.out, HasSubstr("trustline://e2e.example/agent/node-a"));
  // Whoever signs says for whom: a request that asks for more is refused.
  const std::string sly = fleet_.directory() + "/sly";
  must({"pki", "request", "operator", "mallory", "--domain", kDomain, "--out", sly});
  const Finished refused =
      fleet_.Operate({"pki", "sign", "agent", "node-a", sly + "/mallory.csr", "--ca", ca});
  EXPECT_EQ(refused.exit_code, 77) << refused;
  EXPECT_THAT(refused.err, HasSubstr("trustline://e2e.example/operator/mallory"));
  EXPECT_FALSE(std::filesystem::exists(sly + "/mallory.crt"));
  // Nothing is overwritten.
  const std::string key = ReadFileOrDie(ca + "/ca.key");
  EXPECT_NE(fleet_.Operate({"pki", "init", "--dir", ca, "--domain", kDomain}).exit_code, 0);
  EXPECT_NE(
      fleet_.Operate({"pki", "issue", "operator", "alice", "--ca", ca, "--out", ops}).exit_code, 0);
  EXPECT_EQ(ReadFileOrDie(ca + "/ca.key"), key);
}

TEST_F(IdentityTest, ASecondAgentOnTheSamePortIsRefused) {
  Node& node = fleet_.Add("node-a");
  ASSERT_TRUE(node.Start());
  std::string config = ReadFileOrDie(node.config());
  const std::string listen = "listen: 127.0.0.1:0";
  config.replace(config.find(listen), listen.size(),
                 absl::StrCat("listen: 127.0.0.1:", node.port()));
  const Finished second =
      RunToEnd({{AgentProgram(), "--config", fleet_.Write("second.yaml", config)},
                {},
                "",
                "",
                false,
                9,
                false});
  EXPECT_NE(second.exit_code, 0);
  EXPECT_THAT(second.err, HasSubstr("already in use"));
  EXPECT_TRUE(node.agent()->Running());
}

TEST_F(IdentityTest, SigtermEndsAnAgentCleanly) {
  Node& node = fleet_.Add("node-a");
  ASSERT_TRUE(node.Start());
  const Finished done = node.Stop();
  EXPECT_EQ(done.exit_code, 0) << done;
}

}  // namespace
}  // namespace trustline::e2e
