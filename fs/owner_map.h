// Which owner a mount shows for the owner that the store keeps.
//
// The owner of the branch's root directory (usually the server's user on the machine that was imported) and
// the owner the mount shows change places; everybody else is shown as stored. Swapping instead of overwriting
// keeps the map a bijection: two different stored owners are never shown as one, and what chown stores is
// what stat shows again. A swap is its own inverse, so one function serves both directions. Plain value; any
// thread.
#pragma once

#include <cstdint>

namespace branchfs {

class OwnerMap {
 public:
  OwnerMap() = default;  // shows what is stored
  OwnerMap(std::uint32_t stored_uid, std::uint32_t shown_uid, std::uint32_t stored_gid,
           std::uint32_t shown_gid)
      : uid_{stored_uid, shown_uid}, gid_{stored_gid, shown_gid} {}

  // Stored → shown, and shown → stored.
  [[nodiscard]] std::uint32_t uid(std::uint32_t id) const { return uid_.swap(id); }
  [[nodiscard]] std::uint32_t gid(std::uint32_t id) const { return gid_.swap(id); }

 private:
  struct Pair {
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    [[nodiscard]] std::uint32_t swap(std::uint32_t id) const {
      if (id == a) return b;
      return id == b ? a : id;
    }
  };
  Pair uid_;
  Pair gid_;
};

}  // namespace branchfs
