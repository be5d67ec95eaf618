#include "controller/render/phone_output.h"

#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "trust/rsa_signature.h"

namespace trustline::controller {
namespace {

using Json = nlohmann::ordered_json;
using End = BootResult::End;

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Paint PaintOf(End end) {
  switch (end) {
    case End::kMoved:
      return Paint::kChanged;
    case End::kUnchanged:
      return Paint::kGood;
    case End::kFirstTrust:
      return Paint::kWarning;
    case End::kLocked:
    case End::kUnreachable:
      return Paint::kBad;
  }
  return Paint::kPlain;
}

// "LOCKED" where somebody must act.
std::string EndWord(End end) {
  const std::string name = EndName(end);
  return end == End::kLocked ? absl::AsciiStrToUpper(name) : name;
}

std::string DigestText(const std::optional<std::string>& list) {
  return list ? absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, *list)) : "none";
}

std::string Hosts(const std::vector<std::string>& hosts, const PhoneBehaviour& behaviour) {
  return absl::StrJoin(hosts, ", ", [&behaviour](std::string* out, const std::string& host) {
    absl::StrAppend(out, behaviour.NameOf(host));
  });
}

Json JsonOf(const BootResult& result) {
  Json json;
  json["end"] = EndName(result.end);
  json["reason"] = result.reason;
  if (result.refusal != PhoneRefusal::kNone) {
    json["refusal"] = PhoneRefusalName(result.refusal);
    json["refused_file"] = result.refused_file;
  }
  json["registers_at"] = result.registers_at;
  json["assumptions"] = result.assumptions;
  json["steps"] = Json::array();
  for (const PhoneStep& step : result.steps) {
    json["steps"].push_back({{"file", step.file},
                             {"server", step.server},
                             {"text", step.text},
                             {"ok", step.ok},
                             {"changed", step.changed}});
  }
  json["tvs"] = Json::array();
  for (const TvsQuestionAsked& asked : result.tvs) {
    json["tvs"].push_back({{"server", asked.from_cache ? "" : asked.server.Text()},
                           {"file", asked.file},
                           {"issuer", asked.issuer},
                           {"serial", absl::AsciiStrToUpper(absl::BytesToHexString(asked.serial))},
                           {"vouched", asked.refusal == PhoneRefusal::kNone},
                           {"remembered", asked.from_cache},
                           {"answer", asked.text}});
  }
  return json;
}

std::string HoldsText(const EvidenceClass& its, const ListLibrary& library) {
  std::string origin = library.OriginOf(its.evidence.itl);
  return origin.empty() ? its.Holds() : absl::StrCat(its.Holds(), " (", origin, ")");
}

}  // namespace

std::string BootText(const BootResult& result, const PhoneState& before,
                     const PhoneBehaviour& behaviour, const Style& style) {
  std::string text;
  for (const PhoneStep& step : result.steps) {
    const Paint paint = !step.ok ? Paint::kBad : step.changed ? Paint::kChanged : Paint::kPlain;
    const char* mark = !step.ok ? "!" : step.changed ? "~" : " ";
    absl::StrAppend(&text, style.Apply(paint, mark), " ",
                    step.file.empty() ? "" : absl::StrCat(step.file, " from ", step.server, ": "),
                    step.text, "\n");
  }
  for (const std::string& assumption : result.assumptions)
    absl::StrAppend(&text, "  ", style.Apply(Paint::kFaint, "assumed: "), assumption, "\n");
  absl::StrAppend(&text, before.device, "  ", style.Apply(PaintOf(result.end), EndWord(result.end)),
                  "  ", result.reason, "\n");
  const std::string old_itl = DigestText(before.itl), new_itl = DigestText(result.after.itl);
  absl::StrAppend(&text, "  ITL ", old_itl == new_itl ? "" : absl::StrCat(old_itl, " -> "), new_itl,
                  "\n");
  if (before.ctl || result.after.ctl) {
    const std::string old_ctl = DigestText(before.ctl), new_ctl = DigestText(result.after.ctl);
    absl::StrAppend(&text, "  CTL ", old_ctl == new_ctl ? "" : absl::StrCat(old_ctl, " -> "),
                    new_ctl, "\n");
  }
  if (!result.registers_at.empty())
    absl::StrAppend(&text, "  registers at ", Hosts(result.registers_at, behaviour), "\n");
  return text;
}

std::string BootJson(const BootResult& result, const PhoneState& before) {
  Json json;
  json["device"] = before.device;
  json.update(JsonOf(result));
  json["itl"] = {{"before", DigestText(before.itl)}, {"after", DigestText(result.after.itl)}};
  json["ctl"] = {{"before", DigestText(before.ctl)}, {"after", DigestText(result.after.ctl)}};
  return Dump(json);
}

std::string MoveText(const BootResult& result, const PhoneState& before,
                     const PhoneBehaviour& behaviour, const Style& style) {
  std::string where = result.registers_at.empty()
                          ? "registers nowhere"
                          : absl::StrCat("registers at ", Hosts(result.registers_at, behaviour));
  return absl::StrCat(before.device, "  ", style.Apply(PaintOf(result.end), EndWord(result.end)),
                      "  ", where, result.accepted() ? "" : absl::StrCat("  ", result.reason),
                      "\n");
}

