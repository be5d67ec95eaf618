#include "trust/phone/configuration.h"

#include <expat.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace trustline {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxText = 4096;  // of one element; longer ones are none of those looked for
constexpr size_t kMaxMembers = 5;  // what the format has room for

struct Member {
  int priority = 0;
  std::string host;
  uint16_t port = 0;
};

struct Reading {
  XML_Parser parser = nullptr;
  std::vector<std::string> path;
  std::string text;
  std::string refused;
  std::vector<Member> call_managers, tvs;
  PhoneConfiguration configuration;

  void Refuse(std::string why) {
    refused = std::move(why);
    XML_StopParser(parser, XML_FALSE);
  }
  bool At(std::initializer_list<const char*> end) const {
    if (path.size() < end.size()) return false;
    return std::equal(end.begin(), end.end(), path.end() - static_cast<std::ptrdiff_t>(end.size()));
  }
};

void OnStart(void* data, const XML_Char* name, const XML_Char** attributes) {
  Reading& reading = *static_cast<Reading*>(data);
  if (!reading.refused.empty()) return;  // calls may still follow a stop
  if (reading.path.size() >= kMaxDepth) return reading.Refuse("it is nested too deeply");
  if (reading.path.empty() && std::strcmp(name, "device") != 0 && std::strcmp(name, "Default") != 0)
    return reading.Refuse("it is no phone configuration: its root element is not \"device\"");
  reading.path.emplace_back(name);
  reading.text.clear();
  if (!reading.At({"members", "member"})) return;
  Member member;
  for (int i = 0; attributes[i] != nullptr; i += 2) {
    int priority = 0;
    if (std::strcmp(attributes[i], "priority") == 0 &&
        absl::SimpleAtoi(attributes[i + 1], &priority)) {
      member.priority = priority;
    }
  }
  std::vector<Member>* members = reading.At({"callManagerGroup", "members", "member"})
                                     ? &reading.call_managers
                                 : reading.At({"TVS", "members", "member"}) ? &reading.tvs
                                                                            : nullptr;
  if (members == nullptr) return;
  if (members->size() == kMaxMembers) return reading.Refuse("a group has more than 5 members");
  members->push_back(member);
}

void OnText(void* data, const XML_Char* text, int length) {
  Reading& reading = *static_cast<Reading*>(data);
  if (!reading.refused.empty()) return;
  if (reading.text.size() + static_cast<size_t>(length) <= kMaxText)
    reading.text.append(text, static_cast<size_t>(length));
}

void OnEnd(void* data, const XML_Char*) {
  Reading& reading = *static_cast<Reading*>(data);
  if (!reading.refused.empty()) return;
  const std::string value(absl::StripAsciiWhitespace(reading.text));
  PhoneConfiguration& configuration = reading.configuration;
  int port = 0;
  if (reading.At({"callManagerGroup", "members", "member", "callManager", "processNodeName"})) {
    reading.call_managers.back().host = value;
  } else if (reading.At({"TVS", "members", "member", "address"})) {
    reading.tvs.back().host = value;
  } else if (reading.At({"TVS", "members", "member", "port"})) {
    if (absl::SimpleAtoi(value, &port) && port > 0 && port < 65536)
      reading.tvs.back().port = static_cast<uint16_t>(port);
  } else if (reading.path.size() == 2 && reading.path.back() == "deviceSecurityMode") {
    configuration.device_security_mode = value;
  } else if (reading.path.size() == 2 && reading.path.back() == "encrConfig") {
    configuration.encrypted_elsewhere = value == "true";
  } else if (reading.path.size() == 2 && reading.path.back() == "certHash") {
    configuration.certificate_hash = absl::AsciiStrToLower(value);
  }
  reading.text.clear();
  reading.path.pop_back();
}

void OnDoctype(void* data, const XML_Char*, const XML_Char*, const XML_Char*, int) {
  static_cast<Reading*>(data)->Refuse("it has a document type of its own");
}

std::vector<Member> InOrder(std::vector<Member> members) {
  std::erase_if(members, [](const Member& member) { return member.host.empty(); });
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.priority < b.priority; });
  return members;
}

}  // namespace

absl::StatusOr<PhoneConfiguration> ParsePhoneConfiguration(absl::string_view xml) {
  if (xml.size() > kMaxBytes) return absl::InvalidArgumentError("the configuration is over 1 MiB");
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr),
                                                                      &XML_ParserFree);
  if (parser == nullptr) return absl::ResourceExhaustedError("no memory for an XML parser");
  Reading reading;
  reading.parser = parser.get();
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), OnStart, OnEnd);
  XML_SetCharacterDataHandler(parser.get(), OnText);
  XML_SetStartDoctypeDeclHandler(parser.get(), OnDoctype);
  const XML_Status status =
      XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE);
  if (!reading.refused.empty()) return absl::InvalidArgumentError(reading.refused);
  if (status != XML_STATUS_OK) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is not well-formed XML: line ", XML_GetCurrentLineNumber(parser.get()),
                     ": ", XML_ErrorString(XML_GetErrorCode(parser.get()))));
  }
  PhoneConfiguration configuration = std::move(reading.configuration);
  for (const Member& member : InOrder(std::move(reading.call_managers)))
    configuration.call_managers.push_back(member.host);
  for (const Member& member : InOrder(std::move(reading.tvs))) {
    TvsAddress address;
    address.host = member.host;
    if (member.port != 0) address.port = member.port;
    configuration.tvs.push_back(address);
  }
  if (configuration.tvs.empty()) {
    for (const std::string& host : configuration.call_managers) {
      TvsAddress address;
      address.host = host;
      configuration.tvs.push_back(address);
    }
  }
  return configuration;
}

}  // namespace trustline
