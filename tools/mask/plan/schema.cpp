#include "tools/mask/plan/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <unordered_map>

#include "tools/mask/module/module.h"

namespace branchfs::mask {
namespace {

using Row = pg::Session::Row;

std::uint32_t oid_of(const std::string& text) {
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
}
int int_of(const std::string& text) { return std::atoi(text.c_str()); }
std::uint64_t count_of(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }
char char_of(const std::string& text, char otherwise) { return text.empty() ? otherwise : text[0]; }
bool is_true(const std::string& text) { return text == "t"; }

// Every query sees the same tables: those that can hold rows of somebody, outside the server's own schemas.
std::string user_tables() {
  return fmt::format(
      "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.relkind IN ('r','p','m','f') AND c.relpersistence <> 't' "
      "AND n.nspname NOT IN ('pg_catalog','information_schema','pg_toast',{}) AND n.nspname !~ "
      "'^pg_(toast_)?temp_'",
      quote_literal(kSchema));
}

class Reader {
 public:
  explicit Reader(pg::Session& session) : session_(session) {}

  Result<Schema> run() {
    BFS_TRY(facts());
    BFS_TRY(tables());
    BFS_TRY(columns());
    BFS_TRY(inheritance());
    BFS_TRY(indexes());
    BFS_TRY(index_operators());
    BFS_TRY(lost_settings());
    BFS_TRY(replica_triggers());
    BFS_TRY(foreign_keys());
    BFS_TRY(blocked_columns());
    BFS_TRY(blocked_tables());
    BFS_TRY(materialized_views());
    return std::move(schema_);
  }

 private:
  Result<std::vector<Row>> ask(const char* what, const std::string& sql) {
    auto rows = session_.query(sql);
    if (!rows)
      return std::move(rows).error().context(
          fmt::format("read the {} of {}", what, session_.target().database));
    return rows;
  }
  Table* table(const std::string& oid) {
    const auto found = places_.find(oid_of(oid));
    return found == places_.end() ? nullptr : &schema_.tables[found->second];
  }
  static Column* column(Table& table, const std::string& number) {
    const int wanted = int_of(number);
    const auto found = std::lower_bound(table.columns.begin(), table.columns.end(), wanted,
                                        [](const Column& c, int n) { return c.number < n; });
    return found == table.columns.end() || found->number != wanted ? nullptr : &*found;
  }

  Status facts() {
    BFS_ASSIGN(const auto rows,
               ask("facts",
                   "SELECT current_database(), current_setting('server_version_num')::int / 10000, "
                   "pg_encoding_to_char(encoding), (SELECT count(*) FROM pg_largeobject_metadata), "
                   "(SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) "
                   "FROM pg_database WHERE datname = current_database()"));
    schema_.database = rows[0][0];
    schema_.major = int_of(rows[0][1]);
    schema_.encoding = rows[0][2];
    schema_.large_objects = count_of(rows[0][3]);
    schema_.prepared_transactions = count_of(rows[0][4]);
    BFS_ASSIGN(const auto types, ask("types",
                                     "SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON "
                                     "n.oid = t.typnamespace WHERE t.typtype IN ('e','d')"));
    for (const Row& row : types) schema_.enums_and_domains.emplace(row[0], row[1]);
    return {};
  }

  Status tables() {
    BFS_ASSIGN(const auto rows,
               ask("tables",
                   "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.relpersistence = 'u', "
                   "c.reltuples, "
                   "CASE WHEN c.relkind IN ('r','m') THEN pg_total_relation_size(c.oid) ELSE 0 END, "
                   "c.reloftype <> 0, "
                   "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND "
                   "a.attisdropped) "
                   "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (" +
                       user_tables() + ") ORDER BY c.oid"));
    for (const Row& row : rows) {
      Table made;
      made.oid = oid_of(row[0]);
      made.schema = row[1];
      made.name = row[2];
      made.kind = char_of(row[3], 'r');
      made.is_partition = is_true(row[4]);
      made.unlogged = is_true(row[5]);
      made.rows = std::max(0.0, std::strtod(row[6].c_str(), nullptr));
      made.bytes = count_of(row[7]);
      if (is_true(row[8])) made.blocked_by = "it is a typed table (OF)";
      made.has_dropped = is_true(row[9]);
      places_.emplace(made.oid, schema_.tables.size());
      schema_.tables.push_back(std::move(made));
    }
    return {};
  }

