#include "tools/import/tar_import.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <utility>

#include "tools/import/paths.h"

namespace branchfs {
namespace {

struct ArchiveDeleter {
  void operator()(archive* a) const { ::archive_read_free(a); }
};

struct Source {
  const std::function<Result<std::span<const std::byte>>()>& next;
  std::optional<Error> error;
};

la_ssize_t read_source(archive*, void* client, const void** buffer) {
  auto& source = *static_cast<Source*>(client);
  auto piece = source.next();
  if (!piece) {
    source.error = std::move(piece).error();
    return ARCHIVE_FATAL;
  }
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

class Unpacker {
 public:
  Unpacker(TreeBuilder& builder, const TarOptions& options) : builder_(builder), options_(options) {}

  Status entry(archive* a, archive_entry* e);

 private:
  Status directory(const std::string& path, const Attr& attr);
  Status file(archive* a, archive_entry* e, const std::string& path, const Attr& attr);
  Status data(archive* a, Ino ino, std::uint64_t size, std::string* copy);

  TreeBuilder& builder_;
  const TarOptions& options_;
};

Error archive_failure(archive* a) {
  const char* text = ::archive_error_string(a);
  return make_error(Kind::failed, fmt::format("the backup's archive is malformed: {}",
                                              text != nullptr ? text : "unexpected end"));
}

Status Unpacker::entry(archive* a, archive_entry* e) {
  const char* raw = ::archive_entry_pathname(e);
  std::string name = raw != nullptr ? raw : "";
  if (name.substr(0, 2) == "./") name.erase(0, 2);
  while (!name.empty() && name.back() == '/') name.pop_back();
  if (name.empty() || name == ".") return {};  // the archive's own root
  if (!safe_relative_path(name)) {
    return make_error(Kind::failed,
                      fmt::format("the backup's archive names a path outside of it: \"{}\"", name));
  }
  const std::string path = options_.into.empty() ? name : options_.into + "/" + name;
  if (leave_out(path)) return {};

  Attr attr;
  attr.mode = ::archive_entry_mode(e);
  attr.uid = options_.uid;
  attr.gid = options_.gid;
  attr.mtime = {::archive_entry_mtime(e), ::archive_entry_mtime_nsec(e)};
  attr.atime = attr.ctime = attr.mtime;
  if (S_ISDIR(attr.mode)) return directory(path, attr);
  if (S_ISLNK(attr.mode)) {
    if (path.compare(0, 10, "pg_tblspc/") != 0 || path.find('/', 10) != std::string::npos) {
      return make_error(Kind::failed,
                        fmt::format("the backup's archive has an unexpected link: \"{}\"", path));
    }
    attr.mode = S_IFDIR | 0700;
    return directory(path, attr);
  }
  if (S_ISREG(attr.mode) && ::archive_entry_hardlink(e) == nullptr) return file(a, e, path, attr);
  return make_error(Kind::failed,
                    fmt::format("the backup's archive has an entry that is no file: \"{}\"", path));
}

// Exists already when a tablespace's archive came before the data directory's.
Status Unpacker::directory(const std::string& path, const Attr& attr) {
  if (builder_.find(path)) return {};
  BFS_ASSIGN([[maybe_unused]] const Ino ino, builder_.add(path, attr));
  return {};
}

Status Unpacker::file(archive* a, archive_entry* e, const std::string& path, const Attr& attr) {
  const auto size = static_cast<std::uint64_t>(::archive_entry_size(e));
  BFS_ASSIGN(const Ino ino, builder_.add(path, attr));
  if (options_.config == nullptr || !may_be_config(path, size)) return data(a, ino, size, nullptr);
  ConfigFile kept{attr, {}};
  BFS_TRY(data(a, ino, size, &kept.content));
  (*options_.config)[path] = std::move(kept);
  return {};
}

Status Unpacker::data(archive* a, Ino ino, std::uint64_t size, std::string* copy) {
  const void* buffer = nullptr;
  std::size_t length = 0;
  la_int64_t offset = 0;
  int code = ARCHIVE_OK;
  while ((code = ::archive_read_data_block(a, &buffer, &length, &offset)) == ARCHIVE_OK) {
    if (length == 0) continue;
    const std::span bytes(static_cast<const std::byte*>(buffer), length);
    BFS_TRY(builder_.write(ino, static_cast<std::uint64_t>(offset), bytes));
    if (copy != nullptr) copy->append(static_cast<const char*>(buffer), length);
    if (options_.on_bytes) BFS_TRY(options_.on_bytes(length));
  }
  if (code != ARCHIVE_EOF) return archive_failure(a);
  return builder_.set_size(ino, size);
}

}  // namespace

Status import_tar(TreeBuilder& builder, const std::function<Result<std::span<const std::byte>>()>& source,
                  const TarOptions& options) {
  const std::unique_ptr<archive, ArchiveDeleter> a(::archive_read_new());
  if (!a) return make_error(Kind::failed, "out of memory");
  ::archive_read_support_format_tar(a.get());
  Source state{source, std::nullopt};
  const auto failure = [&]() -> Error { return state.error ? *state.error : archive_failure(a.get()); };
  if (::archive_read_open(a.get(), &state, nullptr, read_source, nullptr) != ARCHIVE_OK) return failure();
  Unpacker unpacker(builder, options);
  archive_entry* entry = nullptr;
  int code = ARCHIVE_OK;
  while ((code = ::archive_read_next_header(a.get(), &entry)) == ARCHIVE_OK) {
    if (auto status = unpacker.entry(a.get(), entry); !status) {
      return state.error ? Status(*state.error) : status;
    }
  }
  if (code != ARCHIVE_EOF || state.error) return failure();
  // What follows the end mark is padding, but a stream must be read to its end before the next one begins.
  while (true) {
    BFS_ASSIGN(const auto rest, source());
    if (rest.empty()) return {};
  }
}

}  // namespace branchfs
