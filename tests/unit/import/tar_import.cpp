#include "tools/import/tar_import.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include "tests/catch.h"
#include "tests/unit/import/memory_tree.h"

namespace branchfs::test {
namespace {

struct Entry {
  std::string name;
  unsigned mode = S_IFREG | 0600;
  std::string data;
  std::string link;
};

std::string make_tar(const std::vector<Entry>& entries) {
  std::string bytes(1U << 20U, '\0');
  std::size_t used = 0;
  archive* a = ::archive_write_new();
  ::archive_write_set_format_ustar(a);
  ::archive_write_set_bytes_per_block(a, 512);
  ::archive_write_open_memory(a, bytes.data(), bytes.size(), &used);
  for (const auto& item : entries) {
    archive_entry* e = ::archive_entry_new();
    ::archive_entry_set_pathname(e, item.name.c_str());
    ::archive_entry_set_mode(e, item.mode);
    ::archive_entry_set_size(e, static_cast<la_int64_t>(item.data.size()));
    if (!item.link.empty()) ::archive_entry_set_symlink(e, item.link.c_str());
    ::archive_write_header(a, e);
    ::archive_write_data(a, item.data.data(), item.data.size());
    ::archive_entry_free(e);
  }
  ::archive_write_close(a);
  ::archive_write_free(a);
  bytes.resize(used);
  return bytes;
}

// Feeds `bytes` in pieces of `step`.
Status unpack(MemoryTree& tree, const std::string& bytes, const TarOptions& options, std::size_t step = 700) {
  std::size_t at = 0;
  return import_tar(
      tree,
      [&]() -> Result<std::span<const std::byte>> {
        const std::size_t n = std::min(step, bytes.size() - at);
        const auto piece = std::as_bytes(std::span(bytes.data() + at, n));
        at += n;
        return piece;
      },
      options);
}

}  // namespace

TEST_CASE("files, directories and sizes of an archive arrive; what a branch does not want stays out") {
  MemoryTree tree;
  ConfigFiles config;
  TarOptions options;
  options.uid = 1234;
  options.gid = 99;
  options.config = &config;
  const std::string page(20000, 'p');
  const auto bytes = make_tar({{"PG_VERSION", S_IFREG | 0600, "15\n", ""},
                               {"base", S_IFDIR | 0700, "", ""},
                               {"base/16400", S_IFREG | 0640, page, ""},
                               {"base/pg_internal.init", S_IFREG | 0600, "x", ""},
                               {"postmaster.pid", S_IFREG | 0600, "1", ""}});
  for (const std::size_t step : {1UL, 511UL, 700UL, 65536UL}) {
    tree.nodes.clear();
    REQUIRE(unpack(tree, bytes, options, step).ok());
    CHECK(tree.nodes.size() == 3);
    CHECK(tree.nodes["base/16400"].data == page);
    CHECK(tree.nodes["base/16400"].attr.mode == (S_IFREG | 0640));
    CHECK(tree.nodes["base/16400"].attr.uid == 1234);
    CHECK(config.at("PG_VERSION").content == "15\n");
    CHECK(config.count("base/16400") == 0);
  }
}

TEST_CASE("an archive without its end blocks is complete, as servers before 15 send it") {
  MemoryTree tree;
  auto bytes = make_tar({{"PG_VERSION", S_IFREG | 0600, "14\n", ""}});
  bytes.resize(1024);  // header and one block of data
  REQUIRE(unpack(tree, bytes, {}).ok());
  CHECK(tree.nodes["PG_VERSION"].data == "14\n");
}

TEST_CASE("an archive that ends within a file is an error") {
  MemoryTree tree;
  auto bytes = make_tar({{"PG_VERSION", S_IFREG | 0600, std::string(5000, 'x'), ""}});
  bytes.resize(2048);
  CHECK_FALSE(unpack(tree, bytes, {}).ok());
}

TEST_CASE("tablespace links become directories, any other link or odd name is refused") {
  MemoryTree tree;
  const Entry parent{"pg_tblspc", S_IFDIR | 0700, "", ""};
  REQUIRE(unpack(tree, make_tar({parent, {"pg_tblspc/16385", S_IFLNK | 0777, "", "/srv/prod"}}), {}).ok());
  CHECK(S_ISDIR(tree.nodes["pg_tblspc/16385"].attr.mode));

  for (const auto& bad :
       {Entry{"pg_wal", S_IFLNK | 0777, "", "/srv/wal"}, Entry{"../evil", S_IFREG | 0600, "x", ""},
        Entry{"/etc/evil", S_IFREG | 0600, "x", ""}, Entry{"a/../../evil", S_IFREG | 0600, "x", ""},
        Entry{"pipe", S_IFIFO | 0600, "", ""}}) {
    MemoryTree fresh;
    INFO(bad.name);
    CHECK_FALSE(unpack(fresh, make_tar({bad}), {}).ok());
    CHECK(fresh.nodes.empty());
  }
}

TEST_CASE("errors of the source and of the byte counter stop the archive and keep their words") {
  MemoryTree tree;
  const auto bytes =
      make_tar({{"base", S_IFDIR | 0700, "", ""}, {"base/1", S_IFREG | 0600, std::string(9000, 'x'), ""}});
  TarOptions options;
  options.on_bytes = [](std::uint64_t) -> Status { return make_error(Kind::failed, "enough"); };
  const auto counted = unpack(tree, bytes, options);
  REQUIRE_FALSE(counted.ok());
  CHECK(counted.error().what == "enough");

  bool first = true;
  MemoryTree other;
  const auto lost = import_tar(other,
                               [&]() -> Result<std::span<const std::byte>> {
                                 if (!std::exchange(first, false))
                                   return make_error(Kind::failed, "connection lost");
                                 return std::as_bytes(std::span(bytes.data(), 1500));
                               },
                               {});
  REQUIRE_FALSE(lost.ok());
  CHECK(lost.error().what == "connection lost");
}

}  // namespace branchfs::test
