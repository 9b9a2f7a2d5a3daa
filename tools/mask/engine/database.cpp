#include "tools/mask/engine/database.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/interrupt.h"
#include "tools/mask/engine/stored_text.h"
#include "tools/mask/engine/steps.h"
#include "tools/mask/engine/workers.h"
#include "tools/mask/module/module.h"

namespace branchfs::mask {
namespace {

constexpr std::size_t kTrialRows = 500;
// A larger share of a column's sampled originals among its new values is no chance: the mask leaves them as they are.
constexpr double kUnchangedLimit = 0.01;
constexpr std::uint64_t kUnchangedByChance = 2;
constexpr std::size_t kComparedRows = 1000;
constexpr std::uint64_t kTellingRows = 3;

std::uint64_t number(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

bool rewrites(Way way) { return way == Way::alter || way == Way::update || way == Way::rewrite || way == Way::truncate; }

// Text of a PostgreSQL array literal.
std::string array_literal(const std::vector<std::string>& values) {
  std::string text = "{";
  for (const std::string& value : values) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

// What masks that leave the old rows where they are do: for tests of the proof (steps.h).
std::string in_place_sql(const TablePlan& table) {
  std::vector<std::string> values;
  for (const ColumnPlan& column : table.columns) values.push_back(fmt::format("{} = {}", quote_name(column.column), column.sql));
  return values.empty() ? "SELECT" : fmt::format("UPDATE {} SET {}", table.qualified, fmt::join(values, ", "));
}

}  // namespace

Result<pg::Session> DatabaseMasking::connect() const {
  BFS_ASSIGN(pg::Session session, tools_.branch->connect(database_));
  BFS_TRY(session.execute_with_bytes(fmt::format("SELECT {}.set_key($1)", kSchema), tools_.key->bytes()));
  return session;
}

Status DatabaseMasking::prepare(const RuleSet& rules) {
  BFS_ASSIGN(pg::Session plain, tools_.branch->connect(database_));
  BFS_TRY(silence_event_triggers(plain));
  BFS_ASSIGN(schema_, read_schema(plain));
  BFS_TRY(plain.execute(install_sql(tools_.module)));
  const Ask ask = [&](const std::string& sql) { return plain.query(sql); };
  BFS_ASSIGN(plan_, make_plan(rules, schema_, ask));
  BFS_TRY(refuse_foreign_views(plain));
  if (plan_.refused()) return {};
  for (const TablePlan& table : plan_.tables) {
    if (table.columns.empty() && table.way != Way::truncate) continue;
    planned_.push_back(&table);
    TableFacts facts{fmt::format("{}.{}", table.schema, table.table), table.way, 0, 0, {}};
    for (const ColumnPlan& column : table.columns) {
      ColumnFacts& own = facts.columns.emplace_back();
      own.column = column.column;
      own.mask = column.description;
    }
    facts_.push_back(std::move(facts));
  }
  BFS_ASSIGN(pg::Session session, connect());
  for (const TablePlan* table : planned_) {
    if (table->columns.empty()) continue;
    BFS_TRY(try_expressions(session, *table));
    if (!plan_.refused()) BFS_TRY(try_checks(session, *table));
  }
  return {};
}

void DatabaseMasking::refuse(const TablePlan& table, const std::string& what, const std::string& hint) {
  plan_.findings.push_back(
      {Finding::Level::error, fmt::format("{}.{}.{}", database_, table.schema, table.table), what, hint});
}

// Runs in a transaction that is rolled back: what is found here would otherwise stop a run half-way.
Status DatabaseMasking::try_expressions(pg::Session& session, const TablePlan& table) {
  BFS_TRY(session.execute("BEGIN"));
  auto tried = [&]() -> Status {
    for (const std::string& sql : table.before) BFS_TRY(session.execute(sql));
    return {};
  }();
  if (!tried) refuse(table, tried.error().what, "see the rules of this table");
  for (const ColumnPlan& column : table.columns) {
    if (!tried) break;
    BFS_TRY(session.execute("SAVEPOINT trial"));
    const std::string source = fmt::format("(SELECT * FROM {} LIMIT {}) AS t", table.qualified, kTrialRows);
    auto rows = session.query(fmt::format("SELECT count(*) FROM (SELECT {} AS v FROM {} OFFSET 0) AS x WHERE v IS NOT NULL",
                                          column.sql, source));
    if (!rows) {
      plan_.findings.push_back({Finding::Level::error,
                                fmt::format("{}.{}.{}.{}", database_, table.schema, table.table, column.column),
                                fmt::format("{}: {}", column.description, rows.error().what), "correct the expression"});
      BFS_TRY(session.execute("ROLLBACK TO SAVEPOINT trial"));
    }
  }
  return session.execute("ROLLBACK");
}

// Whether masked rows would satisfy the table's NOT NULL and CHECK constraints, on a sample.
Status DatabaseMasking::try_checks(pg::Session& session, const TablePlan& table) {
  const Table* known = schema_.table(table.oid);
  if (known == nullptr || known->kind == 'm') return {};
  BFS_ASSIGN(const auto checks,
             session.query(fmt::format("SELECT conname, pg_catalog.pg_get_expr(conbin, conrelid) FROM pg_catalog.pg_constraint "
                                       "WHERE conrelid = {} AND contype = 'c' AND convalidated",
                                       table.oid)));
  std::vector<std::string> targets;
  for (const Column& column : known->columns) {
    const auto planned = std::find_if(table.columns.begin(), table.columns.end(),
                                      [&](const ColumnPlan& p) { return p.column == column.name; });
    const std::string name = quote_name(column.name);
    targets.push_back(planned == table.columns.end() ? name : fmt::format("({}) AS {}", planned->sql, name));
  }
  const std::string masked = fmt::format("(SELECT {} FROM (SELECT * FROM {} LIMIT {}) AS t OFFSET 0) AS {}",
                                         fmt::join(targets, ", "), table.qualified, kTrialRows, quote_name(known->name));
  std::vector<std::string> conditions;
  std::vector<std::string> names;
  for (const auto& row : checks) {
    conditions.push_back(fmt::format("count(*) FILTER (WHERE NOT ({}))", row[1]));
    names.push_back("CHECK constraint " + row[0]);
  }
  for (const ColumnPlan& column : table.columns) {
    const Column* definition = known->find(column.column);
    if (definition == nullptr || !definition->not_null) continue;
    conditions.push_back(fmt::format("count(*) FILTER (WHERE {} IS NULL)", quote_name(column.column)));
    names.push_back("NOT NULL of column " + column.column);
  }
  if (conditions.empty()) return {};
  BFS_TRY(session.execute("BEGIN"));
  for (const std::string& sql : table.before) BFS_TRY(session.execute(sql));
  auto rows = session.query(fmt::format("SELECT {} FROM {}", fmt::join(conditions, ", "), masked));
  BFS_TRY(session.execute("ROLLBACK"));
  if (!rows) return std::move(rows).error().context(fmt::format("check constraints of {}.{}", table.schema, table.table));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (number((*rows)[0][i]) == 0) continue;
    refuse(table, fmt::format("masked rows violate {} ({} of a sample of {})", names[i], (*rows)[0][i], kTrialRows),
           "use a mask whose values it accepts");
  }
  return {};
}

// Filling such a view would fetch rows from where production gets them, newer than the branch, that nobody has masked.
Status DatabaseMasking::refuse_foreign_views(pg::Session& session) {
  BFS_ASSIGN(const auto rows, session.query(R"(
    WITH RECURSIVE reads AS (
      SELECT r.ev_class AS view, d.refobjid AS used FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
      WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid <> r.ev_class
      UNION ALL SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits),
    below AS (
      SELECT oid AS root, oid AS used FROM pg_catalog.pg_class WHERE relkind = 'm' AND relispopulated
      UNION SELECT b.root, r.used FROM below b JOIN reads r ON r.view = b.used)
    SELECT DISTINCT n.nspname || '.' || v.relname FROM below b JOIN pg_catalog.pg_class c ON c.oid = b.used AND c.relkind = 'f'
    JOIN pg_catalog.pg_class v ON v.oid = b.root JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace)"));
  for (const auto& row : rows) {
    plan_.findings.push_back({Finding::Level::error, fmt::format("{}.{}", database_, row[0]),
                              "this materialized view reads a foreign table: filling it would fetch originals from there",
                              "REFRESH MATERIALIZED VIEW … WITH NO DATA in production, or drop it"});
  }
  return {};
}

// In the order in which the table has them, which a rewrite keeps.
Status DatabaseMasking::digest_first_rows(pg::Session& session, std::size_t fact, bool before) {
  const TablePlan& table = *planned_[fact];
  if (table.columns.empty()) return {};
  std::string values;
  for (const ColumnPlan& column : table.columns) {
    const std::string digest = fmt::format("pg_catalog.md5(({})::text)", quote_name(column.column));
    std::string condition = column.applies;
    // Of a document only those that have what the first of its rules is about.
    if (condition.empty() && !column.whole) condition = column.witness.empty() ? "false" : fmt::format("({}) IS NOT NULL", column.witness);
    values += fmt::format("{}{}", values.empty() ? "" : ", ",
                          condition.empty() ? digest : fmt::format("CASE WHEN {} THEN {} END", condition, digest));
  }
  BFS_ASSIGN(const auto rows, session.query(fmt::format("SELECT {} FROM {} LIMIT {}", values, table.qualified, kComparedRows)));
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    ColumnFacts& column = facts_[fact].columns[c];
    if (before) {
      for (const auto& row : rows) column.first_rows.push_back(row[c]);
      continue;
    }
    for (std::size_t i = 0; i < std::min(rows.size(), column.first_rows.size()); ++i) {
      if (column.first_rows[i].empty()) continue;
      ++column.compared;
      if (column.first_rows[i] == rows[i][c]) ++column.unchanged;
    }
  }
  return {};
}

std::vector<const TablePlan*> DatabaseMasking::work() const {
  std::vector<const TablePlan*> tables;
  for (const TablePlan& table : plan_.tables) {
    if (rewrites(table.way)) tables.push_back(&table);
  }
  return tables;
}

Status DatabaseMasking::count(pg::Session& session, std::size_t fact, bool before) {
  const TablePlan& table = *planned_[fact];
  std::string columns = "count(*)";
  for (const ColumnPlan& column : table.columns) columns += fmt::format(", count(*) - count({})", quote_name(column.column));
  BFS_ASSIGN(const auto rows, session.query(fmt::format("SELECT {} FROM {}", columns, table.qualified)));
  TableFacts& facts = facts_[fact];
  (before ? facts.rows_before : facts.rows_after) = number(rows[0][0]);
  for (std::size_t i = 0; i < facts.columns.size(); ++i) {
    (before ? facts.columns[i].nulls_before : facts.columns[i].nulls_after) = number(rows[0][i + 1]);
  }
  return {};
}

Status DatabaseMasking::sample(pg::Session& session, const TablePlan& table, TableFacts& facts, WitnessSet& witnesses,
                               std::mutex& mutex) {
  std::string columns;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const ColumnPlan& column = table.columns[i];
    if (column.witness.empty()) continue;
    const std::string value = column.applies.empty()
                                  ? fmt::format("({})", column.witness)
                                  : fmt::format("CASE WHEN ({}) IS TRUE THEN ({}) END", column.applies, column.witness);
    columns += fmt::format("{}{}", columns.empty() ? "" : ", ", value);
    which.push_back(i);
  }
  if (which.empty()) return {};
  // Some more rows than witnesses are wanted, because of NULLs and duplicates.
  const double wanted = 2.0 * static_cast<double>(kWitnessesPerColumn);
  std::string from = table.qualified;
  if (static_cast<double>(facts.rows_before) > wanted * 1.5) {
    from += fmt::format(" TABLESAMPLE SYSTEM ({:.6f})", 100.0 * wanted / static_cast<double>(facts.rows_before));
  }
  const std::string sql = fmt::format("SELECT {} FROM {} LIMIT {}", columns, from, static_cast<std::uint64_t>(wanted));
  BFS_ASSIGN(const auto rows, query_as_stored(session, sql));
  const std::scoped_lock lock(mutex);
  for (std::size_t i = 0; i < which.size(); ++i) {
    ColumnFacts& column = facts.columns[which[i]];
    const Column* definition = schema_.table(table.oid)->find(column.column);
    column.witness_column = witnesses.add_column(fmt::format("{}.{}.{}", database_, facts.table, column.column),
                                                 definition == nullptr ? "text" : definition->base_type);
    for (const auto& row : rows) {
      if (column.witnesses >= kWitnessesPerColumn) break;
      if (!row[i].empty() && witnesses.add(column.witness_column, row[i])) ++column.witnesses;
    }
  }
  return {};
}

Status DatabaseMasking::gather(WitnessSet& witnesses) {
  std::mutex mutex;
  return run_jobs(
      planned_.size(), tools_.threads, [this] { return connect(); },
      [this] { ignore(tools_.branch->stop(pg::StopMode::immediate)); },
      [&](pg::Session& session, std::size_t i) -> Status {
        BFS_TRY(count(session, i, true));
        BFS_TRY(digest_first_rows(session, i, true));
        return sample(session, *planned_[i], facts_[i], witnesses, mutex);
      });
}

Status DatabaseMasking::rewrite_table(pg::Session& session, const TablePlan& table) const {
  if (!does_step("rewrite", table.schema + "." + table.table)) return session.execute(in_place_sql(table));
  if (table.way == Way::rewrite) {
    BFS_TRY(session.execute("VACUUM (FULL) " + table.qualified));
    for (const std::string& sql : table.after) BFS_TRY(session.execute(sql));
    return {};
  }
  BFS_TRY(session.execute("BEGIN"));
  for (const std::string& sql : table.before) BFS_TRY(session.execute(sql));
  BFS_TRY(session.execute(table.statement));
  for (const std::string& sql : table.after) BFS_TRY(session.execute(sql));
  return session.execute("COMMIT");
}

// Those that fire even for a replica's sessions; they may copy what they see, or refuse.
Status DatabaseMasking::silence_event_triggers(pg::Session& session) {
  BFS_ASSIGN(const auto rows, session.query("SELECT evtname, evtenabled FROM pg_catalog.pg_event_trigger WHERE evtenabled IN ('A', 'R')"));
  for (const auto& row : rows) {
    event_triggers_.emplace_back(quote_name(row[0]), row[1] == "A" ? "ENABLE ALWAYS" : "ENABLE REPLICA");
    BFS_TRY(session.execute(fmt::format("ALTER EVENT TRIGGER {} DISABLE", event_triggers_.back().first)));
  }
  return {};
}

Status DatabaseMasking::restore_event_triggers(pg::Session& session) const {
  for (const auto& [name, how] : event_triggers_) {
    BFS_TRY(session.execute(fmt::format("ALTER EVENT TRIGGER {} {}", name, how)));
  }
  return {};
}

Status DatabaseMasking::rewrite() {
  {
    BFS_ASSIGN(pg::Session session, connect());
    BFS_TRY(session.execute("BEGIN"));
    for (const ForeignKey& key : plan_.drop_foreign_keys) {
      const Table* from = schema_.table(key.from_table);
      if (from == nullptr) return make_error(Kind::failed, fmt::format("foreign key {} has no table", key.name));
      BFS_TRY(session.execute(fmt::format("ALTER TABLE {} DROP CONSTRAINT {}", from->qualified(), quote_name(key.name))));
    }
    BFS_TRY(session.execute("COMMIT"));
  }
  const std::vector<const TablePlan*> tables = work();
  return run_jobs(
      tables.size(), tools_.threads, [this] { return connect(); },
      [this] { ignore(tools_.branch->stop(pg::StopMode::immediate)); },
      [&](pg::Session& session, std::size_t i) -> Status {
        const std::string name = fmt::format("{}.{}.{}", database_, tables[i]->schema, tables[i]->table);
        tools_.starting(name);
        auto done = rewrite_table(session, *tables[i]);
        if (!done) return std::move(done).error().context("table " + name);
        tools_.finished(tables[i]->bytes);
        return {};
      });
}

Status DatabaseMasking::restore() {
  // One at a time: each takes a lock on two tables.
  auto added = run_jobs(
      plan_.drop_foreign_keys.size(), 1, [this] { return connect(); },
      [this] { ignore(tools_.branch->stop(pg::StopMode::immediate)); },
      [&](pg::Session& session, std::size_t i) -> Status {
        const ForeignKey& key = plan_.drop_foreign_keys[i];
        const Table* from = schema_.table(key.from_table);
        auto back = session.execute(fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {}", from->qualified(),
                                                quote_name(key.name), key.definition));
        if (back) return {};
        return std::move(back).error().context(fmt::format("foreign key {} of {}.{}", key.name, database_, from->plain()));
      });
  BFS_TRY(std::move(added));
  BFS_ASSIGN(pg::Session session, connect());
  for (const std::string& view : schema_.materialized_views) {
    BFS_TRY(Interrupt::check());
    if (does_step("refresh")) BFS_TRY(session.execute("REFRESH MATERIALIZED VIEW " + view));
  }
  return {};
}

