#include "controller/phone_state.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/input_file.h"
#include "controller/new_files.h"
#include "trust/phone/configuration.h"
#include "trust/phone/file_download.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kTime[] = "%Y-%m-%dT%H:%M:%SZ";

std::string PathOf(const std::string& directory, const char* name) {
  return absl::StrCat(directory, "/", name);
}

// Nothing when the file is not there.
absl::StatusOr<std::optional<std::string>> ReadIfThere(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadInputFile(path, kMaxPhoneFileBytes);
  if (bytes.ok()) return std::optional<std::string>(*std::move(bytes));
  if (absl::IsNotFound(bytes.status())) return std::optional<std::string>();
  return bytes.status();
}

std::string Text(absl::Time time) { return absl::FormatTime(kTime, time, absl::UTCTimeZone()); }
absl::Time TimeOf(const std::string& text) {
  absl::Time time = absl::InfinitePast();
  std::string error;
  if (!absl::ParseTime(kTime, text, &time, &error)) return absl::InfinitePast();
  return time;
}

Json ToJson(const PhoneState& state) {
  Json json;
  json["device"] = state.device;
  json["model"] = state.model;
  json["tvs"] = Json::array();
  for (const TvsAddress& server : state.tvs) json["tvs"].push_back(server.Text());
  json["alternate_tftp"] = state.alternate_tftp;
  json["abilities"] = {{"security_by_default", state.abilities.security_by_default},
                       {"sha512", state.abilities.sha512},
                       {"elliptic_curves", state.abilities.elliptic_curves}};
  json["tvs_answers"] = Json::array();
  for (const CachedTvsAnswer& answer : state.tvs_cache) {
    json["tvs_answers"].push_back({{"issuer", answer.issuer},
                                   {"serial", absl::BytesToHexString(answer.serial)},
                                   {"status", answer.status},
                                   {"certificate", absl::Base64Escape(answer.certificate)},
                                   {"roles", answer.roles},
                                   {"server", answer.server},
                                   {"expires", Text(answer.expires)}});
  }
  return json;
}

// nlohmann's exceptions are caught by the caller.
absl::Status FromJson(const Json& json, PhoneState* state, bool* names_tvs) {
  state->device = json.value("device", "");
  state->model = json.value("model", "");
  if (json.contains("tvs")) {
    *names_tvs = true;
    for (const std::string server : json.at("tvs")) {
      TL_ASSIGN_OR_RETURN(TvsAddress address, ParseTvsAddress(server));
      state->tvs.push_back(std::move(address));
    }
  }
  state->alternate_tftp = json.value("alternate_tftp", std::vector<std::string>());
  if (json.contains("abilities")) {
    const Json& abilities = json.at("abilities");
    state->abilities.security_by_default = abilities.value("security_by_default", true);
    state->abilities.sha512 = abilities.value("sha512", true);
    state->abilities.elliptic_curves = abilities.value("elliptic_curves", true);
  }
  for (const Json& item : json.value("tvs_answers", Json::array())) {
    CachedTvsAnswer answer;
    answer.issuer = item.at("issuer").get<std::string>();
    answer.serial = absl::HexStringToBytes(item.at("serial").get<std::string>());
    answer.status = item.at("status").get<uint8_t>();
    if (!absl::Base64Unescape(item.at("certificate").get<std::string>(), &answer.certificate))
      return absl::InvalidArgumentError("a remembered certificate is not base64");
    answer.roles = item.at("roles").get<std::vector<uint8_t>>();
    answer.server = item.at("server").get<std::string>();
    answer.expires = TimeOf(item.at("expires").get<std::string>());
    state->tvs_cache.push_back(std::move(answer));
  }
  return absl::OkStatus();
}

absl::Status ReadJson(const std::string& path, PhoneState* state, bool* names_tvs) {
  TL_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadIfThere(path));
  if (!text) return absl::OkStatus();
  try {
    const absl::Status status = FromJson(Json::parse(*text), state, names_tvs);
    if (status.ok()) return status;
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
}

absl::Status ReadIdentity(const std::string& directory, PhoneState* state) {
  if (access(PathOf(directory, "phone.pem").c_str(), F_OK) == 0) {
    TL_ASSIGN_OR_RETURN(std::vector<Certificate> certificates,
                        ReadCertificatesFile(PathOf(directory, "phone.pem")));
    state->identity = certificates.front();
  }
  if (access(PathOf(directory, "phone.key").c_str(), F_OK) == 0) {
    TL_ASSIGN_OR_RETURN(PrivateKey key, ReadKeyFile(PathOf(directory, "phone.key")));
    state->identity_key = std::make_shared<const PrivateKey>(std::move(key));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PhoneState> LoadPhone(const std::string& directory, const std::string& device) {
  PhoneState state;
  bool names_tvs = false;
  TL_RETURN_IF_ERROR(ReadJson(PathOf(directory, "phone.json"), &state, &names_tvs));
  if (!device.empty() && !state.device.empty() && state.device != device) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " is the state of ", state.device, ", not of ", device));
  }
  if (state.device.empty()) state.device = device;
  TL_ASSIGN_OR_RETURN(state.itl, ReadIfThere(PathOf(directory, "ITL.tlv")));
  TL_ASSIGN_OR_RETURN(state.ctl, ReadIfThere(PathOf(directory, "CTL.tlv")));
  TL_ASSIGN_OR_RETURN(state.config, ReadIfThere(PathOf(directory, "config.xml")));
  if (state.config && !names_tvs) {
    const absl::StatusOr<PhoneConfiguration> configuration = ParsePhoneConfiguration(*state.config);
    if (!configuration.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(PathOf(directory, "config.xml"), ": ", configuration.status().message()));
    }
    state.tvs = configuration->tvs;
  }
  TL_ASSIGN_OR_RETURN(const std::optional<std::string> log,
                      ReadIfThere(PathOf(directory, "status.log")));
  if (log) {
    for (const absl::string_view line : absl::StrSplit(*log, '\n', absl::SkipEmpty())) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(line, absl::MaxSplits(' ', 1));
      state.status.push_back({TimeOf(parts.first), parts.second});
    }
  }
  TL_RETURN_IF_ERROR(ReadIdentity(directory, &state));
  return state;
}

absl::Status SavePhone(const std::string& directory, const PhoneState& state) {
  TL_RETURN_IF_ERROR(MakePrivateDirectory(directory));
  NewFiles files;
  files.ReplaceExisting();
  if (state.ctl) files.Add(PathOf(directory, "CTL.tlv"), *state.ctl, 0644);
  if (state.itl) files.Add(PathOf(directory, "ITL.tlv"), *state.itl, 0644);
  if (state.config) files.Add(PathOf(directory, "config.xml"), *state.config, 0600);
  files.Add(PathOf(directory, "phone.json"),
            ToJson(state).dump(2, ' ', false, Json::error_handler_t::replace) + "\n", 0644);
  std::string log;
  for (const PhoneStatusLine& line : state.status)
    absl::StrAppend(&log, Text(line.at), " ", line.text, "\n");
  files.Add(PathOf(directory, "status.log"), log, 0644);
  return files.Create();
}

}  // namespace trustline::controller
