#include "tools/mask/engine/proving.h"

#include <algorithm>
#include <array>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "layers/store/branches.h"
#include "tools/interrupt.h"
#include "tools/mask/engine/steps.h"

namespace branchfs::mask {
namespace {

constexpr std::size_t kNamedHits = 5;

// Files outside of relations that hold no row data and need not have changed: transaction status bits, version
// numbers, the control file, file maps.
bool is_plain_state(const std::string& path) {
  static constexpr std::array kPrefixes = {"pg_xact/",      "pg_multixact/", "pg_subtrans/",
                                           "pg_commit_ts/", "pg_logical/replorigin_checkpoint"};
  for (const char* prefix : kPrefixes) {
    if (path.starts_with(prefix)) return true;
  }
  const std::string name = path.substr(path.rfind('/') + 1);
  return name == "PG_VERSION" || name == "pg_filenode.map" || path == "global/pg_control" || path == "branchfs.crt" ||
         path == "branchfs.key" || path == "branchfs.conf" || path == "pg_ident.conf";
}

// template0: nobody could ever connect to it.
bool in_template0(const std::string& path, const std::string& oid) {
  return !oid.empty() && path.starts_with("base/" + oid + "/");
}

struct Structure {
  std::uint64_t files = 0, private_files = 0, kept_files = 0, shared_blocks = 0;
  std::vector<std::string> violations;
};

Structure judge(const ProofInput& input, const std::vector<FileFacts>& files) {
  Structure result;
  for (const FileFacts& file : files) {
    ++result.files;
    const Relation* now = relation_of(input.after, file.path);
    const Relation* then = relation_of(input.before, file.path);
    // The same relation in the same file as before: nothing of it was to be masked (checked by unchanged()).
    const bool kept = now != nullptr && then != nullptr && now->oid == then->oid;
    if (kept || is_plain_state(file.path) || in_template0(file.path, input.template0)) {
      ++result.kept_files;
      continue;
    }
    ++result.private_files;
    result.shared_blocks += file.shared_blocks;
    if (file.shared_blocks > 0) {
      result.violations.push_back(now != nullptr ? fmt::format("{} ({})", file.path, now->name) : file.path);
    }
  }
  return result;
}

std::string describe(const ScanHit& hit, const RelationMap& relations) {
  const Relation* relation = relation_of(relations, hit.path);
  std::string place = hit.path;
  if (relation != nullptr) place = fmt::format("{} ({})", hit.path, relation->name);
  return fmt::format("{}, {} at byte {}: an original of {} ({})", place, to_string(hit.place), hit.offset, hit.column,
                     to_string(hit.encoding));
}

Status no_hits(const ScanResult& scan, const RelationMap& relations) {
  if (scan.hits.empty()) return {};
  // The files say more than a thousand offsets, or every column that has the same value.
  std::set<std::string> seen;
  std::vector<std::string> named;
  for (const ScanHit& hit : scan.hits) {
    if (!seen.insert(relation_path(hit.path).value_or(hit.path)).second) continue;
    if (named.size() < kNamedHits) named.push_back(describe(hit, relations));
  }
  if (seen.size() > named.size()) named.push_back(fmt::format("{} more files", seen.size() - named.size()));
  return make_error(Kind::refused, fmt::format("the proof found originals: {}", fmt::join(named, "; ")),
                    "mask or truncate what holds these copies too");
}

}  // namespace

Result<nlohmann::json> prove(const ProofInput& input) {
  BFS_ASSIGN(const Manifest manifest, input.store->read_manifest(input.branch));
  if (!ends_with(manifest.stack, input.source)) {
    return make_error(Kind::refused, "what it was made from is not below it any more", "mask it anew from its parent");
  }
  BFS_ASSIGN(const std::vector<FileFacts> files, list_sharing(input.store, input.branch, input.source));
  const Structure structure = judge(input, files);
  if (!structure.violations.empty() && does_step("structure")) {
    return make_error(Kind::refused,
                      fmt::format("{} files still share blocks with the parent: {}", structure.violations.size(),
                                  fmt::join(structure.violations.begin(),
                                            structure.violations.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                               structure.violations.size(), kNamedHits)),
                                            ", ")),
                      "this is a defect of branchfs: please report it");
  }
  std::uint64_t total = 0;
  for (const FileFacts& file : files) total += file.size;
  ScanOptions options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  options.is_relation = [&](const std::string& path) { return relation_of(input.after, path) != nullptr; };
  options.is_toast = [&](const std::string& path) {
    const Relation* relation = relation_of(input.after, path);
    const bool chunked = relation != nullptr && (relation->toast || relation->name == "pg_catalog.pg_largeobject");
    return chunked && path.find('_', path.rfind('/')) == std::string::npos;
  };
  options.cancelled = Interrupt::requested;
  options.progress = [&](std::uint64_t bytes) { input.progress(bytes, total); };
  BFS_ASSIGN(const ScanResult scan, scan_branch(input.store, input.branch, input.witnesses, options));
  BFS_TRY(Interrupt::check());
  BFS_TRY(no_hits(scan, input.after));
  BFS_TRY(no_originals_in(input.definitions, input.witnesses));
  return nlohmann::json{
      {"structure",
       {{"files", structure.files},
        {"private_files", structure.private_files},
        {"kept_files", structure.kept_files},
        {"shared_blocks", structure.shared_blocks}}},
      {"scan",
       {{"files", scan.files},
        {"bytes", scan.bytes},
        {"compressed_values", scan.compressed_values},
        {"definitions", input.definitions.size()},
        {"seconds", scan.seconds},
        {"witnesses", input.witnesses.count()},
        {"found", scan.hits.size()}}}};
}

nlohmann::json to_json(const std::string& database, const std::vector<TableFacts>& facts) {
  nlohmann::json tables = nlohmann::json::array();
  for (const TableFacts& table : facts) {
    nlohmann::json columns = nlohmann::json::array();
    for (const ColumnFacts& column : table.columns) {
      columns.push_back({{"column", column.column},
                         {"mask", column.mask},
                         {"nulls", column.nulls_after},
                         {"witnesses", column.witnesses},
                         {"regenerated", column.regenerated},
                         {"compared", column.compared},
                         {"unchanged", column.unchanged}});
    }
    tables.push_back({{"table", table.table}, {"rows", table.rows_after}, {"columns", std::move(columns)}});
  }
  return {{"database", database}, {"tables", std::move(tables)}};
}

}  // namespace branchfs::mask
