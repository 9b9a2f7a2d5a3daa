// One command at a time changes what runs on a branch (mounts, starts, stops, resets, deletes it).
//
// An exclusive flock on the directory branches/NAME (a file for it would need room on a full disk, where a branch must still be
// deletable), held by the command for the length of the change and released when
// the object or the process dies; nothing is written, so nothing goes stale. It is not the branch's own
// lock (layers/store, held by the mount). Lock order: operation lock → store lock → branch lock; parents'
// operation locks are never taken together with a child's. Errors: not_found when the branch is or gets
// deleted or renamed while waiting, busy after a minute.
#pragma once

#include <memory>
#include <string>

#include "layers/store/store.h"

namespace branchfs {

class OperationLock {
 public:
  static Result<OperationLock> acquire(const Store& store, const std::string& name);
  [[nodiscard]] const std::string& branch() const { return name_; }

 private:
  OperationLock(std::string name, std::unique_ptr<File> file) : name_(std::move(name)), file_(std::move(file)) {}
  std::string name_;
  std::unique_ptr<File> file_;
};

}  // namespace branchfs
