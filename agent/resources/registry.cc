// The kinds this agent knows. A new one is one line here.
#include <memory>
#include <utility>

#include "agent/resource_kind.h"
#include "agent/resources/bundle_consolidation.h"
#include "agent/resources/bundle_export.h"
#include "agent/resources/bundle_import.h"
#include "agent/resources/certificate.h"
#include "agent/resources/service.h"
#include "agent/resources/signed_file.h"
#include "agent/resources/tftp_pointer.h"
#include "agent/resources/trust_gate.h"
#include "agent/resources/trust_list.h"
#include "agent/resources/trust_verification.h"

namespace trustline::agent {

KindRegistry MakeKindRegistry(std::shared_ptr<const PhoneNetworks> phones) {
  if (phones == nullptr) phones = LivePhoneNetworks();
  KindRegistry kinds;
  kinds.push_back(std::make_unique<CertificateKind>());
  kinds.push_back(std::make_unique<BundleExportKind>());
  kinds.push_back(std::make_unique<BundleConsolidationKind>());
  kinds.push_back(std::make_unique<BundleImportKind>());
  kinds.push_back(std::make_unique<TftpPointerKind>());
  kinds.push_back(std::make_unique<ServiceKind>());
  kinds.push_back(std::make_unique<TrustGateKind>(std::move(phones)));
  kinds.push_back(std::make_unique<TrustListKind>());
  kinds.push_back(std::make_unique<SignedFileKind>());
  kinds.push_back(std::make_unique<TrustVerificationKind>());
  return kinds;
}

}  // namespace trustline::agent
