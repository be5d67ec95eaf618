// Whether a phone applies a configuration it has fetched. Pure. Source: domain facts: signed by a
// certificate that its lists have as TFTP or CCM+TFTP, else by one TVS vouches for with that role.
#pragma once

#include <string>
#include <vector>

#include "trust/certificate.h"
#include "trust/phone/configuration.h"
#include "trust/phone/file_ruling.h"
#include "trust/phone/phone.h"
#include "trust/trust_list/list_format.h"

namespace trustline {

// "SEP001B54AABB01.cnf.xml.sgn" while the phone has a list, without ".sgn" before.
std::string ConfigurationName(const PhoneState& state);
std::string UnsignedConfigurationName(const PhoneState& state);
std::string EncryptedConfigurationName(const PhoneState& state);

inline const std::vector<ListRole>& ConfigurationRoles() {
  static const std::vector<ListRole>& roles =
      *new std::vector<ListRole>{ListRole::kTftp, ListRole::kCcmTftp};
  return roles;
}

// The file `name` by what the phone holds. Never kUnchanged: what counts is its content.
FileRuling JudgeSignedFile(const std::string& name, const std::string& bytes,
                           const PhoneState& state, const PhoneBehaviour& behaviour);
// After kAskTvs, with the certificate TVS vouched for.
FileRuling JudgeSignedFileBy(const Certificate& signer, const std::string& by,
                             const std::string& bytes);

// What an authentic file says. kRefuse: the phone cannot use it.
struct ConfigurationContent {
  FileRuling ruling;
  std::string xml;
  PhoneConfiguration configuration;
  bool sealed = false;  // encrypted, and this simulated phone has no key to open it
};
ConfigurationContent OpenConfiguration(const std::string& name, const std::string& bytes,
                                       bool is_signed, const PhoneState& state);

}  // namespace trustline
