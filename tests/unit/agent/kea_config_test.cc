#include "agent/dhcp/kea_config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace trustline::agent {
namespace {

constexpr char kConfig[] = R"({
  // The voice network.
  "Dhcp4": {
    "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true }, ],
    "option-data": [
      { "name": "domain-name-servers", "data": "10.1.1.1" },
      { "name": "voip-tftp",   "data": "10.10.0.11,10.10.0.12" } // the old cluster
    ],
    "client-classes": [ { "name": "lab", "option-data": [ { "code": 150, "data": "10.9.9.9" } ] } ],
    "subnet4": [
      {
        "subnet": "10.30.0.0/24", "id": 1,
        "pools": [ { "pool": "10.30.0.10 - 10.30.0.99",
                     "option-data": [ { "code": 150, "data": "10.10.0.13" } ] } ],
        "option-data": [ { "code": 150, "csv-format": false, "data": "0a 0a 00 0b" } ],
        "reservations": [
          { "hw-address": "00:1B:54:AA:BB:01", "ip-address": "10.30.0.50" },
          { "hw-address": "00:1b:54:aa:bb:02", "option-data": [ { "name": "voip-tftp", "data": "10.10.0.14" } ] },
          { "client-id": "01:02:03", "hostname": "x" }
        ]
      },
      { "subnet": "10.30.1.0/24", "id": 2 }
    ],
    "shared-networks": [
      { "name": "floor", "option-data": [ { "space": "dhcp4", "code": 150, "data": "10.10.0.15" } ],
        "subnet4": [ { "subnet": "10.30.2.0/24", "id": 3, "option-data": [ ] } ] }
    ],
    "reservations": [ { "hw-address": "00:1b:54:aa:bb:09", "hostname": "y" } ]
  }
}
)";

const std::vector<uint32_t> kNew = {0x0a14000b, 0x0a14000c};  // 10.20.0.11, 10.20.0.12

KeaScope Global() { return {KeaScope::Type::kGlobal, ""}; }
KeaScope Subnet(const std::string& key) { return {KeaScope::Type::kSubnet, key}; }
KeaScope Reservation(const std::string& key) { return {KeaScope::Type::kReservation, key}; }

KeaConfig Config(const std::string& text = kConfig) {
  absl::StatusOr<KeaConfig> config = KeaConfig::Parse(text);
  EXPECT_TRUE(config.ok()) << config.status();
  return *std::move(config);
}

std::string PointerText(const KeaConfig& config, const KeaScope& scope) {
  const absl::StatusOr<KeaPointer> pointer = config.Pointer(scope);
  return pointer.ok() ? pointer->text : std::string(pointer.status().message());
}

// kConfig with `from` (exactly once there) replaced by `to`.
std::string Edited(const std::string& from, const std::string& to, std::string text = kConfig) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from << " is there twice";
  return text.replace(at, from.size(), to);
}

std::string WithPointer(const std::string& text, const KeaScope& scope,
                        const std::vector<uint32_t>& addresses = kNew) {
  const absl::StatusOr<std::string> changed = Config(text).WithPointer(scope, addresses);
  return changed.ok() ? *changed : std::string(changed.status().message());
}

TEST(KeaConfigTest, EveryScopeSaysWhatItSetsItself) {
  const KeaConfig config = Config();
  EXPECT_EQ(PointerText(config, Global()), "10.10.0.11, 10.10.0.12");
  EXPECT_EQ(PointerText(config, Subnet("10.30.0.0/24")), "10.10.0.11");
  EXPECT_EQ(PointerText(config, Subnet("10.30.1.0/24")), "");
  EXPECT_EQ(PointerText(config, Subnet("10.30.2.0/24")), "");
  EXPECT_EQ(PointerText(config, Reservation("00:1b:54:aa:bb:01")), "");
  EXPECT_EQ(PointerText(config, Reservation("00:1B:54:AA:BB:02")), "10.10.0.14");
  EXPECT_EQ(PointerText(config, Reservation("00:1b:54:aa:bb:09")), "");
  EXPECT_EQ(config.Pointer(Global())->addresses, (std::vector<uint32_t>{0x0a0a000b, 0x0a0a000c}));
}

