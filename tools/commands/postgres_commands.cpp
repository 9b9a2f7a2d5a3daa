// mount, umount, start, stop, restart, status, url, psql, logs: what runs on a branch.
#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>

#include "layers/store/control.h"
#include "tools/command_line.h"
#include "tools/commands/branch_view.h"
#include "tools/commands/commands.h"
#include "tools/commands/follow.h"
#include "tools/commands/run.h"
#include "tools/interrupt.h"
#include "tools/pg/binaries.h"
#include "tools/text.h"

namespace branchfs {

namespace {

constexpr const char* kGroup = "Mounts and servers";
constexpr std::chrono::milliseconds kStatusTimeout{2000};

Result<int> mount(Context& context, const std::string& name, const std::string& dir, const std::string& options) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, name));
  MountRequest request;
  request.options = options;
  if (!dir.empty()) {
    std::error_code failed;
    request.dir = std::filesystem::weakly_canonical(std::filesystem::absolute(dir, failed), failed).string();
    if (failed) return sys_error(dir, failed.value());
  }
  const Interrupt interrupt;
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, name));
  BFS_ASSIGN(const std::string mountpoint, ensure_mounted_for_use(*store, lock, request, context.warner()));
  context.print([&] { return nlohmann::json{{"name", name}, {"mountpoint", mountpoint}}; }, [&] { return mountpoint; });
  return 0;
}

Result<int> umount(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo branch, find_branch(*store, name));
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, name));
  BFS_ASSIGN(const BranchState before, observe(*store, branch));
  BFS_TRY(ensure_unmounted(*store, lock));
  // One that was killed has left the branch open long before, and who mounts read-only leaves it as it was.
  if (before.mount == MountState::mounted && before.held()) BFS_TRY(require_closed(*store, name));
  context.print([&] { return nlohmann::json{{"name", name}, {"state", "offline"}}; },
                [&] { return name + " is not mounted"; });
  return 0;
}

void print_access(Context& context, const std::string& name, const pg::Access& access) {
  context.print(
      [&] {
        return nlohmann::json{{"name", name},         {"state", "running"},          {"host", access.host},
                              {"port", access.port}, {"user", access.user},       {"password", access.password},
                              {"database", access.database}, {"url", pg::make_url(access)}};
      },
      [&] { return pg::make_url(access); });
}

Result<int> start(Context& context, const std::string& name, const StartRequest& request) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, name));
  const Interrupt interrupt;
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, name));
  BFS_ASSIGN(const pg::Access access, ensure_started(*store, lock, request, context.warner()));
  print_access(context, name, access);
  return 0;
}

// The server ends; so does a mount at the default place, which a start made.
Result<int> stop(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo branch, find_branch(*store, name));
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, name));
  BFS_ASSIGN(const BranchState before, observe(*store, branch));
  BFS_TRY(ensure_stopped(*store, lock));
  const bool ours = is_default_mountpoint(*store, before.mountpoint);
  if (ours || before.mount == MountState::stale) BFS_TRY(ensure_unmounted(*store, lock));
  BFS_ASSIGN(const BranchState after, observe(*store, branch));
  context.print([&] { return nlohmann::json{{"name", name}, {"state", after.word()}}; },
                [&] { return fmt::format("{} is {}", name, after.word()); });
  return 0;
}

Result<int> restart(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, name));
  const Interrupt interrupt;
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(*store, name));
  BFS_TRY(ensure_stopped(*store, lock));
  BFS_ASSIGN(const pg::Access access, ensure_started(*store, lock, {}, context.warner()));
  print_access(context, name, access);
  return 0;
}

nlohmann::json status_json(const Store& store, const BranchInfo& branch, const BranchView& view,
                           const BranchState& state) {
  nlohmann::json json = to_json(view);
  json["mount_pid"] = state.mount == MountState::mounted ? state.holder.value("pid", 0) : 0;
  json["server_pid"] = state.server.pid;
  json["server_started"] =
      state.server.started == 0 ? nlohmann::json() : nlohmann::json(format_utc(state.server.started));
  json["socket_dir"] = state.server.socket_dir;
  if (state.mount == MountState::mounted) {
    auto answer = control_call(store.branch_dir(branch.name), {{"op", "status"}}, kStatusTimeout);
    if (answer) {
      answer->erase("ok");
      json["mount"] = *std::move(answer);
    }
  }
  return json;
}

