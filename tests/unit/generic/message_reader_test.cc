#include "protos/yaml/message_reader.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protos/generic/kinds.h"
#include "protos/trustline/v1/agent.pb.h"
#include "protos/trustline/v1/agent_config.pb.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "protos/yaml/document.h"

namespace trustline::yaml {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kHub[] =
    "{ host: h, user: u, password: !env P, host_key: "
    "'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }";

// Reads `text` as a message of type T; the complaints, empty when there are none.
template <typename T>
std::string Read(const std::string& text, T& message, const std::string& what = "it",
                 const ReadOptions& options = {}) {
  Diagnostics diagnostics;
  const Value value = ParseYaml("t.yml", text, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.Render();
  const bool ok = ReadMessage(value, what, options, message, diagnostics);
  EXPECT_EQ(ok, !diagnostics.has_errors());
  return diagnostics.Render();
}
template <typename T>
std::string Complaints(const std::string& text, const std::string& what = "it") {
  T message;
  return Read(text, message, what);
}

TEST(MessageReader, EveryKindsExampleReads) {
  for (const KindDescriptor& kind : AllKinds()) {
    v1::Resource resource;
    Diagnostics diagnostics;
    const Value value = ParseYaml("example", kind.rule.example(), diagnostics);
    EXPECT_TRUE(ReadMessage(value, kind.name, {}, MutableSpec(resource, kind), diagnostics))
        << diagnostics.Render();
    EXPECT_NE(ResourceLabel(resource), kind.name);
  }
}

TEST(MessageReader, FillsNestedMessagesListsEnumsAndDefaults) {
  v1::BundleImportSpec spec;
  EXPECT_EQ(Read(absl::StrCat("hub: ", kHub,
                              "\nexchange: spring\nunits: [CallManager, CAPF]\n"
                              "bundle_password: !file /etc/pw\n"
                              "placement:\n  - { unit: CAPF, stores: [a, b] }\n"),
                 spec),
            "");
  EXPECT_EQ(spec.hub().host(), "h");
  EXPECT_EQ(spec.hub().password().name(), "env:P");
  EXPECT_EQ(spec.hub().port(), 22U);
  EXPECT_EQ(spec.hub().directory(), ".");
  EXPECT_EQ(spec.units_size(), 2);
  EXPECT_EQ(spec.bundle_password().name(), "file:/etc/pw");
  EXPECT_EQ(spec.placement(0).stores(1), "b");

  v1::BundleExportSpec exported;
  Read(absl::StrCat("{ hub: ", kHub, ", exchange: x, units: [CAPF], profile: compat_3des }"),
       exported);
  EXPECT_EQ(exported.profile(), v1::PKCS12_PROFILE_COMPAT_3DES);
  Read(absl::StrCat("{ hub: ", kHub, ", exchange: x, units: [CAPF] }"), exported);
  EXPECT_EQ(exported.profile(), v1::PKCS12_PROFILE_MODERN);
}

TEST(MessageReader, GivenValuesWinOverDefaultsAndOldContentIsCleared) {
  v1::HubAddress hub;
  hub.set_known_hosts("old");
  EXPECT_EQ(Read("{ host: h, user: u, private_key: !file k, port: 0, directory: d, host_key: "
                 "'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }",
                 hub),
            "");
  EXPECT_EQ(hub.port(), 0U);
  EXPECT_EQ(hub.directory(), "d");
  EXPECT_EQ(hub.known_hosts(), "");
}

TEST(MessageReader, UnknownFieldLooksAsPromised) {
  Diagnostics diagnostics;
  const Value play =
      ParseYaml("migrate-phones.yml",
                std::string(13, '\n') +
                    "    - bundle_import: { unit: [CallManager], hub: \"{{ sftp_hub }}\" }\n",
                diagnostics);
  v1::BundleImportSpec spec;
  ReadMessage(*play.list()[0].Find("bundle_import"), "bundle_import", {}, spec, diagnostics);
  EXPECT_THAT(
      diagnostics.Render(),
      HasSubstr("migrate-phones.yml:14:24: error: unknown field \"unit\" in bundle_import (did you "
                "mean \"units\"?)\n"
                "   14 |     - bundle_import: { unit: [CallManager], hub: \"{{ sftp_hub }}\" }\n"
                "      |                        ^~~~\n"));
}

TEST(MessageReader, EverythingWrongIsSaidInOneGo) {
  const std::string all = Complaints<v1::BundleImportSpec>(
      "hub: { host: 5, prot: 22 }\nunits: CallManager\nexchange: a/b\n", "bundle_import");
  EXPECT_THAT(all, HasSubstr("t.yml:1:14: error: \"host\" in hub must be a string, not an "
                             "integer; quote it\n"));
  EXPECT_THAT(all, HasSubstr("unknown field \"prot\" in hub (did you mean \"port\"?)"));
  EXPECT_THAT(all, HasSubstr("t.yml:1:6: error: missing required field \"user\" in hub\n"));
  EXPECT_THAT(all, HasSubstr("hub needs one of \"password\" or \"private_key\""));
  EXPECT_THAT(all, HasSubstr("hub needs one of \"host_key\", \"known_hosts\" or "
                             "\"known_hosts_file\""));
  EXPECT_THAT(all, HasSubstr("t.yml:2:8: error: \"units\" in bundle_import must be a list, not a "
                             "string; write [CallManager] for a list of one"));
  EXPECT_THAT(all, HasSubstr("\"exchange\" in bundle_import must be letters, digits, - _ ., not "
                             "\"a/b\""));
  // A field with a wrong child is not also missing.
  EXPECT_THAT(all, Not(HasSubstr("missing required field \"hub\"")));
  EXPECT_THAT(all, Not(HasSubstr("missing required fields")));
}

TEST(MessageReader, MissingFieldsAreListedTogether) {
  EXPECT_THAT(Complaints<v1::BundlePin>("{ cluster: a }", "pins"),
              HasSubstr("missing required fields \"node\", \"unit\" and \"sha256\" in pins"));
}

TEST(MessageReader, RequiredMeansNotEmptyAndNotNull) {
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("common_name: ''"),
              HasSubstr("\"common_name\" in it must not be empty"));
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("common_name:\norganization: ~\n"),
              HasSubstr("t.yml:1:1: error: \"common_name\" in it has no value"));
  EXPECT_THAT(Complaints<v1::Placement>("{ unit: CAPF, stores: [] }"),
              HasSubstr("\"stores\" in it needs at least 1 item"));
  EXPECT_THAT(Complaints<v1::Placement>("{ unit: CAPF, stores: [a, ~] }"),
              HasSubstr("\"stores\" in it has no value"));
}

