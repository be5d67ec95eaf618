#include "controller/render/signed_file_output.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "trust/rsa_signature.h"

namespace trustline::controller {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Hex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }
std::string SerialHex(const SignedFile& file) { return absl::AsciiStrToUpper(Hex(file.serial)); }

std::string DigestName(uint8_t code) {
  if (code < 1 || code > 3) return absl::StrCat("digest ", code);
  return std::string(SignatureDigestName(static_cast<SignatureDigest>(code)));
}

std::string Version(const SignedFile& file) {
  return absl::StrCat(file.version_major, ".", file.version_minor);
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

// Length of the UTF-8 sequence at the start of `bytes`; 0 when there is none, or a C1 control.
size_t Utf8Length(absl::string_view bytes) {
  const auto byte = [bytes](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead > 0xf4 || length > bytes.size()) return 0;
  for (size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xc2 && byte(1) < 0xa0) return 0;
  return length;
}

}  // namespace

std::string PrintableText(absl::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const auto first = static_cast<uint8_t>(bytes[0]);
    const size_t length = first < 0x20 || first == 0x7f ? 0 : Utf8Length(bytes);
    if (length == 0) {
      absl::StrAppendFormat(&text, "\\x%02x", first);
      bytes.remove_prefix(1);
    } else {
      absl::StrAppend(&text, bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }
  return text;
}

std::string SignedFileText(const std::string& path, const SignedFile& file,
                           const SignerCheck& signer) {
  std::string text;
  const auto line = [&text](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text, name, std::string(13 - name.size(), ' '), value, "\n");
  };
  line(file.encryption ? "encrypted" : "signed", path);
  line("version", Version(file));
  if (file.file_name) line("name", PrintableText(*file.file_name));
  if (file.timestamp) line("time", TimeText(*file.timestamp));
  line("signer", PrintableText(file.signer_name));
  line("issuer", PrintableText(file.issuer_name));
  line("serial", SerialHex(file));
  line("signature",
       absl::StrCat("RSA ", file.signature().size() * 8, " with ", DigestName(file.digest_code)));
  line("header", absl::StrCat(file.header_length(), " bytes"));
  line("content", absl::StrCat(file.payload().size(), " bytes"));
  if (file.encryption) {
    line("cipher", absl::StrCat("AES-128 for one phone's RSA key of ",
                                file.encryption->encrypted_key.size() * 8, " bits"));
  }
  line("SHA-1", Hex(DigestOf(SignatureDigest::kSha1, file.bytes())));
  if (!signer) {
    line("verified",
         "not checked; give the signer's certificate to `trustline signed-file verify`");
  } else if (signer->ok()) {
    line("verified", absl::StrCat("yes, by ", (*signer)->subject()));
  } else {
    line("verified", absl::StrCat("NO: ", signer->status().message()));
  }
  return text;
}

std::string SignedFileJson(const std::string& path, const SignedFile& file,
                           const SignerCheck& signer) {
  Json json = {
      {"schema", "trustline/1"},
      {"file", path},
      {"version", Version(file)},
      {"name", file.file_name ? Json(*file.file_name) : Json(nullptr)},
      {"time", file.timestamp ? Json(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", *file.timestamp,
                                                      absl::UTCTimeZone()))
                              : Json(nullptr)},
      {"signer", file.signer_name},
      {"issuer", file.issuer_name},
      {"serial", SerialHex(file)},
      {"digest", DigestName(file.digest_code)},
      {"signature_bytes", file.signature().size()},
      {"header_bytes", file.header_length()},
      {"content_bytes", file.payload().size()},
      {"encrypted", file.encryption.has_value()},
      {"sha1", Hex(DigestOf(SignatureDigest::kSha1, file.bytes()))},
      {"verified", signer ? Json(signer->ok()) : Json(nullptr)}};
  if (signer && !signer->ok()) json["reason"] = std::string(signer->status().message());
  return Dump(json);
}

std::string SignResultJson(const std::vector<std::string>& written) {
  return Dump({{"schema", "trustline/1"}, {"written", written}});
}

std::string StripResultJson(const StripResult& result) {
  return Dump({{"schema", "trustline/1"},
               {"written", std::vector<std::string>{result.file}},
               {"content_bytes", result.bytes},
               {"verified", result.signer ? Json(true) : Json(nullptr)}});
}

}  // namespace trustline::controller
