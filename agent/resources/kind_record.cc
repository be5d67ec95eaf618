#include "agent/resources/kind_record.h"

#include <unistd.h>

#include <utility>

namespace trustline::agent {

FileImage KindRecord(std::string bytes) {
  FileImage image;
  image.bytes = std::move(bytes);
  image.mode = 0600;
  image.uid = ::geteuid();
  image.gid = ::getegid();
  return image;
}

}  // namespace trustline::agent