std::string plain_json(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string status_text(const nlohmann::json& json, std::int64_t now, std::int64_t server_started) {
  std::string text;
  auto field = [&](const std::string& label, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<12} {}\n", label, value);
  };
  field("branch", json["name"].get<std::string>());
  field("state", json["state"].get<std::string>());
  field("mounted at", json["mountpoint"].is_null() ? "" : json["mountpoint"].get<std::string>());
  if (json["mount_pid"] != 0) field("mount pid", json["mount_pid"].dump());
  if (json["server_pid"] != 0) {
    field("server pid", json["server_pid"].dump());
    field("uptime", format_duration(now - server_started));
    field("socket", json["socket_dir"].get<std::string>());
  }
  if (!json["port"].is_null()) field("port", json["port"].dump());
  if (!json.contains("mount")) return text;
  for (const auto& [key, value] : json["mount"].items()) {
    const bool known = key == "pid" || key == "mountpoint" || key == "branch" || key == "store";
    if (known || value.is_null()) continue;
    if (value.is_array()) {
      for (const auto& line : value) field(key, plain_json(line));
    } else if (value.is_object()) {
      for (const auto& [inner, number] : value.items()) field(key + "." + inner, plain_json(number));
    } else {
      field(key, plain_json(value));
    }
  }
  return text;
}

Result<int> status(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  std::vector<BranchInfo> branches;
  if (name.empty()) {
    BFS_ASSIGN(branches, store->list());
  } else {
    BFS_ASSIGN(BranchInfo branch, find_branch(*store, name));
    branches.push_back(std::move(branch));
  }
  nlohmann::json all = nlohmann::json::array();
  std::string text;
  for (const BranchInfo& branch : branches) {
    BFS_ASSIGN(const BranchView view, view_branch(*store, branch));
    if (name.empty() && view.state == "offline") continue;
    BFS_ASSIGN(const BranchState state, observe(*store, branch));
    all.push_back(status_json(*store, branch, view, state));
    if (!text.empty()) text += "\n";
    text += status_text(all.back(), store->env().now().tv_sec, state.server.started);
  }
  if (text.empty()) text = "nothing is mounted";
  context.print([&] { return name.empty() ? all : all.front(); }, [&] { return text; });
  return 0;
}

Result<int> url(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo branch, find_branch(*store, name));
  BFS_ASSIGN(const pg::Access access, access_of(*store, branch));
  context.print([&] { return nlohmann::json{{"name", name}, {"url", pg::make_url(access)}}; },
                [&] { return pg::make_url(access); });
  return 0;
}

// Becomes psql: the terminal, its signals and its exit code are psql's own.
Result<int> psql(Context& context, const std::string& name, const std::vector<std::string>& arguments) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo branch, find_branch(*store, name));
  BFS_ASSIGN(const BranchState state, observe(*store, branch));
  if (!state.serving()) {
    return make_error(Kind::failed, "its server does not run", fmt::format("branchfs start {}", name));
  }
  BFS_ASSIGN(const pg::Access access, access_of(*store, branch));
  BFS_ASSIGN(const int major, pg::read_major(state.mountpoint));
  BFS_ASSIGN(const pg::Installation installation, pg::installation_for(major));
  for (const std::string& variable : pg::redirecting_variables()) ::unsetenv(variable.c_str());
  for (const auto& [key, value] : pg::make_client_environment(access)) {
    if (::setenv(key.c_str(), value.c_str(), 1) != 0) return sys_error("set " + key);
  }
  const std::string program = installation.program("psql");
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  return sys_error("start " + program);
}

Result<int> logs(Context& context, const std::string& name, bool following, bool of_mount) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo branch, find_branch(*store, name));
  const std::string path = of_mount ? store->branch_dir(name) + "/log" : server_log(branch.manifest);
  if (path.empty() || !store->env().exists(path)) {
    return make_error(Kind::failed, of_mount ? "it was never mounted" : "its server was never started",
                      fmt::format("branchfs {} {}", of_mount ? "mount" : "start", name));
  }
  BFS_TRY(print_file(path, following, context.out()));
  return 0;
}

