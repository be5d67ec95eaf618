#include "trust/dhcp_message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace trustline {
namespace {

DhcpMessage Inform() {
  DhcpMessage message;
  message.xid = 0xdeadbeef;
  message.flags = 0x8000;
  message.ciaddr = 0x0a4d0002;
  message.chaddr = {0x00, 0x1b, 0x54, 0xaa, 0xbb, 0x01};
  message.type = DhcpType::kInform;
  message.options[55] = "\x96";
  return message;
}

// A reply whose options field is exactly `options`.
std::string WithOptions(const std::string& options) {
  return EncodeDhcp(Inform()).substr(0, 240) + options;
}

TEST(DhcpMessageTest, EveryFieldSurvivesTheWire) {
  DhcpMessage message = Inform();
  message.op = 2;
  message.hops = 1;
  message.yiaddr = 0x0a4d0064;
  message.siaddr = 0x0a4d0001;
  message.giaddr = 0xfffefdfc;
  message.options[82] = std::string("\x05\x04\x0a\x1e\x00\x00", 6);
  message.options[150] = absl::HexStringToBytes("0a4d000b0a4d000c");
  const absl::StatusOr<DhcpMessage> back = DecodeDhcp(EncodeDhcp(message));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->op, 2);
  EXPECT_EQ(back->hops, 1);
  EXPECT_EQ(back->xid, 0xdeadbeef);
  EXPECT_EQ(back->flags, 0x8000);
  EXPECT_EQ(back->ciaddr, message.ciaddr);
  EXPECT_EQ(back->yiaddr, message.yiaddr);
  EXPECT_EQ(back->siaddr, message.siaddr);
  EXPECT_EQ(back->giaddr, message.giaddr);
  EXPECT_EQ(back->chaddr, message.chaddr);
  EXPECT_EQ(back->type, DhcpType::kInform);
  EXPECT_EQ(back->options, message.options);
}

TEST(DhcpMessageTest, HeaderLiesWhereTheStandardSays) {
  const std::string bytes = EncodeDhcp(Inform());
  EXPECT_GE(bytes.size(), 300u);
  EXPECT_EQ(absl::BytesToHexString(bytes.substr(0, 16)), "01010600deadbeef000080000a4d0002");
  EXPECT_EQ(absl::BytesToHexString(bytes.substr(28, 6)), "001b54aabb01");
  EXPECT_EQ(absl::BytesToHexString(bytes.substr(236, 11)), "63825363350108370196ff");
}

TEST(DhcpMessageTest, RelayInformationIsTheLastOption) {
  DhcpMessage message = Inform();
  message.options[82] = "rr";
  message.options[150] = "abcd";
  const std::string bytes = EncodeDhcp(message);
  EXPECT_GT(bytes.find("\x52\x02rr"), bytes.find("\x96\x04"
                                                 "abcd"));
}

TEST(DhcpMessageTest, LongValuesAreSplitAndJoined) {
  DhcpMessage message = Inform();
  message.options[150] = std::string(600, 'x');
  const absl::StatusOr<DhcpMessage> back = DecodeDhcp(EncodeDhcp(message));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->options.at(150), std::string(600, 'x'));
}

TEST(DhcpMessageTest, OptionsInTheFixedFieldsAreRead) {
  std::string bytes = WithOptions(std::string("\x35\x01\x05\x34\x01\x03\xff", 7));
  bytes.replace(108, 7, std::string("\x96\x04\x0a\x4d\x00\x0b\xff", 7));  // boot file
  bytes.replace(44, 7, std::string("\x36\x04\x0a\x4d\x00\x01\xff", 7));   // server name
  const absl::StatusOr<DhcpMessage> message = DecodeDhcp(bytes);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(absl::BytesToHexString(message->options.at(150)), "0a4d000b");
  EXPECT_EQ(absl::BytesToHexString(message->options.at(54)), "0a4d0001");
}

