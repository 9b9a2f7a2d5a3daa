// pack, compact, gc, verify, dump: the store's housekeeping.
#include <filesystem>

#include <fmt/format.h>

#include "layers/jobs/jobs.h"
#include "tools/command_line.h"
#include "tools/commands/branch_view.h"
#include "tools/commands/commands.h"
#include "tools/interrupt.h"
#include "tools/lifecycle/reap.h"
#include "tools/text.h"

namespace branchfs {

namespace {

constexpr const char* kGroup = "The store";

// Shows progress and stops the job at Ctrl-C.
Progress watched(ProgressReporter& reporter) {
  return [&reporter](std::uint64_t done, std::uint64_t total) {
    reporter.update(done, total);
    return !Interrupt::requested();
  };
}

Result<int> pack_branches(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  if (!name.empty()) BFS_TRY(find_branch(*store, name));
  const Interrupt interrupt;
  ProgressReporter reporter(context.progress_style());
  reporter.begin("packing");
  BFS_ASSIGN(const PackReport report, pack(*store, name, watched(reporter)));
  reporter.finish();
  context.print(
      [&] {
        return nlohmann::json{
            {"deltas", report.deltas}, {"data_bytes", report.data_bytes}, {"layer_bytes", report.layer_bytes}};
      },
      [&] {
        if (report.deltas == 0) return std::string("nothing to pack");
        return fmt::format("packed {} frozen delta{}: {} as {}", report.deltas, report.deltas == 1 ? "" : "s",
                           format_bytes(report.data_bytes), format_bytes(report.layer_bytes));
      });
  return 0;
}

Result<int> compact_branch(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, name));
  const Interrupt interrupt;
  ProgressReporter reporter(context.progress_style());
  reporter.begin("compacting");
  BFS_ASSIGN(const CompactReport report, compact(*store, name, watched(reporter)));
  reporter.finish();
  context.print(
      [&] {
        return nlohmann::json{{"layers_before", report.layers_before},
                              {"layers_after", report.layers_after},
                              {"bytes_before", report.bytes_before},
                              {"bytes_after", report.bytes_after}};
      },
      [&] {
        return fmt::format("{} layers, {} became {}, {}", report.layers_before, format_bytes(report.bytes_before),
                           report.layers_after, format_bytes(report.bytes_after));
      });
  return 0;
}

Result<int> collect(Context& context) {
  BFS_ASSIGN(const auto store, context.open_store());
  Status indexed = rebuild_reap_index(*store);
  for (const std::string& problem : reap_due(*store)) context.warn(problem);
  BFS_ASSIGN(const GcReport report, collect_garbage(*store));
  // The one thing here that writes; on a full disk there may be room for it now.
  if (!indexed && means_full(indexed.error().sys)) indexed = rebuild_reap_index(*store);
  if (!indexed && means_full(indexed.error().sys)) {
    context.warn("branches that expire are noted down by the next branchfs gc: " + indexed.error().what);
  } else {
    BFS_TRY(std::move(indexed));
  }
  context.print(
      [&] {
        return nlohmann::json{{"layers", report.layers},
                              {"deltas", report.deltas},
                              {"other", report.other},
                              {"bytes", report.bytes}};
      },
      [&] {
        const std::uint64_t objects = report.layers + report.deltas + report.other;
        if (objects == 0) return std::string("nothing to collect");
        return fmt::format("freed {}: {} layers, {} deltas, {} other", format_bytes(report.bytes), report.layers,
                           report.deltas, report.other);
      });
  return 0;
}

std::string counted(std::uint64_t problems) {
  return problems == 0 ? "no problem" : fmt::format("{} problem{}", problems, problems == 1 ? "" : "s");
}

nlohmann::json to_json(const RepairReport& report, bool repair) {
  return {{"objects", report.before.objects},
          {"bytes", report.before.bytes},
          {"problems", report.before.problems},
          {"lines", report.before.lines},
          {repair ? "mended" : "would_mend", report.done},
          {repair ? "lost" : "would_lose", report.lost},
          {"remaining", report.after.problems},
          {"kept", report.kept.empty() ? nlohmann::json() : nlohmann::json(report.kept)}};
}

