#include "trust/phone/signed_configuration.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "trust/phone/held_lists.h"
#include "trust/signed_file/signed_file.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline {
namespace {

using Kind = FileRuling::Kind;

FileSigner SignerOf(const SignedFile& file) {
  FileSigner signer;
  signer.subject = file.signer_name;
  signer.issuer = file.issuer_name;
  signer.serial = file.serial;
  return signer;
}

FileRuling ByHeld(const SignedFile& file, const FileSigner& signer, const HeldLists& held) {
  FileRuling last;
  for (const HeldLists::Match& match : held.Find(signer, ConfigurationRoles())) {
    const absl::Status status =
        VerifyByRecord(*match.record, file.digest_code, file.SignedBytes(), file.signature());
    if (status.ok()) {
      return FileRuling::Accept(absl::StrCat(signer.Text(), " is ",
                                             RoleText(match.record->role.value_or(0)),
                                             " in the phone's ", match.ListName()));
    }
    last = FileRuling::Refuse(
        absl::IsPermissionDenied(status) ? PhoneRefusal::kSignature : PhoneRefusal::kAlgorithm,
        absl::StrCat(signer.Text(), " is in the phone's ", match.ListName(),
                     ", but: ", status.message()));
  }
  if (last.refusal != PhoneRefusal::kNone) return last;
  last.kind = Kind::kAskTvs;
  last.reason = absl::StrCat(signer.Text(), " is TFTP in none of the phone's lists");
  return last;
}

}  // namespace

std::string UnsignedConfigurationName(const PhoneState& state) {
  return absl::StrCat(state.device, ".cnf.xml");
}
std::string ConfigurationName(const PhoneState& state) {
  return absl::StrCat(UnsignedConfigurationName(state), state.ctl || state.itl ? ".sgn" : "");
}
std::string EncryptedConfigurationName(const PhoneState& state) {
  return absl::StrCat(UnsignedConfigurationName(state), ".enc.sgn");
}

FileRuling JudgeSignedFile(const std::string& name, const std::string& bytes,
                           const PhoneState& state, const PhoneBehaviour& behaviour) {
  const absl::StatusOr<SignedFile> file = SignedFile::Parse(bytes);
  if (!file.ok()) {
    return FileRuling::Refuse(
        PhoneRefusal::kMalformed,
        absl::StrCat("it is not a whole signed file: ", file.status().message()));
  }
  const FileSigner signer = SignerOf(*file);
  FileRuling digest = CheckDigestAbility(file->digest_code, state.abilities);
  digest.signer = signer;
  if (digest.kind == Kind::kRefuse) return digest;
  std::vector<std::string> assumptions;
  if (file->file_name != name) {
    assumptions.push_back(absl::StrCat(
        "the file is signed as \"", absl::Utf8SafeCHexEscape(file->file_name.value_or("")),
        "\", not as \"", name, "\"; whether phones compare the names is not documented"));
    if (!behaviour.other_file_names) {
      FileRuling refusal = FileRuling::Refuse(
          PhoneRefusal::kFileName,
          absl::StrCat(signer.Text(), ": signed under the name \"",
                       absl::Utf8SafeCHexEscape(file->file_name.value_or("")), "\""));
      refusal.signer = signer;
      refusal.assumptions = assumptions;
      return refusal;
    }
  }
  const HeldLists held(state);
  FileRuling ruling;
  if (held.BelievesAnything()) {
    ruling = FileRuling::Accept(
        absl::StrCat(signer.Text(), " was not checked: the phone's ITL is empty"));
    ruling.first_trust = true;
  } else {
    ruling = ByHeld(*file, signer, held);
  }
  ruling.signer = signer;
  ruling.assumptions = assumptions;
  return ruling;
}

FileRuling JudgeSignedFileBy(const Certificate& signer, const std::string& by,
                             const std::string& bytes) {
  const absl::StatusOr<SignedFile> file = SignedFile::Parse(bytes);
  if (!file.ok())
    return FileRuling::Refuse(PhoneRefusal::kMalformed, std::string(file.status().message()));
  const FileSigner named = SignerOf(*file);
  const absl::Status status = VerifySignedFile(*file, signer);
  FileRuling ruling =
      status.ok()
          ? FileRuling::Accept(absl::StrCat(named.Text(), " ", by))
          : FileRuling::Refuse(PhoneRefusal::kSignature,
                               absl::StrCat(named.Text(), " ", by, ", but: ", status.message()));
  ruling.signer = named;
  return ruling;
}

ConfigurationContent OpenConfiguration(const std::string& name, const std::string& bytes,
                                       bool is_signed, const PhoneState& state) {
  ConfigurationContent content;
  content.xml = bytes;
  if (is_signed) {
    const absl::StatusOr<SignedFile> file = SignedFile::Parse(bytes);
    if (!file.ok()) {
      content.ruling =
          FileRuling::Refuse(PhoneRefusal::kMalformed, std::string(file.status().message()));
      return content;
    }
    content.xml = std::string(file->payload());
    if (file->encryption) {
      if (state.identity_key == nullptr) {
        content.sealed = true;
        content.xml.clear();
        content.ruling = FileRuling::Accept("it is encrypted for the phone's own key");
        return content;
      }
      absl::StatusOr<std::string> opened = DecryptSignedFile(*file, *state.identity_key);
      if (!opened.ok()) {
        content.ruling = FileRuling::Refuse(
            PhoneRefusal::kOtherPhone,
            absl::StrCat("the phone's key does not open it: ", opened.status().message()));
        return content;
      }
      content.xml = *std::move(opened);
    }
  }
  absl::StatusOr<PhoneConfiguration> configuration = ParsePhoneConfiguration(content.xml);
  if (!configuration.ok()) {
    content.ruling = FileRuling::Refuse(
        PhoneRefusal::kMalformed,
        absl::StrCat(name, " cannot be read: ", configuration.status().message()));
    return content;
  }
  content.configuration = *std::move(configuration);
  content.ruling = FileRuling::Accept("");
  if (content.configuration.encrypted_elsewhere && state.identity) {
    const std::string own = absl::BytesToHexString(Md5(state.identity->der()));
    if (content.configuration.certificate_hash != own) {
      content.ruling = FileRuling::Refuse(
          PhoneRefusal::kOtherPhone,
          absl::StrCat("the configuration is encrypted for the phone certificate with MD5 ",
                       absl::Utf8SafeCHexEscape(content.configuration.certificate_hash),
                       ", the phone's has ", own));
    }
  }
  return content;
}

}  // namespace trustline
