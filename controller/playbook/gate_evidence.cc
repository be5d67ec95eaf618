#include "controller/playbook/gate_evidence.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/playbook/phone_scope.h"
#include "trust/phone/classes.h"
#include "trust/phone/evidence_csv.h"

namespace trustline::controller {
namespace {

namespace fs = std::filesystem;

constexpr size_t kExamples = 5;
constexpr size_t kMaxListFile =
    1 << 20;  // phones refuse lists of more than 64 KB; the gate says so

std::optional<std::string> ReadWhole(const fs::path& path, size_t limit) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > limit) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return std::nullopt;
  return text.str();
}

class EvidenceReader {
 public:
  EvidenceReader(fs::path path, const GateSettings& settings, yaml::Diagnostics& diagnostics)
      : path_(std::move(path)), settings_(settings), diagnostics_(diagnostics) {}

  bool Read(v1::TrustGateSpec& spec, EvidenceUse& use) {
    constexpr size_t kMostBytes = 64 << 20;
    const std::optional<std::string> text = ReadWhole(path_, kMostBytes);
    if (!text) {
      diagnostics_.Error(settings_.phones_span,
                         absl::StrCat(path_.string(), ": cannot be read, or is over 64 MiB"));
      return false;
    }
    EvidenceCsv csv = ParseEvidenceCsv(*text);
    if (!csv.problems.empty()) {
      auto file = std::make_shared<yaml::SourceFile>();
      file->name = path_.string();
      file->text = *text;
      for (const CsvProblem& problem : csv.problems) {
        const auto column = static_cast<uint32_t>(problem.column);
        diagnostics_.Error(
            yaml::Span{file, static_cast<uint32_t>(problem.line), column, column + 1},
            problem.text);
      }
      return false;
    }
    const bool first = use.devices.empty();
    std::vector<PhoneEvidence> proven;
    std::set<std::string> known;
    uint32_t in_scope = 0;
    absl::Time oldest = absl::InfiniteFuture();
    for (PhoneEvidence& phone : csv.phones) {
      const bool concerned = std::any_of(
          spec.pointers().begin(), spec.pointers().end(),
          [&](const v1::GatedPointer& pointer) { return InScope(phone, pointer.scope()); });
      const bool judgeable = phone.excluded.empty() && phone.Immovable().empty();
      if (first && judgeable) use.devices.push_back(phone.device);
      if (!concerned) continue;
      use.judged.insert(phone.device);
      known.insert(phone.mac);
      ++in_scope;
      if (phone.read_at != absl::InfinitePast()) oldest = std::min(oldest, phone.read_at);
      // Lists that are known by a digest alone are looked for by the judges.
      const bool unproven = !phone.itl.known() && phone.abilities.security_by_default;
      if (judgeable && unproven) {
        AddUnproven(phone.device, spec);
        continue;
      }
      if (!ReadList("ITL", phone, phone.itl) || !ReadList("CTL", phone, phone.ctl)) return false;
      proven.push_back(std::move(phone));
    }
    for (const v1::GatedPointer& pointer : spec.pointers()) {
      const std::string mac = CanonicalMac(pointer.scope().reservation());
      if (!mac.empty() && known.insert(mac).second) AddUnproven(DeviceOf(mac), spec);
    }
    for (const EvidenceClass& group : ClassifyPhones(proven)) {
      *spec.add_classes() = ClassOf(group);
    }
    spec.set_evidence(absl::StrCat(path_.filename().string(), ": ", in_scope,
                                   in_scope == 1 ? " phone" : " phones"));
    if (oldest == absl::InfiniteFuture()) {
      struct stat status {};
      if (::stat(path_.c_str(), &status) == 0) oldest = absl::FromTimeT(status.st_mtime);
    }
    if (oldest != absl::InfiniteFuture()) spec.set_evidence_unix(absl::ToUnixSeconds(oldest));
    return true;
  }

