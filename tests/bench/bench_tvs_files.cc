// Makes what a benchmark of the Trust Verification Service needs, in an empty directory: a key and
// certificate, trust stores with some certificates, a configuration, a question and its answer.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "tests/bench/bench_files.h"
#include "tests/fakes/test_pki.h"
#include "trust/certificate_directory.h"
#include "trust/tvs/message.h"
#include "trust/tvs/trust_store_view.h"

namespace trustline::bench {
namespace {

// A cluster of some size, and what was imported from another.
constexpr int kCertificates = 60;
constexpr unsigned kNobody = 65534;

void Write(const std::string& path, const std::string& bytes, mode_t mode = 0644) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary);
  if (chmod(path.c_str(), mode) != 0 || !(file << bytes).flush()) {
    std::perror(path.c_str());
    std::exit(1);
  }
}

std::string Must(absl::StatusOr<std::string> bytes) {
  if (bytes.ok()) return *std::move(bytes);
  std::cerr << bytes.status().ToString() << "\n";
  std::exit(1);
}

void Store(const std::string& stores, const std::string& store, const Certificate& certificate) {
  Write(absl::StrCat(stores, "/", store, "/", CertificateFileStem(certificate), kCertificateEnding),
        certificate.ToPem());
}

void Make(const std::string& directory) {
  const std::string stores = directory + "/stores";
  const Certificate tvs = testing::TestPki::UnitCertificate("src-pub-tvs");
  const Certificate signer = testing::TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  Write(directory + "/" + kCertificateFile, tvs.ToPem());
  Write(directory + "/" + kCertificateDerFile, tvs.der());
  Write(directory + "/" + kKeyFile, testing::TestPki::UnitKey().ToPkcs8Pem(), 0600);
  Store(stores, "TVS", tvs);
  Store(stores, "Phone-SAST-trust", signer);
  for (int i = 0; i < kCertificates; ++i) {
    const Certificate other = testing::TestPki::UnitCertificate(absl::StrCat("node", i));
    Store(stores, "CallManager-trust", other);
    Store(stores, "Phone-SAST-trust", other);
  }

  TvsRequest request;
  request.session = 1001;
  request.device = "CP-8861-SEP001B54AABB01";
  request.subject = signer.subject();
  request.issuer = signer.issuer();
  request.serial = signer.serial();
  Write(directory + "/" + kQuestionFile, Must(EncodeTvsRequest(request)));
  const TvsResponder responder(ReadTrustStores(stores).trusted, {});
  Write(directory + "/" + kAnswerFile, Must(EncodeTvsReply(responder.Answer(request))));

  std::string configuration =
      absl::StrCat("listen: 127.0.0.1:0\ncertificate: ", directory, "/", kCertificateFile,
                   "\nkey: ", directory, "/", kKeyFile, "\nstores: ", stores,
                   "\nport_file: ", directory, "/port\npid_file: ", directory, "/pid\n");
  if (geteuid() == 0) absl::StrAppend(&configuration, "uid: ", kNobody, "\ngid: ", kNobody, "\n");
  Write(directory + "/tvs.yaml", configuration);
  // Connections that are only held must not be closed for their age on a slow machine.
  Write(directory + "/tvs-hold.yaml", configuration + "connection_seconds: 300\n");
}

}  // namespace
}  // namespace trustline::bench

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] != '/') {
    std::cerr << "usage: bench_tvs_files DIRECTORY, an absolute path\n";
    return 64;
  }
  trustline::bench::Make(argv[1]);
  return 0;
}