TEST(MessageReader, PatternsMatchTheWholeOfEveryItem) {
  EXPECT_THAT(
      Complaints<v1::BundleExportSpec>(
          absl::StrCat("{ hub: ", kHub, ", exchange: x, units: [CAPF, CallManagr] }")),
      HasSubstr("\"units\" in it must be one of CallManager, ITLRecovery, CAPF, tomcat (TVS "
                "and ipsec are not bulk types), not \"CallManagr\" (did you mean "
                "\"CallManager\"?)"));
  EXPECT_THAT(Complaints<v1::BundlePin>(absl::StrCat("{ cluster: c, node: n, unit: u, sha256: '",
                                                     std::string(65, 'a'), "' }")),
              HasSubstr("must be 64 hex digits"));
}

TEST(MessageReader, TypesAreStrict) {
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("{ common_name: true }"),
              HasSubstr("must be a string, not a boolean; quote it"));
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("{ common_name: [a] }"),
              HasSubstr("must be a string, not a list\n"));
  EXPECT_THAT(
      Complaints<v1::GenerateCertificate>("{ common_name: a, days: '5' }"),
      HasSubstr("\"days\" in it must be an integer, not a string; write it without quotes"));
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("{ common_name: a, days: 5.5 }"),
              HasSubstr("must be an integer, not a number"));
  EXPECT_THAT(Complaints<v1::PointerScope>("{ global: yes }"),
              HasSubstr("\"global\" in it must be true or false, not a string"));
  EXPECT_THAT(Complaints<v1::BundleImportSpec>("[a]", "bundle_import"),
              HasSubstr("t.yml:1:1: error: bundle_import must be a map, not a list"));
  EXPECT_THAT(Complaints<v1::BundleExportSpec>("{ hub: text }"),
              HasSubstr("hub must be a map, not a string"));
  EXPECT_THAT(Complaints<v1::Placement>("{ unit: CAPF, stores: [1] }"),
              HasSubstr("\"stores\" in it takes strings, not an integer; quote it"));
}

TEST(MessageReader, IntegersAreRangeChecked) {
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("{ common_name: a, days: -1 }"),
              HasSubstr("\"days\" in it must be between 0 and 4294967295, not -1"));
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("{ common_name: a, days: 4294967296 }"),
              HasSubstr("not 4294967296"));
  v1::GenerateCertificate message;
  EXPECT_EQ(Read("{ common_name: a, days: 4294967295 }", message), "");
  EXPECT_EQ(message.days(), 4294967295U);
  v1::StoredCertificate stored;
  EXPECT_EQ(Read("{ not_after_unix: -9 }", stored), "");
  EXPECT_EQ(stored.not_after_unix(), -9);
  v1::GenerationStatus generation;
  EXPECT_THAT(Read("{ number: -9 }", generation), HasSubstr("must be between 0 and"));
}

