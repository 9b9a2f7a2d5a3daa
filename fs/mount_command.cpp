#include "fs/mount_command.h"

#include <dirent.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "fs/control_server.h"
#include "fs/daemon.h"
#include "fs/mount_table.h"
#include "fs/operations.h"
#include "fs/session.h"
#include "layers/branch/branch.h"
#include "layers/io/env.h"

namespace branchfs {
namespace {

constexpr std::size_t kShownOfName = 80;  // of what is no branch's name

struct FreeDeleter {
  void operator()(void* p) const { std::free(p); }
};

Result<std::string> canonical(const std::string& path) {
  const std::unique_ptr<char, FreeDeleter> real(::realpath(path.c_str(), nullptr));
  if (!real) return sys_error(path);
  return std::string(real.get());
}

// Before the working directory changes.
Result<std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  BFS_ASSIGN(const std::string cwd, canonical("."));
  return cwd + "/" + path;
}

bool is_inside(const std::string& path, const std::string& dir) {
  return path == dir || dir == "/" || (path.starts_with(dir) && path[dir.size()] == '/');
}

Result<bool> is_empty(const std::string& dir) {
  ::DIR* handle = ::opendir(dir.c_str());
  if (handle == nullptr) return sys_error(dir);
  bool empty = true;
  while (const ::dirent* entry = ::readdir(handle)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") empty = false;
  }
  ::closedir(handle);
  return empty;
}

Error mountpoint_error(const std::string& path, int err) {
  if (err == ENOENT) return Error{Kind::failed, err, "the mount point does not exist", "mkdir -p " + path};
  if (err == ENOTCONN || err == ECONNABORTED) {
    return Error{Kind::busy, err, "a mount whose process died is in the way",
                 "fusermount3 -u -z " + path + " (or umount -l as root)"};
  }
  return Error{Kind::failed, err, std::string("the mount point: ") + std::strerror(err), {}};
}

struct Places {
  std::string store;
  std::string mountpoint;
  std::string log;
};

Result<Places> find_places(const MountOptions& options) {
  Places places;
  auto store = canonical(options.store);
  if (!store) {
    return Error{store.error().sys == ENOENT ? Kind::not_found : Kind::failed, store.error().sys,
                 "the store: " + std::string(std::strerror(store.error().sys)),
                 "branchfs init makes a store"};
  }
  auto mountpoint = canonical(options.mountpoint);
  if (!mountpoint) return mountpoint_error(options.mountpoint, mountpoint.error().sys);
  places.store = *std::move(store);
  places.mountpoint = *std::move(mountpoint);
  if (!options.log.empty()) {
    BFS_ASSIGN(places.log, absolute(options.log));
  }
  BFS_TRY(check_branch_name(options.branch));
  BFS_TRY(check_mountpoint(places.mountpoint, places.store, options.nonempty));
  return places;
}

// Memory that is wanted half-way through a change leaves a state that nobody has thought through: it must not reach the disk. The mount
// ends as if it had been killed, which loses nothing that was synced (P8), and says so without needing memory.
[[noreturn]] void end_without_memory() {
  constexpr std::string_view kLine = "branchfs: out of memory: the mount ends here; what was synced is on the disk (mount it again)\n";
  static_cast<void>(::write(STDERR_FILENO, kLine.data(), kLine.size()));
  ::_exit(static_cast<int>(Kind::failed));
}

SessionOptions session_options(const MountOptions& options, const Places& places) {
  SessionOptions out;
  out.mountpoint = places.mountpoint;
  out.source = places.store + ":" + options.branch;
  out.read_only = options.read_only;
  // The server never runs as root, so a mount of root's is there for another user.
  out.allow_other = options.allow_other || ::geteuid() == 0;
  out.io_uring = options.io_uring;
  out.suid = options.suid;
  out.dev = options.dev;
  out.kernel_flags = options.kernel_flags;
  return out;
}

OwnerMap owner_map(const MountOptions& options, const Attr& root) {
  const bool is_root = ::geteuid() == 0;
  return {root.uid, options.uid.value_or(is_root ? root.uid : ::geteuid()), root.gid,
          options.gid.value_or(is_root ? root.gid : ::getegid())};
}

Result<std::unique_ptr<Branch>> open_branch(const std::shared_ptr<Store>& store, const MountOptions& options,
                                            const Places& places) {
  BranchOptions open;
  open.mode = options.read_only ? OpenMode::read_only : OpenMode::read_write;
  open.holder = {{"pid", ::getpid()}, {"mountpoint", places.mountpoint}, {"what", "mount"}};
  if (!options.sealed.empty()) {
    // Only the very run that masks it may see what it was made from.
    BFS_ASSIGN(const Manifest manifest, store->read_manifest(options.branch));
    open.any_state = manifest.masking.is_object() && manifest.masking.value("run", "") == options.sealed;
  }
  return Branch::open(store, options.branch, open);
}

// Mounts, serves, ends. What goes wrong after the mount was usable is an error of the log and of the exit
// status.
Status serve(const MountOptions& options, const Places& places, Daemon& daemon) {
  BFS_ASSIGN(const auto store, Store::open(posix_env(), places.store));
  if (!store->has_branch(options.branch)) {
    return make_error(Kind::not_found, "no branch \"" + options.branch + "\"",
                      "branchfs list shows the branches");
  }
  const SessionOptions session_opts = session_options(options, places);
  BFS_TRY(Session::check_environment(session_opts));
  if (options.fake) return {};
  const std::string branch_dir = store->branch_dir(options.branch);
  if (!options.foreground || !places.log.empty()) {
    BFS_TRY(log_to_file(places.log.empty() ? branch_dir + "/log" : places.log, options.verbose));
  }
  BFS_ASSIGN(const auto branch, open_branch(store, options, places));

  // Destroyed in reverse: nobody asks a control server for what is gone already.
  ControlServer* negotiated_to = nullptr;
  std::atomic<Session*> active{nullptr};
  Operations::Options op_options;
  op_options.owners = owner_map(options, branch->root_attr());
  op_options.writeback = options.writeback;
  op_options.io_uring = options.io_uring;
  op_options.wal = options.wal;
  op_options.on_init = [&](const Negotiated& negotiated) {
    if (negotiated_to != nullptr) negotiated_to->set_negotiated(negotiated);
  };
  Operations operations(*branch, std::move(op_options));
  std::unique_ptr<Session> session;
  std::unique_ptr<ControlServer> control;
  // Several read-only mounts may share a branch; the socket belongs to the one that writes.
  if (!options.read_only) {
    const auto unmount = [&active]() -> Status {
      Session* s = active.load();
      return s != nullptr ? s->detach() : make_error(Kind::busy, "the branch is not mounted yet");
    };
    const MountFacts facts{places.store, options.branch, places.mountpoint};
    BFS_ASSIGN(control, ControlServer::start(branch_dir, *branch, operations, facts, unmount));
    negotiated_to = control.get();
  }
  BFS_ASSIGN(session, Session::mount(operations, session_opts));
  active.store(session.get());
  spdlog::info("mounting {} on {}{}", session_opts.source, places.mountpoint,
               options.read_only ? ", read-only" : "");
  const Status ended = session->run([&] { return daemon.ready(); });
  operations.finish();
  spdlog::info("unmounted; making everything durable");
  control.reset();
  const Status durable = options.read_only ? Status{} : branch->sync_all();
  BFS_TRY(ended);
  return durable;
}

}  // namespace

