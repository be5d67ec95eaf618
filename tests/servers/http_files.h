// Files over HTTP on every address of this network at one port: what phones fetch from the TFTP
// nodes of several clusters, each address being a node of its own. TFTP at the same port has no
// file at all, and says so.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace trustline {

// Serves from construction to destruction, one request per connection. Safe for concurrent use.
class HttpFiles {
 public:
  HttpFiles();  // ends the program when there is no socket to be had
  ~HttpFiles();
  HttpFiles(const HttpFiles&) = delete;
  HttpFiles& operator=(const HttpFiles&) = delete;

  uint16_t port() const { return port_; }
  // What `address` answers for /NAME; everything else is 404.
  void Serve(const std::string& address, const std::string& name, std::string bytes);
  // From now on every request is answered with this status and no file, as "503 Service
  // Unavailable"; empty: files again.
  void AnswerOnly(const std::string& status);

 private:
  void Run();
  void Answer(int connection);
  void DenyTftp();

  int listener_ = -1, tftp_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> files_;  // address, name
  std::string only_status_;
  std::thread thread_;
};

}  // namespace trustline
