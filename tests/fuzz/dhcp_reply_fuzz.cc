// DHCP replies as a probe or a simulated phone receives them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/fuzz/require.h"
#include "trust/dhcp_message.h"

namespace trustline {
namespace {

void Try(absl::string_view bytes) {
  const absl::StatusOr<DhcpMessage> message = DecodeDhcp(bytes);
  if (!message.ok()) return;
  size_t total = 0;
  for (const auto& [code, value] : message->options) total += value.size();
  FUZZ_REQUIRE(total <= bytes.size());
  const auto pointer = message->options.find(kOptionTftpServers);
  if (pointer != message->options.end()) {
    const absl::StatusOr<std::vector<uint32_t>> addresses = DecodeOption150(pointer->second);
    FUZZ_REQUIRE(addresses.ok() == (!pointer->second.empty() && pointer->second.size() % 4 == 0));
    if (addresses.ok()) {
      FUZZ_REQUIRE(EncodeOption150(*addresses) == pointer->second);
      for (const uint32_t address : *addresses) {
        FUZZ_REQUIRE(*ParseIpv4(FormatIpv4(address)) == address);
      }
    }
  }
  // Said again it means the same.
  const absl::StatusOr<DhcpMessage> again = DecodeDhcp(EncodeDhcp(*message));
  FUZZ_REQUIRE(again.ok());
  FUZZ_REQUIRE(again->type == message->type && again->xid == message->xid &&
               again->yiaddr == message->yiaddr && again->chaddr == message->chaddr);
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
