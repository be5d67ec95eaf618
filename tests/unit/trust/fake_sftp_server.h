// An SFTP server in memory, at the far end of an SftpStream, that can drop the link at any request
// and answer in unusual ways.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trust/sftp_client.h"

namespace trustline {

// Thread-compatible. The server outlives its streams. Paths are as given; a file's directory must
// have been made.
class FakeSftpServer {
 public:
  std::map<std::string, std::string> files;
  std::set<std::string> directories = {".", "/"};

  // Extensions offered.
  bool fsync = true;
  bool statvfs = true;
  uint64_t capacity = UINT64_MAX;     // bytes of all files
  uint32_t largest_read = 32 * 1024;  // answers to READ are cut to this
  bool answer_backwards = false;      // answers not yet asked for are given last first
  // Changes an answer on its way out.
  std::function<void(std::string*)> spoil;

  // The link drops at the nth request from now on, counted over all connections and with hellos:
  // before it is done, or after, so that only its answer is lost.
  void DropAt(int n, bool after);
  bool dropped() const { return dropped_; }
  int requests() const { return requests_; }
  int connections() const { return connections_; }
  int count(uint8_t type) const;

  std::unique_ptr<SftpStream> Connect();

 private:
  friend class FakeSftpStream;
  struct Handle {
    std::string path;
    bool is_directory = false;
    bool listed = false;
  };

  // False when the link drops instead of an answer.
  bool Serve(const std::string& packet, std::map<std::string, Handle>* handles,
             std::string* answer);
  std::string Answer(const std::string& packet, std::map<std::string, Handle>* handles);
  uint64_t Used() const;

  int requests_ = 0;
  int connections_ = 0;
  int drop_at_ = 0;
  bool drop_after_ = false;
  bool dropped_ = false;
  int next_handle_ = 0;
  std::map<uint8_t, int> by_type_;
};

}  // namespace trustline