TEST(MessageReader, EnumsTakeTheirWords) {
  EXPECT_THAT(Complaints<v1::ServiceSpec>("{ name: tvs, state: restartd }"),
              HasSubstr("\"state\" in it must be started, restarted or reloaded, not \"restartd\" "
                        "(did you mean \"restarted\"?)"));
  EXPECT_THAT(Complaints<v1::ServiceSpec>("{ name: tvs, state: 2 }"),
              HasSubstr("must be started, restarted or reloaded, not an integer"));
  EXPECT_THAT(Complaints<v1::ServiceSpec>("{ name: tvs, state: unspecified }"),
              HasSubstr("not \"unspecified\""));
  v1::ServiceSpec spec;
  EXPECT_EQ(Read("{ name: tvs }", spec), "");
  EXPECT_EQ(spec.state(), v1::SERVICE_CONDITION_STARTED);
}

TEST(MessageReader, OneOfAGroup) {
  EXPECT_THAT(Complaints<v1::PointerScope>("{ subnet: 10.0.0.0/8, global: true }", "scope"),
              HasSubstr("t.yml:1:23: error: \"global\" in scope cannot stand beside \"subnet\""));
  EXPECT_THAT(Complaints<v1::PointerScope>("{}", "scope"),
              HasSubstr("scope needs one of \"subnet\", \"reservation\", \"global\" or "
                        "\"class_name\""));
  EXPECT_THAT(Complaints<v1::PointerScope>("{ global: false }", "scope"),
              HasSubstr("\"global\" in scope can only be true"));
  // The content of a certificate is optional, two contents are not.
  v1::CertificateSpec spec;
  EXPECT_EQ(Read("{ unit: CAPF }", spec), "");
  EXPECT_EQ(spec.purpose(), v1::CERTIFICATE_PURPOSE_TRUST);
  EXPECT_THAT(Read("{ unit: CAPF, pem: x, generate: { common_name: a } }", spec),
              HasSubstr("\"generate\" in it cannot stand beside \"pem\""));
}

TEST(MessageReader, FilesAreReadIntoTheirSibling) {
  ReadOptions options;
  options.read_file = [](const std::string& path) -> absl::StatusOr<std::string> {
    if (path == "ca.pem") return std::string("PEM\n");
    if (path == "binary") return std::string("\x01\xff");
    if (path == "empty") return std::string();
    return absl::NotFoundError("no such file");
  };
  v1::CertificateSpec spec;
  EXPECT_EQ(Read("{ unit: CAPF, src: ca.pem }", spec, "certificate", options), "");
  EXPECT_EQ(spec.pem(), "PEM\n");
  EXPECT_EQ(spec.src(), "");
  EXPECT_THAT(Read("{ unit: CAPF, src: gone }", spec, "certificate", options),
              HasSubstr("t.yml:1:20: error: cannot read \"gone\": no such file"));
  EXPECT_THAT(Read("{ unit: CAPF, src: binary }", spec, "certificate", options),
              HasSubstr("the file is not text"));
  EXPECT_THAT(Read("{ unit: CAPF, src: empty }", spec, "certificate", options),
              HasSubstr("the file is empty"));
  EXPECT_THAT(Read("{ unit: CAPF, src: ca.pem }", spec, "certificate"),
              HasSubstr("\"src\" in certificate cannot be used here; give \"pem\" instead"));
}

TEST(MessageReader, SecretsAreReferencesAndLiteralsAreNotRepeated) {
  const std::string literal =
      Complaints<v1::HubAddress>("{ host: h, user: u, password: hunter2, nope: 1 }", "hub");
  EXPECT_THAT(literal,
              HasSubstr("\"password\" in hub is a secret: give it as !env NAME or !file PATH"));
  EXPECT_THAT(literal, HasSubstr("unknown field \"nope\""));
  EXPECT_THAT(literal, Not(HasSubstr("hunter2")));
  EXPECT_THAT(Complaints<v1::HubAddress>("{ pasword: hunter2 }"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(Complaints<v1::HubAddress>("{ password: [hunter2, { a: hunter2 }] }"),
              Not(HasSubstr("hunter2")));
  EXPECT_THAT(Complaints<v1::HubAddress>("{ host: !env HOST }", "hub"),
              HasSubstr("\"host\" in hub cannot be a secret"));
}

TEST(MessageReader, ControlCharactersDoNotComeInByEscapes) {
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("{ common_name: \"a\\x00b\" }"),
              HasSubstr("contains a control character"));
  EXPECT_THAT(Complaints<v1::GenerateCertificate>("{ common_name: \"a\\e[31m\" }"),
              HasSubstr("contains a control character"));
}

TEST(MessageReader, WhatYamlCannotSayIsRefused) {
  EXPECT_THAT(Complaints<v1::SecretValues>("{ by_name: { a: b } }"),
              HasSubstr("\"by_name\" in it cannot be given in YAML"));
}

}  // namespace
}  // namespace trustline::yaml
