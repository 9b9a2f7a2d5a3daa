// Child processes without a shell: an argument vector in, exit status and output out.
//
// Ownership: a Child owns its process and its pipe; destroying it ends the process group and reaps it.
// Every child starts with default signals, an empty signal mask, no inherited descriptor beyond 0, 1, 2, and,
// but for run_foreground() and start_daemon(), in a process group of its own. But for start_daemon()'s it gets SIGTERM
// when the calling thread ends, however that ends. Threads: any, but a Child is used by one at a time, and the thread that starts it must live
// as long as it. Nothing secret belongs into argv (everybody can read it); use `env` or `stdin_text`.
// Errors: failed. An exit code other than 0 is
// not an error here; succeed() turns it into one. Codes: exit status, or 128 + signal.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "layers/base/result.h"
#include "tools/pg/identity.h"

namespace branchfs::pg {

struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH when it has no slash
  std::string stdin_text;         // empty: /dev/null
  std::vector<std::pair<std::string, std::string>> env = {};  // added to the caller's environment
  std::vector<std::string> unset = {};                        // taken out of it; "PG*" is a prefix
  std::string cwd = {};
  std::optional<Identity> user = {};       // only root can become somebody else
  std::chrono::milliseconds timeout{0};    // run(): TERM, then KILL; 0 = wait for ever
  std::size_t capture_limit = 4UL << 20U;  // run(): bytes kept of each stream
};

struct Output {
  int code = 0;
  bool timed_out = false;
  std::string out;
  std::string err;
};

// Runs to the end and captures both streams.
Result<Output> run(const Command& command);
// As run(), but any exit code but 0 is an error that quotes what the child said last.
Result<Output> succeed(const Command& command);

// Runs with the caller's stdin, stdout and stderr; INT, TERM, HUP, QUIT, USR1 and USR2 that arrive meanwhile
// are passed on to the child (to its whole group when there is no terminal; a terminal's Ctrl-C reaches it by
// itself). Returns the exit code. The calling thread should be the only one that takes signals.
Result<int> run_foreground(const Command& command);

// Starts a process that outlives the tool: own session, stdin /dev/null, stdout and stderr appended to
// `log_path` (created 0600 as the user). Not a child of the caller: init reaps it. Returns its pid.
Result<pid_t> start_daemon(const Command& command, const std::string& log_path);

// A running child whose standard output is a pipe for the caller to read.
class Child {
 public:
  static Result<Child> start(const Command& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  [[nodiscard]] int out_fd() const { return out_; }  // blocking; read until 0
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string error_text() const;  // stderr so far (its last 64 KiB)
  void close_out();                              // tells the child that nobody reads on
  void signal(int number) const;                 // to its process group
  Result<int> wait();                            // reaps; the exit code
  Result<std::optional<int>> try_wait();         // nothing while it still runs

 private:
  Child(pid_t pid, int out, int err) : pid_(pid), out_(out), err_(err) {}
  void end();

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::optional<int> code_;
};

// The path of a program found in PATH, or empty.
std::string find_in_path(const std::string& program);
// Whether a program there may be run on one's own account: for root only what other users can neither change nor exchange. An
// environment that somebody prepared (su, sudo -E, a CI job) must not choose what root runs.
bool is_trusted_program(const std::string& path);

}  // namespace branchfs::pg
