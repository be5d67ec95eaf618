// Keys and certificates for tests, made at test time: a fleet's CA with its identities, and
// certificates of cluster units. Everything is valid from 2020 to 2044, so a test may take any
// `now` in between, the real clock's too. Failures end the test program with a message.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/envelope.h"
#include "trust/identity.h"
#include "trust/pki.h"
#include "trust/private_key.h"

namespace trustline::testing {

struct TestIdentity {
  Certificate certificate;
  PrivateKey key;
  std::string certificate_pem() const { return certificate.ToPem(); }
  std::string key_pem() const { return key.ToPkcs8Pem(); }
};

struct UnitOptions {
  std::string serial;  // raw big-endian magnitude; empty: 16 random bytes
  // Attributes in DER order, by short name ("CN", "OU", "O", "L", "ST", "C", "emailAddress");
  // empty: CN = the given name, OU=voice, O=example. Values are UTF-8 of any length.
  std::vector<std::pair<std::string, std::string>> subject;
  absl::Time not_before = absl::FromCivil(absl::CivilDay(2020, 1, 1), absl::UTCTimeZone());
  absl::Time not_after = absl::FromCivil(absl::CivilDay(2044, 1, 1), absl::UTCTimeZone());
};

struct TestPki {
  explicit TestPki(absl::string_view domain = "example.test");

  // A fleet identity signed by `authority`, with a key of its own.
  TestIdentity AgentIdentity(absl::string_view node) const;
  TestIdentity OperatorIdentity(absl::string_view name) const;
  TestIdentity Issue(const Identity& identity, absl::Time not_before,
                     absl::Duration lifetime) const;

  std::vector<Certificate> roots() const { return {authority.certificate}; }

  // A self-signed RSA-2048 certificate of a cluster unit, as phones see them. All share UnitKey().
  static Certificate UnitCertificate(absl::string_view common_name,
                                     const UnitOptions& options = {});
  // One RSA-2048 key per process: making one takes a tenth of a second.
  static const PrivateKey& UnitKey();
  static absl::Time ValidFrom() { return UnitOptions().not_before; }
  static absl::Time SomeTime() {
    return absl::FromCivil(absl::CivilDay(2026, 6, 1), absl::UTCTimeZone());
  }

  std::string domain;
  IssuedAuthority authority;
};

}  // namespace trustline::testing
