#include "controller/secrets.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

// Sets an environment variable for one test.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~ScopedVariable() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST(SecretsTest, ValuesComeFromEnvironmentAndFiles) {
  TempFiles files;
  ScopedVariable variable("TL_TEST_SECRET", "from env\n");
  files.Write("plain", "from file\n");
  files.Write("crlf", "from file\r\n");
  files.Write("two", "x\n\n");
  files.Write("key.pem", "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n");
  absl::StatusOr<v1::SecretValues> values =
      ResolveSecrets({"env:TL_TEST_SECRET", "file:plain", "file:crlf", "file:two",
                      "file:" + files.Path("key.pem")},
                     files.directory());
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ(values->by_name().at("env:TL_TEST_SECRET"), "from env\n");
  EXPECT_EQ(values->by_name().at("file:plain"), "from file");
  EXPECT_EQ(values->by_name().at("file:crlf"), "from file");
  EXPECT_EQ(values->by_name().at("file:two"), "x\n");
  EXPECT_EQ(values->by_name().at("file:" + files.Path("key.pem")),
            "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n");
}

TEST(SecretsTest, EverythingThatCannotBeReadIsNamedAndNothingElse) {
  TempFiles files;
  ScopedVariable present("TL_TEST_PRESENT", "do-not-show");
  ScopedVariable empty("TL_TEST_EMPTY", "");
  files.Write("huge", std::string(65537, 'x'));
  files.Write("fits", std::string(65536, 'x'));
  absl::StatusOr<v1::SecretValues> values =
      ResolveSecrets({"env:TL_TEST_PRESENT", "env:TL_TEST_ABSENT", "env:TL_TEST_EMPTY", "file:none",
                      "file:huge", "file:fits", "file:.", "file:/dev/zero"},
                     files.directory());
  ASSERT_EQ(values.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(values.status().message(),
            "secret env:TL_TEST_ABSENT: the environment variable is not set; secret "
            "env:TL_TEST_EMPTY: it is empty; secret file:none: No such file or directory; "
            "secret file:huge: larger than 64 KiB; secret file:.: not a regular file; secret "
            "file:/dev/zero: not a regular file");
}

}  // namespace
}  // namespace trustline::controller
