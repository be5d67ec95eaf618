#include "trust/tvs/message.h"

#include <algorithm>
#include <bitset>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/directory_name.h"
#include "trust/status_macros.h"
#include "trust/tlv_element.h"

namespace trustline {
namespace {

enum Tag : uint8_t {
  kDevice = 1,
  kCertificate = 2,
  kSubject = 3,
  kIssuer = 4,
  kSerial = 5,
  kStatus = 7,  // 6 is unknown
  kRoles = 8,
  kTtl = 9,
};

constexpr char kDevicePrefix = '\x01';
constexpr size_t kMaxSerial = 64;  // certificates have 20 at most

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("TVS message: ", what));
}

template <typename T>
absl::Status Take(absl::StatusOr<T> value, auto& into) {
  if (!value.ok()) return Wrong(value.status().message());
  into = *std::move(value);
  return absl::OkStatus();
}

using Tags = std::bitset<256>;

// `read` says whether it knows the element.
absl::StatusOr<Tags> ReadElements(
    absl::string_view body, std::vector<uint8_t>& unknown,
    const std::function<absl::StatusOr<bool>(const TlvElement&)>& read) {
  Tags seen;
  TlvReader reader(body, TlvReader::Padding::kNone);
  while (true) {
    absl::StatusOr<std::optional<TlvElement>> next = reader.Next();
    if (!next.ok()) return Wrong(next.status().message());
    if (!*next) return seen;
    const TlvElement& element = **next;
    TL_ASSIGN_OR_RETURN(const bool known, read(element));
    if (known && seen.test(element.tag)) {
      return Wrong(absl::StrCat("element ", element.tag, " comes twice"));
    }
    if (!known && !seen.test(element.tag)) unknown.push_back(element.tag);
    seen.set(element.tag);
  }
}

absl::Status ReadSerial(const TlvElement& element, std::string& serial) {
  if (element.value.empty() || element.value.size() > kMaxSerial) {
    return Wrong(absl::StrCat("a serial number of ", element.value.size(), " bytes"));
  }
  serial = std::string(element.value);
  return absl::OkStatus();
}

absl::Status ReadDevice(const TlvElement& element, std::string& device) {
  TL_RETURN_IF_ERROR(Take(element.Text(), device));
  if (!device.empty() && device.front() == kDevicePrefix) device.erase(0, 1);
  return absl::OkStatus();
}

absl::StatusOr<bool> ReadRequestElement(const TlvElement& element, TvsRequest& request) {
  switch (element.tag) {
    case kDevice:
      TL_RETURN_IF_ERROR(ReadDevice(element, request.device));
      return true;
    case kCertificate:
      request.certificate = std::string(element.value);
      return true;
    case kSubject:
      TL_RETURN_IF_ERROR(Take(element.Text(), request.subject));
      return true;
    case kIssuer:
      TL_RETURN_IF_ERROR(Take(element.Text(), request.issuer));
      return true;
    case kSerial:
      TL_RETURN_IF_ERROR(ReadSerial(element, request.serial));
      return true;
    default:
      return false;
  }
}

absl::StatusOr<bool> ReadReplyElement(const TlvElement& element, TvsReply& reply) {
  switch (element.tag) {
    case kStatus:
      TL_RETURN_IF_ERROR(Take(element.Uint8(), reply.status));
      return true;
    case kCertificate:
      reply.certificate = std::string(element.value);
      return true;
    case kRoles:
      reply.roles.assign(element.value.begin(), element.value.end());
      return true;
    case kTtl: {
      uint32_t seconds = 0;
      TL_RETURN_IF_ERROR(Take(element.Uint32(), seconds));
      reply.ttl = absl::Seconds(seconds);
      return true;
    }
    default:
      return false;
  }
}

absl::Status Need(const Tags& seen, std::initializer_list<Tag> tags) {
  for (const Tag tag : tags) {
    if (!seen.test(tag)) return Wrong(absl::StrCat("element ", tag, " is missing"));
  }
  return absl::OkStatus();
}

absl::Status NotOfThisDirection(uint8_t command, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat("TVS command ", command, " is not a ", what));
}

absl::string_view KindName(TvsKind kind) { return kind == TvsKind::kQuery ? "QUERY" : "VERIFY"; }

absl::string_view WithoutZeros(absl::string_view serial) {
  while (serial.size() > 1 && serial.front() == '\0') serial.remove_prefix(1);
  return serial;
}

}  // namespace

bool TvsReply::HasRole(ListRole role) const {
  return std::find(roles.begin(), roles.end(), static_cast<uint16_t>(role)) != roles.end();
}

