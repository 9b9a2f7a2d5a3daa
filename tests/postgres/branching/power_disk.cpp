// A disk that remembers: what it looks like after a power cut at any moment of its life can be made
// afterwards.
//
//   power_disk serve DIR LOG MIB     mounts DIR with two files until it is unmounted:
//       disk    what a loop device lies on. Every write and every flush (fsync) of it is recorded in LOG.
//       notes   each write() to it is recorded in LOG among the disk's, so that "before" and "after" are
//       certain
//   power_disk count LOG NOTE        "FIRST END WRITES FLUSHES": records after the first note that is NOTE,
//   records in
//                                    all, and what the disk was asked for
//   power_disk pick LOG FROM TO SEED TRIES
//       Of TRIES random records from FROM on and before TO the one before which most writes were not flushed.
//   power_disk cut LOG IMAGE AT KEEP SEED
//       IMAGE is the disk when the power failed before record AT. All writes before the last flush are there.
//       Of the writes after it: KEEP none, all, some (each or not, at random) or torn (each sector of 512
//       bytes or not). Prints the notes that were written before; on stderr how many writes the disk need not
//       have kept.
//
// That is what the block layer promises and no more: a write is durable once a flush that began after it
// ended has ended, and until then a disk with a cache may keep it, lose it or keep it in part, in any order.
// LOG begins with the empty disk, so nothing is taken from a copy of a disk in use. One thread serves: a
// record's place in LOG is its place in time. Exit codes: 0, 1 failed, 2 usage.
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kMaxWrite = 1U << 20U;
constexpr fuse_ino_t kDisk = 2;
constexpr fuse_ino_t kNotes = 3;
constexpr double kForever = 86400;

enum class Kind : std::uint32_t { kSize = 1, kWrite, kFlush, kNote };

// The head of each record of a log; `length` bytes follow. The first record is kSize, its offset the disk's
// size.
struct Record {
  Kind kind;
  std::uint32_t length;
  std::uint64_t offset;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "power_disk: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

int open_or_die(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) die(path);
  return fd;
}

void write_at(int fd, std::span<const char> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done <= 0) die("write");
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

struct Disk {
  int image = -1;
  int log = -1;
  std::uint64_t size = 0;
  std::uint64_t noted = 0;
};

void record(const Disk& disk, Kind kind, std::span<const char> bytes, std::uint64_t offset) {
  Record head{kind, static_cast<std::uint32_t>(bytes.size()), offset};
  std::array<iovec, 2> parts{iovec{&head, sizeof head}, iovec{const_cast<char*>(bytes.data()), bytes.size()}};
  if (::writev(disk.log, parts.data(), 2) != static_cast<ssize_t>(sizeof head + bytes.size())) die("log");
}

Disk& disk_of(fuse_req_t request) { return *static_cast<Disk*>(fuse_req_userdata(request)); }

bool attributes(const Disk& disk, fuse_ino_t inode, struct stat& out) {
  out = {};
  out.st_ino = inode;
  out.st_nlink = 1;
  out.st_mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0700U : S_IFREG | 0600U;
  out.st_uid = ::getuid();
  out.st_gid = ::getgid();
  if (inode == kDisk) out.st_size = static_cast<off_t>(disk.size);
  if (inode == kNotes) out.st_size = static_cast<off_t>(disk.noted);
  return inode <= kNotes;
}

void do_lookup(fuse_req_t request, fuse_ino_t, const char* name) {
  const std::string_view wanted = name;
  fuse_entry_param entry{};
  entry.ino = wanted == "disk" ? kDisk : wanted == "notes" ? kNotes : 0;
  entry.attr_timeout = entry.entry_timeout = kForever;
  if (entry.ino == 0) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  attributes(disk_of(request), entry.ino, entry.attr);
  fuse_reply_entry(request, &entry);
}

void do_getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  struct stat found {};
  if (!attributes(disk_of(request), inode, found)) {
    fuse_reply_err(request, ENOENT);
  } else {
    fuse_reply_attr(request, &found, kForever);
  }
}