Status check_mountpoint(const std::string& mountpoint, const std::string& store, bool nonempty) {
  struct ::stat st {};
  if (::stat(mountpoint.c_str(), &st) != 0) return mountpoint_error(mountpoint, errno);
  if (!S_ISDIR(st.st_mode)) return Error{Kind::failed, ENOTDIR, "the mount point is not a directory", {}};
  if (is_inside(store, mountpoint)) {
    return make_error(Kind::refused, "the mount would hide the store itself", "mount on another directory");
  }
  BFS_ASSIGN(const auto covered, mounted_at(mountpoint));
  if (covered && !nonempty) {
    return make_error(Kind::busy, covered->source + " is mounted there already",
                      (::geteuid() == 0 ? "umount " : "fusermount3 -u ") + mountpoint);
  }
  if (::geteuid() != 0 && st.st_uid != ::geteuid()) {
    return make_error(Kind::refused, "you do not own the mount point", "mount on a directory of your own");
  }
  const auto empty = is_empty(mountpoint);
  if (!empty.ok()) return mountpoint_error(mountpoint, empty.error().sys);
  if (!*empty && !nonempty) {
    return make_error(Kind::refused, "the mount point is not empty",
                      "use an empty directory, or -o nonempty to hide what is there");
  }
  return {};
}

int mount_command(const MountOptions& options) {
  const std::string verb =
      "mount branch \"" + options.branch.substr(0, kShownOfName) + "\" of " + options.store + " on " + options.mountpoint;
  std::set_new_handler(end_without_memory);
  Daemon daemon(options.foreground || options.fake);
  log_to_stderr(options.verbose);
  Session::block_signals();
  const auto places = find_places(options);
  if (!places) return daemon.failed(verb, places.error());
  if (const Status started = daemon.start(); !started) return daemon.failed(verb, started.error());
  const Status status = serve(options, *places, daemon);
  return status ? 0 : daemon.failed(verb, status.error());
}

}  // namespace branchfs