TEST(DhcpMessageTest, BrokenMessagesAreRefusedWithWords) {
  const std::string good = EncodeDhcp(Inform());
  const auto words = [](const std::string& bytes) {
    const absl::StatusOr<DhcpMessage> message = DecodeDhcp(bytes);
    EXPECT_EQ(message.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(message.status().message());
  };
  EXPECT_NE(words("").find("0 bytes"), std::string::npos);
  EXPECT_NE(words(good.substr(0, 239)).find("239 bytes"), std::string::npos);
  std::string other = good;
  other[1] = 6;
  EXPECT_NE(words(other).find("hardware type 6"), std::string::npos);
  other = good;
  other[2] = 16;
  EXPECT_NE(words(other).find("16 address bytes"), std::string::npos);
  other = good;
  other[236] = 0;
  EXPECT_NE(words(other).find("cookie"), std::string::npos);
  EXPECT_NE(words(WithOptions("")).find("no message type"), std::string::npos);
  EXPECT_NE(words(WithOptions("\xff")).find("no message type"), std::string::npos);
  EXPECT_NE(words(WithOptions("\x35")).find("option 53 runs over"), std::string::npos);
  EXPECT_NE(words(WithOptions("\x96\x04"
                              "abc"))
                .find("option 150 runs over"),
            std::string::npos);
  EXPECT_NE(words(WithOptions("\x35\x01\x2a")).find("unknown message type"), std::string::npos);
}

TEST(DhcpMessageTest, EveryTruncationIsReadWithoutHarm) {
  DhcpMessage message = Inform();
  message.options[150] = std::string(300, 'x');
  const std::string bytes = EncodeDhcp(message);
  for (size_t size = 0; size < bytes.size(); ++size) {
    // An exact copy, so that a sanitizer sees any step over the end.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    (void)DecodeDhcp(absl::string_view(cut.data(), cut.size()));
  }
}

TEST(Ipv4Test, OnlyPlainDottedAddressesAreRead) {
  ASSERT_TRUE(ParseIpv4("10.20.0.11").ok());
  EXPECT_EQ(*ParseIpv4("10.20.0.11"), 0x0a14000bu);
  EXPECT_EQ(*ParseIpv4("255.255.255.255"), 0xffffffffu);
  EXPECT_EQ(*ParseIpv4("0.0.0.0"), 0u);
  for (const char* wrong :
       {"", "10.20.0", "10.20.0.11.1", "10.20.0.256", "10.20.0.011", "10.20..11", " 10.20.0.11",
        "10.20.0.11 ", "0x0a.0.0.1", "10.20.0.-1", "1000.1.1.1"}) {
    EXPECT_EQ(ParseIpv4(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
  EXPECT_EQ(FormatIpv4(0x0a14000b), "10.20.0.11");
  EXPECT_EQ(FormatIpv4(0xffffffff), "255.255.255.255");
}

TEST(Ipv4Test, SubnetsContainTheirAddresses) {
  const absl::StatusOr<Ipv4Subnet> subnet = ParseIpv4Subnet("10.30.0.0/23");
  ASSERT_TRUE(subnet.ok()) << subnet.status();
  EXPECT_TRUE(subnet->Contains(0x0a1e0000));
  EXPECT_TRUE(subnet->Contains(0x0a1e01ff));
  EXPECT_FALSE(subnet->Contains(0x0a1e0200));
  EXPECT_TRUE(ParseIpv4Subnet("0.0.0.0/0")->Contains(0xffffffff));
  EXPECT_FALSE(ParseIpv4Subnet("10.0.0.1/32")->Contains(0x0a000002));
}

TEST(Ipv4Test, WrongSubnetsAreRefused) {
  for (const char* wrong : {"", "10.30.0.0", "10.30.0.0/", "10.30.0.0/33", "10.30.0.0/-1",
                            "10.30.0.0/024", "10.30.0/24", "10.30.0.0/2 "}) {
    EXPECT_EQ(ParseIpv4Subnet(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
  EXPECT_NE(ParseIpv4Subnet("10.30.0.7/24").status().message().find("10.30.0.0/24"),
            absl::string_view::npos);
}

// The renderings of other servers come later; the bytes are the ones every server must send.
TEST(Option150Test, Scenario10TwoAddressesKeepTheirOrderOnTheWire) {
  EXPECT_EQ(absl::BytesToHexString(EncodeOption150({0x0a4d000b, 0x0a4d000c})), "0a4d000b0a4d000c");
  EXPECT_EQ(absl::BytesToHexString(EncodeOption150({0x0a4d000c, 0x0a4d000b})), "0a4d000c0a4d000b");
  const absl::StatusOr<std::vector<uint32_t>> back =
      DecodeOption150(absl::HexStringToBytes("0a4d000b0a4d000c"));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, (std::vector<uint32_t>{0x0a4d000b, 0x0a4d000c}));
}

TEST(Option150Test, ZeroAndOddLengthsAreMalformed) {
  EXPECT_FALSE(DecodeOption150("").ok());
  EXPECT_FALSE(DecodeOption150("abcde").ok());
}

}  // namespace
}  // namespace trustline