TEST(KeaConfigTest, WhatClientsOfAScopeAreGivenIsTheNearestValue) {
  const KeaConfig config = Config();
  const auto served = [&](const KeaScope& scope) {
    const absl::StatusOr<KeaServed> found = config.Served(scope);
    EXPECT_TRUE(found.ok()) << found.status();
    return absl::StrCat(found->pointer.text, " in ", found->subnet_to_ask.value_or("no subnet"));
  };
  EXPECT_EQ(served(Global()), "10.10.0.11, 10.10.0.12 in 10.30.1.0/24");
  EXPECT_EQ(served(Subnet("10.30.0.0/24")), "10.10.0.11 in 10.30.0.0/24");
  EXPECT_EQ(served(Subnet("10.30.1.0/24")), "10.10.0.11, 10.10.0.12 in 10.30.1.0/24");
  EXPECT_EQ(served(Subnet("10.30.2.0/24")), "10.10.0.15 in 10.30.2.0/24");
  EXPECT_EQ(served(Reservation("00:1b:54:aa:bb:01")), "10.10.0.11 in 10.30.0.0/24");
  EXPECT_EQ(served(Reservation("00:1b:54:aa:bb:02")), "10.10.0.14 in 10.30.0.0/24");
  EXPECT_EQ(served(Reservation("00:1b:54:aa:bb:09")), "10.10.0.11, 10.10.0.12 in 10.30.1.0/24");
  EXPECT_FALSE(config.Served(Subnet("10.31.0.0/24")).ok());
}

TEST(KeaConfigTest, AMissingScopeIsRefusedNamingThoseThere) {
  EXPECT_EQ(PointerText(Config(), Subnet("10.31.0.0/24")),
            "the DHCP server has no subnet 10.31.0.0/24; it has: 10.30.0.0/24, 10.30.1.0/24, "
            "10.30.2.0/24");
  EXPECT_EQ(PointerText(Config(), Subnet("10.30.0.0/25")),
            "the DHCP server has no subnet 10.30.0.0/25; it has: 10.30.0.0/24, 10.30.1.0/24, "
            "10.30.2.0/24");
  EXPECT_EQ(PointerText(Config(), Reservation("00:00:00:00:00:01")),
            "the DHCP server has no reservation 00:00:00:00:00:01; it has: 00:1b:54:aa:bb:09, "
            "00:1b:54:aa:bb:01, 00:1b:54:aa:bb:02");
  EXPECT_EQ(PointerText(Config(R"({ "Dhcp4": { } })"), Subnet("10.30.0.0/24")),
            "the DHCP server has no subnet 10.30.0.0/24; it has: none");
}

TEST(KeaConfigTest, ManyScopesAreNotAllNamed) {
  std::string text = R"({ "Dhcp4": { "subnet4": [)";
  for (int i = 0; i < 15; ++i) absl::StrAppend(&text, R"({"subnet":"10.40.)", i, R"(.0/24"},)");
  absl::StrAppend(&text, "] } }");
  EXPECT_NE(PointerText(Config(text), Subnet("10.30.0.0/24")).find("10.40.9.0/24 and 5 more"),
            std::string::npos);
}

TEST(KeaConfigTest, OnlyTheBytesOfTheValueChange) {
  EXPECT_EQ(WithPointer(kConfig, Global()),
            Edited("10.10.0.11,10.10.0.12", "10.20.0.11, 10.20.0.12"));
  EXPECT_EQ(WithPointer(kConfig, Subnet("10.30.0.0/24")),
            Edited("0a 0a 00 0b", "0A14000B0A14000C"));
  EXPECT_EQ(WithPointer(kConfig, Reservation("00:1B:54:aa:bb:02")),
            Edited("10.10.0.14", "10.20.0.11, 10.20.0.12"));
}

TEST(KeaConfigTest, AScopeWithoutTheOptionGetsIt) {
  EXPECT_EQ(
      WithPointer(kConfig, Subnet("10.30.1.0/24")),
      Edited(
          R"("id": 2 })",
          R"("id": 2, "option-data": [ { "name": "voip-tftp", "data": "10.20.0.11, 10.20.0.12" } ] })"));
  EXPECT_EQ(
      WithPointer(kConfig, Subnet("10.30.2.0/24")),
      Edited(R"("option-data": [ ])",
             R"("option-data": [ { "name": "voip-tftp", "data": "10.20.0.11, 10.20.0.12" } ])"));
  EXPECT_EQ(
      WithPointer(kConfig, Reservation("00:1b:54:aa:bb:01")),
      Edited(
          R"("ip-address": "10.30.0.50")",
          R"("ip-address": "10.30.0.50", "option-data": [ { "name": "voip-tftp", "data": "10.20.0.11, 10.20.0.12" } ])"));
  EXPECT_EQ(
      WithPointer(kConfig, Reservation("00:1b:54:aa:bb:09")),
      Edited(
          R"("hostname": "y")",
          R"("hostname": "y", "option-data": [ { "name": "voip-tftp", "data": "10.20.0.11, 10.20.0.12" } ])"));
}

