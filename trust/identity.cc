#include "trust/identity.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "trust/openssl_handles.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

constexpr absl::string_view kScheme = "trustline://";
// RFC 1035 bounds a host name, and nothing else needs a longer one.
constexpr size_t kMaxNameLength = 253;
// RSA from 2048 bits, SHA-2, P-256 and better; independent of the host's openssl.cnf.
constexpr int kAuthLevel = 2;

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxNameLength && IsAlnum(text.front()) &&
         IsAlnum(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
           return IsAlnum(c) || c == '.' || c == '-';
         });
}

std::string Day(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

openssl::X509Ptr ToX509(const Certificate& certificate) {
  const unsigned char* at = openssl::Bytes(certificate.der());
  return openssl::X509Ptr(d2i_X509(nullptr, &at, certificate.der().size()));
}

// What went wrong with the chain, in the words of whoever has to mend it.
std::string WhyRefused(X509_STORE_CTX* ctx, const Certificate& certificate, size_t roots,
                       absl::Time now) {
  const int error = X509_STORE_CTX_get_error(ctx);
  Certificate at_fault = certificate;
  if (X509* current = X509_STORE_CTX_get_current_cert(ctx); current != nullptr) {
    absl::StatusOr<Certificate> read =
        Certificate::FromDer(openssl::ToDer<X509>(current, i2d_X509));
    if (read.ok()) at_fault = *std::move(read);
  }
  const std::string who = at_fault == certificate ? "certificate" : "its authority's certificate";
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return absl::StrCat(who, " ", at_fault.subject(), " expired on ", Day(at_fault.not_after()));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::StrCat(who, " ", at_fault.subject(), " is valid only from ",
                          Day(at_fault.not_before()), "; the time here is ", Day(now));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return absl::StrCat("certificate ", certificate.subject(), " was not issued by ",
                          roots == 1 ? "the trusted authority" : "any of the trusted authorities",
                          "; it names ", certificate.issuer(), " as its issuer");
    default:
      return absl::StrCat("certificate ", certificate.subject(),
                          " is refused: ", X509_verify_cert_error_string(error));
  }
}

}  // namespace

std::string Identity::ToUri() const {
  return absl::StrCat(kScheme, domain, kind == IdentityKind::kAgent ? "/agent/" : "/operator/",
                      name);
}

absl::StatusOr<Identity> ParseIdentityUri(absl::string_view uri) {
  const auto wrong = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", absl::CHexEscape(uri.substr(0, 300)), "\" is not an identity: ", why,
        "; expected trustline://DOMAIN/agent/NODE or trustline://DOMAIN/operator/NAME"));
  };
  absl::string_view rest = uri;
  if (!absl::ConsumePrefix(&rest, kScheme)) return wrong("it does not begin with trustline://");
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, '/');
  if (parts.size() != 3) return wrong("it does not have three parts");
  if (parts[1] != "agent" && parts[1] != "operator")
    return wrong("it is neither agent nor operator");
  for (size_t i : {size_t{0}, size_t{2}}) {
    if (!IsName(parts[i])) {
      return wrong(absl::StrCat("\"", absl::CHexEscape(parts[i].substr(0, 300)),
                                "\" may hold letters, digits, '.' and '-' only, and begins and "
                                "ends with a letter or digit"));
    }
  }
  Identity identity;
  identity.domain = std::string(parts[0]);
  identity.kind = parts[1] == "agent" ? IdentityKind::kAgent : IdentityKind::kOperator;
  identity.name = std::string(parts[2]);
  return identity;
}

absl::StatusOr<Identity> IdentityOf(const Certificate& certificate) {
  std::vector<std::string> ours;
  for (const std::string& uri : certificate.uri_names()) {
    // Any case of the scheme is ours: a reader that compares schemes as RFC 3986 does must not see
    // an identity that this one overlooks.
    if (absl::StartsWithIgnoreCase(uri, "trustline:")) ours.push_back(uri);
  }
  if (ours.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "certificate ", certificate.subject(), " carries ", ours.empty() ? "no" : "several",
        " trustline identities; exactly one URI name is expected"));
  }
  TL_ASSIGN_OR_RETURN(Identity identity, ParseIdentityUri(ours[0]));
  const std::vector<std::string>& dns = certificate.dns_names();
  if (identity.kind == IdentityKind::kAgent &&
      std::find(dns.begin(), dns.end(), identity.name) == dns.end()) {
    return absl::InvalidArgumentError(absl::StrCat("certificate ", certificate.subject(),
                                                   " is of agent ", identity.name,
                                                   " but has no DNS name ", identity.name));
  }
  return identity;
}

absl::Status VerifyChain(const Certificate& certificate, const std::vector<Certificate>& roots,
                         absl::Time now) {
  openssl::ErrorQueueGuard guard;
  if (roots.empty()) return absl::PermissionDeniedError("no trusted authority is given");
  openssl::X509StorePtr store(
      X509_STORE_new());  // empty: the host's own trust paths are never loaded
  openssl::X509StoreCtxPtr ctx(X509_STORE_CTX_new());
  openssl::X509Ptr leaf = ToX509(certificate);
  if (store == nullptr || ctx == nullptr || leaf == nullptr) {
    return absl::InternalError(
        absl::StrCat("cannot prepare the check of a certificate: ", openssl::TakeReason()));
  }
  for (const Certificate& root : roots) {
    openssl::X509Ptr x509 = ToX509(root);
    if (x509 == nullptr || X509_STORE_add_cert(store.get(), x509.get()) != 1) {
      return absl::InternalError(
          absl::StrCat("cannot use ", root.subject(), " as an authority: ", openssl::TakeReason()));
    }
  }
  if (X509_STORE_CTX_init(ctx.get(), store.get(), leaf.get(), nullptr) != 1) {
    return absl::InternalError(
        absl::StrCat("cannot prepare the check of a certificate: ", openssl::TakeReason()));
  }
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(ctx.get());
  X509_VERIFY_PARAM_set_time(param, absl::ToTimeT(now));
  X509_VERIFY_PARAM_set_auth_level(param, kAuthLevel);
  if (X509_verify_cert(ctx.get()) == 1) return absl::OkStatus();
  return absl::PermissionDeniedError(WhyRefused(ctx.get(), certificate, roots.size(), now));
}

}  // namespace trustline
