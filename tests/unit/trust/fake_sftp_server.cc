#include "tests/unit/trust/fake_sftp_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "trust/sftp_wire.h"

namespace trustline {
namespace {

std::string Status(uint32_t id, uint32_t code) {
  return SftpWriter().Byte(sftp::kStatus).Int(id).Int(code).String("said so").String("").bytes();
}

std::string Directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string Attributes(bool is_directory, uint64_t size) {
  return SftpWriter().Int(0x5).Long(size).Int(is_directory ? 0040755 : 0100644).bytes();
}

}  // namespace

class FakeSftpStream : public SftpStream {
 public:
  explicit FakeSftpStream(FakeSftpServer* server) : server_(server) {}
  void StartClock() override {}
  absl::Status Send(absl::string_view bytes) override {
    if (dead_) return absl::UnavailableError("dropped");
    in_.append(bytes.data(), bytes.size());
    while (!dead_ && in_.size() >= 4) {
      const uint32_t length = SftpReader(in_).Int();
      if (in_.size() < 4 + length) break;
      const std::string packet = in_.substr(4, length);
      in_.erase(0, 4 + length);
      std::string answer;
      if (!server_->Serve(packet, &handles_, &answer)) {
        dead_ = true;
        break;
      }
      std::string framed = SftpWriter().String(answer).bytes();
      if (server_->spoil) server_->spoil(&framed);
      held_.push_back(framed);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Receive(size_t count) override {
    if (out_.size() < count) {
      if (server_->answer_backwards) std::reverse(held_.begin(), held_.end());
      for (const std::string& packet : held_) out_ += packet;
      held_.clear();
    }
    if (out_.size() < count) return absl::UnavailableError("dropped");
    std::string bytes = out_.substr(0, count);
    out_.erase(0, count);
    return bytes;
  }

 private:
  FakeSftpServer* server_;
  bool dead_ = false;
  std::string in_, out_;
  std::vector<std::string> held_;
  std::map<std::string, FakeSftpServer::Handle> handles_;
};

void FakeSftpServer::DropAt(int n, bool after) {
  drop_at_ = requests_ + n;
  drop_after_ = after;
  dropped_ = false;
}

int FakeSftpServer::count(uint8_t type) const {
  const auto found = by_type_.find(type);
  return found == by_type_.end() ? 0 : found->second;
}

std::unique_ptr<SftpStream> FakeSftpServer::Connect() {
  ++connections_;
  return std::make_unique<FakeSftpStream>(this);
}

uint64_t FakeSftpServer::Used() const {
  uint64_t used = 0;
  for (const auto& [path, bytes] : files) used += bytes.size();
  return used;
}

bool FakeSftpServer::Serve(const std::string& packet, std::map<std::string, Handle>* handles,
                           std::string* answer) {
  ++requests_;
  ++by_type_[static_cast<uint8_t>(packet[0])];
  const bool drop = requests_ == drop_at_;
  dropped_ = dropped_ || drop;
  if (drop && !drop_after_) return false;
  *answer = Answer(packet, handles);
  return !drop;
}

std::string FakeSftpServer::Answer(const std::string& packet,
                                   std::map<std::string, Handle>* handles) {
  SftpReader reader(packet);
  const uint8_t type = reader.Byte();
  const uint32_t id = reader.Int();
  if (type == sftp::kInit) {
    SftpWriter hello;
    hello.Byte(sftp::kVersion).Int(3).String("vendor@example.com").String("x");
    if (fsync) hello.String("fsync@openssh.com").String("1");
    if (statvfs) hello.String("statvfs@openssh.com").String("2");
    return hello.bytes();
  }
  const std::string first(reader.String());
  const auto open = [&](bool is_directory) {
    const std::string handle = absl::StrCat("h", ++next_handle_);
    (*handles)[handle] = {first, is_directory, false};
    return SftpWriter().Byte(sftp::kHandle).Int(id).String(handle).bytes();
  };
  const bool is_file = files.count(first) > 0;
  const bool is_directory = directories.count(first) > 0;
  switch (type) {
    case sftp::kOpen: {
      const uint32_t flags = reader.Int();
      if ((flags & sftp::kOpenCreate) == 0) {
        return is_file ? open(false) : Status(id, sftp::kNoSuchFile);
      }
      if (is_file || is_directory) return Status(id, sftp::kFailure);
      if (directories.count(Directory(first)) == 0) return Status(id, sftp::kNoSuchFile);
      files[first] = "";
      return open(false);
    }
    case sftp::kClose:
      return Status(id, handles->erase(first) > 0 ? sftp::kOk : sftp::kFailure);
    case sftp::kRead: {
      const uint64_t offset = reader.Long();
      const uint32_t length = std::min(reader.Int(), largest_read);
      const std::string& bytes = files[(*handles)[first].path];
      if (offset >= bytes.size()) return Status(id, sftp::kEof);
      return SftpWriter().Byte(sftp::kData).Int(id).String(bytes.substr(offset, length)).bytes();
    }
    case sftp::kWrite: {
      const uint64_t offset = reader.Long();
      const absl::string_view data = reader.String();
      if (Used() + data.size() > capacity) return Status(id, sftp::kFailure);
      std::string& bytes = files[(*handles)[first].path];
      bytes.resize(std::max<uint64_t>(bytes.size(), offset + data.size()));
      bytes.replace(offset, data.size(), std::string(data));
      return Status(id, sftp::kOk);
    }
    case sftp::kFstat:
      return SftpWriter()
          .Byte(sftp::kAttrs)
          .Int(id)
          .Raw(Attributes(false, files[(*handles)[first].path].size()))
          .bytes();
    case sftp::kStat:
      if (!is_file && !is_directory) return Status(id, sftp::kNoSuchFile);
      return SftpWriter()
          .Byte(sftp::kAttrs)
          .Int(id)
          .Raw(Attributes(is_directory, is_file ? files[first].size() : 0))
          .bytes();
    case sftp::kOpenDir:
      return is_directory ? open(true) : Status(id, sftp::kNoSuchFile);
    case sftp::kReadDir: {
      Handle& handle = (*handles)[first];
      if (handle.listed) return Status(id, sftp::kEof);
      handle.listed = true;
      SftpWriter names;
      uint32_t count = 2;
      names.String(".").String("").Raw(Attributes(true, 0));
      names.String("..").String("").Raw(Attributes(true, 0));
      for (const auto& [path, bytes] : files) {
        if (Directory(path) != handle.path) continue;
        names.String(path.substr(path.rfind('/') + 1))
            .String("-rw")
            .Raw(Attributes(false, bytes.size()));
        ++count;
      }
      return SftpWriter().Byte(sftp::kName).Int(id).Int(count).Raw(names.bytes()).bytes();
    }
    case sftp::kRemove:
      return Status(id, files.erase(first) > 0 ? sftp::kOk : sftp::kNoSuchFile);
    case sftp::kMkdir:
      if (is_file || is_directory) return Status(id, sftp::kFailure);
      if (directories.count(Directory(first)) == 0) return Status(id, sftp::kNoSuchFile);
      directories.insert(first);
      return Status(id, sftp::kOk);
    case sftp::kRename: {
      const std::string target(reader.String());
      if (!is_file) return Status(id, sftp::kNoSuchFile);
      if (files.count(target) > 0 || directories.count(target) > 0) {
        return Status(id, sftp::kFailure);
      }
      files[target] = files[first];
      files.erase(first);
      return Status(id, sftp::kOk);
    }
    case sftp::kExtended:
      if (first == "fsync@openssh.com" && fsync) return Status(id, sftp::kOk);
      if (first == "statvfs@openssh.com" && statvfs) {
        const uint64_t free = capacity == UINT64_MAX ? 1u << 30 : capacity - Used();
        SftpWriter answer;
        answer.Byte(sftp::kExtendedReply).Int(id).Long(4096).Long(1).Long(1u << 30).Long(free);
        for (const uint64_t field : {free, uint64_t{0}, uint64_t{0}, uint64_t{0}, uint64_t{0},
                                     uint64_t{0}, uint64_t{255}}) {
          answer.Long(field);
        }
        return answer.bytes();
      }
      return Status(id, sftp::kOpUnsupported);
    default:
      return Status(id, sftp::kOpUnsupported);
  }
}

}  // namespace trustline
