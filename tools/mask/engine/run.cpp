#include "tools/mask/engine/run.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/interrupt.h"
#include "tools/mask/engine/closing.h"
#include "tools/mask/engine/proving.h"
#include "tools/mask/engine/steps.h"
#include "tools/mask/module/module.h"
#include "tools/mask/plan/detect.h"
#include "tools/pg/text.h"
#include "tools/text.h"

namespace branchfs::mask {
namespace {

// Of the closing drill and the proof: what an older one let pass is not handed out again.
constexpr int kDrill = 2;
// What else a run writes: catalogs, sort files, write-ahead log.
constexpr std::uint64_t kSpareBytes = 256ULL << 20U;

struct Database {
  std::string oid, name;
  bool open = true;          // can be connected to
  std::uint64_t tables = 0;  // of users, with or without rows
  std::uint64_t large_objects = 0;
  bool masked = false;
};

bool covers(const RuleSet& rules, const std::string& database) {
  return std::any_of(rules.rules.begin(), rules.rules.end(), [&](const Rule& rule) {
    return rule.database.empty() || glob_matches(rule.database, database);
  });
}

Result<std::vector<Database>> list_databases(pg::Session& session) {
  BFS_ASSIGN(const auto rows,
             session.query("SELECT oid, datname, datallowconn FROM pg_catalog.pg_database ORDER BY oid"));
  std::vector<Database> all;
  for (const auto& row : rows) all.push_back({row[0], row[1], row[2] == "t"});
  return all;
}

// The relations and definitions of all databases that can be connected to, and these databases' oids. Returns template0's.
Result<std::string> read_relations(SealedBranch& branch, RelationMap& relations, std::vector<Definition>& definitions,
                                   std::vector<std::string>& oids) {
  std::string template0;
  BFS_ASSIGN(pg::Session entrance, branch.connect(branch.entrance()));
  BFS_ASSIGN(const std::vector<Database> all, list_databases(entrance));
  for (const Database& database : all) {
    if (!database.open && database.name == "template0") template0 = database.oid;
    if (!database.open) continue;
    BFS_ASSIGN(pg::Session session, branch.connect(database.name));
    BFS_TRY(add_relations(session, relations));
    BFS_TRY(add_definitions(session, database.name, definitions));
    oids.push_back(database.oid);
  }
  return template0;
}

constexpr const char* kUserTables = R"(
  SELECT count(*), (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'pg_catalog'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_(toast|temp)')";

// Seconds that the phases of a run took, for the certificate.
class Stopwatch {
 public:
  void lap(const char* phase) {
    const auto now = Clock::now();
    seconds_[phase] = std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  [[nodiscard]] const nlohmann::json& seconds() const { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
  nlohmann::json seconds_ = nlohmann::json::object();
};

// One run on one sealed branch, step by step.
class Run {
 public:
  Run(const Surroundings& around, std::unique_ptr<SealedBranch> branch, const Rules& rules, Key key)
      : around_(around), branch_(std::move(branch)), rules_(rules), key_(std::move(key)) {}

  SealedBranch& branch() { return *branch_; }
  WitnessSet& witnesses() { return witnesses_; }
  std::vector<std::unique_ptr<DatabaseMasking>>& databases() { return masked_; }
  const RelationMap& before() const { return before_; }
  [[nodiscard]] std::vector<std::string> databases_with_tables() const;

  Status open();
  Status plan();
  [[nodiscard]] std::vector<Finding> findings() const;
  Status gather();
  Status mask();
  Result<nlohmann::json> close_and_prove();
  Status compare(SealedBranch& other);
  // Every relation that was to be rewritten lies in another file than before.
  // `untouched`: and no table is there that was not before.
  Status check_all_changed(const RelationMap& after, bool untouched) const;
  Result<Manifest> finish(const nlohmann::json& certificate);

 private:
  Status install_module();
  Status look_at_databases();
  Status settle_other(Database& database);
  Status check_space() const;
  Status close_databases();
  DatabaseMasking::Tools tools();

  const Surroundings around_;
  std::unique_ptr<SealedBranch> branch_;
  const Rules& rules_;
  Key key_;
  std::string module_;
  std::vector<Database> all_;
  std::vector<std::unique_ptr<DatabaseMasking>> masked_;
  std::vector<Finding> findings_;
  RelationMap before_;
  WitnessSet witnesses_;
  Cleared cleared_;
  std::atomic<std::size_t> started_{0};
  std::atomic<std::uint64_t> bytes_done_{0};
  std::size_t tables_ = 0;
  std::uint64_t bytes_ = 0;
  Stopwatch watch_;
};

Status Run::open() {
  BFS_TRY(branch_->set_state("masking"));
  around_.progress.step("starting a sealed server");
  BFS_TRY(branch_->start(around_.warn));
  BFS_TRY(Interrupt::check());
  BFS_TRY(install_module());
  return look_at_databases();
}

// The server's user may be unable to read where branchfs is installed.
Status Run::install_module() {
  const pg::ServerSpec& server = branch_->server();
  BFS_ASSIGN(const std::string source, find_module(server.installation.major));
  BFS_ASSIGN(const std::string bytes, pg::read_file(source, 64UL << 20U));
  module_ = server.runtime_dir + "/branchfs_mask.so";
  const pg::ActAs owner(server.user);
  return pg::write_file(module_, bytes, 0700);
}

Status Run::look_at_databases() {
  BFS_ASSIGN(pg::Session entrance, branch_->connect(branch_->entrance()));
  BFS_ASSIGN(all_, list_databases(entrance));
  for (Database& database : all_) {
    if (!database.open) {
      if (database.name == "template0") continue;
      findings_.push_back({Finding::Level::error, database.name, "the database allows no connections, so it cannot be masked",
                           "drop it in production, or allow connections (ALTER DATABASE … ALLOW_CONNECTIONS true)"});
      continue;
    }
    BFS_ASSIGN(pg::Session session, branch_->connect(database.name));
    BFS_TRY(add_relations(session, before_));
    BFS_ASSIGN(const auto rows, session.query(kUserTables));
    database.tables = std::strtoull(rows[0][0].c_str(), nullptr, 10);
    database.large_objects = std::strtoull(rows[0][1].c_str(), nullptr, 10);
  }
  BFS_ASSIGN(const auto prepared, entrance.query("SELECT count(*) FROM pg_catalog.pg_prepared_xacts"));
  if (prepared[0][0] != "0") {
    findings_.push_back({Finding::Level::error, "the cluster", fmt::format("it has {} prepared transactions", prepared[0][0]),
                         "COMMIT PREPARED or ROLLBACK PREPARED them in production"});
  }
  return {};
}

std::vector<std::string> Run::databases_with_tables() const {
  std::vector<std::string> names;
  for (const Database& database : all_) {
    if (database.open && database.tables > 0) names.push_back(database.name);
  }
  return names;
}

// A database with tables that no rule speaks of.
Status Run::settle_other(Database& database) {
  switch (rules_.set.defaults.other_databases) {
    case Policy::keep:
      findings_.push_back({Finding::Level::warning, database.name, "its tables stay as they are: no rule speaks of this database", ""});
      return {};
    case Policy::drop: {
      if (!does_step("other-databases")) return {};
      BFS_ASSIGN(pg::Session session, branch_->connect(branch_->entrance() == database.name ? "template1" : branch_->entrance()));
      cleared_.done.push_back("database " + database.name);
      database.open = false;  // nobody can connect to it any more
      return session.execute("DROP DATABASE " + quote_name(database.name));
    }
    case Policy::refuse:
      findings_.push_back({Finding::Level::error, database.name,
                           fmt::format("it has {} tables and {} large objects, and no rule speaks of this database", database.tables,
                                       database.large_objects),
                           "add rules for it, or set defaults.other_databases to \"drop\" or \"keep\""});
      return {};
  }
  return {};
}

DatabaseMasking::Tools Run::tools() {
  DatabaseMasking::Tools tools;
  tools.branch = branch_.get();
  tools.key = &key_;
  tools.module = module_;
  tools.threads = std::max(1U, std::thread::hardware_concurrency());
  tools.starting = [this](const std::string& name) {
    const std::size_t number = ++started_;
    const std::string label = fmt::format("Anonymizing table {} ({}/{})", name, number, tables_);
    if (number == 1) around_.progress.begin(label);
    around_.progress.rename(label);
    around_.progress.update(bytes_done_, bytes_);
  };
  tools.finished = [this](std::uint64_t bytes) { around_.progress.update(bytes_done_ += bytes, bytes_); };
  return tools;
}

Status Run::plan() {
  around_.progress.step("checking the rules");
  bool any = false;
  std::vector<Database*> others;
  for (Database& database : all_) {
    BFS_TRY(Interrupt::check());
    if (!database.open) continue;
    // A rule that names the database by a glob does not make an empty one an error.
    database.masked = database.tables > 0 && covers(rules_.set, database.name);
    if (!database.masked && (database.tables > 0 || database.large_objects > 0)) others.push_back(&database);
    if (!database.masked) continue;
    any = true;
    masked_.push_back(std::make_unique<DatabaseMasking>(tools(), database.name));
    BFS_TRY(masked_.back()->prepare(rules_.set));
  }
  for (const Rule& rule : rules_.set.rules) {
    const bool known = rule.database.empty() || std::any_of(all_.begin(), all_.end(), [&](const Database& database) {
      return glob_matches(rule.database, database.name);
    });
    if (known) continue;
    std::vector<std::string> names;
    for (const Database& database : all_) names.push_back(database.name);
    const std::string meant = nearest(rule.database, names);
    findings_.push_back({Finding::Level::error, rule.describe(), fmt::format("there is no database \"{}\"", rule.database),
                         meant.empty() ? "" : fmt::format("did you mean \"{}\"?", meant)});
  }
  if (!any && findings().empty()) {
    findings_.push_back({Finding::Level::error, "the rules", "no rule matches anything: there are no tables to mask", ""});
  }
  for (Database* database : others) BFS_TRY(settle_other(*database));
  for (const auto& database : masked_) {
    for (const TablePlan* table : database->work()) {
      ++tables_;
      bytes_ += table->bytes;
    }
  }
  return {};
}

std::vector<Finding> Run::findings() const {
  std::vector<Finding> all = findings_;
  std::map<std::size_t, std::size_t> unmatched;
  for (const auto& database : masked_) {
    for (const Finding& finding : database->plan().findings) {
      // A rule for every database has to match in one of them.
      if (finding.unmatched_rule != 0 && ++unmatched[finding.unmatched_rule] < masked_.size()) continue;
      all.push_back(finding);
    }
  }
  return all;
}

Status Run::check_space() const {
  std::uint64_t needed = kSpareBytes;
  for (const auto& database : masked_) needed += database->plan().estimated_bytes;
  struct ::statvfs fs {};
  if (::statvfs(branch_->store().dir().c_str(), &fs) != 0) return sys_error(branch_->store().dir());
  const std::uint64_t free = fs.f_bavail * fs.f_frsize;
  if (free >= needed) return {};
  return Error{Kind::failed, ENOSPC,
               fmt::format("masking writes about {}, and {} are free", format_bytes(needed), format_bytes(free)),
               "make room where the store is"};
}

Status Run::gather() {
  around_.progress.step("sampling originals");
  for (const auto& database : masked_) BFS_TRY(database->gather(witnesses_));
  return {};
}

Status Run::mask() {
  watch_.lap("preparing");
  BFS_TRY(check_space());
  BFS_TRY(gather());
  watch_.lap("sampling");
  for (const auto& database : masked_) BFS_TRY(database->rewrite());
  watch_.lap("rewriting");
  around_.progress.step("restoring keys and views");
  for (const auto& database : masked_) BFS_TRY(database->restore());
  watch_.lap("restoring");
  around_.progress.step("comparing");
  BFS_TRY(compare(*branch_));
  watch_.lap("comparing");
  return {};
}

Status Run::compare(SealedBranch& other) {
  for (const auto& database : masked_) {
    database->look_at(other);
    BFS_TRY(database->compare(witnesses_, &other == branch_.get()));
  }
  return {};
}

Status Run::close_databases() {
  for (const auto& database : masked_) {
    if (does_step("functions")) BFS_TRY(database->clear());
  }
  {
    BFS_ASSIGN(pg::Session entrance, branch_->connect(branch_->entrance()));
    BFS_TRY(clear_cluster(entrance, rules_.set.defaults, cleared_));
  }
  for (const Database& database : all_) {
    if (!database.open) continue;
    BFS_TRY(Interrupt::check());
    BFS_ASSIGN(pg::Session session, branch_->connect(database.name));
    BFS_TRY(close_database(session, rules_.set.defaults, database.masked, cleared_));
  }
  BFS_ASSIGN(pg::Session entrance, branch_->connect(branch_->entrance()));
  return close_cluster(entrance);
}

Status Run::check_all_changed(const RelationMap& after, bool untouched) const {
  // Masking makes no table: what is new was made by a function of production's, of who knows what.
  std::set<std::pair<std::string, std::uint32_t>> known;
  for (const auto& [path, relation] : before_) known.emplace(relation.database, relation.oid);
  for (const auto& [path, relation] : after) {
    const bool table = relation.kind == 'r' || relation.kind == 'm' || relation.kind == 'S';
    if (!untouched || !table || relation.catalog || known.contains({relation.database, relation.oid})) continue;
    return make_error(Kind::refused, fmt::format("the table {} appeared while masking", relation.name),
                      "look for functions in constraints, domains or triggers that make tables");
  }
  for (const auto& database : masked_) {
    const std::vector<std::uint32_t> tables = database->must_change();
    const std::set<std::uint32_t> expected(tables.begin(), tables.end());
    for (const auto& [path, relation] : after) {
      const auto before = before_.find(path);
      if (before == before_.end() || before->second.oid != relation.oid) continue;
      const bool shared_catalog = relation.catalog && relation.database.empty();
      const bool catalog = relation.catalog && relation.database == database->database();
      const bool masked = relation.database == database->database() && expected.contains(relation.table);
      if (!masked && !catalog && !shared_catalog) continue;
      return make_error(Kind::refused, fmt::format("{} was not rewritten", relation.name),
                        "this is a defect of branchfs: please report it");
    }
  }
  return {};
}

Result<nlohmann::json> Run::close_and_prove() {
  around_.progress.step("closing");
  BFS_TRY(close_databases());
  RelationMap after;
  std::vector<Definition> definitions;
  std::vector<std::string> oids;
  std::string template0;
  {
    BFS_ASSIGN(template0, read_relations(*branch_, after, definitions, oids));
    BFS_ASSIGN(pg::Session entrance, branch_->connect(branch_->entrance()));
    BFS_TRY(flush_wal(entrance));
  }
  if (does_step("structure")) BFS_TRY(check_all_changed(after, true));
  BFS_TRY(Interrupt::check());
  BFS_TRY(branch_->stop(pg::StopMode::fast));
  BFS_TRY(wipe_directory(branch_->server(), after, oids, template0, cleared_));
  {
    const pg::ActAs owner(branch_->server().user);
    std::error_code gone;  // its absence is what is wanted
    std::filesystem::remove(module_, gone);
    std::filesystem::remove(pg::log_path(branch_->server().runtime_dir), gone);
  }
  BFS_TRY(branch_->unmount());
  BFS_TRY(branch_->set_state("proving"));
  watch_.lap("closing");
  around_.progress.step("proving");
  witnesses_.seal();
  BFS_ASSIGN(nlohmann::json certificate,
             prove({branch_->shared_store(), branch_->name(), branch_->source(), before_, after, template0, witnesses_,
                    [this](std::uint64_t done, std::uint64_t total) { around_.progress.update(done, total); }, std::move(definitions)}));
  nlohmann::json tables = nlohmann::json::array();
  for (const auto& database : masked_) tables.push_back(to_json(database->database(), database->facts()));
  certificate["databases"] = std::move(tables);
  certificate["cleared"] = cleared_.done;
  watch_.lap("proving");
  certificate["seconds"] = watch_.seconds();
  certificate["version"] = 1;
  certificate["proven"] = format_utc(branch_->store().env().now().tv_sec);
  return certificate;
}

Result<Manifest> Run::finish(const nlohmann::json& certificate) {
  BFS_TRY(Interrupt::check());
  return branch_->release([&](Manifest& manifest) -> Status {
    std::vector<std::string> source;
    for (const ObjectId id : branch_->source()) source.push_back(id.hex());
    std::vector<std::string> head;
    for (const ObjectId id : manifest.stack) head.push_back(id.hex());
    manifest.masking = {{"run", branch_->run()},
                        {"root", manifest.id.hex()},
                        {"drill", kDrill},
                        {"source", source},
                        {"head", head},
                        {"rules", rules_.set.canonical()},
                        {"rules_hash", rules_.set.hash},
                        {"key", key_.spec()},
                        {"key_id", key_.id()},
                        {"certificate", certificate}};
    manifest.state = "ready";
    return {};
  });
}

Status report_findings(const std::vector<Finding>& findings, const Warn& warn) {
  const Finding* first = nullptr;
  std::size_t errors = 0;
  for (const Finding& finding : findings) {
    if (finding.level == Finding::Level::warning) {
      warn(fmt::format("{}: {}", finding.where, finding.what));
      continue;
    }
    ++errors;
    if (first == nullptr) first = &finding;
  }
  if (first == nullptr) return {};
  if (errors > 1) {
    for (const Finding& finding : findings) {
      if (finding.level != Finding::Level::error || &finding == first) continue;
      warn(fmt::format("{}: {}{}", finding.where, finding.what, finding.hint.empty() ? "" : fmt::format(" ({})", finding.hint)));
    }
  }
  return make_error(Kind::refused, fmt::format("{}: {}", first->where, first->what), first->hint);
}

// A rule on each line, what it is about first: made to be read and edited.
std::string as_rule_file(const nlohmann::json& rules) {
  constexpr std::array kOrder = {"database_name", "schema_name", "table_name", "column_name"};
  std::string text = "{\n";
  for (const char* name : {"version", "key", "defaults"}) {
    if (rules.contains(name)) text += fmt::format("  \"{}\": {},\n", name, rules[name].dump());
  }
  text += "  \"masking_rules\": [";
  std::string table;
  for (const nlohmann::json& rule : rules["masking_rules"]) {
    nlohmann::ordered_json line;
    for (const char* name : kOrder) {
      if (rule.contains(name)) line[name] = rule[name];
    }
    for (const auto& [name, value] : rule.items()) line[name] = value;
    const std::string own = rule.value("schema_name", "") + "." + rule.value("table_name", "");
    text += fmt::format("{}\n{}    {}", table.empty() ? "" : ",", !table.empty() && own != table ? "\n" : "", line.dump());
    table = own;
  }
  text += "\n  ]";
  if (rules.contains("references") && !rules["references"].empty()) text += ",\n  \"references\": " + rules["references"].dump();
  return text + "\n}\n";
}

std::vector<ObjectId> ids_of(const nlohmann::json& list) {
  std::vector<ObjectId> ids;
  if (!list.is_array()) return ids;
  for (const auto& item : list) {
    auto id = item.is_string() ? ObjectId::parse(item.get<std::string>()) : Result<ObjectId>(ObjectId{});
    if (id) ids.push_back(*id);
  }
  return ids;
}

// A branch that was masked from the same data with the same rules and key: its head is what masking would make again.
const BranchInfo* find_same(const std::vector<BranchInfo>& all, const std::vector<ObjectId>& source, const RuleSet& rules,
                            const Key& key) {
  for (const BranchInfo& branch : all) {
    const nlohmann::json& masking = branch.manifest.masking;
    if (branch.manifest.state != "ready" || !masking.is_object() || masking.value("drill", 0) != kDrill || masking.value("rules_hash", "") != rules.hash ||
        masking.value("key_id", "") != key.id() || ids_of(masking.value("source", nlohmann::json())) != source) {
      continue;
    }
    const std::vector<ObjectId> head = ids_of(masking.value("head", nlohmann::json()));
    if (!head.empty() && ends_with(branch.manifest.stack, head)) return &branch;
  }
  return nullptr;
}

Result<std::optional<Manifest>> take_same(SealedBranch& branch, const RuleSet& rules, const Key& key) {
  nlohmann::json masking;
  BFS_ASSIGN(Manifest manifest,
             replace_head(
                 branch.store(), branch.name(),
                 [&](const std::vector<BranchInfo>& all) -> std::optional<Head> {
                   const BranchInfo* same = find_same(all, branch.source(), rules, key);
                   if (same == nullptr) return std::nullopt;
                   masking = same->manifest.masking;
                   return Head{ids_of(masking["head"]), same->manifest.next_ino};
                 },
                 [&](Manifest& changed) -> Status {
                   changed.masking = masking;
                   changed.masking["root"] = changed.id.hex();
                   changed.state = "ready";
                   return {};
                 }));
  if (masking.is_null()) return std::optional<Manifest>();
  return std::optional<Manifest>(std::move(manifest));
}

Result<std::unique_ptr<Run>> begin_look(const Surroundings& around, const std::string& parent, const Rules& rules) {
  BFS_ASSIGN(const Manifest manifest, around.store->read_manifest(parent));
  CreateOptions options;
  options.postgres = inherited_facts(manifest);
  BFS_ASSIGN(auto branch, SealedBranch::create(around.store, SealedBranch::scratch_name(*around.store), parent, options));
  // What is only looked at needs no key of its owner's; but a wrong one is to be told before the night.
  BFS_ASSIGN(Key key, Key::load(rules.set.key, rules.directory));
  auto run = std::make_unique<Run>(around, std::move(branch), rules, std::move(key));
  BFS_TRY(run->open());
  return run;
}

Result<Manifest> mask_sealed(const Surroundings& around, std::unique_ptr<SealedBranch> branch, const Rules& rules, Key key) {
  Run run(around, std::move(branch), rules, std::move(key));
  const auto steps = [&]() -> Result<Manifest> {
    BFS_TRY(run.open());
    BFS_TRY(run.plan());
    BFS_TRY(report_findings(run.findings(), around.warn));
    BFS_TRY(run.mask());
    BFS_ASSIGN(const nlohmann::json certificate, run.close_and_prove());
    return run.finish(certificate);
  };
  auto masked = steps();
  // Looked at before the branch goes, which makes room.
  if (!masked) return explain_full_disk(*around.store, std::move(masked).error());
  return masked;
}

}  // namespace

Result<Rules> load_rules(const std::string& path) {
  Rules rules;
  BFS_ASSIGN(rules.set, read_rules(path));
  rules.directory = std::filesystem::absolute(path).parent_path().string();
  return rules;
}

Result<Rules> rules_of(const Manifest& manifest) {
  const auto found = manifest.masking.find("rules");
  if (!manifest.masking.is_object() || found == manifest.masking.end()) {
    return make_error(Kind::refused, "it is not anonymized", "branchfs create NAME --from PARENT --anonymized RULES");
  }
  Rules rules;
  BFS_ASSIGN(rules.set, parse_rules(found->dump(), "json"));
  rules.set.key = manifest.masking.value("key", rules.set.key);
  return rules;
}

bool is_masked_root(const Manifest& manifest) {
  return manifest.masking.is_object() && manifest.masking.value("root", "") == manifest.id.hex();
}

Result<Manifest> anonymize(const Surroundings& around, const std::string& name, const std::string& parent,
                             const CreateOptions& options, const Rules& rules) {
  BFS_ASSIGN(Key key, Key::load(rules.set.key, rules.directory));
  BFS_ASSIGN(auto branch, SealedBranch::create(around.store, name, parent, options));
  if (!key.ephemeral()) {
    BFS_ASSIGN(std::optional<Manifest> same, take_same(*branch, rules.set, key));
    if (same) {
      BFS_TRY(branch->forget_ticket());
      return *std::move(same);
    }
  }
  return mask_sealed(around, std::move(branch), rules, std::move(key));
}

Result<Manifest> mask_again(const Surroundings& around, const std::string& name) {
  BFS_ASSIGN(const Manifest before, around.store->read_manifest(name));
  BFS_ASSIGN(const Rules rules, rules_of(before));
  BFS_ASSIGN(const std::string parent, around.store->name_of(before.parent));
  CreateOptions options;
  BFS_ASSIGN(const Manifest parents, around.store->read_manifest(parent));
  options.postgres = inherited_facts(parents);
  const std::string scratch = SealedBranch::scratch_name(*around.store);
  // Killed after the masking, before the swap: nobody asked for this branch.
  BFS_ASSIGN(RunnerTicket ticket, RunnerTicket::issue(*around.store, scratch));
  auto fresh_or_error = anonymize(around, scratch, parent, options, rules);
  if (!fresh_or_error) {
    ignore(ticket.withdraw());
    return std::move(fresh_or_error).error();
  }
  const Manifest fresh = *std::move(fresh_or_error);
  auto swapped = replace_head(
      *around.store, name,
      [&](const std::vector<BranchInfo>&) -> std::optional<Head> {
        return Head{fresh.stack, fresh.next_ino};
      },
      [&](Manifest& manifest) -> Status {
        manifest.masking = fresh.masking;
        manifest.masking["root"] = manifest.id.hex();
        return {};
      });
  auto removed = remove_branch(*around.store, scratch, {.urgent = true, .ignore_protection = true, .only_if = {}});
  if (removed) {
    ignore(ticket.withdraw());  // a ticket for a branch that is gone does nothing
  } else {
    around.warn(fmt::format("cannot delete branch \"{}\": {}", scratch, removed.error().what));
  }
  return swapped;
}

Result<Checked> check_rules(const Surroundings& around, const std::string& parent, const Rules& rules) {
  BFS_ASSIGN(const auto run, begin_look(around, parent, rules));
  BFS_TRY(run->plan());
  Checked checked;
  checked.findings = run->findings();
  checked.refused = std::any_of(checked.findings.begin(), checked.findings.end(),
                                [](const Finding& finding) { return finding.level == Finding::Level::error; });
  checked.plan = nlohmann::json::array();
  checked.columns = nlohmann::json::object();
  for (const auto& database : run->databases()) {
    checked.columns.update(accepted_columns(database->schema()));
    for (const TablePlan* table : database->work()) {
      nlohmann::json columns = nlohmann::json::object();
      for (const ColumnPlan& column : table->columns) columns[column.column] = column.description;
      checked.plan.push_back({{"database", database->database()},
                              {"table", fmt::format("{}.{}", table->schema, table->table)},
                              {"rows", table->rows},
                              {"bytes", table->bytes},
                              {"columns", columns}});
    }
  }
  BFS_TRY(run->branch().destroy());
  return checked;
}

Status accept_columns(const std::string& path, const nlohmann::json& columns) {
  BFS_ASSIGN(const std::string text, pg::read_file(path));
  auto document = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("masking_rules")) {
    return make_error(Kind::refused, "only a rule file in JSON can note the accepted columns", "convert it to JSON");
  }
  document["accepted"] = columns;
  struct ::stat st {};
  const mode_t mode = ::stat(path.c_str(), &st) == 0 ? st.st_mode & 0777U : 0644U;
  return pg::write_file(path, document.dump(2) + "\n", mode);
}

Result<std::vector<PreviewRow>> preview_rules(const Surroundings& around, const std::string& parent, const Rules& rules,
                                              std::size_t rows) {
  BFS_ASSIGN(const auto run, begin_look(around, parent, rules));
  BFS_TRY(run->plan());
  BFS_TRY(report_findings(run->findings(), around.warn));
  std::vector<PreviewRow> shown;
  for (const auto& database : run->databases()) {
    BFS_ASSIGN(std::vector<PreviewRow> own, database->preview(rows));
    shown.insert(shown.end(), own.begin(), own.end());
  }
  BFS_TRY(run->branch().destroy());
  return shown;
}

Result<nlohmann::json> verify_masking(const Surroundings& around, const std::string& name) {
  BFS_ASSIGN(const Manifest manifest, around.store->read_manifest(name));
  BFS_ASSIGN(Rules rules, rules_of(manifest));
  rules.set.key = "ephemeral";  // nothing is masked
  const std::vector<ObjectId> source = ids_of(manifest.masking.value("source", nlohmann::json()));
  CreateOptions options;
  options.postgres = inherited_facts(manifest);
  auto sealed_child = [&] {
    return SealedBranch::create(around.store, SealedBranch::scratch_name(*around.store), name, options, true);
  };
  // What it was made from, for the originals …
  BFS_ASSIGN(auto originals, sealed_child());
  BFS_TRY(originals->show_head(source));
  BFS_ASSIGN(Key key, Key::load(rules.set.key, ""));
  Run run(around, std::move(originals), rules, std::move(key));
  BFS_TRY(run.open());
  BFS_TRY(run.plan());
  BFS_TRY(report_findings(run.findings(), [](const std::string&) {}));
  BFS_TRY(run.gather());
  BFS_TRY(run.branch().stop(pg::StopMode::immediate));
  // … and what it shows now.
  BFS_ASSIGN(auto present, sealed_child());
  around.progress.step("reading the branch");
  BFS_TRY(present->start(around.warn));
  BFS_TRY(run.compare(*present));
  RelationMap after;
  std::vector<Definition> definitions;
  std::vector<std::string> oids;
  BFS_ASSIGN(const std::string template0, read_relations(*present, after, definitions, oids));
  BFS_TRY(run.check_all_changed(after, false));
  BFS_TRY(present->stop(pg::StopMode::fast));
  BFS_TRY(present->unmount());
  around.progress.step("proving");
  run.witnesses().seal();
  BFS_ASSIGN(nlohmann::json certificate,
             prove({present->shared_store(), present->name(), source, run.before(), after, template0, run.witnesses(),
                    [&](std::uint64_t done, std::uint64_t total) { around.progress.update(done, total); }, std::move(definitions)}));
  certificate["proven"] = format_utc(around.store->env().now().tv_sec);
  BFS_TRY(present->destroy());
  BFS_TRY(run.branch().destroy());
  return certificate;
}

Result<std::string> suggest_rules(const Surroundings& around, const std::string& parent) {
  const Rules none;
  BFS_ASSIGN(const auto run, begin_look(around, parent, none));
  around.progress.step("looking at columns");
  std::vector<std::pair<std::string, nlohmann::json>> documents;
  for (const std::string& database : run->databases_with_tables()) {
    BFS_TRY(Interrupt::check());
    BFS_ASSIGN(pg::Session session, run->branch().connect(database));
    BFS_ASSIGN(const Schema schema, read_schema(session));
    BFS_ASSIGN(DetectedRules found, detect(schema, [&](const std::string& sql) { return session.query(sql); }));
    documents.emplace_back(database, std::move(found.document));
  }
  BFS_TRY(run->branch().destroy());
  if (documents.empty()) return make_error(Kind::refused, "it has no tables");
  nlohmann::json rules = std::move(documents.front().second);
  if (documents.size() > 1) {
    // Several databases in one file: each rule says whose it is.
    documents.front().second = rules;
    rules["masking_rules"] = nlohmann::json::array();
    for (auto& [database, document] : documents) {
      for (nlohmann::json& rule : document["masking_rules"]) {
        rule["database_name"] = database;
        rules["masking_rules"].push_back(std::move(rule));
      }
    }
  }
  return as_rule_file(rules);
}

}  // namespace branchfs::mask