// Nothing is kept in the kernel between the loop device and this.
void do_open(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  info->direct_io = 1;
  fuse_reply_open(request, info);
}

void do_read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
  std::vector<char> bytes(size);
  const ssize_t got = inode == kDisk ? ::pread(disk_of(request).image, bytes.data(), size, offset) : 0;
  if (got < 0) {
    fuse_reply_err(request, errno);
  } else {
    fuse_reply_buf(request, bytes.data(), static_cast<std::size_t>(got));
  }
}

void do_write(fuse_req_t request, fuse_ino_t inode, const char* data, std::size_t size, off_t offset,
              fuse_file_info*) {
  Disk& disk = disk_of(request);
  const std::span bytes(data, size);
  if (inode == kDisk) {
    if (static_cast<std::uint64_t>(offset) + size > disk.size) {
      fuse_reply_err(request, ENOSPC);
      return;
    }
    record(disk, Kind::kWrite, bytes, static_cast<std::uint64_t>(offset));
    write_at(disk.image, bytes, static_cast<std::uint64_t>(offset));
  } else {
    record(disk, Kind::kNote, bytes, disk.noted);
    disk.noted += size;
  }
  fuse_reply_write(request, size);
}

void do_fsync(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info*) {
  if (inode == kDisk) record(disk_of(request), Kind::kFlush, {}, 0);
  fuse_reply_err(request, 0);
}

