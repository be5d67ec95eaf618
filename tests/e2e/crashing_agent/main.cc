// The agent, killed (SIGKILL) just before its n-th effect on the node: TRUSTLINE_CRASH_AT=n. Every
// effect up to there is a line of the file TRUSTLINE_CRASH_TRACE.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "agent/service/agent_program.h"

namespace {

int Number(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::atoi(value);
}

}  // namespace

int main(int argc, char** argv) {
  static const int crash_at = Number("TRUSTLINE_CRASH_AT");
  static const char* const trace = std::getenv("TRUSTLINE_CRASH_TRACE");
  static int calls = 0;  // everything that writes is serialised
  return trustline::agent::RunAgentProgram(
      argc, argv, [](absl::string_view call, absl::string_view target) {
        ++calls;
        if (trace != nullptr) {
          const int fd = open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
          const std::string line = absl::StrCat(call, " ", target, "\n");
          if (fd < 0 || write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            std::abort();
          close(fd);
        }
        if (calls == crash_at) raise(SIGKILL);
        return absl::OkStatus();
      });
}
