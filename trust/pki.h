// The fleet's own small PKI: one CA, agent and operator identities, all ECDSA P-256. A node makes
// its own key; the CA signs the request. Pure functions over bytes; `trustline pki` does the files.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/identity.h"
#include "trust/private_key.h"

namespace trustline {

struct IssuedAuthority {
  Certificate certificate;
  PrivateKey key;
};

// A self-signed CA for `domain` ("CN=trustline CA of DOMAIN"), pathlen 0, keyCertSign + cRLSign,
// random 16-byte positive serial. InvalidArgument: `domain` is not a name or is over 48 characters.
absl::StatusOr<IssuedAuthority> MakeAuthority(absl::string_view domain, absl::Time not_before,
                                              absl::Duration lifetime);

// The domain an authority made by MakeAuthority signs for. FailedPrecondition for any other
// certificate.
absl::StatusOr<std::string> AuthorityDomain(const Certificate& authority);

// A PKCS#10 request (PEM) for `identity`, signed by `key`; carries the URI SAN and, for agents, DNS
// SAN = node name.
absl::StatusOr<std::string> MakeRequest(const Identity& identity, const PrivateKey& key);

// Reads who a request is for. InvalidArgument when its own signature or names are wrong, or its key
// is not P-256.
absl::StatusOr<Identity> ReadRequest(absl::string_view request_pem);

// Signs a request. serverAuth + clientAuth for agents, clientAuth for operators; SANs are made from
// the identity, never copied. The identity's domain must be the authority's, and the certificate
// must not outlive it (FailedPrecondition).
absl::StatusOr<Certificate> SignRequest(absl::string_view request_pem,
                                        const IssuedAuthority& authority, absl::Time not_before,
                                        absl::Duration lifetime);

struct SubjectNames {
  std::string common_name = {}, organization = {}, organizational_unit = {}, locality = {},
              state = {}, country = {};
};
// A self-signed certificate for a cluster unit (SHA-256, RSA where the key is), as `certificate:
// generate` makes; random 16-byte serial. InvalidArgument: an empty subject, or a value the
// standard does not allow (country: two letters), naming it.
absl::StatusOr<Certificate> MakeSelfSigned(const SubjectNames& subject, const PrivateKey& key,
                                           absl::Time not_before, absl::Duration lifetime);

}  // namespace trustline
