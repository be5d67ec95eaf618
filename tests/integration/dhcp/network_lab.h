// Networks of one test: namespaces without names, held open by this process only, so that they are
// gone with it, however it ends. Needs root.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace trustline {

// Empty when the lab can be built here, else what is missing and why it is needed.
std::string WhyNoLab(const std::vector<std::string>& programs);

class NetworkNamespace {
 public:
  // A fresh one with the loopback interface up.
  NetworkNamespace();
  ~NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

  int fd() const { return fd_; }
  // Runs on a thread inside the namespace and waits for it.
  void Do(const std::function<void()>& work) const;
  // Runs a program inside, waits, and returns what it printed. Fails the test when it does not exit
  // with 0.
  std::string Run(const std::vector<std::string>& arguments) const;

 private:
  int fd_ = -1;
};

// A cable between two namespaces; the ends get these addresses ("10.77.0.1/24").
void Connect(const NetworkNamespace& one, const std::string& one_interface,
             const std::string& one_address, const NetworkNamespace& other,
             const std::string& other_interface, const std::string& other_address);

// A program inside a namespace that is killed with this object, or with the test process.
class LabProcess {
 public:
  LabProcess(const NetworkNamespace& where, std::vector<std::string> arguments,
             std::vector<std::string> environment, const std::string& output_file);
  ~LabProcess();
  LabProcess(const LabProcess&) = delete;
  LabProcess& operator=(const LabProcess&) = delete;

  void Kill();
  bool Running();
  // The status of waitpid; blocks.
  int Wait();

 private:
  pid_t pid_ = -1;
};

std::string ReadText(const std::string& path);
void WriteText(const std::string& path, const std::string& text);

}  // namespace trustline
