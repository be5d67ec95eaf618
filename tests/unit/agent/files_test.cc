// What Files promises, on this machine's files and on the fake alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/file_image.h"
#include "agent/posix_files.h"
#include "agent/staged_name.h"
#include "tests/fakes/fake_host.h"
#include "tests/support/temp_directory.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

FileImage Image(std::string bytes) {
  FileImage image;
  image.bytes = std::move(bytes);
  image.uid = ::geteuid();
  image.gid = ::getegid();
  return image;
}

// One way to have Files over an empty directory.
class Ground {
 public:
  virtual ~Ground() = default;
  virtual Files& files() = 0;
  virtual std::string root() const = 0;
  virtual void Symlink(const std::string& to, const std::string& path) = 0;
  virtual void FailAt(size_t n) = 0;
  virtual bool KeepsUserAttributes() const = 0;
};

class RealGround final : public Ground {
 public:
  RealGround()
      : files_(std::make_unique<PosixFiles>(std::vector<std::string>{root_}, calls_.hook())) {}
  Files& files() override { return *files_; }
  std::string root() const override { return root_; }
  void Symlink(const std::string& to, const std::string& path) override {
    std::filesystem::create_symlink(to, path);
  }
  void FailAt(size_t n) override { calls_.FailAt(n); }
  bool KeepsUserAttributes() const override {
    const std::string probe = root_ + "/probe";
    std::ofstream(probe) << "x";
    const bool keeps = ::setxattr(probe.c_str(), "user.tl", "1", 1, 0) == 0;
    std::filesystem::remove(probe);
    return keeps;
  }

 private:
  const testing::TempDirectory scratch_;
  const std::string root_ = scratch_.path();
  CallSwitch calls_;
  std::unique_ptr<PosixFiles> files_;
};

class FakeGround final : public Ground {
 public:
  FakeGround() {
    files_.PutDirectory("/ground");
    files_.SetWritable({"/ground"});
  }
  Files& files() override { return files_; }
  std::string root() const override { return "/ground"; }
  void Symlink(const std::string&, const std::string& path) override { files_.PutSymlink(path); }
  void FailAt(size_t n) override { calls_.FailAt(n); }
  bool KeepsUserAttributes() const override { return true; }

 private:
  CallSwitch calls_;
  FakeFiles files_{calls_};
};

using MakeGround = std::unique_ptr<Ground> (*)();

class FilesTest : public ::testing::TestWithParam<MakeGround> {
 protected:
  absl::Status Put(const std::string& path, const FileImage& image) {
    absl::StatusOr<std::string> staged = files.Stage(path, image);
    if (!staged.ok()) return staged.status();
    return files.Rename(*staged, path);
  }

  std::unique_ptr<Ground> ground = GetParam()();
  Files& files = ground->files();
  const std::string root = ground->root();
};

TEST_P(FilesTest, StagedContentIsInvisibleUntilRenamed) {
  const std::string path = root + "/deep/er/file";
  const auto staged = files.Stage(path, Image("new"));
  ASSERT_TRUE(staged.ok()) << staged.status();
  EXPECT_EQ(DirectoryOf(*staged), root + "/deep/er");
  EXPECT_TRUE(IsStagedName(NameOf(*staged), "file"));
  EXPECT_TRUE(absl::IsNotFound(files.Read(path).status()));
  ASSERT_TRUE(files.Rename(*staged, path).ok());
  EXPECT_EQ(files.Read(path)->bytes, "new");
  EXPECT_TRUE(files.SyncDirectory(root + "/deep/er").ok());
  EXPECT_THAT(*files.List(root + "/deep/er"), ElementsAre("file"));
}

