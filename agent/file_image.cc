#include "agent/file_image.h"

#include "absl/strings/str_cat.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline::agent {

absl::StatusOr<MaybeImage> ReadImage(const FileView& files, const std::string& path) {
  absl::StatusOr<FileImage> image = files.Read(path);
  if (image.ok()) return MaybeImage(*std::move(image));
  if (absl::IsNotFound(image.status())) return MaybeImage();
  return image.status();
}

std::string ImageDigest(const MaybeImage& image) {
  if (!image.has_value()) return "";
  // Every part is preceded by its length, so that no two images share a text.
  std::string text = absl::StrCat(image->mode, " ", image->uid, " ", image->gid, " ",
                                  image->bytes.size(), " ", image->bytes);
  for (const auto& [name, value] : image->xattrs) {
    absl::StrAppend(&text, " ", name.size(), " ", name, " ", value.size(), " ", value);
  }
  return Sha256Hex(text);
}

v1::SavedFile SaveImage(const std::string& path, const MaybeImage& image) {
  v1::SavedFile saved;
  saved.set_path(path);
  saved.set_absent(!image.has_value());
  if (!image.has_value()) return saved;
  saved.set_bytes(image->bytes);
  saved.set_mode(image->mode);
  saved.set_uid(image->uid);
  saved.set_gid(image->gid);
  for (const auto& [name, value] : image->xattrs) (*saved.mutable_xattrs())[name] = value;
  return saved;
}

MaybeImage LoadImage(const v1::SavedFile& saved) {
  if (saved.absent()) return MaybeImage();
  FileImage image;
  image.bytes = saved.bytes();
  image.mode = saved.mode();
  image.uid = saved.uid();
  image.gid = saved.gid();
  for (const auto& [name, value] : saved.xattrs()) image.xattrs[name] = value;
  return MaybeImage(std::move(image));
}

}  // namespace trustline::agent
