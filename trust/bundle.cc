#include "trust/bundle.h"

#include <openssl/pkcs7.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "trust/openssl_handles.h"
#include "trust/pem.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

// Certificates are public: the password keeps honest tools honest, so the count is what readers of
// every age take without a pause.
constexpr int kIterations = 10000;
constexpr int64_t kMaxIterationsOfFile = 4 * kMaxBundleIterations;
constexpr int kMaxNesting = 8;
constexpr absl::string_view kNameLine = "friendlyName: ";

// Sorted by fingerprint, every certificate once.
void Normalise(std::vector<BundleEntry>* entries) {
  std::stable_sort(
      entries->begin(), entries->end(),
      [](const BundleEntry& a, const BundleEntry& b) { return a.certificate < b.certificate; });
  entries->erase(std::unique(entries->begin(), entries->end(),
                             [](const BundleEntry& a, const BundleEntry& b) {
                               return a.certificate == b.certificate;
                             }),
                 entries->end());
}

// Certificates in the order they come, each once.
class Collector {
 public:
  // Counts entries before they are parsed, duplicates too: parsing is what costs.
  absl::Status Expect(size_t more) {
    expected_ += more;
    if (expected_ <= kMaxBundleCertificates) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the bundle holds more than ", kMaxBundleCertificates, " certificates"));
  }
  void Add(Certificate certificate, std::string friendly_name) {
    if (!seen_.insert(certificate.sha256()).second) return;
    entries_.push_back({std::move(certificate), std::move(friendly_name)});
  }
  std::vector<BundleEntry> Take() { return std::move(entries_); }

 private:
  size_t expected_ = 0;
  std::vector<BundleEntry> entries_;
  std::set<std::string> seen_;
};

absl::Status PrivateKeyInside(size_t position, absl::string_view friendly_name) {
  const std::string name =
      friendly_name.empty() ? ""
                            : absl::StrCat(" (\"", absl::Utf8SafeCHexEscape(friendly_name), "\")");
  return absl::FailedPreconditionError(absl::StrCat(
      "entry ", position, name,
      " of the bundle is a private key; bundles hold certificates only. Export again without keys, "
      "and treat this key as exposed to everyone who can read the file"));
}

// ---- PKCS#12 --------------------------------------------------------------------------------

absl::Status Failed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("cannot ", what, ": ", openssl::TakeReason()));
}

std::string AlgorithmName(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  char name[128] = "";
  OBJ_obj2txt(name, sizeof(name), object, 0);
  return name;
}

int AlgorithmNid(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(object);
}

template <typename T, auto Free>
openssl::Handle<T, Free> Unpack(const ASN1_ITEM* item, const X509_ALGOR* algorithm) {
  const void* value = nullptr;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return nullptr;
  return openssl::Handle<T, Free>(
      static_cast<T*>(ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), item)));
}

absl::Status Unsupported(absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat(
      "the bundle is protected with ", what,
      ", which is not supported; export it again with AES-256 (or 3DES, from old software)"));
}

class Pkcs12Reader {
 public:
  explicit Pkcs12Reader(absl::string_view password) : password_(password) {}