void add_mount_commands(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  auto dir = std::make_shared<std::string>();
  auto options = std::make_shared<std::string>();
  CLI::App& app = line.add("mount", "Mount a branch, print where", kGroup,
                           "  branchfs mount dev1\n  branchfs mount dev1 /mnt/dev1 -o ro\n");
  app.add_option("NAME", *name, "The branch")->required();
  app.add_option("DIR", *dir, "Where (default: a directory of branchfs)");
  app.add_option("-o", *options, "Options for mount.branchfs")->type_name("OPTIONS");
  line.bind({&app, "mount", branch_object(name),
             [=](Context& context) { return mount(context, *name, *dir, *options); }});

  CLI::App& off = line.add("umount", "Unmount a branch", kGroup, "  branchfs umount dev1\n");
  off.add_option("NAME", *name, "The branch")->required();
  line.bind({&off, "unmount", branch_object(name), [=](Context& context) { return umount(context, *name); }});
}

void add_server_commands(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  auto request = std::make_shared<StartRequest>();
  auto add = [&](const char* command, const char* description, const char* verb, CommandBody body) -> CLI::App& {
    CLI::App& app = line.add(command, description, kGroup, fmt::format("  branchfs {} dev1\n", command));
    app.add_option("NAME", *name, "The branch")->required();
    line.bind({&app, verb, branch_object(name), std::move(body)});
    return app;
  };
  CLI::App& app = add("start", "Start a branch's server, print its URL", "start",
                      [=](Context& context) { return start(context, *name, *request); });
  app.add_option("--port", request->port, "Another port, from now on")
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535).description(""));
  app.add_option("--user", request->user, "Who it runs as (only root can choose)")->type_name("USER");
  add("stop", "Stop a branch's server", "stop", [=](Context& context) { return stop(context, *name); });
  add("restart", "Stop and start a branch's server", "restart",
      [=](Context& context) { return restart(context, *name); });
  add("url", "Print a branch's connection URL", "print the URL of",
      [=](Context& context) { return url(context, *name); });
}

void add_viewing_commands(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  CLI::App& status_app = line.add("status", "Show what runs, and how", kGroup, "  branchfs status dev1\n");
  status_app.add_option("NAME", *name, "Only this branch");
  line.bind({&status_app, "look at", [name] { return name->empty() ? "branches" : branch_object(name)(); },
             [=](Context& context) { return status(context, *name); }});

  CLI::App& psql_app = line.add("psql", "Open psql on a running branch", kGroup,
                                "  branchfs psql dev1\n  branchfs psql dev1 -- -c 'SELECT 1'\n");
  psql_app.add_option("NAME", *name, "The branch; psql's arguments after --")->required();
  line.bind({&psql_app, "connect to", branch_object(name),
             [name, &line](Context& context) { return psql(context, *name, line.tail()); }, true});

  auto following = std::make_shared<bool>(false);
  auto of_mount = std::make_shared<bool>(false);
  CLI::App& logs_app = line.add("logs", "Print a branch's server log", kGroup, "  branchfs logs -f dev1\n");
  logs_app.add_option("NAME", *name, "The branch")->required();
  logs_app.add_flag("-f,--follow", *following, "Go on as it grows, until Ctrl-C");
  logs_app.add_flag("--mount", *of_mount, "The log of the mount instead");
  line.bind({&logs_app, "show the log of", branch_object(name),
             [=](Context& context) { return logs(context, *name, *following, *of_mount); }});
}

void add_run(CommandLine& line) {
  auto request = std::make_shared<RunRequest>();
  CLI::App& app = line.add("run", "Run a command with a throw-away branch", kGroup,
                           "  branchfs run --from prod -- make test\n"
                           "  branchfs run -- sh -c 'psql -c \"SELECT count(*) FROM t\"'\n"
                           "CMD finds PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and DATABASE_URL.\n"
                           "The server runs with fsync off: nothing of it outlives the command.\n");
  app.add_option("--from", request->parent, "Branch off here (default: the only root)")->type_name("PARENT");
  app.add_option("--anonymized", request->anonymized, "Mask the branch by these rules first")->type_name("RULES");
  app.add_flag("--keep-on-failure", request->keep_on_failure, "Keep the branch when CMD fails");
  line.bind({&app, "run", [&line] { return line.tail().empty() ? "a command" : fmt::format("\"{}\"", line.tail().front()); },
             [request, &line](Context& context) {
               request->command = line.tail();
               return run(context, *request);
             },
             true});
}

}  // namespace

void add_postgres_commands(CommandLine& line) {
  add_mount_commands(line);
  add_server_commands(line);
  add_viewing_commands(line);
  add_run(line);
}

}  // namespace branchfs
