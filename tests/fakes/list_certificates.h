// Certificates of exactly the shape a test of trust lists needs: key size, names, serial, DER size.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline::testing {

struct ListCertificateOptions {
  int bits = 2048;           // RSA; all certificates of a size share a key, made once per process
  std::string subject = "";  // common name; the only attribute
  std::string issuer = "";   // empty: the subject's
  std::string serial = "";   // raw big-endian magnitude; empty: derived from the names, 16 bytes
  size_t der_size = 0;       // 0: whatever it comes to; else filled up with an extension
};

const PrivateKey& ListKeyOfSize(int bits);
Certificate ListCertificate(const ListCertificateOptions& options);
// The same with an EC P-256 key, whose private half is lost.
Certificate EcListCertificate(absl::string_view common_name);

// A common name whose "CN=..." is `size` bytes long with its NUL counted, as dumps give lengths.
std::string CommonNameOfSize(size_t size, char filler = 'x');

}  // namespace trustline::testing
