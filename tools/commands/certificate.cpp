#include "tools/commands/certificate.h"

#include <fmt/format.h>

#include "tools/text.h"

namespace branchfs {
namespace {

const nlohmann::json& part(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

std::uint64_t count(const nlohmann::json& object, const char* name) {
  const nlohmann::json& value = part(object, name);
  return value.is_number() ? value.get<std::uint64_t>() : 0;
}

}  // namespace

std::string describe_certificate(const nlohmann::json& certificate) {
  const nlohmann::json& structure = part(certificate, "structure");
  const nlohmann::json& scan = part(certificate, "scan");
  std::string text;
  for (const nlohmann::json& database : part(certificate, "databases")) {
    for (const nlohmann::json& table : part(database, "tables")) {
      std::string columns;
      for (const nlohmann::json& column : part(table, "columns")) {
        columns += fmt::format("{}{}", columns.empty() ? "" : ", ", column.value("column", ""));
        // Short and common values cannot be told from chance: for them the proof is that their files are new.
        if (count(column, "witnesses") == 0) columns += " (not searchable)";
      }
      text += fmt::format("  {}.{}: {} rows{}{}\n", database.value("database", ""), table.value("table", ""),
                          count(table, "rows"), columns.empty() ? "" : ", masked: ", columns);
    }
  }
  text += fmt::format("  files that had to change: {}, blocks shared with the parent: {}\n", count(structure, "private_files"),
                      count(structure, "shared_blocks"));
  text += fmt::format("  originals searched: {} in {}, found: {}\n", count(scan, "witnesses"),
                      format_bytes(count(scan, "bytes")), count(scan, "found"));
  return text;
}

std::string describe_masking(const Manifest& manifest) {
  if (manifest.masking.empty()) return "";
  if (manifest.state != "ready") return "anonymized   not yet\n";
  const nlohmann::json& certificate = part(manifest.masking, "certificate");
  return fmt::format("anonymized   proven {}, rules {}, key {}\n{}", certificate.value("proven", ""),
                     manifest.masking.value("rules_hash", "").substr(0, 16), manifest.masking.value("key_id", ""),
                     describe_certificate(certificate));
}

nlohmann::json masking_json(const Manifest& manifest) {
  if (manifest.masking.empty() || manifest.state != "ready") return nullptr;
  return {{"rules_hash", manifest.masking.value("rules_hash", "")},
          {"key_id", manifest.masking.value("key_id", "")},
          {"ephemeral_key", manifest.masking.value("key", "") == "ephemeral"},
          {"inherited", manifest.masking.value("root", "") != manifest.id.hex()},
          {"certificate", part(manifest.masking, "certificate")}};
}

}  // namespace branchfs
