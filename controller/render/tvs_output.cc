#include "controller/render/tvs_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "controller/render/signed_file_output.h"

namespace trustline::controller {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBytesPerLine = 16;

std::string RoleName(uint8_t role) {
  const absl::string_view text = RoleText(role);
  return text.empty() ? absl::StrCat("role ", role) : std::string(text);
}

std::string Expiry(const Certificate& certificate, absl::Time now) {
  return absl::StrCat(certificate.not_after() < now ? "EXPIRED on " : "expires ",
                      absl::FormatTime("%Y-%m-%d", certificate.not_after(), absl::UTCTimeZone()));
}

std::string Verdict(const TvsRequest& request, const TvsReply& reply) {
  const bool query = request.kind == TvsKind::kQuery;
  if (reply.status == 0) return query ? "found" : "valid";
  const std::string word = query ? "NOT FOUND" : "NOT VALID";
  return reply.status == 1 ? word : absl::StrCat(word, " (status ", reply.status, ")");
}

}  // namespace

std::string TvsAnswerText(const TvsAddress& server, const TvsRequest& request,
                          const TvsAnswer& answer, absl::Time now) {
  const TvsReply& reply = answer.reply;
  std::string text;
  const auto line = [&text](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text, name, std::string(13 - name.size(), ' '), value, "\n");
  };
  line("answer", Verdict(request, reply));
  if (const absl::StatusOr<Certificate> certificate = Certificate::FromDer(reply.certificate);
      certificate.ok()) {
    line("subject", certificate->subject());
    line("issuer", certificate->issuer());
    line("serial", certificate->serial_hex());
    line("validity", Expiry(*certificate, now));
    line("SHA-256", certificate->sha256_hex());
  } else if (request.kind == TvsKind::kQuery) {
    line("issuer", PrintableText(request.issuer));
    line("serial", absl::AsciiStrToUpper(absl::BytesToHexString(request.serial)));
  }
  if (reply.status == 0) {
    std::string roles;
    for (const uint8_t role : reply.roles) {
      absl::StrAppend(&roles, roles.empty() ? "" : ", ", RoleName(role));
    }
    line("roles", roles.empty() ? "none" : roles);
  }
  if (reply.ttl) line("keep for", absl::FormatDuration(*reply.ttl));
  line("answered by", absl::StrCat(server.Text(), ", ", answer.presented.subject(), ", serial ",
                                   answer.presented.serial_hex(), ", ",
                                   Expiry(answer.presented, now), " (", answer.tls, ")"));
  return text;
}

std::string TvsAnswerJson(const TvsAddress& server, const TvsRequest& request,
                          const TvsAnswer& answer) {
  const TvsReply& reply = answer.reply;
  Json roles = Json::array();
  for (const uint8_t role : reply.roles) {
    roles.push_back({{"number", role}, {"name", std::string(RoleText(role))}});
  }
  Json json = {{"schema", "trustline/1"},
               {"server", server.Text()},
               {"command", request.kind == TvsKind::kQuery ? "query" : "verify"},
               {"status", reply.status},
               {"found", reply.status == 0},
               {"roles", roles},
               {"ttl_seconds", reply.ttl ? Json(absl::ToInt64Seconds(*reply.ttl)) : Json(nullptr)}};
  const auto certificate = [](const Certificate& c) {
    return Json{
        {"subject", c.subject()},
        {"issuer", c.issuer()},
        {"serial", c.serial_hex()},
        {"sha256", c.sha256_hex()},
        {"not_after", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", c.not_after(), absl::UTCTimeZone())}};
  };
  const absl::StatusOr<Certificate> found = Certificate::FromDer(reply.certificate);
  json["certificate"] = found.ok() ? certificate(*found) : Json(nullptr);
  json["presented"] = certificate(answer.presented);
  json["tls"] = answer.tls;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string HexDump(absl::string_view heading, absl::string_view bytes) {
  std::string text = absl::StrCat(heading, ", ", bytes.size(), " bytes\n");
  for (size_t at = 0; at < bytes.size(); at += kBytesPerLine) {
    absl::StrAppendFormat(&text, "  %04x ", at);
    for (size_t i = at; i < std::min(at + kBytesPerLine, bytes.size()); ++i) {
      absl::StrAppendFormat(&text, " %02x", static_cast<uint8_t>(bytes[i]));
    }
    text += "\n";
  }
  return text;
}

}  // namespace trustline::controller
