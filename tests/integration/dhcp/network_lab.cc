#include "tests/integration/dhcp/network_lab.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace trustline {
namespace {

std::string FindProgram(const std::string& name) {
  for (const char* directory : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    const std::string path = directory + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec only what is safe there: everything is prepared before.
pid_t Spawn(int namespace_fd, const std::vector<std::string>& arguments,
            const std::vector<std::string>& environment, int output) {
  const std::string program = FindProgram(arguments[0]);
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
      setns(namespace_fd, CLONE_NEWNET) != 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) {
    _exit(126);
  }
  execve(program.c_str(), argv.data(), envp.data());
  _exit(127);
}

int WaitFor(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

std::string WhyNoLab(const std::vector<std::string>& programs) {
  if (geteuid() != 0) return "needs root: it makes network namespaces and binds the DHCP ports";
  for (const std::string& program : programs) {
    if (FindProgram(program).empty()) return "needs the program " + program;
  }
  return "";
}

NetworkNamespace::NetworkNamespace() {
  std::thread([this] {
    if (unshare(CLONE_NEWNET) == 0) fd_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  }).join();
  EXPECT_GE(fd_, 0) << std::strerror(errno);
  Run({"ip", "link", "set", "lo", "up"});
}

NetworkNamespace::~NetworkNamespace() {
  if (fd_ >= 0) close(fd_);
}

void NetworkNamespace::Do(const std::function<void()>& work) const {
  std::thread([&] {
    if (setns(fd_, CLONE_NEWNET) != 0) {
      ADD_FAILURE() << "entering a network namespace: " << std::strerror(errno);
      return;
    }
    work();
  }).join();
}

std::string NetworkNamespace::Run(const std::vector<std::string>& arguments) const {
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) {
    ADD_FAILURE() << std::strerror(errno);
    return "";
  }
  const pid_t pid = Spawn(fd_, arguments, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, out[1]);
  close(out[1]);
  std::string text;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = read(out[0], buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<size_t>(size));
  }
  close(out[0]);
  const int status = WaitFor(pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << arguments[0] << " " << (arguments.size() > 1 ? arguments[1] : "") << ": " << text;
  return text;
}

void Connect(const NetworkNamespace& one, const std::string& one_interface,
             const std::string& one_address, const NetworkNamespace& other,
             const std::string& other_interface, const std::string& other_address) {
  const std::string path =
      "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(other.fd());
  one.Run({"ip", "link", "add", one_interface, "type", "veth", "peer", "name", other_interface,
           "netns", path});
  one.Run({"ip", "addr", "add", one_address, "dev", one_interface});
  other.Run({"ip", "addr", "add", other_address, "dev", other_interface});
  one.Run({"ip", "link", "set", one_interface, "up"});
  other.Run({"ip", "link", "set", other_interface, "up"});
}

LabProcess::LabProcess(const NetworkNamespace& where, std::vector<std::string> arguments,
                       std::vector<std::string> environment, const std::string& output_file) {
  const int output = open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  EXPECT_GE(output, 0) << output_file;
  pid_ = Spawn(where.fd(), arguments, environment, output);
  close(output);
}

LabProcess::~LabProcess() { Kill(); }

void LabProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

bool LabProcess::Running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

int LabProcess::Wait() {
  const int status = WaitFor(pid_);
  pid_ = -1;
  return status;
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  EXPECT_TRUE(out.good()) << path;
}

}  // namespace trustline