TEST(KeaConfigTest, WithoutADefinitionTheValueIsWrittenAsBytes) {
  const std::string text =
      "{ \"Dhcp4\": {\n  \"option-data\": [\n    { \"code\": 3, \"data\": \"10.0.0.1\" }\n  ]\n} }";
  EXPECT_EQ(
      WithPointer(text, Global()),
      "{ \"Dhcp4\": {\n  \"option-data\": [\n    { \"code\": 3, \"data\": \"10.0.0.1\" },\n"
      "    { \"code\": 150, \"csv-format\": false, \"data\": \"0A14000B0A14000C\" }\n  ]\n} }");
  // Kea takes data as hexadecimal by itself where it knows no definition.
  EXPECT_EQ(
      WithPointer(R"({"Dhcp4":{"option-data":[{"code":150,"data":"0x0a0a000b"}]}})", Global()),
      R"({"Dhcp4":{"option-data":[{"code":150,"data":"0A14000B0A14000C"}]}})");
  EXPECT_EQ(WithPointer(
                R"({"Dhcp4":{"option-data":[{"code":150,"csv-format":true,"data":"10.10.0.11"}]}})",
                Global()),
            "option 150 is set with csv-format true but there is no option-def of code 150");
}

TEST(KeaConfigTest, TheDefinitionDecidesHowTheValueIsWritten) {
  const auto config = [](const std::string& type, const std::string& data) {
    return absl::StrCat(R"({"Dhcp4":{"option-def":[{"name":"t","code":150,)", type,
                        R"(}],"option-data":[)", data, "]}}");
  };
  EXPECT_EQ(
      WithPointer(config(R"("type":"binary")", R"({"name":"t","data":"0a0a000b"})"), Global()),
      config(R"("type":"binary")", R"({"name":"t","data":"0A14000B0A14000C"})"));
  EXPECT_EQ(WithPointer(config(R"("type":"binary")", ""), Global()),
            config(R"("type":"binary")",
                   R"( { "name": "t", "csv-format": false, "data": "0A14000B0A14000C" } )"));
  const std::string one = R"("type":"ipv4-address")";
  EXPECT_EQ(WithPointer(config(one, R"({"name":"t","data":"10.10.0.11"})"), Global(), {0x0a14000b}),
            config(one, R"({"name":"t","data":"10.20.0.11"})"));
  EXPECT_NE(WithPointer(config(one, R"({"name":"t","data":"10.10.0.11"})"), Global())
                .find("type ipv4-address, which cannot hold 2 addresses; declare it with"),
            std::string::npos);
  EXPECT_NE(WithPointer(config(R"("type":"string")", ""), Global()).find("type string"),
            std::string::npos);
  // What a string option says is never a list of addresses on the wire.
  EXPECT_EQ(PointerText(Config(config(R"("type":"string")", R"({"name":"t","data":"10.10.0.11"})")),
                        Global()),
            "'10.10.0.11'");
}

TEST(KeaConfigTest, OtherOptionsAndSpacesAreLeftAlone) {
  const std::string text =
      R"({"Dhcp4":{"option-def":[{"name":"t","code":150,"space":"vendor-9","type":"string"}],)"
      R"("option-data":[{"code":150,"space":"vendor-9","data":"x"},{"name":"t","space":"vendor-9","data":"y"}]}})";
  EXPECT_EQ(PointerText(Config(text), Global()), "");
  EXPECT_EQ(
      WithPointer(text, Global()),
      Edited(R"("data":"y"})",
             R"("data":"y"}, { "code": 150, "csv-format": false, "data": "0A14000B0A14000C" })",
             text));
}

TEST(KeaConfigTest, UnreadableValuesAreShownAndReplaced) {
  const std::string text = R"({"Dhcp4":{"option-data":[{"code":150,"data":"0a0a00"}]}})";
  EXPECT_EQ(PointerText(Config(text), Global()), "'0a0a00'");
  EXPECT_EQ(WithPointer(text, Global()), Edited("0a0a00", "0A14000B0A14000C", text));
  EXPECT_EQ(WithPointer(R"({"Dhcp4":{"option-data":[{"code":150}]}})", Global()),
            R"({"Dhcp4":{"option-data":[{"code":150, "data": "0A14000B0A14000C"}]}})");
}

TEST(KeaConfigTest, WhatIsThereTwiceIsRefused) {
  const std::string option =
      R"({"Dhcp4":{"option-data":[{"code":150,"data":"0a0a000b"},{"code":150,"data":"0a0a000c"}]}})";
  EXPECT_EQ(PointerText(Config(option), Global()),
            "option 150 is set twice there; remove one of the two");
  const std::string reservation =
      R"({"Dhcp4":{"subnet4":[{"subnet":"10.30.0.0/24","reservations":[{"hw-address":"001b54aabb01"}]},)"
      R"({"subnet":"10.30.1.0/24","reservations":[{"hw-address":"00:1b:54:aa:bb:01"}]}]}})";
  EXPECT_EQ(PointerText(Config(reservation), Reservation("00:1b:54:aa:bb:01")),
            "reservation 00:1b:54:aa:bb:01 is there 2 times (10.30.0.0/24, 10.30.1.0/24); remove "
            "all but one");
}