  Status columns() {
    BFS_ASSIGN(
        const auto rows,
        ask("columns",
            "WITH RECURSIVE base(oid, type, modifier) AS ("
            "SELECT oid, oid, -1 FROM pg_type WHERE typtype <> 'd' UNION ALL "
            "SELECT t.oid, b.type, CASE WHEN t.typtypmod <> -1 THEN t.typtypmod ELSE b.modifier END "
            "FROM pg_type t JOIN base b ON t.typbasetype = b.oid WHERE t.typtype = 'd') "
            "SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), "
            "format_type(a.atttypid, -1), "
            "bt.typname, bt.typcategory, "
            "CASE WHEN bt.typname IN ('varchar','bpchar') THEN greatest(0, CASE WHEN a.atttypmod <> -1 THEN "
            "a.atttypmod ELSE "
            "b.modifier END - 4) ELSE 0 END, "
            "CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(cn.nspname) || '.' || "
            "quote_ident(co.collname) END, "
            "a.attnotnull OR t.typnotnull, t.typtype = 'd', a.attgenerated, a.attidentity, a.attstorage, "
            "t.typstorage, "
            "a.attcompression, coalesce(a.attstattarget, -1), a.atthasmissing, a.attinhcount > 0, l.label, "
            "a.attnum = ANY (p.partattrs) "
            "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN base b ON b.oid = a.atttypid "
            "JOIN pg_type bt ON bt.oid = b.type LEFT JOIN pg_collation co ON co.oid = a.attcollation "
            "LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace "
            "LEFT JOIN pg_seclabel l ON l.classoid = 'pg_class'::regclass AND l.objoid = a.attrelid AND "
            "l.objsubid = a.attnum "
            "AND l.provider = 'anon' LEFT JOIN pg_partitioned_table p ON p.partrelid = a.attrelid "
            "WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (" +
                user_tables() + ") ORDER BY a.attrelid, a.attnum"));
    for (const Row& row : rows) {
      if (Table* owner = table(row[0])) owner->columns.push_back(column_of(row));
    }
    return {};
  }
  static Column column_of(const Row& row) {
    Column made;
    made.number = int_of(row[1]);
    made.name = row[2];
    made.type = row[3];
    made.bare_type = row[4];
    made.base_type = row[5];
    made.category = char_of(row[6], 'U');
    made.longest = int_of(row[7]);
    made.collation = row[8];
    made.not_null = is_true(row[9]);
    made.is_domain = is_true(row[10]);
    made.generated = row[11];
    made.identity = row[12];
    made.storage = char_of(row[13], 'x');
    made.type_storage = char_of(row[14], 'x');
    made.compression = row[15];
    made.statistics = int_of(row[16]);
    made.has_missing = is_true(row[17]);
    made.inherited = is_true(row[18]);
    made.label = row[19];
    made.partition_key = is_true(row[20]);
    return made;
  }

  Status inheritance() {
    BFS_ASSIGN(const auto rows,
               ask("inheritance", "SELECT inhrelid, inhparent FROM pg_inherits ORDER BY inhrelid, inhseqno"));
    for (const Row& row : rows) {
      Table* child = table(row[0]);
      const Table* parent = table(row[1]);
      if (child == nullptr || parent == nullptr) continue;
      if (child->parent == 0) {
        child->parent = parent->oid;
        continue;
      }
      // Postgres wants the column altered in every parent at once, which no statement can.
      for (Column& column : child->columns) {
        const Table* first = schema_.table(child->parent);
        const bool both = parent->find(column.name) != nullptr && first->find(column.name) != nullptr;
        if (both && column.inherited) column.blocked_by = "it is inherited from several tables";
      }
    }
    return {};
  }

