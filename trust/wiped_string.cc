#include "trust/wiped_string.h"

#include <openssl/crypto.h>

#include <cstring>
#include <utility>

namespace trustline {

WipedString::WipedString(absl::string_view bytes)
    : size_(bytes.size()), bytes_(new char[bytes.size() + 1]) {
  if (size_ > 0) std::memcpy(bytes_.get(), bytes.data(), size_);
  bytes_[size_] = '\0';
}

WipedString::WipedString(WipedString&& other) noexcept
    : size_(std::exchange(other.size_, 0)), bytes_(std::move(other.bytes_)) {}

WipedString::~WipedString() { Wipe(); }

WipedString& WipedString::operator=(WipedString&& other) noexcept {
  if (this != &other) {
    Wipe();
    size_ = std::exchange(other.size_, 0);
    bytes_ = std::move(other.bytes_);
  }
  return *this;
}

void WipedString::Wipe() {
  if (bytes_ != nullptr) OPENSSL_cleanse(bytes_.get(), size_);
}

}  // namespace trustline