TEST_P(FilesTest, ImagesComeBackWholly) {
  FileImage image = Image(std::string("a\0b\xff", 4));
  image.mode = 0461;
  if (ground->KeepsUserAttributes()) {
    image.xattrs["user.origin"] = std::string("x\0y", 3);
    image.xattrs["user.empty"] = "";
  }
  if (::geteuid() == 0) {
    image.uid = 1234;
    image.gid = 4321;
  }
  ASSERT_TRUE(Put(root + "/f", image).ok());
  const auto read = files.Read(root + "/f");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, image);
  EXPECT_EQ(LoadImage(SaveImage("/f", *read)), MaybeImage(image));
  // And another whole image in its place: attributes that are not in it go.
  ASSERT_TRUE(Put(root + "/f", Image("plain")).ok());
  EXPECT_EQ(*files.Read(root + "/f"), Image("plain"));
}

TEST_P(FilesTest, AbsenceAndRemoval) {
  EXPECT_TRUE(absl::IsNotFound(files.Read(root + "/no/such").status()));
  EXPECT_TRUE(absl::IsNotFound(files.List(root + "/no").status()));
  EXPECT_TRUE(absl::IsNotFound(files.SyncDirectory(root + "/no")));
  EXPECT_TRUE(files.Remove(root + "/no/such").ok());
  ASSERT_TRUE(Put(root + "/f", Image("x")).ok());
  EXPECT_TRUE(files.Remove(root + "/f").ok());
  EXPECT_TRUE(files.Remove(root + "/f").ok());
  EXPECT_TRUE(absl::IsNotFound(files.Read(root + "/f").status()));
}

TEST_P(FilesTest, OutsideTheRootsIsRefused) {
  for (const std::string& path : {std::string("/elsewhere"), root, root + "-beside/f"}) {
    const absl::Status staged = files.Stage(path, Image("x")).status();
    EXPECT_FALSE(staged.ok()) << path;
    EXPECT_TRUE(absl::IsPermissionDenied(staged) || absl::IsFailedPrecondition(staged)) << staged;
    EXPECT_FALSE(files.Remove(path).ok());
  }
  ASSERT_TRUE(Put(root + "/f", Image("x")).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(files.Rename(root + "/f", "/elsewhere")));
  EXPECT_TRUE(absl::IsPermissionDenied(files.Rename("/elsewhere", root + "/f")));
}

TEST_P(FilesTest, WaysAroundTheRootsAreRefused) {
  for (const std::string& path :
       {root + "/../f", root + "/./f", std::string("relative"), std::string()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(files.Stage(path, Image("x")).status())) << path;
    EXPECT_TRUE(absl::IsInvalidArgument(files.Read(path).status())) << path;
  }
}

TEST_P(FilesTest, SymbolicLinksAreNotFollowed) {
  ASSERT_TRUE(Put(root + "/real/f", Image("real")).ok());
  ground->Symlink(root + "/real", root + "/link");
  ground->Symlink(root + "/real/f", root + "/linked-file");
  EXPECT_TRUE(absl::IsFailedPrecondition(files.Read(root + "/link/f").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files.Stage(root + "/link/f", Image("x")).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files.List(root + "/link").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files.Read(root + "/linked-file").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files.Stage(root + "/linked-file", Image("x")).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files.Remove(root + "/linked-file")));
  EXPECT_EQ(files.Read(root + "/real/f")->bytes, "real");
}

TEST_P(FilesTest, DirectoriesAreNotFiles) {
  ASSERT_TRUE(Put(root + "/d/f", Image("x")).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(files.Read(root + "/d").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files.Stage(root + "/d", Image("x")).status()));
}

TEST_P(FilesTest, FailedStepsLeaveNothing) {
  ASSERT_TRUE(Put(root + "/f", Image("old")).ok());
  for (size_t n = 1; n <= 4; ++n) {
    ground->FailAt(n);
    EXPECT_FALSE(Put(root + "/f", Image("new")).ok()) << n;
    ground->FailAt(0);
    const std::vector<std::string> names = *files.List(root);
    for (const std::string& name : names) {
      // The last of the four is the rename: what was staged is the caller's to remove.
      if (n != 4 || !IsStagedName(name, "f")) continue;
      EXPECT_TRUE(files.Remove(root + "/" + name).ok());
    }
    EXPECT_THAT(*files.List(root), ElementsAre("f")) << n;
    EXPECT_EQ(files.Read(root + "/f")->bytes, "old");
  }
}