  absl::StatusOr<std::vector<BundleEntry>> Read(absl::string_view der) {
    const unsigned char* at = openssl::Bytes(der);
    openssl::Pkcs12Ptr file(d2i_PKCS12(nullptr, &at, static_cast<long>(der.size())));  // NOLINT
    if (file == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("the PKCS#12 file is truncated or damaged (", openssl::TakeReason(), ")"));
    }
    const size_t rest = der.size() - (at - openssl::Bytes(der));
    if (rest != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the PKCS#12 file is damaged: ", rest, " bytes follow after its end"));
    }
    openssl::SafesPtr safes(PKCS12_unpack_authsafes(file.get()));
    if (safes == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the PKCS#12 file holds no contents that can be read (", openssl::TakeReason(), ")"));
    }
    // What the file asks for is weighed as a whole before anything is derived.
    TL_RETURN_IF_ERROR(CheckMacCost(file.get()));
    for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
      TL_RETURN_IF_ERROR(CheckSafe(sk_PKCS7_value(safes.get(), i)));
    }
    TL_RETURN_IF_ERROR(VerifyMac(file.get()));
    for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
      TL_ASSIGN_OR_RETURN(openssl::BagsPtr bags, Unlock(sk_PKCS7_value(safes.get(), i)));
      TL_RETURN_IF_ERROR(Collect(bags.get(), 0));
    }
    return collector_.Take();
  }

 private:
  // PKCS#12 knows two empty passwords: no bytes at all, and the two zero bytes of an empty
  // BMPString. Tools write either.
  struct Password {
    const char* bytes;
    int size;
  };
  std::vector<Password> Candidates() const {
    if (password_.empty()) return {{"", 0}, {nullptr, 0}};
    return {{password_.data(), static_cast<int>(password_.size())}};
  }

  absl::Status Spend(const ASN1_INTEGER* iterations) {
    int64_t count = 1;
    if (iterations != nullptr && (ASN1_INTEGER_get_int64(&count, iterations) != 1 || count < 1 ||
                                  count > kMaxBundleIterations)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the PKCS#12 file asks for ", Decimal(iterations),
                       " iterations of its key derivation; between 1 and ", kMaxBundleIterations,
                       " are accepted"));
    }
    spent_ += count;
    if (spent_ > kMaxIterationsOfFile) {
      return absl::InvalidArgumentError(
          absl::StrCat("the key derivations of the PKCS#12 file ask for more than ",
                       kMaxIterationsOfFile, " iterations together"));
    }
    return absl::OkStatus();
  }

  static std::string Decimal(const ASN1_INTEGER* number) {
    openssl::Handle<BIGNUM, BN_free> big(ASN1_INTEGER_to_BN(number, nullptr));
    if (big == nullptr || BN_num_bits(big.get()) > 256) return "far too many";
    char* text = BN_bn2dec(big.get());
    std::string decimal = text == nullptr ? "too many" : text;
    OPENSSL_free(text);
    return decimal;
  }

  absl::Status CheckMacCost(PKCS12* file) {
    if (PKCS12_mac_present(file) != 1) return absl::OkStatus();
    const ASN1_INTEGER* iterations = nullptr;
    const X509_ALGOR* digest = nullptr;
    PKCS12_get0_mac(nullptr, &digest, nullptr, &iterations, file);
    TL_RETURN_IF_ERROR(Spend(iterations));
    if (EVP_get_digestbynid(AlgorithmNid(digest)) == nullptr) {
      return Unsupported(absl::StrCat("a MAC of kind ", AlgorithmName(digest)));
    }
    return absl::OkStatus();
  }

  absl::Status VerifyMac(PKCS12* file) {
    if (PKCS12_mac_present(file) != 1) return absl::OkStatus();  // then decryption has to tell
    for (const Password& candidate : Candidates()) {
      ERR_clear_error();
      if (PKCS12_verify_mac(file, candidate.bytes, candidate.size) == 1) {
        proven_ = true;
        known_ = {candidate};
        return absl::OkStatus();
      }
    }
    return absl::PermissionDeniedError(absl::StrCat("wrong password for the PKCS#12 file",
                                                    password_.empty() ? " (none was given)" : "",
                                                    ", or the file was altered"));
  }

  // Looks at the algorithm before any key is derived.
  absl::Status CheckEncryption(const X509_ALGOR* algorithm) {
    const int nid = AlgorithmNid(algorithm);
    switch (nid) {
      case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
      case NID_pbe_WithSHA1And2_Key_TripleDES_CBC: {
        const auto pbe = Unpack<PBEPARAM, PBEPARAM_free>(ASN1_ITEM_rptr(PBEPARAM), algorithm);
        if (pbe == nullptr) break;
        return Spend(pbe->iter);
      }
      case NID_pbes2: {
        const auto pbes2 = Unpack<PBE2PARAM, PBE2PARAM_free>(ASN1_ITEM_rptr(PBE2PARAM), algorithm);
        if (pbes2 == nullptr) break;
        if (AlgorithmNid(pbes2->keyfunc) != NID_id_pbkdf2)
          return Unsupported(AlgorithmName(pbes2->keyfunc));
        if (EVP_get_cipherbynid(AlgorithmNid(pbes2->encryption)) == nullptr) {
          return Unsupported(AlgorithmName(pbes2->encryption));
        }
        const auto pbkdf2 =
            Unpack<PBKDF2PARAM, PBKDF2PARAM_free>(ASN1_ITEM_rptr(PBKDF2PARAM), pbes2->keyfunc);
        if (pbkdf2 == nullptr) break;
        return Spend(pbkdf2->iter);
      }
      case NID_pbe_WithSHA1And40BitRC2_CBC:
        return Unsupported(absl::StrCat("RC2-40 (", AlgorithmName(algorithm), ")"));
      case NID_pbe_WithSHA1And128BitRC2_CBC:
        return Unsupported(absl::StrCat("RC2-128 (", AlgorithmName(algorithm), ")"));
      default:
        return Unsupported(AlgorithmName(algorithm));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("the PKCS#12 file is damaged: the parameters of ", AlgorithmName(algorithm),
                     " cannot be read"));
  }

  absl::Status CheckSafe(const PKCS7* safe) {
    const int kind = OBJ_obj2nid(safe->type);
    if (kind == NID_pkcs7_data) return absl::OkStatus();
    if (kind != NID_pkcs7_encrypted) return Unsupported("a public key instead of a password");
    const PKCS7_ENCRYPT* encrypted = safe->d.encrypted;
    if (encrypted == nullptr || encrypted->enc_data == nullptr ||
        encrypted->enc_data->algorithm == nullptr) {
      return absl::InvalidArgumentError(
          "the PKCS#12 file is damaged: an encrypted part of it is empty");
    }
    return CheckEncryption(encrypted->enc_data->algorithm);
  }

  // `safe` has passed CheckSafe.
  absl::StatusOr<openssl::BagsPtr> Unlock(PKCS7* safe) {
    if (OBJ_obj2nid(safe->type) == NID_pkcs7_data) {
      openssl::BagsPtr bags(PKCS12_unpack_p7data(safe));
      if (bags == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("the PKCS#12 file is damaged: a part of it cannot be read (",
                         openssl::TakeReason(), ")"));
      }
      return bags;
    }
    const PKCS7_ENCRYPT* encrypted = safe->d.encrypted;
    for (const Password& candidate : known_.empty() ? Candidates() : known_) {
      ERR_clear_error();
      openssl::BagsPtr bags(PKCS12_unpack_p7encdata(safe, candidate.bytes, candidate.size));
      if (bags != nullptr) return bags;
    }
    const std::string algorithm = AlgorithmName(encrypted->enc_data->algorithm);
    if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED) return Unsupported(algorithm);
    if (proven_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the PKCS#12 file is damaged: a part encrypted with ", algorithm,
          " does not decrypt although the password is right (", openssl::TakeReason(), ")"));
    }
    return absl::PermissionDeniedError(
        "wrong password for the PKCS#12 file, or the file was altered");
  }

  absl::Status Collect(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
    if (depth > kMaxNesting) {
      return absl::InvalidArgumentError("the PKCS#12 file nests its contents too deeply");
    }
    const int count = sk_PKCS12_SAFEBAG_num(bags);
    TL_RETURN_IF_ERROR(collector_.Expect(std::max(count, 0)));
    for (int i = 0; i < count; ++i) {
      PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags, i);
      const int kind = PKCS12_SAFEBAG_get_nid(bag);
      if (kind == NID_safeContentsBag) {
        TL_RETURN_IF_ERROR(Collect(PKCS12_SAFEBAG_get0_safes(bag), depth + 1));
        continue;
      }
      ++position_;
      std::string name = FriendlyName(bag);
      switch (kind) {
        case NID_keyBag:
        case NID_pkcs8ShroudedKeyBag:
          return PrivateKeyInside(position_, name);
        case NID_secretBag:
          return absl::FailedPreconditionError(absl::StrCat(
              "entry ", position_, " of the bundle is a secret; bundles hold certificates only"));
        case NID_crlBag:
          continue;  // harmless, and not what a bundle is asked for
        case NID_certBag:
          TL_RETURN_IF_ERROR(AddCertificate(bag, std::move(name)));
          continue;
        default:
          return absl::InvalidArgumentError(absl::StrCat(
              "entry ", position_, " of the PKCS#12 file is of a kind that is not known"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddCertificate(const PKCS12_SAFEBAG* bag, std::string name) {
    openssl::X509Ptr x509(PKCS12_SAFEBAG_get1_cert(bag));
    absl::StatusOr<Certificate> certificate =
        x509 == nullptr ? absl::InvalidArgumentError(absl::StrCat("not an X.509 certificate (",
                                                                  openssl::TakeReason(), ")"))
                        : Certificate::FromDer(openssl::ToDer<X509>(x509.get(), i2d_X509));
    if (!certificate.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "entry ", position_, " of the PKCS#12 file: ", certificate.status().message()));
    }
    collector_.Add(*std::move(certificate), std::move(name));
    return absl::OkStatus();
  }

  static std::string FriendlyName(PKCS12_SAFEBAG* bag) {
    const ASN1_TYPE* attribute = PKCS12_SAFEBAG_get0_attr(bag, NID_friendlyName);
    if (attribute == nullptr || attribute->type != V_ASN1_BMPSTRING) return "";
    // OpenSSL 3.0.19 finds no text in a name whose last character takes three bytes of UTF-8,
    // unless a NUL follows; so PKCS12_get_friendlyname cannot be used.
    const ASN1_BMPSTRING* wide = attribute->value.bmpstring;
    std::string terminated(reinterpret_cast<const char*>(wide->data),
                           static_cast<size_t>(wide->length));
    terminated.append(2, '\0');
    char* text = OPENSSL_uni2utf8(reinterpret_cast<const unsigned char*>(terminated.data()),
                                  static_cast<int>(terminated.size()));
    std::string name = text == nullptr ? "" : text;
    OPENSSL_free(text);
    return name;
  }

  const absl::string_view password_;
  std::vector<Password> known_;  // once the MAC has proven one
  bool proven_ = false;
  int64_t spent_ = 0;
  size_t position_ = 0;
  Collector collector_;
};

// The tag of what the outer SEQUENCE begins with; 0 when there is none.
unsigned char FirstInnerTag(absl::string_view der) {
  if (der.size() < 3) return 0;
  const unsigned char length = der[1];
  const size_t at = length < 0x80 ? 2 : 2 + (length & 0x7f);
  return at < der.size() ? der[at] : 0;
}

absl::StatusOr<std::vector<BundleEntry>> ReadPem(absl::string_view text) {
  TL_ASSIGN_OR_RETURN(const std::vector<PemBlock> blocks, ReadPemBlocks(text));
  Collector collector;
  TL_RETURN_IF_ERROR(collector.Expect(blocks.size()));
  size_t certificates = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const PemBlock& block = blocks[i];
    std::string name;
    for (absl::string_view line : absl::StrSplit(block.preamble, '\n')) {
      line = absl::StripLeadingAsciiWhitespace(line);
      if (absl::ConsumePrefix(&line, kNameLine)) name = std::string(line);
    }
    if (block.IsPrivateKey()) return PrivateKeyInside(i + 1, name);
    if (block.label != "CERTIFICATE" && block.label != "X509 CERTIFICATE") continue;
    ++certificates;
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(block.bytes);
    if (!certificate.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("PEM block ", i + 1, " (line ", block.line,
                                                     "): ", certificate.status().message()));
    }
    collector.Add(*std::move(certificate), std::move(name));
  }
  if (certificates == 0) {
    return absl::InvalidArgumentError("not a bundle: the PEM text holds no certificate");
  }
  return collector.Take();
}

}  // namespace

