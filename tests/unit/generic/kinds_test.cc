#include "protos/generic/kinds.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protos/generic/enum_words.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;

TEST(Kinds, ComeInTheOrderOfTheProto) {
  std::vector<std::string> names;
  for (const KindDescriptor& kind : AllKinds()) names.push_back(kind.name);
  EXPECT_THAT(names, ElementsAre("certificate", "bundle_export", "bundle_consolidation",
                                 "bundle_import", "tftp_pointer", "service", "trust_list",
                                 "signed_file", "trust_verification", "trust_gate"));
  EXPECT_EQ(FindKind("bundle_import")->spec, v1::BundleImportSpec::descriptor());
  EXPECT_TRUE(FindKind("tftp_pointer")->rule.pointer());
  EXPECT_TRUE(FindKind("bundle_import")->rule.holds_trust());
  EXPECT_EQ(FindKind("bundle"), nullptr);
}

TEST(Kinds, EveryKindExplainsItselfAndItsLabelFieldsExist) {
  for (const KindDescriptor& kind : AllKinds()) {
    EXPECT_FALSE(kind.rule.summary().empty()) << kind.name;
    EXPECT_FALSE(kind.rule.example().empty()) << kind.name;
    EXPECT_FALSE(kind.rule.label_fields().empty()) << kind.name;
  }
}

TEST(Kinds, SpecIsReachedThroughTheResource) {
  v1::Resource resource;
  EXPECT_EQ(KindOf(resource), nullptr);
  MutableSpec(resource, *FindKind("service"));
  ASSERT_NE(KindOf(resource), nullptr);
  EXPECT_EQ(KindOf(resource)->name, "service");
  EXPECT_EQ(SpecOf(resource).GetDescriptor(), v1::ServiceSpec::descriptor());
}

TEST(Kinds, LabelsNameTheResource) {
  v1::Resource resource;
  resource.mutable_bundle_import()->add_units("CallManager");
  resource.mutable_bundle_import()->add_units("ITLRecovery");
  EXPECT_EQ(ResourceLabel(resource), "bundle_import \"CallManager, ITLRecovery\"");
  resource.mutable_tftp_pointer()->mutable_scope()->set_subnet("10.30.0.0/24");
  EXPECT_EQ(ResourceLabel(resource), "tftp_pointer \"subnet 10.30.0.0/24\"");
  resource.mutable_tftp_pointer()->mutable_scope()->Clear();
  resource.mutable_tftp_pointer()->mutable_scope()->set_global(true);
  EXPECT_EQ(ResourceLabel(resource), "tftp_pointer \"global\"");
  resource.mutable_service()->set_name("tvs");
  resource.mutable_service()->set_state(v1::SERVICE_CONDITION_RESTARTED);
  EXPECT_EQ(ResourceLabel(resource), "service \"tvs restarted\"");
  resource.mutable_certificate()->set_unit("CallManager");
  EXPECT_EQ(ResourceLabel(resource), "certificate \"CallManager\"");
}

TEST(Kinds, SecretNamesAreFoundAtAnyDepthOnce) {
  v1::DesiredState document;
  v1::BundleImportSpec& import = *document.add_resources()->mutable_bundle_import();
  import.mutable_hub()->mutable_password()->set_name("env:HUB");
  import.mutable_bundle_password()->set_name("env:BUNDLE");
  *document.add_resources()->mutable_bundle_export()->mutable_hub() = import.hub();
  EXPECT_THAT(SecretNames(document), ElementsAre("env:BUNDLE", "env:HUB"));
  EXPECT_THAT(SecretNames(v1::DesiredState()), ElementsAre());
}

TEST(EnumWords, DropThePrefixOfTheirType) {
  EXPECT_THAT(EnumWords(*v1::Pkcs12Profile_descriptor()), ElementsAre("modern", "compat_3des"));
  EXPECT_EQ(FindEnumWord(*v1::Pkcs12Profile_descriptor(), "compat_3des")->number(),
            v1::PKCS12_PROFILE_COMPAT_3DES);
  EXPECT_EQ(FindEnumWord(*v1::Pkcs12Profile_descriptor(), "unspecified"), nullptr);
  EXPECT_EQ(FindEnumWord(*v1::Pkcs12Profile_descriptor(), "MODERN"), nullptr);
}

}  // namespace
}  // namespace trustline
