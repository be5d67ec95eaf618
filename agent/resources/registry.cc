// The kinds this agent knows. A new one is one line here.
#include <memory>

#include "agent/resource_kind.h"
#include "agent/resources/bundle_consolidation.h"
#include "agent/resources/bundle_export.h"
#include "agent/resources/bundle_import.h"
#include "agent/resources/certificate.h"
#include "agent/resources/service.h"
#include "agent/resources/tftp_pointer.h"
#include "agent/resources/trust_verification.h"

namespace trustline::agent {

KindRegistry MakeKindRegistry() {
  KindRegistry kinds;
  kinds.push_back(std::make_unique<CertificateKind>());
  kinds.push_back(std::make_unique<BundleExportKind>());
  kinds.push_back(std::make_unique<BundleConsolidationKind>());
  kinds.push_back(std::make_unique<BundleImportKind>());
  kinds.push_back(std::make_unique<TftpPointerKind>());
  kinds.push_back(std::make_unique<ServiceKind>());
  kinds.push_back(std::make_unique<TrustVerificationKind>());
  return kinds;
}

}  // namespace trustline::agent
