#include "agent/real_host.h"

#include <utility>

#include "absl/time/clock.h"

namespace trustline::agent {
namespace {

std::vector<std::string> WritableRoots(const v1::AgentConfig& config) {
  std::vector<std::string> roots(config.writable().begin(), config.writable().end());
  roots.push_back(config.state_directory());
  return roots;
}

Layout LayoutOf(const v1::AgentConfig& config) {
  Layout layout;
  layout.state_directory = config.state_directory();
  layout.gated_pointers_only = config.gated_pointers_only();
  if (!config.has_certificates()) return layout;
  const v1::CertificateRoots& certificates = config.certificates();
  layout.certificate_root = certificates.root();
  layout.one_per_subject.assign(certificates.one_per_subject().begin(),
                                certificates.one_per_subject().end());
  for (const v1::MergedFile& merged : certificates.merged()) {
    layout.merged_files[merged.store()] = merged.file();
  }
  layout.certificate_uid = certificates.uid();
  layout.certificate_gid = certificates.gid();
  layout.tvsd_file = certificates.tvsd().file();
  layout.tvsd_ttl_seconds = certificates.tvsd().ttl_seconds();
  return layout;
}

NodeServices::Options ServiceOptions(CallHook hook) {
  NodeServices::Options options;
  options.hook = std::move(hook);
  return options;
}

}  // namespace

absl::Time SystemClock::Now() const { return absl::Now(); }

RealHost::RealHost(const v1::AgentConfig& config, std::unique_ptr<Dhcp> dhcp, const CallHook& hook)
    : files_(WritableRoots(config), hook),
      dhcp_(std::move(dhcp)),
      services_({config.services().begin(), config.services().end()}, ServiceOptions(hook)),
      layout_(LayoutOf(config)) {}

}  // namespace trustline::agent
