// The masking key: 32 bytes that decide every mask of a run.
//
// "ephemeral": random, and gone with the object. "file:PATH": derived from the file's content, so that masks are the same across
// branches, tables and runs; the file must be readable by its owner alone. Owner: the run that masks; the bytes are kept out of
// swap where the limit allows and wiped on destruction. They leave the process only as a bind parameter over the private socket: no statement, log,
// file, argument or environment holds them. One thread. Errors: refused (permissions, too short), not_found.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "layers/base/result.h"

namespace branchfs::mask {

class Key {
 public:
  // Relative paths start at `base_dir`, the rule file's directory.
  static Result<Key> load(const std::string& spec, const std::string& base_dir);

  [[nodiscard]] std::string_view bytes() const;
  // Names the key without giving it away; for "ephemeral" a random name.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] bool ephemeral() const { return ephemeral_; }
  // "ephemeral" or "file:/absolute/path": finds the same key again from anywhere.
  [[nodiscard]] const std::string& spec() const { return spec_; }

 private:
  struct Secret;
  struct Wipe {
    void operator()(Secret* secret) const;
  };
  Key() = default;
  std::unique_ptr<Secret, Wipe> secret_;
  std::string id_;
  std::string spec_;
  bool ephemeral_ = false;
};

}  // namespace branchfs::mask