 private:
  static void AddUnproven(const std::string& device, v1::TrustGateSpec& spec) {
    spec.set_unproven(spec.unproven() + 1);
    if (static_cast<size_t>(spec.unproven_examples_size()) < kExamples) {
      spec.add_unproven_examples(device);
    }
  }

  bool ReadList(const std::string& name, const PhoneEvidence& phone, ListEvidence& list) {
    if (list.file.empty() || list.bytes) return true;
    const fs::path path =
        fs::path(list.file).is_absolute() ? fs::path(list.file) : path_.parent_path() / list.file;
    auto [known, is_new] = files_.try_emplace(path.string());
    if (is_new) known->second = ReadWhole(path, kMaxListFile);
    if (!known->second) {
      diagnostics_.Error(settings_.phones_span,
                         absl::StrCat(path_.string(), ": ", name, " of ", phone.device, ": ",
                                      path.string(), " cannot be read, or is over 1 MiB"));
      return false;
    }
    list.bytes = known->second;
    return true;
  }

  static v1::PhoneClass ClassOf(const EvidenceClass& group) {
    const PhoneEvidence& phone = group.evidence;
    v1::PhoneClass result;
    result.set_count(static_cast<uint32_t>(group.phones.size()));
    for (const std::string& example : group.examples) result.add_examples(example);
    if (phone.itl.bytes) {
      result.set_itl(absl::Base64Escape(*phone.itl.bytes));
    } else {
      result.set_itl_digest(phone.itl.digest);
    }
    if (phone.ctl.bytes) {
      result.set_ctl(absl::Base64Escape(*phone.ctl.bytes));
    } else {
      result.set_ctl_digest(phone.ctl.digest);
    }
    result.set_factory_new(phone.itl.none && (phone.ctl.none || !phone.ctl.known()));
    for (const TvsAddress& server : phone.tvs) result.add_tvs(server.Text());
    for (const std::string& server : phone.alternate_tftp) result.add_tftp(server);
    result.set_no_sbd(!phone.abilities.security_by_default);
    result.set_no_sha512(!phone.abilities.sha512);
    result.set_no_ec(!phone.abilities.elliptic_curves);
    result.set_lsc_issuer_sha256(phone.lsc_issuer);
    result.set_excluded(phone.excluded);
    return result;
  }

  const fs::path path_;
  const GateSettings& settings_;
  yaml::Diagnostics& diagnostics_;
  std::map<std::string, std::optional<std::string>> files_;
};

}  // namespace

void WarnOfUnjudged(const EvidenceUses& uses, yaml::Diagnostics& diagnostics) {
  for (const auto& [path, use] : uses) {
    std::vector<std::string> unjudged;
    for (const std::string& device : use.devices) {
      if (!use.judged.contains(device)) unjudged.push_back(device);
    }
    if (unjudged.empty()) continue;
    const bool one = unjudged.size() == 1;
    diagnostics.Warning(use.span, absl::StrCat(fs::path(path).filename().string(), ": ",
                                               unjudged.size(), one ? " phone is" : " phones are",
                                               " in no scope that a gate judges: ",
                                               unjudged.front(), one ? "" : ", ..."));
  }
}

bool AddGateEvidence(const std::string& playbook_directory, const GateSettings& settings,
                     v1::TrustGateSpec& spec, EvidenceUses& uses, yaml::Diagnostics& diagnostics,
                     bool& input_missing) {
  const fs::path named(settings.phones);
  const fs::path path = named.is_absolute() ? named : fs::path(playbook_directory) / named;
  const auto [entry, is_new] = uses.try_emplace(path.string());
  EvidenceUse& use = entry->second;
  if (is_new) use.span = settings.phones_span;
  if (use.missing) return false;
  std::error_code error;
  if (!fs::exists(path, error)) {
    input_missing = use.missing = true;
    diagnostics.Error(settings.phones_span, absl::StrCat(path.string(), ": no such file"));
    return false;
  }
  return EvidenceReader(path, settings, diagnostics).Read(spec, use);
}

}  // namespace trustline::controller
