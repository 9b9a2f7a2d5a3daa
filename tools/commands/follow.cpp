#include "tools/commands/follow.h"

#include <sys/stat.h>

#include <array>
#include <chrono>
#include <fstream>
#include <ostream>
#include <thread>

#include "tools/interrupt.h"

namespace branchfs {

namespace {

bool was_replaced(const std::string& path, const struct ::stat& opened, std::streamoff position) {
  struct ::stat now {};
  if (::stat(path.c_str(), &now) != 0) return false;
  return now.st_ino != opened.st_ino || now.st_dev != opened.st_dev || now.st_size < position;
}

}  // namespace

Status print_file(const std::string& path, bool following, std::ostream& out) {
  const Interrupt interrupt;
  std::array<char, 65536> buffer{};
  while (true) {
    std::ifstream file(path, std::ios::binary);
    struct ::stat opened {};
    if (!file || ::stat(path.c_str(), &opened) != 0) return sys_error("open " + path);
    std::streamoff position = 0;
    while (out && !Interrupt::requested()) {
      file.clear();
      file.read(buffer.data(), buffer.size());
      const std::streamsize got = file.gcount();
      out.write(buffer.data(), got);
      out.flush();
      position += got;
      if (got > 0) continue;
      if (!following) return {};
      if (was_replaced(path, opened, position)) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    if (!out || Interrupt::requested()) return {};
  }
}

}  // namespace branchfs
