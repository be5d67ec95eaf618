// The configuration file of trustline-tvs: read strictly, and written the way it is read.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "protos/trustline/v1/tvs_config.pb.h"

namespace trustline::agent {

// Defaults are filled in. InvalidArgument carries every error with file:line:column, its line and a
// caret.
absl::StatusOr<v1::TvsConfig> LoadTvsConfig(const std::string& path);
absl::StatusOr<v1::TvsConfig> ParseTvsConfig(const std::string& name, const std::string& text);

// The same configuration as text. InvalidArgument: a path with control characters.
absl::StatusOr<std::string> RenderTvsConfig(const v1::TvsConfig& config);

// "10.0.0.1:2445" of a configuration that was read.
struct TvsListenAddress {
  std::string ipv4;
  uint16_t port = 0;
};
absl::StatusOr<TvsListenAddress> ParseTvsListen(const std::string& text);

}  // namespace trustline::agent