absl::StatusOr<std::string> WritePkcs12(std::vector<BundleEntry> entries,
                                        absl::string_view password, BundleProfile profile) {
  openssl::ErrorQueueGuard guard;
  if (entries.size() > kMaxBundleCertificates) {
    return absl::InvalidArgumentError(absl::StrCat("a bundle of ", entries.size(),
                                                   " certificates is not written; at most ",
                                                   kMaxBundleCertificates, " fit"));
  }
  Normalise(&entries);
  if (absl::StrContains(password, absl::string_view("\0", 1))) {
    return absl::InvalidArgumentError("the password of a bundle cannot contain a zero byte");
  }
  openssl::BagsPtr bags(sk_PKCS12_SAFEBAG_new_null());
  if (bags == nullptr) return Failed("make a bundle");
  for (const BundleEntry& entry : entries) {
    const unsigned char* at = openssl::Bytes(entry.certificate.der());
    openssl::X509Ptr x509(d2i_X509(nullptr, &at, entry.certificate.der().size()));
    openssl::Handle<PKCS12_SAFEBAG, PKCS12_SAFEBAG_free> bag(
        x509 == nullptr ? nullptr : PKCS12_SAFEBAG_create_cert(x509.get()));
    if (bag == nullptr) return Failed("put a certificate into a bundle");
    const std::string& name = entry.friendly_name;
    if (!name.empty() && (absl::StrContains(name, absl::string_view("\0", 1)) ||
                          PKCS12_add_friendlyname_utf8(bag.get(), name.data(),
                                                       static_cast<int>(name.size())) != 1)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", absl::CHexEscape(name), "\" cannot be the friendly name of a certificate"));
    }
    if (sk_PKCS12_SAFEBAG_push(bags.get(), bag.get()) == 0) return Failed("make a bundle");
    (void)bag.release();  // now the stack's
  }
  const bool modern = profile == BundleProfile::kModern;
  const int encryption = modern ? NID_aes_256_cbc : NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
  std::string secret(password);
  STACK_OF(PKCS7)* raw = nullptr;
  const int added = PKCS12_add_safe(&raw, bags.get(), encryption, kIterations, secret.c_str());
  openssl::SafesPtr safes(raw);
  openssl::Pkcs12Ptr file(added == 1 ? PKCS12_add_safes(safes.get(), 0) : nullptr);
  const bool sealed =
      file != nullptr &&
      PKCS12_set_mac(file.get(), secret.c_str(), static_cast<int>(secret.size()), nullptr, 0,
                     kIterations, modern ? EVP_sha256() : EVP_sha1()) == 1;
  OPENSSL_cleanse(secret.data(), secret.size());
  if (!sealed) return Failed("encrypt a bundle");
  std::string der = openssl::ToDer<PKCS12>(file.get(), i2d_PKCS12);
  if (der.empty()) return Failed("encode a bundle");
  if (der.size() > kMaxBundleBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the bundle would have ", der.size(),
                                                   " bytes, more than the ", kMaxBundleBytes,
                                                   " that readers take"));
  }
  return der;
}

