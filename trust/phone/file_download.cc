#include "trust/phone/file_download.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace trustline {
namespace {

struct Received {
  std::string bytes;
  bool too_large = false;
};

size_t OnBytes(char* data, size_t size, size_t count, void* user) {
  Received& received = *static_cast<Received*>(user);
  if (received.bytes.size() + size * count > kMaxPhoneFileBytes) {
    received.too_large = true;
    return 0;  // ends the transfer
  }
  received.bytes.append(data, size * count);
  return size * count;
}

bool PlainName(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-';
         });
}

bool PlainHost(const std::string& host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == ':';
  });
}

absl::Status FailureOf(CURLcode code, const char* detail, size_t bytes) {
  switch (code) {
    case CURLE_TFTP_NOTFOUND:
      return absl::NotFoundError("no such file");
    case CURLE_PARTIAL_FILE:
      return absl::DataLossError(absl::StrCat("the download broke off after ", bytes, " bytes"));
    case CURLE_OPERATION_TIMEDOUT:
      return bytes > 0 ? absl::DataLossError(
                             absl::StrCat("the download stood still after ", bytes, " bytes"))
                       : absl::UnavailableError("no answer in time");
    default:
      return absl::UnavailableError(*detail != '\0' ? detail : curl_easy_strerror(code));
  }
}

absl::StatusOr<std::string> Download(FileTransport transport, const std::string& host,
                                     uint16_t port, const std::string& path,
                                     absl::Duration timeout) {
  if (!PlainHost(host))
    return absl::InvalidArgumentError(absl::StrCat("\"", host, "\" is no address"));
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (ready != CURLE_OK || curl == nullptr)
    return absl::InternalError("libcurl cannot be used on this machine");

  const bool http = transport == FileTransport::kHttp;
  const std::string authority = absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host;
  const std::string url = absl::StrCat(http ? "http://" : "tftp://", authority, ":", port, path);
  const long milliseconds =
      std::max<long>(1, static_cast<long>(absl::ToInt64Milliseconds(timeout)));
  Received received;
  std::array<char, CURL_ERROR_SIZE> detail{};
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, http ? "http" : "tftp");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds);
  curl_easy_setopt(handle, CURLOPT_TFTP_NO_OPTIONS, 1L);  // blocks of 512 bytes, as old phones
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, OnBytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail.data());
  const CURLcode code = curl_easy_perform(handle);
  if (received.too_large) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the file is larger than the ", kMaxPhoneFileBytes >> 10, " KB that phones download"));
  }
  if (code != CURLE_OK) return FailureOf(code, detail.data(), received.bytes.size());
  if (http) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (status == 404) return absl::NotFoundError("HTTP 404");
    if (status != 200) return absl::UnavailableError(absl::StrCat("HTTP ", status));
  }
  return std::move(received.bytes);
}

}  // namespace

absl::StatusOr<std::string> DownloadFile(FileTransport transport, const std::string& host,
                                         uint16_t port, const std::string& name,
                                         absl::Duration timeout) {
  if (!PlainName(name))
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is no name of a phone's file"));
  return Download(transport, host, port, absl::StrCat("/", name), timeout);
}

absl::StatusOr<std::string> DownloadPage(const std::string& host, uint16_t port,
                                         const std::string& path, absl::Duration timeout) {
  return Download(FileTransport::kHttp, host, port, path, timeout);
}

}  // namespace trustline
