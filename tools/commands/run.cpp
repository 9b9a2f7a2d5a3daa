#include "tools/commands/run.h"

#include <unistd.h>

#include <fmt/format.h>

#include "tools/commands/branch_view.h"
#include "tools/commands/creation.h"
#include "tools/interrupt.h"
#include "tools/lifecycle/reap.h"
#include "tools/pg/process.h"

namespace branchfs {

namespace {

// What a shell returns for a program that does not exist.
constexpr int kNoSuchProgram = 127;

bool is_program(const std::string& name) {
  if (name.find('/') == std::string::npos) return !pg::find_in_path(name).empty();
  return ::access(name.c_str(), X_OK) == 0;
}

Result<pg::Access> bring_up(Context& context, const std::shared_ptr<Store>& shared, const NewBranch& wanted) {
  BFS_TRY(make_branch(context, shared, wanted));
  Store& store = *shared;
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(store, wanted.name));
  StartRequest request;
  request.throw_away = true;
  BFS_ASSIGN(pg::Access access, ensure_started(store, lock, request, context.warner()));
  BFS_TRY(Interrupt::check());
  return access;
}

// The branch is gone afterwards, or stays listed for the next command to remove.
Status bring_down(Store& store, const std::string& name, RunnerTicket& ticket) {
  auto removed = remove_branch(store, name, {.urgent = true, .ignore_protection = true, .only_if = {}});
  if (!removed && removed.error().kind != Kind::not_found) return removed;
  return ticket.withdraw();
}

Status keep(Context& context, Store& store, const std::string& name, const pg::Access& access, RunnerTicket& ticket) {
  BFS_TRY(ticket.withdraw());
  // Now its data is wanted: the server that ran without fsync comes back with it.
  BFS_ASSIGN(const OperationLock lock, OperationLock::acquire(store, name));
  BFS_TRY(ensure_stopped(store, lock));
  BFS_TRY(ensure_unmounted(store, lock));  // its mount kept writes
  BFS_TRY(ensure_started(store, lock, {}, context.warner()));
  context.warn(fmt::format("kept branch \"{}\": {} (branchfs delete {})", name, pg::make_url(access), name));
  return {};
}

}  // namespace

Result<int> run(Context& context, const RunRequest& request) {
  if (request.command.empty()) {
    return make_error(Kind::usage, "no command given", "branchfs run [--from PARENT] -- CMD ...");
  }
  if (!is_program(request.command.front())) {
    context.print_error(fmt::format("run \"{}\"", request.command.front()),
                        make_error(Kind::failed, "there is no such program"));
    return kNoSuchProgram;
  }
  BFS_ASSIGN(const auto store, context.open_store());
  NewBranch wanted;
  wanted.name = "run-" + store->env().new_id().hex().substr(0, 12);
  wanted.parent = request.parent;
  wanted.anonymized = request.anonymized;
  if (wanted.parent.empty()) {
    BFS_ASSIGN(wanted.parent, default_parent(*store));
  }
  // Signals are noted from here on, but for the time CMD runs: they are passed on to it then.
  const Interrupt interrupt;
  BFS_ASSIGN(RunnerTicket ticket, RunnerTicket::issue(*store, wanted.name));
  auto access = bring_up(context, store, wanted);
  if (!access) {
    ignore(bring_down(*store, wanted.name, ticket));  // what is left is the next command's to remove
    return std::move(access).error();
  }
  pg::Command command;
  command.argv = request.command;
  command.env = pg::make_client_environment(*access);
  command.unset = pg::redirecting_variables();
  auto code = pg::run_foreground(command);
  const bool keeps = request.keep_on_failure && code && *code != 0;
  auto cleaned = keeps ? keep(context, *store, wanted.name, *access, ticket)
                       : bring_down(*store, wanted.name, ticket);
  if (!cleaned) context.warn(fmt::format("cannot clean up branch \"{}\": {}", wanted.name, cleaned.error().what));
  return code;
}

}  // namespace branchfs