std::string FleetText(const std::vector<ClassDecision>& decisions, const ListLibrary& library,
                      const std::string& evidence, const Style& style) {
  std::string text = absl::StrCat("evidence  ", evidence, "\n");
  std::map<End, size_t> phones;
  size_t unproven = 0, not_judged = 0, number = 0, booted = 0;
  for (const ClassDecision& decision : decisions) {
    const size_t count = decision.phones.phones.size();
    booted += decision.booted;
    const std::string head = absl::StrFormat(
        "class %-3d %7s  %s", ++number,
        absl::StrCat(GroupDigits(static_cast<int64_t>(count)), count == 1 ? " phone " : " phones"),
        HoldsText(decision.phones, library));
    if (!decision.not_judged.empty()) {
      (decision.unproven ? unproven : not_judged) += count;
      absl::StrAppend(&text, head, "  ",
                      style.Apply(Paint::kWarning, decision.unproven ? "unproven" : "not judged"),
                      "  ", decision.not_judged, "\n");
    } else {
      phones[decision.result.end] += count;
      absl::StrAppend(&text, head, "  ",
                      style.Apply(PaintOf(decision.result.end), EndWord(decision.result.end)), "  ",
                      decision.result.reason, "\n");
    }
    for (const std::string& deviation : decision.deviations)
      absl::StrAppend(&text, "          ", style.Apply(Paint::kBad, "differs: "), deviation, "\n");
    for (const std::string& assumption : decision.result.assumptions)
      absl::StrAppend(&text, "          assumed: ", assumption, "\n");
    if (decision.result.end == End::kLocked || !decision.not_judged.empty()) {
      absl::StrAppend(&text, "          e.g. ", absl::StrJoin(decision.phones.examples, ", "),
                      "\n");
    }
  }
  std::vector<std::string> counts;
  for (const auto& [end, count] : phones)
    counts.push_back(absl::StrCat(GroupDigits(static_cast<int64_t>(count)), " ", EndName(end)));
  if (unproven > 0)
    counts.push_back(absl::StrCat(GroupDigits(static_cast<int64_t>(unproven)), " unproven"));
  if (not_judged > 0)
    counts.push_back(absl::StrCat(GroupDigits(static_cast<int64_t>(not_judged)), " not judged"));
  absl::StrAppend(&text, "FLEET  ",
                  Count(static_cast<int64_t>(decisions.size()), "class", "classes"), ": ",
                  absl::StrJoin(counts, ", "), "; ",
                  Count(static_cast<int64_t>(booted), "phone", "phones"), " simulated\n");
  return text;
}

std::string FleetJson(const std::vector<ClassDecision>& decisions, const ListLibrary& library) {
  Json json;
  json["classes"] = Json::array();
  for (const ClassDecision& decision : decisions) {
    Json item;
    item["phones"] = decision.phones.phones.size();
    item["examples"] = decision.phones.examples;
    item["holds"] = HoldsText(decision.phones, library);
    item["unproven"] = decision.unproven;
    if (!decision.not_judged.empty()) {
      item["not_judged"] = decision.not_judged;
    } else {
      item.update(JsonOf(decision.result));
      item["simulated"] = decision.booted;
      for (const auto& [end, count] : decision.ends) item["ends"][EndName(end)] = count;
    }
    item["deviations"] = decision.deviations;
    json["classes"].push_back(std::move(item));
  }
  return Dump(json);
}

std::string ArrivalText(const Arrival& arrival, const std::vector<PhoneEvidence>& phones,
                        const Style& style, size_t examples) {
  std::string text;
  std::map<std::string, size_t> by_node;
  for (const ArrivedPhone& phone : arrival.arrived) ++by_node[phone.node];
  for (const auto& [node, count] : by_node) {
    absl::StrAppend(&text, style.Apply(Paint::kGood, "arrived "), "  ",
                    Count(static_cast<int64_t>(count), "phone", "phones"), "  hold the list of ",
                    node, "\n");
  }
  auto others = [&](const char* word, Paint paint, const std::vector<WaitingPhone>& these) {
    std::map<std::string, std::vector<std::string>> by_reason;
    for (const WaitingPhone& phone : these)
      by_reason[phone.why].push_back(phones[phone.phone].device);
    for (auto& [why, devices] : by_reason) {
      const size_t count = devices.size();
      if (devices.size() > examples) devices.resize(examples);
      absl::StrAppend(&text, style.Apply(paint, word), "  ",
                      Count(static_cast<int64_t>(count), "phone", "phones"), "  ", why, "  e.g. ",
                      absl::StrJoin(devices, ", "), "\n");
    }
  };
  others("waiting ", Paint::kWarning, arrival.waiting);
  others("unknown ", Paint::kWarning, arrival.unknown);
  others("excluded", Paint::kFaint, arrival.excluded);
  absl::StrAppend(&text, "ARRIVAL  ", arrival.arrived.size(), " arrived, ", arrival.waiting.size(),
                  " waiting, ", arrival.unknown.size(), " unknown, ", arrival.excluded.size(),
                  " excluded\n");
  return text;
}

std::string ArrivalJson(const Arrival& arrival, const std::vector<PhoneEvidence>& phones) {
  Json json;
  json["arrived"] = Json::array();
  for (const ArrivedPhone& phone : arrival.arrived) {
    json["arrived"].push_back({{"device", phones[phone.phone].device}, {"node", phone.node}});
  }
  auto others = [&](const char* name, const std::vector<WaitingPhone>& these) {
    json[name] = Json::array();
    for (const WaitingPhone& phone : these)
      json[name].push_back({{"device", phones[phone.phone].device}, {"why", phone.why}});
  };
  others("waiting", arrival.waiting);
  others("unknown", arrival.unknown);
  others("excluded", arrival.excluded);
  return Dump(json);
}

}  // namespace trustline::controller