  Status indexes() {
    const std::string nulls = schema_.major >= 15 ? "NOT i.indnullsnotdistinct" : "true";
    BFS_ASSIGN(
        const auto rows,
        ask("indexes",
            "SELECT i.indrelid, i.indexrelid, c.relname, i.indisunique, i.indisprimary, i.indisreplident, "
            "i.indisexclusion, i.indpred IS NOT NULL, " +
                nulls +
                ", a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
                "CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) "
                "LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum <> "
                "0 "
                "WHERE (i.indisunique OR i.indisexclusion) AND k.place <= i.indnkeyatts AND i.indrelid IN (" +
                user_tables() + ") ORDER BY i.indrelid, i.indexrelid, k.place"));
    std::string last;
    for (const Row& row : rows) {
      Table* owner = table(row[0]);
      if (owner == nullptr) continue;
      if (row[1] != last) {
        last = row[1];
        Index made;
        made.name = row[2];
        made.unique = is_true(row[3]);
        made.primary = is_true(row[4]);
        made.replica_identity = is_true(row[5]);
        made.exclusion = is_true(row[6]);
        made.partial = is_true(row[7]);
        made.nulls_distinct = is_true(row[8]);
        index_places_[oid_of(row[1])] = {owner->oid, owner->indexes.size()};
        owner->indexes.push_back(std::move(made));
      }
      owner->indexes.back().columns.push_back(row[9]);
    }
    return expression_columns();
  }
  Index* index(const std::string& oid) {
    const auto found = index_places_.find(oid_of(oid));
    if (found == index_places_.end()) return nullptr;
    return &schema_.tables[places_.at(found->second.first)].indexes[found->second.second];
  }
  Status expression_columns() {
    BFS_ASSIGN(
        const auto rows,
        ask("index expressions",
            "SELECT i.indexrelid, a.attname FROM pg_index i JOIN pg_depend d ON d.classid = "
            "'pg_class'::regclass "
            "AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid "
            "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid "
            "WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND (i.indisunique OR "
            "i.indisexclusion)"));
    for (const Row& row : rows) {
      Index* owner = index(row[0]);
      if (owner == nullptr) continue;
      const bool key =
          std::find(owner->columns.begin(), owner->columns.end(), row[1]) != owner->columns.end();
      if (!key) owner->expression_columns.insert(row[1]);
    }
    return {};
  }
  Status index_operators() {
    BFS_ASSIGN(const auto rows,
               ask("exclusion constraints",
                   "SELECT c.conindid, o.oprname FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conexclop) "
                   "WITH ORDINALITY k(operator, place) JOIN pg_operator o ON o.oid = k.operator "
                   "WHERE c.contype = 'x' ORDER BY c.conindid, k.place"));
    for (const Row& row : rows) {
      if (Index* owner = index(row[0])) owner->operators.push_back(row[1]);
    }
    return {};
  }

