// What a node offers to resource kinds: a read-only view for planning, effects for applying. A dry
// run that writes does not compile.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/tvs_view.h"
#include "trust/hub.h"

namespace trustline::agent {

// Called before every effect on the world with its name and target ("rename",
// "/etc/kea/kea-dhcp4.conf"). Production passes none. Tests count, fail or kill here.
using CallHook = std::function<absl::Status(absl::string_view call, absl::string_view target)>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// Everything about a file that rollback must bring back.
struct FileImage {
  std::string bytes;
  uint32_t mode = 0644;  // permission bits
  uint32_t uid = 0, gid = 0;
  std::map<std::string, std::string> xattrs;
  friend bool operator==(const FileImage&, const FileImage&) = default;
};

// Absolute paths only. Safe for concurrent use.
class FileView {
 public:
  virtual ~FileView() = default;
  // NotFound when absent; FailedPrecondition when it is not a regular file or a symlink stands in
  // its path; ResourceExhausted over 64 MiB.
  virtual absl::StatusOr<FileImage> Read(const std::string& path) const = 0;
  // Names of the entries, ascending. NotFound when absent.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const = 0;
};

// Effects on files, each one step so that a crash can fall between any two. Writing outside the
// writable roots is PermissionDenied.
class Files : public FileView {
 public:
  // Creates a new file beside `target` with a random name, final owner, mode and xattrs set before
  // the content, content written and fsynced. Returns its path. Missing parent directories are made
  // (0755) and synced.
  virtual absl::StatusOr<std::string> Stage(const std::string& target, const FileImage& image) = 0;
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // OK when it is already absent.
  virtual absl::Status Remove(const std::string& path) = 0;
  virtual absl::Status SyncDirectory(const std::string& directory) = 0;
};

// A DHCP server's control channel on this node.
class DhcpView {
 public:
  virtual ~DhcpView() = default;
  // Kea JSON of the running configuration ("arguments" of config-get). Unavailable when the server
  // does not answer.
  virtual absl::StatusOr<std::string> RunningConfig() const = 0;
  // Path of the configuration file; FailedPrecondition when agent.yaml names no DHCP server.
  virtual absl::StatusOr<std::string> ConfigPath() const = 0;
  // IPv4 address on which others reach this server.
  virtual absl::StatusOr<std::string> ServerAddress() const = 0;
  // Has the server check a whole configuration text (Kea's dialect, comments allowed) without using
  // it: a look, not an effect, so that a text can be judged before it is written. InvalidArgument
  // carries the server's words.
  virtual absl::Status TestConfig(const std::string& json) const = 0;
};
class Dhcp : public DhcpView {
 public:
  // Has the server re-read its configuration file. InvalidArgument: it did not like the file, with
  // its words; it may then answer no client until it is given a good one.
  virtual absl::Status Reload() = 0;
};

struct ServiceStatus {
  bool running = false;
  std::string detail;  // "pid 4711", "inactive (dead)"
};
class ServiceView {
 public:
  virtual ~ServiceView() = default;
  // NotFound: neither agent.yaml nor systemd knows the name.
  virtual absl::StatusOr<ServiceStatus> Status(const std::string& name) const = 0;
};
class Services : public ServiceView {
 public:
  // Each returns after the service says so, or DeadlineExceeded.
  virtual absl::Status Start(const std::string& name) = 0;
  virtual absl::Status Restart(const std::string& name) = 0;
  virtual absl::Status Reload(const std::string& name) = 0;
};

// Where things lie on this node; from agent.yaml.
struct Layout {
  std::string state_directory;  // journal, generations, documents, kinds' own records
  std::string
      certificate_root;  // a directory per unit and store; empty: this node keeps no certificates
  std::vector<std::string> one_per_subject;  // stores that keep one certificate per subject
  std::map<std::string, std::string>
      merged_files;  // store -> PEM file that holds all its certificates
  uint32_t certificate_uid = 0, certificate_gid = 0;  // owner of what is written there
  bool gated_pointers_only = false;                   // policy: no pointer moves without a gate
  std::string tvsd_file;  // database of a tvsd that repeats the stores; empty: none
  uint32_t tvsd_ttl_seconds = 0;
};

// Views and effects, not owned; they outlive every kind call.
struct HostView {
  const Clock& clock;
  const FileView& files;
  const DhcpView& dhcp;
  const ServiceView& services;
  const Layout& layout;
  const TvsView& tvs = LiveTvs();
};
struct Host {
  const Clock& clock;
  Files& files;
  Dhcp& dhcp;
  Services& services;
  const Layout& layout;
  const TvsView& tvs = LiveTvs();
  HostView view() const { return {clock, files, dhcp, services, layout, tvs}; }
};

}  // namespace trustline::agent
