// init, import, list, show, du: the store and what is in it.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "layers/jobs/jobs.h"
#include "tools/command_line.h"
#include "tools/commands/branch_view.h"
#include "tools/commands/certificate.h"
#include "tools/commands/commands.h"
#include "tools/import/import.h"
#include "tools/pg/text.h"
#include "tools/text.h"

namespace branchfs {

namespace {

constexpr const char* kGroup = "The store";

Result<int> init_store(Context& context, const std::string& dir) {
  if (!dir.empty()) context.options.store = dir;
  const std::string path = context.store_dir();
  BFS_TRY(pg::make_dirs(pg::parent_of(path), 0755));
  BFS_TRY(Store::init(posix_env(), path));
  BFS_ASSIGN(const auto store, Store::open(posix_env(), path));
  context.print([&] { return nlohmann::json{{"store", path}, {"id", store->id().hex()}}; },
                [&] { return "made an empty store in " + path; });
  return 0;
}

Result<int> import_branch(Context& context, const ImportRequest& request) {
  BFS_TRY(check_branch_name(request.name));
  BFS_ASSIGN(const auto store, context.open_store());
  ProgressReporter reporter(context.progress_style());
  BFS_ASSIGN(const ImportResult result, run_import(store, request, reporter));
  reporter.finish();
  for (const std::string& warning : result.warnings) context.warn(warning);
  context.print([&] { return result.json(request.name); }, [&] { return result.summary(request.name); });
  return 0;
}

// Branches in the order of a tree: every branch is followed by its children, sorted by name.
struct TreeRow {
  const BranchInfo* branch = nullptr;
  std::size_t depth = 0;
};

void add_subtree(const std::multimap<ObjectId, const BranchInfo*>& children, const BranchInfo* branch,
                 std::size_t depth, std::vector<TreeRow>& rows) {
  rows.push_back({branch, depth});
  const auto [first, last] = children.equal_range(branch->manifest.id);
  for (auto child = first; child != last; ++child) add_subtree(children, child->second, depth + 1, rows);
}

std::vector<TreeRow> tree_order(const std::vector<BranchInfo>& all, const std::map<ObjectId, std::string>& names) {
  std::multimap<ObjectId, const BranchInfo*> children;
  for (const BranchInfo& branch : all) children.emplace(branch.manifest.parent, &branch);
  std::vector<TreeRow> rows;
  for (const BranchInfo& branch : all) {
    const bool is_root = !branch.manifest.parent.valid() || !names.contains(branch.manifest.parent);
    if (is_root) add_subtree(children, &branch, 0, rows);
  }
  return rows;
}

std::string list_text(const std::vector<BranchView>& views, const std::vector<TreeRow>& rows, std::int64_t now) {
  if (views.empty()) return "no branch yet (branchfs import NAME --pgdata DIR makes the first)";
  Table table({"NAME", "STATE", "OWN", "AGE", "EXPIRES", "PROTECTED"});
  table.align_right(2);
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Manifest& manifest = views[i].branch.manifest;
    const std::int64_t left = manifest.expires - now;
    const std::string expires =
        manifest.expires == 0 ? "-" : (left <= 0 ? "now" : "in " + format_duration(left));
    table.add({std::string(2 * rows[i].depth, ' ') + views[i].branch.name, views[i].state,
               format_bytes(views[i].own), format_duration(now - manifest.created), expires,
               manifest.is_protected ? "yes" : "-"});
  }
  return table.text();
}

Result<int> list_branches(Context& context) {
  BFS_ASSIGN(const auto store, context.open_store());
  bool damaged = false;
  BFS_ASSIGN(const std::vector<BranchInfo> all, store->list([&](const std::string& name, const Error& error) {
    damaged = true;
    context.warn(fmt::format("branch \"{}\" cannot be read: {}", name, error.what));
  }));
  std::map<ObjectId, std::string> names;
  for (const BranchInfo& branch : all) names.emplace(branch.manifest.id, branch.name);
  const std::vector<TreeRow> rows = tree_order(all, names);
  std::vector<BranchView> views;
  for (const TreeRow& row : rows) {
    BFS_ASSIGN(auto view, view_branch(*store, *row.branch, &names));
    views.push_back(std::move(view));
  }
  context.print(
      [&] {
        nlohmann::json list = nlohmann::json::array();
        for (const BranchView& view : views) list.push_back(to_json(view));
        return list;
      },
      [&] { return list_text(views, rows, store->env().now().tv_sec); });
  return damaged ? static_cast<int>(Kind::damaged) : 0;
}

std::string show_text(const BranchView& view, const Usage& usage, const std::vector<std::string>& children,
                      const pg::Facts& facts) {
  const Manifest& manifest = view.branch.manifest;
  std::string text;
  auto field = [&](const char* label, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<12} {}\n", label, value);
  };
  field("name", view.branch.name);
  field("id", manifest.id.hex());
  field("parent", view.parent);
  field("children", enumerate(children, 10));
  field("origin", manifest.origin);
  field("state", view.state);
  field("mounted at", view.mountpoint);
  field("created", format_time(manifest.created));
  field("expires", manifest.expires == 0 ? "never" : format_time(manifest.expires));
  field("protected", manifest.is_protected ? "yes" : "no");
  field("generations", fmt::format("{}", manifest.stack.size() + 1));
  field("logical", format_bytes(usage.logical));
  field("own", format_bytes(usage.own));
  field("shared", format_bytes(usage.shared));
  field("reclaimable", format_bytes(usage.reclaimable()));
  field("postgres", facts.major == 0 ? "" : fmt::format("{}", facts.major));
  field("port", facts.port == 0 ? "" : fmt::format("{}", facts.port));
  text += describe_masking(manifest);
  if (!facts.neutralized.empty()) text += "neutralized\n";
  for (const std::string& line : facts.neutralized) text += "  " + line + "\n";
  return text;
}

