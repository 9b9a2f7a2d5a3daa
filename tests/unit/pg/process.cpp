// Child processes: what they inherit, what comes back, how they end.
#include "tools/pg/process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "tests/catch.h"
#include "tests/unit/pg/scratch.h"
#include "tools/pg/text.h"

using namespace branchfs;
using namespace branchfs::pg;
using namespace std::chrono_literals;

namespace {

Command shell(const std::string& script) { return Command{{"sh", "-c", script}, {}}; }

bool alive(pid_t pid) { return kill(pid, 0) == 0; }

bool gone_within(pid_t pid, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < deadline) {
    if (!alive(pid)) return true;
    auto state = read_file("/proc/" + std::to_string(pid) + "/stat");
    if (!state || state->find(") Z ") != std::string::npos) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

}  // namespace

TEST_CASE("run captures both streams and the exit code") {
  auto output = run(shell("echo out; echo err >&2; exit 3"));
  REQUIRE(output.ok());
  CHECK(output->code == 3);
  CHECK(output->out == "out\n");
  CHECK(output->err == "err\n");
  auto failed = succeed(shell("echo 'why it failed' >&2; exit 3"));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().what == "sh: why it failed");
}

TEST_CASE("run feeds stdin and gives end-of-file without it") {
  Command cat{{"cat"}, "hello"};
  auto output = run(cat);
  REQUIRE(output.ok());
  CHECK(output->out == "hello");
  cat.stdin_text.clear();
  output = run(cat);
  REQUIRE(output.ok());
  CHECK(output->out.empty());
}

TEST_CASE("arguments reach the child as they are") {
  auto output = run(Command{{"printf", "%s|", "a b", "$(id)", "'", ""}, {}});
  REQUIRE(output.ok());
  CHECK(output->out == "a b|$(id)|'||");
}

TEST_CASE("the environment is the caller's, changed as asked") {
  setenv("PGTESTONE", "1", 1);
  setenv("BFSKEEP", "kept", 1);
  Command command = shell("echo $PGTESTONE,$BFSKEEP,$PGPASSWORD");
  command.unset = {"PG*"};
  command.env = {{"PGPASSWORD", "x y"}};
  auto output = run(command);
  REQUIRE(output.ok());
  CHECK(output->out == ",kept,x y\n");
}

TEST_CASE("a missing program, directory or user is named") {
  auto missing = run(Command{{"no-such-program-here"}, {}});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().kind == Kind::failed);
  CHECK(missing.error().what.find("no-such-program-here") != std::string::npos);
  missing = run(Command{{"/nonexistent/program"}, {}});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().sys == ENOENT);
  Command elsewhere{{"true"}, {}};
  elsewhere.cwd = "/nonexistent";
  auto lost = run(elsewhere);
  REQUIRE_FALSE(lost.ok());
  CHECK(lost.error().what.find("/nonexistent") != std::string::npos);
  CHECK_FALSE(identity_named("no-such-user-here").ok());
}

TEST_CASE("a child inherits no descriptor but 0, 1 and 2, and no blocked signal") {
  const int leaked = open("/dev/null", O_RDONLY);  // deliberately not O_CLOEXEC
  REQUIRE(leaked >= 3);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  auto output = run(shell("ls /proc/$$/fd; exec grep SigBlk /proc/self/status"));
  pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  close(leaked);
  REQUIRE(output.ok());
  CHECK(output->out == "0\n1\n2\nSigBlk:\t0000000000000000\n");
}

TEST_CASE("a timeout ends the whole group, also one that ignores TERM's politeness") {
  Command command = shell("sleep 60 & echo $!; wait");
  command.timeout = 200ms;
  auto output = run(command);
  REQUIRE(output.ok());
  CHECK(output->timed_out);
  CHECK(gone_within(static_cast<pid_t>(std::stol(output->out)), 5s));
}

TEST_CASE("a streamed child: pipe, errors and end") {
  auto child = Child::start(shell("head -c 1000000 /dev/zero; echo done >&2; exit 7"));
  REQUIRE(child.ok());
  std::size_t total = 0;
  std::string buffer(65536, '\0');
  while (true) {
    const ssize_t got = read(child->out_fd(), buffer.data(), buffer.size());
    REQUIRE(got >= 0);
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
  }
  CHECK(total == 1'000'000);
  auto code = child->wait();
  REQUIRE(code.ok());
  CHECK(*code == 7);
  CHECK(child->error_text() == "done\n");
}

TEST_CASE("dropping a streamed child ends it") {
  pid_t pid = -1;
  {
    auto child = Child::start(Command{{"sleep", "60"}, {}});
    REQUIRE(child.ok());
    pid = child->pid();
    CHECK(alive(pid));
    auto still = child->try_wait();
    REQUIRE(still.ok());
    CHECK_FALSE(still->has_value());
  }
  CHECK_FALSE(alive(pid));
}

TEST_CASE("a foreground child's exit code and signals pass through") {
  auto code = run_foreground(shell("exit 42"));
  REQUIRE(code.ok());
  CHECK(*code == 42);
  code = run_foreground(shell("kill -KILL $$"));
  REQUIRE(code.ok());
  CHECK(*code == 128 + SIGKILL);
  std::thread sender([self = getpid()] {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, nullptr);
    std::this_thread::sleep_for(300ms);
    kill(self, SIGTERM);
  });
  code = run_foreground(shell("trap 'exit 9' TERM; sleep 5 & wait"));
  sender.join();
  REQUIRE(code.ok());
  CHECK(*code == 9);
}

TEST_CASE("a daemon has its own session, its pid is exact and its log is appended to") {
  const Scratch scratch;
  const std::string log = scratch / "log";
  auto pid = start_daemon(shell("echo hello; exec sleep 60"), log);
  REQUIRE(pid.ok());
  CHECK(getsid(*pid) == *pid);
  for (int i = 0; i < 200 && read_file(log).ok() && read_file(log)->empty(); ++i)
    std::this_thread::sleep_for(10ms);
  CHECK(*read_file(log) == "hello\n");
  kill(*pid, SIGKILL);
  CHECK(gone_within(*pid, 5s));
  CHECK_FALSE(start_daemon(Command{{"/nonexistent/daemon"}, {}}, log).ok());
}

TEST_CASE("root runs a child as somebody else, with that user's groups only") {
  if (geteuid() != 0) return;
  auto nobody = identity_named("nobody");
  REQUIRE(nobody.ok());
  Command command = shell("id -u; id -G");
  command.user = *nobody;
  auto output = run(command);
  REQUIRE(output.ok());
  CHECK(output->out == std::to_string(nobody->uid) + "\n" + std::to_string(nobody->gid) + "\n");
}

TEST_CASE("root's file accesses as somebody else obey that user's rights") {
  if (geteuid() != 0) return;
  const Scratch scratch;
  auto nobody = identity_named("nobody");
  REQUIRE(nobody.ok());
  {
    const ActAs as(*nobody);
    CHECK_FALSE(write_file(scratch / "x", "no").ok());
  }
  CHECK(write_file(scratch / "x", "yes").ok());
  auto shut = check_reachable(scratch.path(), *nobody);
  REQUIRE_FALSE(shut.ok());
  CHECK(shut.error().what.find(scratch.path()) != std::string::npos);
}