std::string to_text(const RepairReport& report, bool repair) {
  std::string text;
  for (const std::string& line : report.before.lines) text += line + "\n";
  for (const std::string& line : report.done) text += (repair ? "mended: " : "--repair would mend: ") + line + "\n";
  for (const std::string& line : report.lost) text += (repair ? "lost: " : "not to be had: ") + line + "\n";
  if (repair && !report.kept.empty()) text += fmt::format("what was replaced is in {}\n", report.kept);
  text += fmt::format("{} objects, {}, {}", report.before.objects, format_bytes(report.before.bytes), counted(report.before.problems));
  if (repair && report.before.problems > 0) text += fmt::format("; afterwards {}", counted(report.after.problems));
  return text;
}

Result<int> verify(Context& context, const std::string& name, bool repair) {
  auto opened = context.open_store();
  // A store that does not open may be what there is to repair.
  if (!opened && !repair) {
    Error error = std::move(opened).error();
    if (error.kind == Kind::damaged && error.hint.empty()) error.hint = "branchfs verify --repair";
    return error;
  }
  if (opened && !name.empty() && !(*opened)->env().exists((*opened)->branch_dir(name))) BFS_TRY(find_branch(**opened, name));
  const Interrupt interrupt;
  ProgressReporter reporter(context.progress_style());
  reporter.begin(repair ? "repairing" : "verifying");
  RepairOptions options;
  options.dry = !repair;
  auto verified = repair_store(posix_env(), context.store_dir(), name, options, watched(reporter));
  reporter.finish();
  if (!verified) return std::move(verified).error();
  const RepairReport& report = *verified;
  context.print([&] { return to_json(report, repair); }, [&] { return to_text(report, repair); });
  if (report.after.problems > 0) {
    return make_error(Kind::damaged, counted(report.after.problems) + (repair ? " left" : " found"),
                      repair || report.done.empty() ? "" : "branchfs verify --repair");
  }
  if (report.lost.empty()) return 0;
  return make_error(Kind::damaged, "the store is whole again, but something is lost");
}

Result<int> dump_file(Context& context, const std::string& file) {
  std::error_code failed;
  const std::string path = std::filesystem::absolute(file, failed).string();
  BFS_ASSIGN(const std::string text, dump(posix_env(), path));
  context.print([&] { return nlohmann::json{{"file", path}, {"text", text}}; }, [&] { return text; });
  return 0;
}

void add_pack(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  CLI::App& app = line.add("pack", "Turn frozen deltas into packed layers", kGroup, "  branchfs pack\n");
  app.add_option("NAME", *name, "Only what this branch needs (default: every branch)");
  line.bind({&app, "pack", [name] { return name->empty() ? "the store" : branch_object(name)(); },
             [name](Context& context) { return pack_branches(context, *name); }});
}

void add_compact(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  CLI::App& app = line.add("compact", "Rewrite a branch's layers as one", kGroup, "  branchfs compact prod\n");
  app.add_option("NAME", *name, "The branch")->required();
  line.bind({&app, "compact", branch_object(name), [name](Context& context) { return compact_branch(context, *name); }});
}

void add_verify(CommandLine& line) {
  auto name = std::make_shared<std::string>();
  auto repair = std::make_shared<bool>(false);
  CLI::App& app = line.add("verify", "Check every checksum and invariant; repair", kGroup,
                           "  branchfs verify dev1\n  branchfs verify --all --repair\n");
  CLI::Option* option = app.add_option("NAME", *name, "Only what this branch needs");
  const std::string what_all_means = "The whole store (default)";
  app.add_flag("--all", what_all_means)->excludes(option);
  app.add_flag("--repair", *repair, "Salvage what checksums allow and say what is lost");
  line.bind({&app, "verify", [name] { return name->empty() ? "the store" : branch_object(name)(); },
             [name, repair](Context& context) { return verify(context, *name, *repair); }});
}

}  // namespace

void add_maintenance_commands(CommandLine& line) {
  add_pack(line);
  add_compact(line);
  CLI::App& gc = line.add("gc", "Free what no branch needs; delete expired branches", kGroup, "  branchfs gc\n");
  line.bind({&gc, "collect", [] { return std::string("garbage"); }, collect});
  add_verify(line);

  auto file = std::make_shared<std::string>();
  CLI::App& dump_app = line.add("dump", "Print any file of a store as text", kGroup,
                                "  branchfs dump STORE/branches/dev1/manifest\n");
  dump_app.add_option("FILE", *file, "A manifest, journal, layer, …")->required();
  line.bind({&dump_app, "dump", [file] { return *file; },
             [file](Context& context) { return dump_file(context, *file); }});
}

}  // namespace branchfs
