// Secret bytes that do not outlive their use in memory.
#pragma once

#include <memory>

#include "absl/strings/string_view.h"

namespace trustline {

// A copy of some bytes, wiped when it goes. Not copyable; moving leaves the source empty.
class WipedString {
 public:
  WipedString() : WipedString(absl::string_view()) {}
  explicit WipedString(absl::string_view bytes);
  ~WipedString();
  WipedString(WipedString&& other) noexcept;
  WipedString& operator=(WipedString&& other) noexcept;

  absl::string_view view() const { return absl::string_view(bytes_.get(), size_); }
  const char* c_str() const { return bytes_ ? bytes_.get() : ""; }  // ends with NUL

 private:
  void Wipe();
  size_t size_ = 0;
  std::unique_ptr<char[]> bytes_;
};

}  // namespace trustline