  // Statistics targets of index columns and of extended statistics: ALTER … TYPE makes those objects anew
  // without them.
  Status lost_settings() {
    BFS_ASSIGN(
        const auto columns,
        ask("index statistics targets",
            "SELECT i.indrelid, format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', n.nspname, "
            "c.relname, "
            "a.attnum, a.attstattarget) FROM pg_attribute a JOIN pg_index i ON i.indexrelid = a.attrelid "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE coalesce(a.attstattarget, -1) >= 0 ORDER BY a.attrelid, a.attnum"));
    BFS_ASSIGN(const auto objects,
               ask("extended statistics",
                   "SELECT s.stxrelid, format('ALTER STATISTICS %I.%I SET STATISTICS %s', n.nspname, "
                   "s.stxname, s.stxstattarget) FROM pg_statistic_ext s JOIN pg_namespace n ON "
                   "n.oid = s.stxnamespace WHERE coalesce(s.stxstattarget, -1) >= 0 ORDER BY s.oid"));
    for (const auto* rows : {&columns, &objects}) {
      for (const Row& row : *rows) {
        if (Table* owner = table(row[0])) owner->restore.push_back(row[1]);
      }
    }
    return {};
  }

  Status replica_triggers() {
    BFS_ASSIGN(const auto rows,
               ask("triggers",
                   "SELECT tgrelid, 'TRIGGER ' || quote_ident(tgname), tgenabled FROM pg_trigger "
                   "WHERE NOT tgisinternal AND tgenabled IN ('A','R') UNION ALL "
                   "SELECT ev_class, 'RULE ' || quote_ident(rulename), ev_enabled FROM pg_rewrite "
                   "WHERE rulename <> '_RETURN' AND ev_enabled IN ('A','R') ORDER BY 1, 2"));
    for (const Row& row : rows) {
      Table* owner = table(row[0]);
      if (owner == nullptr) continue;
      const std::string begin = "ALTER TABLE ONLY " + owner->qualified();
      owner->silence.push_back(fmt::format("{} DISABLE {}", begin, row[1]));
      owner->unsilence.push_back(
          fmt::format("{} ENABLE {} {}", begin, row[2] == "A" ? "ALWAYS" : "REPLICA", row[1]));
    }
    return {};
  }

  Status foreign_keys() {
    BFS_ASSIGN(
        const auto rows,
        ask("foreign keys",
            "SELECT c.oid, c.conname, pg_get_constraintdef(c.oid), c.conrelid, c.confrelid, "
            "c.convalidated, c.conparentid <> 0, obj_description(c.oid, 'pg_constraint'), f.attname, "
            "t.attname FROM pg_constraint c "
            "CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY k(from_number, to_number, place) "
            "JOIN pg_attribute f ON f.attrelid = c.conrelid AND f.attnum = k.from_number "
            "JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = k.to_number "
            "WHERE c.contype = 'f' ORDER BY c.oid, k.place"));
    for (const Row& row : rows) {
      const std::uint32_t oid = oid_of(row[0]);
      if (schema_.foreign_keys.empty() || schema_.foreign_keys.back().oid != oid) {
        ForeignKey made;
        made.oid = oid;
        made.name = row[1];
        made.definition = row[2];
        made.from_table = oid_of(row[3]);
        made.to_table = oid_of(row[4]);
        made.validated = is_true(row[5]);
        made.inherited = is_true(row[6]);
        made.comment = row[7];
        schema_.foreign_keys.push_back(std::move(made));
      }
      schema_.foreign_keys.back().from_columns.push_back(row[8]);
      schema_.foreign_keys.back().to_columns.push_back(row[9]);
    }
    return {};
  }

  // What ATExecAlterColumnType refuses: views and rules, policies, triggers, publications, SQL-body
  // functions, generated columns. A partition key's expression is a dependency of the table upon itself.
  Status blocked_columns() {
    BFS_ASSIGN(
        const auto rows,
        ask("dependencies",
            "SELECT d.refobjid, d.refobjsubid, d.classid = 'pg_class'::regclass, "
            "CASE WHEN d.classid = 'pg_class'::regclass THEN 'it is part of the partition key' "
            "WHEN d.classid = 'pg_attrdef'::regclass THEN 'generated column ' || quote_ident(g.attname) || ' "
            "uses it' "
            "ELSE pg_describe_object(d.classid, d.objid, d.objsubid) || ' uses it' END "
            "FROM pg_depend d LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = "
            "d.objid "
            "LEFT JOIN pg_attribute g ON g.attrelid = e.adrelid AND g.attnum = e.adnum "
            "LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid "
            "WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.refobjid IN (" +
                user_tables() +
                ") AND (d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass, "
                "'pg_publication_rel'::regclass) OR (d.classid = 'pg_trigger'::regclass AND NOT "
                "t.tgisinternal) "
                "OR (d.classid = 'pg_attrdef'::regclass AND g.attgenerated <> '' AND (e.adrelid <> "
                "d.refobjid OR e.adnum <> d.refobjsubid)) "
                "OR (d.classid = 'pg_class'::regclass AND d.objid = d.refobjid AND d.objsubid = 0)) ORDER BY "
                "1, 2, 4"));
    for (const Row& row : rows) {
      Table* owner = table(row[0]);
      Column* used = owner == nullptr ? nullptr : column(*owner, row[1]);
      if (used == nullptr) continue;
      if (is_true(row[2])) {
        used->partition_key = true;
      } else if (used->blocked_by.empty()) {
        used->blocked_by = row[3];
      }
    }
    return {};
  }

  Status blocked_tables() {
    BFS_ASSIGN(
        const auto rows,
        ask("uses of row types",
            "SELECT t.typrelid, pg_describe_object(d.classid, d.objid, d.objsubid) || ' has its row type' "
            "FROM pg_type t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, "
            "t.typarray) "
            "JOIN pg_class c ON c.oid = d.objid WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 "
            "AND c.relkind IN ('r','p','m') AND t.typrelid IN (" +
                user_tables() + ") ORDER BY 1, 2"));
    for (const Row& row : rows) {
      Table* owner = table(row[0]);
      if (owner != nullptr && owner->blocked_by.empty()) owner->blocked_by = row[1];
    }
    return {};
  }

  // Depth first over what the views read, so that each comes after those it reads.
  Status materialized_views() {
    BFS_ASSIGN(const auto views,
               ask("materialized views",
                   "SELECT oid FROM pg_class WHERE relkind = 'm' AND relispopulated ORDER BY oid"));
    if (views.empty()) return {};
    BFS_ASSIGN(
        const auto uses,
        ask("uses of views",
            "SELECT DISTINCT r.ev_class, d.refobjid FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
            "JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v','m') "
            "WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass "
            "AND d.refobjid <> r.ev_class"));
    std::map<std::uint32_t, std::vector<std::uint32_t>> reads;
    for (const Row& row : uses) reads[oid_of(row[0])].push_back(oid_of(row[1]));
    std::set<std::uint32_t> wanted;
    for (const Row& row : views) wanted.insert(oid_of(row[0]));
    std::set<std::uint32_t> seen;
    for (const Row& row : views) {
      // An explicit stack: chains of views may be long. Second visit: everything it reads is done.
      std::vector<std::pair<std::uint32_t, bool>> stack{{oid_of(row[0]), false}};
      while (!stack.empty()) {
        const auto [oid, done] = stack.back();
        stack.pop_back();
        if (done) {
          const Table* view = schema_.table(oid);
          if (wanted.contains(oid) && view != nullptr)
            schema_.materialized_views.push_back(view->qualified());
        } else if (seen.insert(oid).second) {
          stack.emplace_back(oid, true);
          for (std::uint32_t next : reads[oid]) stack.emplace_back(next, false);
        }
      }
    }
    return {};
  }

  pg::Session& session_;
  Schema schema_;
  std::unordered_map<std::uint32_t, std::size_t> places_;
  std::unordered_map<std::uint32_t, std::pair<std::uint32_t, std::size_t>> index_places_;
};

}  // namespace

std::string Table::qualified() const { return quote_name(schema) + "." + quote_name(name); }
std::string Table::plain() const { return schema + "." + name; }
const Column* Table::find(const std::string& wanted) const {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == wanted; });
  return found == columns.end() ? nullptr : &*found;
}

const Table* Schema::table(std::uint32_t oid) const {
  const auto found = std::lower_bound(tables.begin(), tables.end(), oid,
                                      [](const Table& t, std::uint32_t o) { return t.oid < o; });
  return found == tables.end() || found->oid != oid ? nullptr : &*found;
}
const Table* Schema::table(const std::string& schema, const std::string& name) const {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const Table& t) { return t.schema == schema && t.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

Result<Schema> read_schema(pg::Session& session) { return Reader(session).run(); }

std::vector<Label> labels_of(const Schema& schema) {
  std::vector<Label> labels;
  for (const Table& table : schema.tables) {
    for (const Column& column : table.columns) {
      if (!column.label.empty())
        labels.push_back({schema.database, table.schema, table.name, column.name, column.label});
    }
  }
  return labels;
}

nlohmann::json accepted_columns(const Schema& schema) {
  nlohmann::json tables = nlohmann::json::object();
  for (const Table& table : schema.tables) {
    if (table.kind != 'r' && table.kind != 'p') continue;
    if (table.is_partition) continue;
    nlohmann::json names = nlohmann::json::array();
    for (const Column& column : table.columns) names.push_back(column.name);
    tables[table.plain()] = std::move(names);
  }
  return {{schema.database, tables}};
}

}  // namespace branchfs::mask
