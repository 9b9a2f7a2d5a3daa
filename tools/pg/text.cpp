#include "tools/pg/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace branchfs::pg {
namespace {

char lower_ascii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  while (true) {
    const std::size_t end = text.find(separator, start);
    parts.emplace_back(text.substr(start, end == std::string_view::npos ? end : end - start));
    if (end == std::string_view::npos) return parts;
    start = end + 1;
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower_ascii);
  return result;
}

std::string last_lines(std::string_view text, std::size_t count) {
  std::vector<std::string> lines;
  for (const auto& line : split(text, '\n')) {
    if (!trim(line).empty()) lines.emplace_back(trim(line));
  }
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return fmt::format("{}", fmt::join(lines, "; "));
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // O_NONBLOCK: a fifo in somebody's data directory must not hang us.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return sys_error("open " + path);
  struct ::stat st {};
  std::string content;
  std::optional<Error> failure;
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    failure = make_error(Kind::failed, path + " is not a regular file");
  }
  std::string buffer(64UL << 10U, '\0');
  while (!failure) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failure = sys_error("read " + path);
    if (got <= 0) break;
    content.append(buffer, 0, static_cast<std::size_t>(got));
    if (content.size() > limit)
      failure = make_error(Kind::failed, fmt::format("{} is longer than {} bytes", path, limit));
  }
  ::close(fd);
  if (failure) return *std::move(failure);
  return content;
}

Status write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t done = ::write(fd, content.data(), content.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return sys_error("write");
    content.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

Status sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return sys_error("open " + path);
  const int failed = ::fsync(fd);
  const int err = errno;
  ::close(fd);
  if (failed != 0) return sys_error("sync " + path, err);
  return {};
}

Status write_file(const std::string& path, std::string_view content, mode_t mode) {
  static std::atomic<unsigned> serial{0};
  const std::string temporary = fmt::format("{}.{}.{}.tmp", path, getpid(), serial.fetch_add(1));
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return sys_error("create " + temporary);
  Status done = write_all(fd, content);
  if (done && ::fchmod(fd, mode) != 0) done = sys_error("chmod");  // whatever the umask says
  if (done && ::fsync(fd) != 0) done = sys_error("sync");
  ::close(fd);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = sys_error("rename");
  if (!done) {
    ::unlink(temporary.c_str());
    return std::move(done).error().context("write " + path);
  }
  return sync_directory(parent_of(path));
}

Status make_dirs(const std::string& path, mode_t mode) {
  if (is_directory(path)) return {};
  const std::string parent = parent_of(path);
  if (parent != path && parent != ".") BFS_TRY(make_dirs(parent, 0755));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return sys_error("create " + path);
  return {};
}

bool is_directory(const std::string& path) {
  struct ::stat st {};
  return ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

bool path_exists(const std::string& path) {
  struct ::stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

std::string parent_of(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  const std::size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace branchfs::pg