INSTANTIATE_TEST_SUITE_P(Posix, FilesTest, ::testing::Values([]() -> std::unique_ptr<Ground> {
                           return std::make_unique<RealGround>();
                         }));
INSTANTIATE_TEST_SUITE_P(Fake, FilesTest, ::testing::Values([]() -> std::unique_ptr<Ground> {
                           return std::make_unique<FakeGround>();
                         }));

TEST(PosixFilesTest, SpecialFilesAreRefusedWithoutBlocking) {
  RealGround ground;
  ASSERT_EQ(::mkfifo((ground.root() + "/fifo").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(ground.files().Read(ground.root() + "/fifo").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ground.files().Remove(ground.root() + "/fifo")));
}

TEST(PosixFilesTest, OversizedFilesAreRefused) {
  RealGround ground;
  const std::string path = ground.root() + "/big";
  std::ofstream(path) << "x";
  std::filesystem::resize_file(path, (64 << 20) + 1);
  EXPECT_TRUE(absl::IsResourceExhausted(ground.files().Read(path).status()));
}

TEST(PosixFilesTest, DirectoriesItMakesAreOpenToReadersWhateverTheUmask) {
  RealGround ground;
  const mode_t before = ::umask(0077);
  const absl::StatusOr<std::string> staged =
      ground.files().Stage(ground.root() + "/CallManager-trust/a.pem", Image("x"));
  ::umask(before);
  ASSERT_TRUE(staged.ok()) << staged.status();
  struct stat info {};
  ASSERT_EQ(::stat((ground.root() + "/CallManager-trust").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755u);
}

TEST(PosixFilesTest, StagedContentIsNeverReadableByOthersBeforeItsModeIsSet) {
  std::string root;
  mode_t seen = 0777;
  std::unique_ptr<PosixFiles> files;
  RealGround ground;
  root = ground.root();
  files = std::make_unique<PosixFiles>(
      std::vector<std::string>{root}, [&](absl::string_view call, absl::string_view target) {
        struct stat st;
        if (call == "write" && ::stat(std::string(target).c_str(), &st) == 0) {
          seen = st.st_mode & 0777;
        }
        return absl::OkStatus();
      });
  FileImage secret = Image("key");
  secret.mode = 0600;
  ASSERT_TRUE(files->Stage(root + "/key", secret).ok());
  EXPECT_EQ(seen, 0600u);
}

TEST(FakeFilesTest, PowerLossForgetsWhatWasNotSynced) {
  bool lost = false, kept = false;
  for (uint64_t seed = 0; seed < 16; ++seed) {
    CallSwitch calls;
    FakeFiles files(calls);
    files.Put("/d/f", "old");
    const auto staged = files.Stage("/d/f", Image("new"));
    ASSERT_TRUE(files.Rename(*staged, "/d/f").ok());
    files.LosePower(seed);
    const std::string bytes = files.Read("/d/f")->bytes;
    (bytes == "old" ? lost : kept) = true;
    EXPECT_TRUE(bytes == "old" || bytes == "new");
  }
  EXPECT_TRUE(lost);
  EXPECT_TRUE(kept);
}

TEST(StagedNameTest, IsToldFromEverythingElse) {
  EXPECT_EQ(StagedPath("/a/b", 255), "/a/.b.00000000000000ff.staged");
  EXPECT_TRUE(IsStagedName(".b.00000000000000ff.staged", "b"));
  EXPECT_TRUE(IsStagedName(".b.00000000000000ff.staged"));
  EXPECT_FALSE(IsStagedName(".b.00000000000000ff.staged", "c"));
  EXPECT_FALSE(IsStagedName("b.00000000000000ff.staged"));
  EXPECT_FALSE(IsStagedName(".b.00000000000000fg.staged"));
  EXPECT_FALSE(IsStagedName(".staged"));
}

}  // namespace
}  // namespace trustline::agent