nlohmann::json usage_json(const Usage& usage) {
  return {{"logical", usage.logical},
          {"own", usage.own},
          {"shared", usage.shared},
          {"exclusive", usage.exclusive},
          {"reclaimable", usage.reclaimable()}};
}

Result<int> show_branch(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_ASSIGN(const BranchInfo branch, find_branch(*store, name));
  BFS_ASSIGN(const BranchView view, view_branch(*store, branch));
  BFS_ASSIGN(const Usage used, usage(*store, name));
  BFS_ASSIGN(const std::vector<BranchInfo> all, store->list());
  const std::vector<std::string> children = children_of(all, branch.manifest.id);
  const pg::Facts facts = facts_of(branch.manifest);
  context.print(
      [&] {
        nlohmann::json json = to_json(view);
        json["children"] = children;
        json["generations"] = branch.manifest.stack.size() + 1;
        json["usage"] = usage_json(used);
        json["masking"] = masking_json(branch.manifest);
        json["postgres"] = {{"major", facts.major}, {"neutralized", facts.neutralized}};
        return json;
      },
      [&] { return show_text(view, used, children, facts); });
  return 0;
}

Result<int> disk_usage(Context& context, const std::string& name) {
  BFS_ASSIGN(const auto store, context.open_store());
  std::vector<std::string> names;
  if (name.empty()) {
    BFS_ASSIGN(const std::vector<BranchInfo> all, store->list());
    for (const BranchInfo& branch : all) names.push_back(branch.name);
  } else {
    BFS_TRY(find_branch(*store, name));
    names.push_back(name);
  }
  nlohmann::json json = nlohmann::json::array();
  Table table({"NAME", "LOGICAL", "OWN", "SHARED", "RECLAIMABLE"});
  for (std::size_t column = 1; column <= 4; ++column) table.align_right(column);
  for (const std::string& branch : names) {
    auto measured = usage(*store, branch);
    // Deleted by another command since the list was made.
    if (!measured && name.empty() && !store->has_branch(branch)) continue;
    BFS_ASSIGN(const Usage used, std::move(measured));
    nlohmann::json row = usage_json(used);
    row["name"] = branch;
    json.push_back(std::move(row));
    table.add({branch, format_bytes(used.logical), format_bytes(used.own), format_bytes(used.shared),
               format_bytes(used.reclaimable())});
  }
  context.print([&] { return name.empty() ? json : json.front(); }, [&] { return table.text(); });
  return 0;
}

void add_import(CommandLine& line) {
  auto request = std::make_shared<ImportRequest>();
  CLI::App& app = line.add("import", "Make a branch from a Postgres cluster", kGroup,
                           "  branchfs import prod --pgdata /srv/pgdata\n"
                           "  branchfs import prod --pgdata /var/lib/postgresql/15/main \\\n"
                           "      --config-dir /etc/postgresql/15/main\n"
                           "  branchfs import prod --url postgres://backup@db.example.com/\n"
                           "  branchfs import empty --initdb -- --encoding=UTF8\n");
  app.add_option("NAME", request->name, "The new branch")->required();
  auto* source = app.add_option_group("Source", "Exactly one of");
  source->add_option("--pgdata", request->pgdata, "A stopped data directory")->type_name("DIR");
  source->add_option("--url", request->url, "A running server, by pg_basebackup")->type_name("URL");
  source->add_flag("--initdb", request->initdb, "An empty cluster; initdb options after --");
  source->require_option(1);
  app.add_flag("--move", request->move, "Take the files of --pgdata over, no copy");
  app.add_option("--config-dir", request->config_dir, "Configuration outside of --pgdata")->type_name("DIR");
  app.add_option("--user", request->user, "Who runs initdb for root (postgres)")->type_name("USER");
  line.bind({&app, "import", [request] { return fmt::format("branch \"{}\"", request->name); },
             [request, &line](Context& context) -> Result<int> {
               request->initdb_options = line.tail();
               if (!line.tail().empty() && !request->initdb) {
                 return make_error(Kind::usage, "arguments after \"--\" are for initdb", "add --initdb");
               }
               return import_branch(context, *request);
             },
             true});
}

}  // namespace

void add_store_commands(CommandLine& line) {
  auto dir = std::make_shared<std::string>();
  CLI::App& init = line.add("init", "Make an empty store", kGroup, "  branchfs init ~/branches\n");
  init.add_option("DIR", *dir, "Where (default: the store every command uses)");
  line.bind({&init, "make", [dir] { return dir->empty() ? "a store" : "a store in " + *dir; },
             [dir](Context& context) { return init_store(context, *dir); }});
  add_import(line);

  CLI::App& list = line.add("list", "Show all branches as a tree", kGroup, "  branchfs list --json\n");
  line.bind({&list, "list", [] { return std::string("branches"); }, list_branches});

  auto shown = std::make_shared<std::string>();
  CLI::App& show = line.add("show", "Show all about one branch", kGroup, "  branchfs show dev1\n");
  show.add_option("NAME", *shown, "The branch")->required();
  line.bind({&show, "show", branch_object(shown),
             [shown](Context& context) { return show_branch(context, *shown); }});

  auto used = std::make_shared<std::string>();
  CLI::App& du = line.add("du", "Show what branches cost", kGroup, "  branchfs du\n  branchfs du dev1\n");
  du.add_option("NAME", *used, "Only this branch");
  line.bind({&du, "measure", [used] { return used->empty() ? "branches" : branch_object(used)(); },
             [used](Context& context) { return disk_usage(context, *used); }});
}

}  // namespace branchfs