Status DatabaseMasking::find_regenerated(pg::Session& session, std::size_t fact, WitnessSet& witnesses,
                                         std::mutex& mutex) {
  const TablePlan& table = *planned_[fact];
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    ColumnFacts& column = facts_[fact].columns[c];
    if (column.witness_column == SIZE_MAX || column.witnesses == 0) continue;
    std::vector<std::string> values;
    {
      const std::scoped_lock lock(mutex);
      values = witnesses.values(column.witness_column);
    }
    const std::string& applies = table.columns[c].applies;
    const std::string sql = fmt::format("SELECT ({0}), bool_or({2}) FROM {1} WHERE ({0}) = ANY ($1::text[]) GROUP BY 1",
                                        table.columns[c].witness, table.qualified,
                                        applies.empty() ? "true" : fmt::format("({}) IS TRUE", applies));
    BFS_ASSIGN(const auto rows, query_as_stored(session, sql, {array_literal(values)}));
    // Rows that a rule leaves alone may hold the same value; it proves nothing then, but is no fault of the mask.
    column.regenerated = static_cast<std::uint64_t>(std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row[1] == "t"; }));
    const std::scoped_lock lock(mutex);
    for (const auto& row : rows) witnesses.drop(column.witness_column, row[0]);
  }
  return {};
}

