// Trees on the host and in branches, as text to compare.
#pragma once

#include <dirent.h>
#include <fcntl.h>

#include <fstream>
#include <map>
#include <sstream>

#include "layers/jobs/import.h"
#include "layers/jobs/jobs.h"
#include "tests/support/scratch.h"

namespace branchfs::test {

namespace fs = std::filesystem;

// Path → "type mode size nlink content"; directories without size, since only the host gives them one.
using Picture = std::map<std::string, std::string>;

inline std::string line_of(std::uint32_t mode, std::uint64_t size, std::uint64_t nlink,
                           const std::string& content) {
  std::ostringstream out;
  out << std::oct << mode << std::dec;
  if (!S_ISDIR(mode)) out << " " << size << " x" << nlink;
  out << " " << content.size() << ":" << std::hash<std::string>()(content);
  return out.str();
}

inline std::string host_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline Picture picture_of_host(const fs::path& root) {
  Picture picture;
  for (const auto& item : fs::recursive_directory_iterator(root)) {
    struct ::stat st {};
    REQUIRE(::lstat(item.path().c_str(), &st) == 0);
    if (S_ISSOCK(st.st_mode)) continue;
    std::string content;
    if (S_ISREG(st.st_mode)) content = host_file(item.path());
    if (S_ISLNK(st.st_mode)) content = fs::read_symlink(item.path());
    picture[item.path().lexically_relative(root)] =
        line_of(st.st_mode, static_cast<std::uint64_t>(st.st_size), st.st_nlink, content);
  }
  return picture;
}

inline void picture_dir(Branch& branch, Ino dir, const std::string& path, Picture& picture) {
  for (const NameEntry& entry : must(branch.list(dir))) {
    Attr attr = must(branch.lookup(dir, entry.name));
    std::string below = path.empty() ? entry.name : path + "/" + entry.name;
    std::string content;
    if (S_ISREG(attr.mode)) {
      content.resize(attr.size);
      auto bytes = std::as_writable_bytes(std::span(content));
      REQUIRE(must(branch.read(attr.ino, 0, bytes)) == content.size());
    }
    if (S_ISLNK(attr.mode)) content = must(branch.readlink(attr.ino));
    picture[below] = line_of(attr.mode, attr.size, attr.nlink, content);
    if (S_ISDIR(attr.mode)) picture_dir(branch, attr.ino, below, picture);
    branch.forget(attr.ino, 1);
  }
}
inline Picture picture_of(Branch& branch) {
  Picture picture;
  picture_dir(branch, kRootIno, "", picture);
  return picture;
}
inline Picture picture_of(ScratchStore& store, const std::string& name) {
  auto branch = store.open(name, OpenMode::read_only);
  return picture_of(*branch);
}

inline Attr root_attr() {
  Attr attr;
  attr.ino = kRootIno;
  attr.mode = S_IFDIR | 0700;
  attr.uid = ::geteuid();
  attr.gid = ::getegid();
  return attr;
}

inline std::string text(std::uint64_t seed, std::size_t size) {
  std::string out(size, '\0');
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (char& c : out) {
    x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    c = static_cast<char>('a' + (x >> 60U));
  }
  return out;
}

inline Manifest import_dir(ScratchStore& store, const std::string& source, const std::string& name) {
  auto builder = must(TreeBuilder::create(**store, root_attr()));
  must(import_tree(*builder, source, "", {}));
  return must(builder->publish(name, {}));
}

inline Ino make_file(Branch& branch, Ino parent, const std::string& name, const std::string& content) {
  NewNode node;
  node.parent = parent;
  node.name = name;
  node.mode = S_IFREG | 0600;
  Attr attr = must(branch.create(node));
  must(branch.write(attr.ino, 0, std::as_bytes(std::span(content))));
  return attr.ino;
}
inline void write(Branch& branch, Ino ino, std::uint64_t offset, const std::string& data) {
  must(branch.write(ino, offset, std::as_bytes(std::span(data))));
}

inline std::size_t entries(const std::string& dir) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
}
// Layers, deltas and what waits to be removed.
inline std::string objects(ScratchStore& store) {
  return std::to_string(entries(store->layers_dir())) + " layers, " +
         std::to_string(entries(store->deltas_dir())) + " deltas, " +
         std::to_string(entries(store->trash_dir())) + " trash";
}
inline void check_clean(ScratchStore& store) {
  auto report = must(verify_store(**store));
  for (const auto& line : report.lines) UNSCOPED_INFO(line);
  CHECK(report.problems == 0);
}

// A directory with all that an import may meet.
inline void make_source(const fs::path& dir) {
  fs::create_directories(dir / "base/1");
  fs::create_directories(dir / "empty");
  std::ofstream(dir / "PG_VERSION") << "15\n";
  std::ofstream(dir / "base/1/100") << text(1, 100 * kBlockSize);
  std::ofstream(dir / "base/1/odd") << text(2, 3 * kBlockSize + 77);
  std::ofstream(dir / "base/1/nothing");
  std::ofstream(dir / "base/1/zeros") << std::string(5 * kBlockSize + 5, '\0');
  {
    std::ofstream sparse(dir / "base/1/sparse");
    sparse.seekp(10'000'000);
    sparse << "in the middle";
  }
  fs::resize_file(dir / "base/1/sparse", 50'000'000);
  fs::create_hard_link(dir / "base/1/odd", dir / "base/odd-too");
  fs::create_symlink("../PG_VERSION", dir / "base/link");
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
}

}  // namespace branchfs::test
