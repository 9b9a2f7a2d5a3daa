// Masking one database of a sealed branch: plan, witnesses, rewrite, keys back, facts afterwards.
//
// The calls come in the order of the class. Owner: the run (run.h). Threads: one, which starts workers of its own. Errors: refused
// (the plan), failed; none quotes data.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tools/mask/engine/relations.h"
#include "tools/mask/engine/sealed.h"
#include "tools/mask/plan/plan.h"
#include "tools/mask/proof/witness.h"

namespace branchfs::mask {

// What is known of one masked column, for the certificate. Counts only.
struct ColumnFacts {
  std::string column, mask;
  std::uint64_t nulls_before = 0, nulls_after = 0;
  std::size_t witness_column = SIZE_MAX;  // in the WitnessSet
  std::uint64_t witnesses = 0;            // sampled
  std::uint64_t regenerated = 0;          // of them occur as new values, by chance or by design
  std::vector<std::string> first_rows;    // digests of the first rows' values, "" for NULL and where no rule applies
  std::uint64_t compared = 0, unchanged = 0;  // of the first rows
};
struct TableFacts {
  std::string table;
  Way way = Way::keep;
  std::uint64_t rows_before = 0, rows_after = 0;
  std::vector<ColumnFacts> columns;
};

struct PreviewRow {
  std::string table;
  std::vector<std::string> columns, before, after;
};

class DatabaseMasking {
 public:
  struct Tools {
    SealedBranch* branch = nullptr;
    const Key* key = nullptr;
    std::string module;  // as the server sees it
    std::size_t threads = 2;
    std::function<void(const std::string& table)> starting;  // "app.public.users"
    std::function<void(std::uint64_t bytes)> finished;
  };
  DatabaseMasking(Tools tools, std::string database) : tools_(std::move(tools)), database_(std::move(database)) {}

  // The functions' schema, the catalogs, the plan; expressions are tried on some rows. Findings stay in plan().
  Status prepare(const RuleSet& rules);
  [[nodiscard]] const std::string& database() const { return database_; }
  [[nodiscard]] const Schema& schema() const { return schema_; }
  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] std::vector<const TablePlan*> work() const;  // the tables that change

  // Counts rows, samples originals into `witnesses` (memory only).
  Status gather(WitnessSet& witnesses);
  Status rewrite();
  // Foreign keys come back (which checks them), materialized views are filled anew, statistics taken.
  Status restore();
  // Counts again; originals that were generated anew by chance are dropped from `witnesses`. refused when a mask left its column as
  // it was. `untouched`: nobody has written since, so that rows and NULLs must be as many as before.
  Status compare(WitnessSet& witnesses, bool untouched);
  // What is compared is another branch's (a later look at a masked one).
  void look_at(SealedBranch& branch) { tools_.branch = &branch; }
  // The functions' schema goes.
  Status clear();

  [[nodiscard]] const std::vector<TableFacts>& facts() const { return facts_; }
  // Some rows of every masked table as they are and as they would be. For the operator's eyes.
  Result<std::vector<PreviewRow>> preview(std::size_t rows);
  // Tables whose files must not be shared with the parent: masked, rewritten and truncated ones with all that inherits from them, materialized views.
  [[nodiscard]] std::vector<std::uint32_t> must_change() const;

 private:
  Result<pg::Session> connect() const;
  Status try_expressions(pg::Session& session, const TablePlan& table);
  Status try_checks(pg::Session& session, const TablePlan& table);
  void refuse(const TablePlan& table, const std::string& what, const std::string& hint);
  Status rewrite_table(pg::Session& session, const TablePlan& table) const;
  Status silence_event_triggers(pg::Session& session);
  Status restore_event_triggers(pg::Session& session) const;
  Status count(pg::Session& session, std::size_t fact, bool before);
  Status find_regenerated(pg::Session& session, std::size_t fact, WitnessSet& witnesses, std::mutex& mutex);
  Status check_counts(std::size_t fact) const;
  [[nodiscard]] bool is_text_column(std::size_t fact, std::size_t column) const;
  Status check_changed(std::size_t fact) const;
  Status digest_first_rows(pg::Session& session, std::size_t fact, bool before);
  Status refuse_foreign_views(pg::Session& session);
  Status sample(pg::Session& session, const TablePlan& table, TableFacts& facts, WitnessSet& witnesses, std::mutex& mutex);

  Tools tools_;
  std::string database_;
  Schema schema_;
  Plan plan_;
  std::vector<std::pair<std::string, std::string>> event_triggers_;  // quoted name, how it was enabled
  std::vector<TableFacts> facts_;          // parallel to planned_
  std::vector<const TablePlan*> planned_;  // tables with masked columns, and truncated ones
};

}  // namespace branchfs::mask