Status DatabaseMasking::check_counts(std::size_t fact) const {
  const TableFacts& facts = facts_[fact];
  const std::uint64_t expected = facts.way == Way::truncate ? 0 : facts.rows_before;
  if (facts.rows_after != expected) {
    return make_error(Kind::failed, fmt::format("{}.{} has {} rows after masking, not {}", database_, facts.table,
                                                facts.rows_after, expected));
  }
  for (std::size_t c = 0; c < facts.columns.size(); ++c) {
    const ColumnFacts& column = facts.columns[c];
    const bool kept = planned_[fact]->columns[c].nulls == "kept" && facts.way != Way::truncate;
    if (!kept || column.nulls_after == column.nulls_before) continue;
    return make_error(Kind::failed, fmt::format("{}.{}.{} has {} NULLs after masking, not {}", database_, facts.table,
                                                column.column, column.nulls_after, column.nulls_before));
  }
  return {};
}

bool DatabaseMasking::is_text_column(std::size_t fact, std::size_t column) const {
  const Column* definition = schema_.table(planned_[fact]->oid)->find(planned_[fact]->columns[column].column);
  return definition != nullptr && definition->category == 'S';
}

Status DatabaseMasking::check_changed(std::size_t fact) const {
  const TableFacts& facts = facts_[fact];
  for (std::size_t c = 0; c < facts.columns.size(); ++c) {
    const ColumnFacts& column = facts.columns[c];
    const Action action = planned_[fact]->columns[c].action;
    // By chance a few values of a small set stay the same; text does not.
    const bool telling = column.compared >= kTellingRows || is_text_column(fact, c);
    if (action != Action::shuffle && action != Action::value && telling && column.compared > 0 &&
        column.unchanged == column.compared) {
      return make_error(Kind::refused, fmt::format("{} leaves {}.{}.{} as it is in all of the {} rows looked at", column.mask,
                                                   database_, facts.table, column.column, column.compared),
                        "use a mask that changes the value, or keep it");
    }
    // A shuffled column has its own values, by design.
    if (planned_[fact]->columns[c].action == Action::shuffle || column.regenerated <= kUnchangedByChance) continue;
    if (static_cast<double>(column.regenerated) <= kUnchangedLimit * static_cast<double>(column.witnesses)) continue;
    return make_error(Kind::refused,
                      fmt::format("{} leaves {}.{}.{} as it is: {} of {} sampled originals are still its values",
                                  column.mask, database_, facts.table, column.column, column.regenerated, column.witnesses),
                      "use a mask that changes the value");
  }
  return {};
}