TEST(KeaConfigTest, AnythingButADhcp4ConfigurationIsRefused) {
  EXPECT_EQ(KeaConfig::Parse("{ \"Dhcp6\": {} }").status().message(),
            "there is no \"Dhcp4\": { ... } in it");
  EXPECT_FALSE(KeaConfig::Parse("[]").ok());
  EXPECT_FALSE(KeaConfig::Parse("").ok());
}

TEST(KeaConfigTest, NarrowerScopesAreFound) {
  const auto names = [](const KeaScope& scope) {
    std::string all;
    for (const KeaNarrowerScope& narrower : Config().NarrowerThan(scope)) {
      absl::StrAppend(&all, narrower.name, ": ", narrower.pointer.text, "\n");
    }
    return all;
  };
  EXPECT_EQ(names(Global()),
            "class lab: 10.9.9.9\n"
            "shared network floor: 10.10.0.15\n"
            "subnet 10.30.0.0/24: 10.10.0.11\n"
            "pool 10.30.0.10 - 10.30.0.99 of subnet 10.30.0.0/24: 10.10.0.13\n"
            "reservation 00:1b:54:aa:bb:02: 10.10.0.14\n");
  EXPECT_EQ(names(Subnet("10.30.0.0/24")),
            "pool 10.30.0.10 - 10.30.0.99 of subnet 10.30.0.0/24: 10.10.0.13\n"
            "reservation 00:1b:54:aa:bb:02: 10.10.0.14\n");
  EXPECT_EQ(names(Subnet("10.30.1.0/24")), "");
  EXPECT_EQ(names(Reservation("00:1b:54:aa:bb:01")), "");
}

TEST(KeaConfigTest, AValueIsAskedForWhereItCanBeSeen) {
  EXPECT_EQ(Config().SubnetToAsk(Subnet("10.30.2.0/24")), "10.30.2.0/24");
  EXPECT_EQ(Config().SubnetToAsk(Reservation("00:1b:54:aa:bb:01")), "10.30.0.0/24");
  EXPECT_EQ(Config().SubnetToAsk(Reservation("00:1b:54:aa:bb:09")), "");
  // 10.30.0.0/24 and the shared network of 10.30.2.0/24 hide the global value.
  EXPECT_EQ(Config().SubnetToAsk(Global()), "10.30.1.0/24");
  EXPECT_EQ(Config(R"({"Dhcp4":{"subnet4":[{"subnet":"10.30.0.0/24"}]}})").SubnetToAsk(Global()),
            "");
  EXPECT_EQ(
      Config(
          R"({"Dhcp4":{"subnet4":[{"subnet":"10.30.0.0/24","option-data":[{"code":150,"data":"0a0a000b"}]}]}})")
          .SubnetToAsk(Global()),
      std::nullopt);
}

TEST(KeaConfigTest, OnTheWireCommentsBecomeUserContext) {
  EXPECT_EQ(
      Config(R"({ "Dhcp4": { "comment": "a", // b
    "subnet4": [ { "comment": "c", "id": 1, "user-context": { "x": 1, "comment-of": "y" } } ],
    "hooks-libraries": [ { "parameters": { "comment": "stays" } } ], }, })")
          .WireJson(),
      R"({"Dhcp4":{"subnet4":[{"id":1,"user-context":{"x":1,"comment-of":"y","comment":"c"}}],)"
      R"("hooks-libraries":[{"parameters":{"comment":"stays"}}],"user-context":{"comment":"a"}}})");
}

TEST(KeaConfigTest, KeasSpellingsOfBytesAreRead) {
  EXPECT_EQ(NormalMac("00:1B:54:AA:BB:01"), "00:1b:54:aa:bb:01");
  EXPECT_EQ(NormalMac("001b54aabb01"), "00:1b:54:aa:bb:01");
  EXPECT_EQ(NormalMac("0:1b:54:aa:bb:1"), "00:1b:54:aa:bb:01");
  EXPECT_EQ(NormalMac("00-1b-54-aa-bb-01"), "00:1b:54:aa:bb:01");
  EXPECT_EQ(NormalMac("00:1b:54:aa:bb"), "");
  EXPECT_EQ(NormalMac("hello"), "");
  EXPECT_EQ(KeaHexBytes("0x0A4d"), "\x0a\x4d");
  EXPECT_EQ(KeaHexBytes("'ab'"), "ab");
  EXPECT_EQ(KeaHexBytes("0a4"), std::nullopt);
}

}  // namespace
}  // namespace trustline::agent