absl::StatusOr<std::string> EncodeTvsRequest(const TvsRequest& request) {
  if (request.device.empty()) return Wrong("a request needs the device's name");
  TvsFrame frame;
  frame.command = request.kind == TvsKind::kQuery ? kTvsQueryRequest : kTvsVerifyRequest;
  frame.session = request.session;
  frame.reserved = request.reserved;
  if (request.device.find('\0') != std::string::npos) return Wrong("a NUL in the device's name");
  // The one text without a NUL at its end.
  const std::string device = absl::StrCat(absl::string_view(&kDevicePrefix, 1), request.device);
  TL_RETURN_IF_ERROR(AppendTlv(kDevice, device, frame.body));
  if (request.kind == TvsKind::kVerify) {
    TL_RETURN_IF_ERROR(AppendTlv(kCertificate, request.certificate, frame.body));
    return EncodeTvsFrame(frame);
  }
  if (request.serial.empty() || request.serial.size() > kMaxSerial) {
    return Wrong(absl::StrCat("a serial number of ", request.serial.size(), " bytes"));
  }
  TL_RETURN_IF_ERROR(AppendTlvText(kSubject, request.subject, frame.body));
  TL_RETURN_IF_ERROR(AppendTlvText(kIssuer, request.issuer, frame.body));
  TL_RETURN_IF_ERROR(AppendTlv(kSerial, request.serial, frame.body));
  return EncodeTvsFrame(frame);
}

absl::StatusOr<std::string> EncodeTvsReply(const TvsReply& reply) {
  TvsFrame frame;
  frame.command = reply.kind == TvsKind::kQuery ? kTvsQueryResponse : kTvsVerifyResponse;
  frame.session = reply.session;
  frame.reserved = reply.reserved;
  AppendTlv8(kStatus, reply.status, frame.body);
  if (!reply.certificate.empty()) {
    TL_RETURN_IF_ERROR(AppendTlv(kCertificate, reply.certificate, frame.body));
  }
  if (!reply.roles.empty()) {
    TL_RETURN_IF_ERROR(
        AppendTlv(kRoles, std::string(reply.roles.begin(), reply.roles.end()), frame.body));
  }
  if (reply.ttl) {
    const int64_t seconds = absl::ToInt64Seconds(*reply.ttl);
    if (seconds < 0 || seconds > int64_t{0xffffffff}) {
      return Wrong(absl::StrCat("a validity of ", absl::FormatDuration(*reply.ttl)));
    }
    AppendTlv32(kTtl, static_cast<uint32_t>(seconds), frame.body);
  }
  return EncodeTvsFrame(frame);
}

absl::StatusOr<TvsRequest> DecodeTvsRequest(const TvsFrame& frame) {
  if (frame.command != kTvsQueryRequest && frame.command != kTvsVerifyRequest) {
    return NotOfThisDirection(frame.command, "request");
  }
  TvsRequest request;
  request.kind = frame.command == kTvsQueryRequest ? TvsKind::kQuery : TvsKind::kVerify;
  request.session = frame.session;
  request.reserved = frame.reserved;
  TL_ASSIGN_OR_RETURN(const Tags seen, ReadElements(frame.body, request.unknown_elements,
                                                    [&request](const TlvElement& element) {
                                                      return ReadRequestElement(element, request);
                                                    }));
  // The device's name is for the log; whoever leaves it out still gets an answer.
  if (request.kind == TvsKind::kQuery) {
    TL_RETURN_IF_ERROR(Need(seen, {kIssuer, kSerial}));
  } else {
    TL_RETURN_IF_ERROR(Need(seen, {kCertificate}));
  }
  return request;
}

absl::StatusOr<TvsReply> DecodeTvsReply(const TvsFrame& frame) {
  if (frame.command != kTvsQueryResponse && frame.command != kTvsVerifyResponse) {
    return NotOfThisDirection(frame.command, "response");
  }
  TvsReply reply;
  reply.kind = frame.command == kTvsQueryResponse ? TvsKind::kQuery : TvsKind::kVerify;
  reply.session = frame.session;
  reply.reserved = frame.reserved;
  TL_ASSIGN_OR_RETURN(const Tags seen, ReadElements(frame.body, reply.unknown_elements,
                                                    [&reply](const TlvElement& element) {
                                                      return ReadReplyElement(element, reply);
                                                    }));
  TL_RETURN_IF_ERROR(Need(seen, {kStatus}));
  return reply;
}

absl::Status CheckTvsReply(const TvsReply& reply, const TvsRequest& request) {
  if (reply.session != request.session) {
    return Wrong(absl::StrCat("the reply is for session ", reply.session, ", the request was ",
                              request.session));
  }
  if (reply.kind != request.kind) {
    return Wrong(absl::StrCat("a ", KindName(reply.kind), " reply to a ", KindName(request.kind)));
  }
  if (reply.kind == TvsKind::kVerify || reply.certificate.empty()) return absl::OkStatus();
  const absl::StatusOr<Certificate> certificate = Certificate::FromDer(reply.certificate);
  if (!certificate.ok()) return Wrong(certificate.status().message());
  if (certificate->serial() != WithoutZeros(request.serial) ||
      !SameDirectoryName(certificate->issuer(), request.issuer)) {
    return Wrong(absl::StrCat("the reply carries another certificate (", certificate->subject(),
                              ", serial ", certificate->serial_hex(), ") than was asked for"));
  }
  return absl::OkStatus();
}

std::string TvsLookupKey(absl::string_view serial, absl::string_view issuer) {
  return absl::StrCat(absl::AsciiStrToUpper(absl::BytesToHexString(WithoutZeros(serial))), issuer);
}

}  // namespace trustline
