#include "layers/store/manifest.h"

#include <charconv>

#include <fmt/format.h>

#include "layers/base/checksum.h"

namespace branchfs {
namespace {

constexpr std::string_view kMagic = "branchfs-manifest 1 ";
constexpr std::size_t kMaxStack = 100'000;
constexpr int kMaxDepth = 64;  // copying and writing JSON take stack for each level

std::string digest(std::string_view body) {
  return fmt::format("{:016x}", checksum(std::as_bytes(std::span(body.data(), body.size()))));
}

Error bad(std::string_view why) { return make_error(Kind::damaged, fmt::format("the manifest {}", why)); }

// Not an object: malformed, or nested too deep.
nlohmann::json parse(std::string_view body) {
  bool too_deep = false;
  const auto keep = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  auto parsed = nlohmann::json::parse(body, keep, false);
  return too_deep ? nlohmann::json() : parsed;
}

Result<ObjectId> id_field(const nlohmann::json& j, const char* key, bool required) {
  std::string text = j.value(key, std::string());
  if (text.empty() && !required) return ObjectId{};
  return ObjectId::parse(text);
}

}  // namespace

std::string Manifest::encode() const {
  nlohmann::json j;
  j["id"] = id.hex();
  if (!name.empty()) j["name"] = name;
  if (!renamed_from.empty()) j["renamed_from"] = renamed_from;
  if (parent.valid()) j["parent"] = parent.hex();
  j["parent_name"] = parent_name;
  auto& list = j["stack"] = nlohmann::json::array();
  for (const ObjectId& element : stack) list.push_back(element.hex());
  if (delta.valid()) j["delta"] = delta.hex();
  j["next_ino"] = next_ino.v;
  j["created"] = created;
  j["expires"] = expires;
  j["protected"] = is_protected;
  j["state"] = state;
  j["origin"] = origin;
  j["postgres"] = postgres;
  j["masking"] = masking;
  std::string body = j.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return fmt::format("{}{} {}\n{}", kMagic, digest(body), body.size(), body);
}

Result<Manifest> Manifest::decode(std::string_view bytes) {
  auto line_end = bytes.find('\n');
  if (!bytes.starts_with(kMagic) || line_end == std::string_view::npos) return bad("has no valid first line");
  std::string_view body = bytes.substr(line_end + 1);
  if (bytes.substr(0, line_end) != fmt::format("{}{} {}", kMagic, digest(body), body.size())) {
    return bad("does not match its checksum");
  }
  // Parsing with exceptions off, reading fields with them on: a wrong type is damage like any other.
  nlohmann::json j = parse(body);
  if (!j.is_object()) return bad("is not a JSON object");
  try {
    Manifest m;
    BFS_ASSIGN(m.id, id_field(j, "id", true));
    BFS_ASSIGN(m.parent, id_field(j, "parent", false));
    BFS_ASSIGN(m.delta, id_field(j, "delta", false));
    const auto& stack = j.at("stack");
    if (!stack.is_array() || stack.size() > kMaxStack) return bad("has no valid stack");
    for (const auto& element : stack) {
      BFS_ASSIGN(ObjectId element_id, ObjectId::parse(element.get<std::string>()));
      m.stack.push_back(element_id);
    }
    m.name = j.value("name", std::string());
    m.renamed_from = j.value("renamed_from", std::string());
    m.parent_name = j.value("parent_name", std::string());
    m.next_ino.v = j.at("next_ino").get<std::uint64_t>();
    m.created = j.at("created").get<std::int64_t>();
    m.expires = j.at("expires").get<std::int64_t>();
    m.is_protected = j.at("protected").get<bool>();
    m.state = j.at("state").get<std::string>();
    m.origin = j.at("origin").get<std::string>();
    m.postgres = j.value("postgres", nlohmann::json::object());
    m.masking = j.value("masking", nlohmann::json::object());
    return m;
  } catch (const nlohmann::json::exception& e) {
    return bad(e.what());
  }
}

}  // namespace branchfs