std::string WritePem(std::vector<BundleEntry> entries) {
  Normalise(&entries);
  std::string pem;
  for (const BundleEntry& entry : entries) {
    if (!entry.friendly_name.empty()) {
      std::string name = entry.friendly_name;
      // A line end in a name must not begin a line of its own.
      for (char& c : name) {
        if (absl::ascii_iscntrl(c)) c = ' ';
      }
      absl::StrAppend(&pem, kNameLine, name, "\n");
    }
    absl::StrAppend(&pem, entry.certificate.ToPem());
  }
  return pem;
}

absl::StatusOr<std::vector<BundleEntry>> ReadBundle(absl::string_view bytes,
                                                    absl::string_view password) {
  openssl::ErrorQueueGuard guard;
  if (bytes.empty()) return absl::InvalidArgumentError("not a bundle: the file is empty");
  if (bytes.size() > kMaxBundleBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the bundle has ", bytes.size(),
                                                   " bytes, more than the ", kMaxBundleBytes,
                                                   " that are read"));
  }
  // Long form lengths only: what is read here has more than 127 bytes, and "0" may also begin a
  // text.
  if (bytes.size() > 1 && bytes[0] == '\x30' && (bytes[1] & 0x80) != 0) {
    switch (FirstInnerTag(bytes)) {
      case 0x02:
        return Pkcs12Reader(password).Read(bytes);
      case 0x30: {
        TL_ASSIGN_OR_RETURN(Certificate certificate, Certificate::FromDer(bytes));
        return std::vector<BundleEntry>{{std::move(certificate), ""}};
      }
      case 0x06:
        return absl::UnimplementedError(
            "a PKCS#7 file is not read; convert it with `openssl pkcs7 -inform DER -print_certs`");
      default:
        break;
    }
  } else if (absl::StrContains(bytes, "-----BEGIN ")) {
    return ReadPem(bytes);
  }
  return absl::InvalidArgumentError(
      "not a bundle: neither PKCS#12, nor PEM, nor a certificate in DER, or cut off near its "
      "beginning");
}

}  // namespace trustline
