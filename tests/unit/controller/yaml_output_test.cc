#include "controller/render/yaml_output.h"

#include <gtest/gtest.h>

#include "protos/yaml/document.h"

namespace trustline::controller {
namespace {

TEST(YamlOutput, SaysWhatTheJsonSays) {
  EXPECT_EQ(YamlOfJson(R"({"schema": "trustline/1", "exit_code": 0, "nodes": ["a", "b c"],
                           "rows": [{"node": "a", "changes": []}, {"node": "b", "deep": {"x": null}}],
                           "none": {}, "on": true})"),
            R"(schema: trustline/1
exit_code: 0
nodes:
  - a
  - "b c"
rows:
  - node: a
    changes: []
  - node: b
    deep:
      x: null
none: {}
"on": true
)");
}

TEST(YamlOutput, QuotesWhatWouldBeReadAsSomethingElse) {
  EXPECT_EQ(YamlOfJson(R"(["no", "1.5", "", "a: b", "- x", "é\n", "2026-11-22", "NULL"])"),
            "- \"no\"\n- \"1.5\"\n- \"\"\n- \"a: b\"\n- \"- x\"\n- \"é\\n\"\n- "
            "\"2026-11-22\"\n- \"NULL\"\n");
}

TEST(YamlOutput, KeepsListsInListsAndSeveralDocuments) {
  EXPECT_EQ(YamlOfJson("[[1, 2], []]\n{\"a\": 1}\n"), "- - 1\n  - 2\n- []\n---\na: 1\n");
  EXPECT_EQ(YamlOfJson("no json at all"), "no json at all");
}

TEST(YamlOutput, IsReadBackByAStrictReader) {
  const std::string yaml = YamlOfJson(
      R"({"run": "20261122-1-abc", "rows": [{"reasons": ["x: y", "# no comment"], "n": 7}]})");
  yaml::Diagnostics diagnostics;
  const yaml::Value document = yaml::ParseYaml("out.yml", yaml, diagnostics);
  ASSERT_FALSE(diagnostics.has_errors()) << diagnostics.Render();
  const yaml::Value& row = document.Find("rows")->list().at(0);
  EXPECT_EQ(row.Find("reasons")->list().at(1).text(), "# no comment");
  EXPECT_EQ(row.Find("n")->int_value(), 7);
}

}  // namespace
}  // namespace trustline::controller
