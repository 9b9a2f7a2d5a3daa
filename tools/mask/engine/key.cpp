#include "tools/mask/engine/key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

namespace branchfs::mask {
namespace {

constexpr std::size_t kKeySize = 32;
// 128 bits of entropy need at least this much text.
constexpr std::size_t kShortestFile = 16;
constexpr std::size_t kLongestFile = 64UL << 10U;

using Digest = std::array<unsigned char, 32>;

Result<Digest> sha256(std::string_view label, std::string_view data) {
  Digest digest{};
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  unsigned size = 0;
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), label.data(), label.size()) != 1 ||
      EVP_DigestUpdate(context.get(), data.data(), data.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) {
    return make_error(Kind::failed, "SHA-256 is not available in OpenSSL");
  }
  return digest;
}

std::string hex(const unsigned char* bytes, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

// Wiped when it goes.
struct SecretText {
  std::vector<char> bytes;
  ~SecretText() { explicit_bzero(bytes.data(), bytes.size()); }
};

Status read_secret(const std::string& path, SecretText& text) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return sys_error(fmt::format("the key file {}", path));
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } const closer{fd};
  struct ::stat st {};
  if (::fstat(fd, &st) != 0) return sys_error(path);
  if (!S_ISREG(st.st_mode)) return make_error(Kind::refused, fmt::format("the key file {} is no regular file", path));
  if ((st.st_mode & 077U) != 0) {
    return make_error(Kind::refused, fmt::format("the key file {} is open to other users", path), "chmod 600 " + path);
  }
  if (static_cast<std::size_t>(st.st_size) < kShortestFile || static_cast<std::size_t>(st.st_size) > kLongestFile) {
    return make_error(Kind::refused, fmt::format("the key file {} holds {} bytes, not {} to {}", path, st.st_size,
                                                 kShortestFile, kLongestFile),
                      "openssl rand -hex 32 makes a good one");
  }
  text.bytes.resize(static_cast<std::size_t>(st.st_size));
  std::size_t done = 0;
  while (done < text.bytes.size()) {
    const ssize_t n = ::read(fd, text.bytes.data() + done, text.bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys_error(path);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  text.bytes.resize(done);
  return {};
}

}  // namespace

struct Key::Secret {
  std::array<unsigned char, kKeySize> bytes{};
};

void Key::Wipe::operator()(Secret* secret) const {
  explicit_bzero(secret->bytes.data(), secret->bytes.size());
  ::munlock(secret, sizeof *secret);
  delete secret;
}

std::string_view Key::bytes() const {
  return {reinterpret_cast<const char*>(secret_->bytes.data()), secret_->bytes.size()};
}

Result<Key> Key::load(const std::string& spec, const std::string& base_dir) {
  Key key;
  key.secret_.reset(new Secret);
  ::mlock(key.secret_.get(), sizeof(Secret));  // where it is not allowed, the key is as safe as the machine's swap
  if (spec == "ephemeral") {
    key.ephemeral_ = true;
    key.spec_ = spec;
    std::array<unsigned char, 8> name{};
    if (RAND_bytes(key.secret_->bytes.data(), kKeySize) != 1 || RAND_bytes(name.data(), name.size()) != 1) {
      return make_error(Kind::failed, "no randomness for the masking key");
    }
    key.id_ = hex(name.data(), name.size());
    return key;
  }
  constexpr std::string_view kFile = "file:";
  if (!spec.starts_with(kFile) || spec.size() == kFile.size()) {
    return make_error(Kind::refused, fmt::format("\"key\": \"{}\" is neither \"ephemeral\" nor \"file:PATH\"", spec));
  }
  std::filesystem::path path(spec.substr(kFile.size()));
  if (path.is_relative()) path = std::filesystem::path(base_dir) / path;
  path = path.lexically_normal();
  SecretText text;
  BFS_TRY(read_secret(path.string(), text));
  BFS_ASSIGN(Digest digest, sha256("branchfs masking key, version 1\n", {text.bytes.data(), text.bytes.size()}));
  key.secret_->bytes = digest;
  explicit_bzero(digest.data(), digest.size());
  BFS_ASSIGN(const Digest id, sha256("branchfs masking key id, version 1\n", key.bytes()));
  key.id_ = hex(id.data(), 8);
  key.spec_ = "file:" + path.string();
  return key;
}

}  // namespace branchfs::mask