int serve(const char* mountpoint, const std::string& log, std::uint64_t size) {
  // Its writes are what lets the kernel write other pages out: they do not wait for those.
  ::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
  Disk disk;
  disk.size = size;
  disk.log = open_or_die(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
  disk.image = open_or_die(log + ".disk", O_RDWR | O_CREAT | O_TRUNC);
  if (::ftruncate(disk.image, static_cast<off_t>(size)) != 0) die("ftruncate");
  record(disk, Kind::kSize, {}, size);

  fuse_lowlevel_ops operations{};
  operations.init = [](void*, fuse_conn_info* connection) { connection->max_write = kMaxWrite; };
  operations.lookup = do_lookup;
  operations.getattr = do_getattr;
  operations.open = do_open;
  operations.read = do_read;
  operations.write = do_write;
  operations.fsync = do_fsync;
  std::array<char*, 3> words{const_cast<char*>("power_disk"), const_cast<char*>("-ofsname=power_disk"),
                             nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(2, words.data());
  fuse_session* session = fuse_session_new(&arguments, &operations, sizeof operations, &disk);
  if (session == nullptr || fuse_set_signal_handlers(session) != 0 ||
      fuse_session_mount(session, mountpoint) != 0) {
    return 1;
  }
  const int result = fuse_session_loop(session);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return result == 0 ? 0 : 1;
}

struct Entry {
  Record head;
  std::span<const char> bytes;
};

class Log {
 public:
  explicit Log(const std::string& path) {
    const int fd = open_or_die(path, O_RDONLY);
    struct stat found {};
    if (::fstat(fd, &found) != 0) die(path);
    const auto size = static_cast<std::size_t>(found.st_size);
    void* map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) die(path);
    const std::span all(static_cast<const char*>(map), size);
    for (std::size_t at = 0; at + sizeof(Record) <= size;) {
      Entry entry{};
      std::memcpy(&entry.head, all.data() + at, sizeof entry.head);
      at += sizeof(Record);
      if (entry.head.length > size - at) break;
      entry.bytes = all.subspan(at, entry.head.length);
      at += entry.head.length;
      entries_.push_back(entry);
    }
    if (entries_.empty() || entries_.front().head.kind != Kind::kSize) {
      errno = EINVAL;
      die(path);
    }
  }

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::uint64_t disk_size() const { return entries_.front().head.offset; }

 private:
  std::vector<Entry> entries_;
};

int count(const Log& log, std::string_view note) {
  std::size_t first = 0;
  std::size_t writes = 0;
  std::size_t flushes = 0;
  for (std::size_t i = 0; i < log.entries().size(); ++i) {
    const Entry& entry = log.entries()[i];
    writes += entry.head.kind == Kind::kWrite ? 1 : 0;
    flushes += entry.head.kind == Kind::kFlush ? 1 : 0;
    const bool found = entry.head.kind == Kind::kNote &&
                       std::string_view(entry.bytes.data(), entry.bytes.size()) == std::string(note) + "\n";
    if (found && first == 0) first = i + 1;
  }
  std::printf("%zu %zu %zu %zu\n", first, log.entries().size(), writes, flushes);
  return first != 0 ? 0 : 1;
}

// Writes after the last flush before record `at`.
std::size_t open_writes(const Log& log, std::size_t at) {
  std::size_t found = 0;
  while (at > 0 && log.entries()[at - 1].head.kind != Kind::kFlush) {
    --at;
    found += log.entries()[at].head.kind == Kind::kWrite ? 1 : 0;
  }
  return found;
}

int pick(const Log& log, std::size_t from, std::size_t to, std::uint64_t seed, unsigned tries) {
  if (from >= to || to > log.entries().size()) return 2;
  std::mt19937_64 random(seed);
  std::size_t best = from;
  for (unsigned i = 0; i < tries; ++i) {
    const std::size_t at = from + static_cast<std::size_t>(random() % (to - from));
    if (i == 0 || open_writes(log, at) > open_writes(log, best)) best = at;
  }
  std::printf("%zu\n", best);
  return 0;
}

int cut(const Log& log, const std::string& path, std::size_t at, std::string_view keep, std::uint64_t seed) {
  if (at > log.entries().size()) return 2;
  const std::span<const Entry> before(log.entries().data(), at);
  std::size_t durable = before.size();
  while (durable > 0 && before[durable - 1].head.kind != Kind::kFlush) --durable;

  const int image = open_or_die(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (::ftruncate(image, static_cast<off_t>(log.disk_size())) != 0) die(path);
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& [head, bytes] = before[i];
    if (head.kind == Kind::kNote) std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    if (head.kind != Kind::kWrite) continue;
    if (i < durable || keep == "all" || (keep == "some" && random() % 2 == 0)) {
      write_at(image, bytes, head.offset);
    } else if (keep == "torn") {
      for (std::size_t sector = 0; sector < bytes.size(); sector += kSector) {
        if (random() % 2 == 0) continue;
        write_at(image, bytes.subspan(sector, std::min(kSector, bytes.size() - sector)),
                 head.offset + sector);
      }
    }
  }
  std::fprintf(stderr, "%zu\n", open_writes(log, at));
  return ::close(image) == 0 && std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string_view command = words.empty() ? "" : std::string_view(words[0]);
  if (command == "serve" && words.size() == 4)
    return serve(words[1].c_str(), words[2], std::strtoull(words[3].c_str(), nullptr, 10) << 20U);
  if (command == "count" && words.size() == 3) return count(Log(words[1]), words[2]);
  if (command == "pick" && words.size() == 6) {
    return pick(Log(words[1]), std::strtoull(words[2].c_str(), nullptr, 10),
                std::strtoull(words[3].c_str(), nullptr, 10), std::strtoull(words[4].c_str(), nullptr, 10),
                static_cast<unsigned>(std::strtoul(words[5].c_str(), nullptr, 10)));
  }
  if (command == "cut" && words.size() == 6) {
    return cut(Log(words[1]), words[2], std::strtoull(words[3].c_str(), nullptr, 10), words[4],
               std::strtoull(words[5].c_str(), nullptr, 10));
  }
  std::fputs(
      "usage: power_disk serve DIR LOG MIB | count LOG NOTE | pick LOG FROM TO SEED TRIES | cut LOG IMAGE AT "
      "KEEP SEED\n",
      stderr);
  return 2;
}
