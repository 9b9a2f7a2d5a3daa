// Errors as values. Result<T> holds a T or an Error and cannot be dropped silently.
//
// Who uses it: every rung. An Error carries its kind (which decides the exit code of the
// command line), the errno (which decides what a FUSE reply says), a sentence "what was
// attempted: why" and, when there is one, a hint saying what to do.
// Context is added while an error travels up (`context("open layer")`); it is logged once,
// where it is handled. Threads: plain values, no sharing.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace branchfs {

// The numeric values are the exit codes of the command line (an ABI: never renumber).
enum class Kind : std::uint8_t {
  failed = 1,     // the operation failed (I/O, network, a child process)
  usage = 2,      // the caller asked for something malformed
  not_found = 3,  // no such branch or store
  exists = 4,     // the name is taken
  busy = 5,       // mounted, running or locked by someone
  refused = 6,    // a rule forbids it (protected, has children, mask check)
  damaged = 7,    // bytes of the store do not match their checksum or format
};

struct [[nodiscard]] Error {
  Kind kind = Kind::failed;
  int sys = 0;       // errno value, 0 when none applies
  std::string what;  // "open /x/y: No such file or directory"
  std::string hint;  // what the user can do, may be empty

  Error&& context(std::string_view verb_phrase) && {
    what = std::string(verb_phrase) + ": " + what;
    return std::move(*this);
  }
  Error&& with_hint(std::string_view text) && {
    hint = text;
    return std::move(*this);
  }
  // The errno a system call should report for this error.
  [[nodiscard]] int to_errno() const {
    if (sys != 0) return sys;
    switch (kind) {
      case Kind::usage: return EINVAL;
      case Kind::not_found: return ENOENT;
      case Kind::exists: return EEXIST;
      case Kind::busy: return EBUSY;
      case Kind::refused: return EPERM;
      case Kind::failed:
      case Kind::damaged: return EIO;
    }
    return EIO;
  }
};

// A full disk and a used-up quota are one thing: room has to be made before it can go on.
inline bool means_full(int err) { return err == ENOSPC || err == EDQUOT; }

// What to do about an error that says nothing itself; empty when there is nothing general to say.
inline std::string hint_of(const Error& error) {
  if (!error.hint.empty()) return error.hint;
  if (means_full(error.sys)) return "make room there: branchfs delete and branchfs gc need none themselves";
  if (error.sys == EFBIG) return "a limit on the size of files is in force, see ulimit -f";
  if (error.sys == EMFILE) return "a limit on open files is in force, see ulimit -n";
  return {};
}

// An error from errno: "verb object: strerror".
inline Error sys_error(std::string_view what, int err = errno) {
  Kind kind = err == ENOENT ? Kind::not_found : Kind::failed;
  return Error{kind, err, std::string(what) + ": " + std::strerror(err), {}};
}
inline Error make_error(Kind kind, std::string what, std::string hint = {}) {
  return Error{kind, 0, std::move(what), std::move(hint)};
}
// An error whose errno matters and whose text does not (hot paths, POSIX refusals).
inline Error posix_error(int err) { return Error{Kind::failed, err, std::strerror(err), {}}; }

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}       // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  // Not of Result<bool>, where "if (is_there(x))" would read as the answer: ok() or *.
  explicit operator bool() const requires(!std::is_same_v<T, bool>) { return ok(); }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

// For errors that are deliberately ignored: say why at the call.
template <class T>
void ignore(const Result<T>&) {}

}  // namespace branchfs

#define BFS_CONCAT_(a, b) a##b
#define BFS_CONCAT(a, b) BFS_CONCAT_(a, b)

// BFS_TRY(status_expression): returns the error of a Status, if any.
#define BFS_TRY(expr)                                      \
  do {                                                     \
    if (auto bfs_status_ = (expr); !bfs_status_.ok()) {    \
      return std::move(bfs_status_).error();               \
    }                                                      \
  } while (false)

// BFS_ASSIGN(auto x, result_expression): x = value, or returns the error.
#define BFS_ASSIGN(decl, expr) BFS_ASSIGN_(BFS_CONCAT(bfs_result_, __LINE__), decl, expr)
#define BFS_ASSIGN_(tmp, decl, expr)               \
  auto tmp = (expr);                               \
  if (!tmp.ok()) return std::move(tmp).error();    \
  decl = *std::move(tmp)
