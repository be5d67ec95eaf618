#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protos/generic/kinds.h"

namespace trustline {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;

std::vector<std::string> Keys(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

// Every "$ref" in `json` must lead somewhere.
void CheckReferences(const Json& json, const Json& root) {
  if (json.is_object() && json.contains("$ref")) {
    const std::string path = json["$ref"].get<std::string>().substr(1);
    EXPECT_TRUE(root.contains(Json::json_pointer(path))) << path;
  }
  if (json.is_structured()) {
    for (const Json& child : json) CheckReferences(child, root);
  }
}

TEST(PlaybookSchema, CheckedInFileIsUpToDate) {
  const std::string path = absl::StrCat(TRUSTLINE_SOURCE_DIR, "/playbooks/schema.json");
  if (std::getenv("TRUSTLINE_UPDATE_SCHEMA") != nullptr) {
    std::ofstream(path) << PlaybookJsonSchema();
  }
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), PlaybookJsonSchema())
      << "run this test with TRUSTLINE_UPDATE_SCHEMA=1 and check the file in";
}

TEST(PlaybookSchema, DescribesPlaysAndTasks) {
  const Json schema = Json::parse(PlaybookJsonSchema());
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  CheckReferences(schema, schema);
  const Json& play = schema["$defs"]["play"];
  EXPECT_THAT(Keys(play["properties"]),
              UnorderedElementsAre("name", "hosts", "vars", "serial", "max_fail_percentage", "tags",
                                   "tasks", "handlers", "waves", "gate", "arrival",
                                   "require_no_stragglers"));
  std::vector<std::string> task = {"name",  "when",   "loop", "tags",
                                   "after", "notify", "mode", "pause"};
  for (const KindDescriptor& kind : AllKinds()) task.push_back(kind.name);
  EXPECT_THAT(Keys(schema["$defs"]["task"]["properties"]),
              ::testing::UnorderedElementsAreArray(task));
  EXPECT_EQ(schema["$defs"]["task"]["oneOf"].size(), AllKinds().size() + 1);
  EXPECT_THAT(Keys(schema["$defs"]["handler"]["properties"]),
              UnorderedElementsAre("name", "when", "tags", "mode", "service"));
}

TEST(PlaybookSchema, FieldsComeFromTheDescriptors) {
  const Json defs = Json::parse(PlaybookJsonSchema())["$defs"];
  const Json& import = defs["BundleImportSpec"];
  EXPECT_EQ(import["required"], Json::parse(R"(["hub", "exchange", "units"])"));
  EXPECT_EQ(import["additionalProperties"], false);
  const Json& units = import["properties"]["units"]["anyOf"][0];
  EXPECT_EQ(units["minItems"], 1);
  EXPECT_EQ(units["items"]["anyOf"][0]["pattern"], "^(?:CallManager|ITLRecovery|CAPF|tomcat)$");
  EXPECT_EQ(units["items"]["anyOf"][1]["$ref"], "#/$defs/template");
  EXPECT_EQ(defs["HubAddress"]["properties"]["port"]["default"], 22);
  EXPECT_EQ(defs["HubAddress"]["allOf"].size(), 2U);
  EXPECT_EQ(defs["BundleExportSpec"]["properties"]["profile"]["anyOf"][0]["enum"],
            Json::parse(R"(["modern", "compat_3des"])"));
  // At most one content of a certificate, exactly one scope of a pointer.
  EXPECT_EQ(defs["CertificateSpec"]["allOf"][0]["oneOf"].size(), 4U);
  EXPECT_EQ(defs["PointerScope"]["allOf"][0]["oneOf"].size(), 4U);
}

TEST(ExplainKind, ShowsFieldsObligationsAndTheExample) {
  const std::string text = ExplainKind(*FindKind("bundle_import"));
  EXPECT_THAT(text, HasSubstr("bundle_import: this node's trust stores hold every expected"));
  EXPECT_THAT(text, HasSubstr("SFTP server; required\n"));
  EXPECT_THAT(text, HasSubstr("TCP port; default 22\n"));
  EXPECT_THAT(text, HasSubstr("    password"));
  EXPECT_THAT(text, HasSubstr("list of strings"));
  EXPECT_THAT(text, HasSubstr("; this or private_key is required\n"));
  EXPECT_THAT(text, HasSubstr("--include-trust"));
  EXPECT_THAT(text, HasSubstr("\nExample\n  - bundle_import: { hub: "));
  EXPECT_THAT(ExplainKind(*FindKind("tftp_pointer")), HasSubstr("max_fail_percentage must be 0"));
  EXPECT_THAT(ExplainKind(*FindKind("service")), HasSubstr("started|restarted|reloaded"));
  EXPECT_THAT(ExplainKind(*FindKind("certificate")),
              HasSubstr("; not together with src or generate"));
}

TEST(ExplainKind, EveryFieldOfEveryKindSaysWhatItIsFor) {
  for (const KindDescriptor& kind : AllKinds()) {
    for (int i = 0; i < kind.spec->field_count(); ++i) {
      EXPECT_FALSE(kind.spec->field(i)->options().GetExtension(v1::rule).doc().empty())
          << kind.spec->field(i)->full_name();
    }
  }
}

}  // namespace
}  // namespace trustline
