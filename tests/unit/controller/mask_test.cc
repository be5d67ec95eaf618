#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "controller/compile.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool Allows(const std::vector<std::string>& tags, const std::vector<std::string>& skip,
            const std::vector<std::string>& resource_tags, bool handler = false) {
  v1::Resource resource;
  for (const std::string& tag : resource_tags) resource.add_tags(tag);
  if (handler) resource.add_notified_by("x");
  Mask mask;
  mask.tags = tags;
  mask.skip_tags = skip;
  return TagsAllow(mask, resource);
}

TEST(TagsTest, WithoutTagsEverythingRunsButNever) {
  EXPECT_TRUE(Allows({}, {}, {}));
  EXPECT_TRUE(Allows({}, {}, {"a"}));
  EXPECT_TRUE(Allows({}, {}, {"always"}));
  EXPECT_FALSE(Allows({}, {}, {"never"}));
  EXPECT_FALSE(Allows({}, {}, {"never", "a"}));
  EXPECT_FALSE(Allows({"all"}, {}, {"never", "a"}));
  EXPECT_TRUE(Allows({"all"}, {}, {"a"}));
}

TEST(TagsTest, NamedTagsRunWithWhatIsAlways) {
  EXPECT_TRUE(Allows({"a"}, {}, {"a", "b"}));
  EXPECT_FALSE(Allows({"a"}, {}, {"b"}));
  EXPECT_FALSE(Allows({"a"}, {}, {}));
  EXPECT_TRUE(Allows({"a"}, {}, {"always"}));
  EXPECT_TRUE(Allows({"a"}, {}, {"never", "a"}));
  EXPECT_TRUE(Allows({"never"}, {}, {"never"}));
  EXPECT_FALSE(Allows({"b"}, {}, {"never", "a"}));
}

TEST(TagsTest, TaggedAndUntaggedAreWordsForAll) {
  EXPECT_TRUE(Allows({"tagged"}, {}, {"x"}));
  EXPECT_FALSE(Allows({"tagged"}, {}, {}));
  EXPECT_FALSE(Allows({"tagged"}, {}, {"never"}));
  EXPECT_TRUE(Allows({"untagged"}, {}, {}));
  EXPECT_FALSE(Allows({"untagged"}, {}, {"x"}));
}

TEST(TagsTest, SkippingWins) {
  EXPECT_FALSE(Allows({}, {"a"}, {"a"}));
  EXPECT_TRUE(Allows({}, {"a"}, {"b"}));
  EXPECT_FALSE(Allows({"a"}, {"b"}, {"a", "b"}));
  EXPECT_FALSE(Allows({}, {"always"}, {"always"}));
  EXPECT_TRUE(Allows({}, {"all"}, {"always"}));
  EXPECT_FALSE(Allows({}, {"all"}, {"a"}));
  EXPECT_FALSE(Allows({}, {"tagged"}, {"a"}));
  EXPECT_TRUE(Allows({}, {"tagged"}, {}));
}

TEST(TagsTest, AHandlerIsSkippedOnlyWhenAllThatNotifiesItIs) {
  EXPECT_TRUE(Allows({"a"}, {}, {"a", "b"}, true));
  EXPECT_TRUE(Allows({}, {"a"}, {"a", "b"}, true));
  EXPECT_FALSE(Allows({}, {"a", "b"}, {"a", "b"}, true));
  EXPECT_FALSE(Allows({"c"}, {}, {"a", "b"}, true));
  EXPECT_TRUE(Allows({}, {"a"}, {}, true));
}

class LimitTest : public ::testing::Test {
 protected:
  std::optional<std::vector<std::string>> Limit(const std::string& limit) {
    CompileOptions options;
    options.inventories = {files_.Write(
        "inventory.yml",
        "all:\n  children:\n    g: { hosts: { a: {}, b: {} } }\n    h: { hosts: { c: {} } }\n")};
    return LimitHosts(options, limit, diagnostics_);
  }
  TempFiles files_;
  yaml::Diagnostics diagnostics_;
};

TEST_F(LimitTest, PatternsAndFilesChooseHosts) {
  EXPECT_THAT(*Limit(""), ElementsAre("a", "b", "c"));
  EXPECT_THAT(*Limit("h:g[0]"), ElementsAre("a", "c"));
  files_.Write("retry", "# failed last time\nb\n\nc\n");
  EXPECT_THAT(*Limit("@" + files_.Path("retry")), ElementsAre("b", "c"));
  EXPECT_EQ(diagnostics_.errors(), 0);
}

TEST_F(LimitTest, UnknownNamesAndEmptyMatchesAreErrors) {
  EXPECT_FALSE(Limit("a,hh").has_value());
  EXPECT_THAT(diagnostics_.Render(),
              HasSubstr("--limit:1:3: error: no host or group \"hh\" in the inventory"));
  EXPECT_FALSE(Limit("g:&h").has_value());
  EXPECT_THAT(diagnostics_.Render(), HasSubstr("error: \"g:&h\" matches no host"));
  EXPECT_FALSE(Limit("@/nonexistent/file").has_value());
  EXPECT_THAT(diagnostics_.Render(),
              HasSubstr("error: --limit @/nonexistent/file: cannot be read"));
}

}  // namespace
}  // namespace trustline::controller