Status DatabaseMasking::compare(WitnessSet& witnesses, bool untouched) {
  std::mutex mutex;
  auto compared = run_jobs(
      planned_.size(), tools_.threads, [this] { return tools_.branch->connect(database_); },
      [this] { ignore(tools_.branch->stop(pg::StopMode::immediate)); },
      [&](pg::Session& session, std::size_t i) -> Status {
        BFS_TRY(count(session, i, false));
        if (untouched) BFS_TRY(digest_first_rows(session, i, false));
        return find_regenerated(session, i, witnesses, mutex);
      });
  BFS_TRY(std::move(compared));
  for (std::size_t i = 0; i < planned_.size(); ++i) {
    if (untouched) BFS_TRY(check_counts(i));
    BFS_TRY(check_changed(i));
  }
  return {};
}

Result<std::vector<PreviewRow>> DatabaseMasking::preview(std::size_t rows) {
  std::vector<PreviewRow> shown;
  BFS_ASSIGN(pg::Session session, connect());
  for (const TablePlan* table : planned_) {
    if (table->columns.empty()) continue;
    std::vector<std::string> columns;
    std::string targets;
    for (const ColumnPlan& column : table->columns) {
      columns.push_back(column.column);
      targets += fmt::format("{}({})::text, ({})::text", targets.empty() ? "" : ", ", quote_name(column.column), column.sql);
    }
    BFS_TRY(session.execute("BEGIN"));
    for (const std::string& sql : table->before) BFS_TRY(session.execute(sql));
    BFS_ASSIGN(const auto answer, session.query(fmt::format("SELECT {} FROM {} LIMIT {}", targets, table->qualified, rows)));
    BFS_TRY(session.execute("ROLLBACK"));
    for (const auto& row : answer) {
      PreviewRow preview{fmt::format("{}.{}.{}", database_, table->schema, table->table), columns, {}, {}};
      for (std::size_t i = 0; i + 1 < row.size(); i += 2) {
        preview.before.push_back(row[i]);
        preview.after.push_back(row[i + 1]);
      }
      shown.push_back(std::move(preview));
    }
  }
  return shown;
}

Status DatabaseMasking::clear() {
  BFS_ASSIGN(pg::Session session, tools_.branch->connect(database_));
  BFS_TRY(session.execute(fmt::format("DROP SCHEMA IF EXISTS {} CASCADE", kSchema)));
  return restore_event_triggers(session);
}

std::vector<std::uint32_t> DatabaseMasking::must_change() const {
  std::unordered_set<std::uint32_t> tables;
  for (const TablePlan* table : work()) tables.insert(table->oid);
  // What inherits from a table was rewritten with it.
  for (bool grown = true; grown;) {
    grown = false;
    for (const Table& table : schema_.tables) {
      if (table.parent != 0 && tables.contains(table.parent) && tables.insert(table.oid).second) grown = true;
    }
  }
  for (const Table& table : schema_.tables) {
    const auto& filled = schema_.materialized_views;
    if (table.kind == 'm' && std::find(filled.begin(), filled.end(), table.qualified()) != filled.end()) tables.insert(table.oid);
  }
  return {tables.begin(), tables.end()};
}

}  // namespace branchfs::mask
