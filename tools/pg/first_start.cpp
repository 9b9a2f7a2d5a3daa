#include "tools/pg/first_start.h"

#include <algorithm>

#include "tools/pg/catalog.h"
#include "tools/pg/credentials.h"

namespace branchfs::pg {
namespace {

template <class T>
void take(const nlohmann::json& json, const char* name, T& value) {
  const auto found = json.find(name);
  if (found == json.end()) return;
  if constexpr (std::is_same_v<T, bool>) {
    if (found->is_boolean()) value = found->get<T>();
  } else if constexpr (std::is_integral_v<T>) {
    if (found->is_number_integer()) value = found->get<T>();
  } else {
    if (found->is_string()) value = found->get<T>();
  }
}

Status prepare(const FirstStart& request, FirstStartResult& result) {
  BFS_ASSIGN(Session session, start_and_connect(request.server, result.facts));
  result.facts.role = request.role.empty() ? session.target().role : request.role;
  // Before anything else, lest a user enables workers first.
  BFS_ASSIGN(const auto quieted, quiet_subscriptions(session));
  result.facts.add_neutralized(quieted);
  BFS_ASSIGN(const auto reset, reset_missing_preloads(session, request.server.installation));
  result.facts.add_neutralized(reset);
  BFS_TRY(set_password(session, result.facts.role, request.password));
  BFS_ASSIGN(result.facts.database, default_database(session));
  return {};
}

}  // namespace

Result<Session> start_and_connect(const ServerSpec& server, const Facts& known) {
  const SessionTarget target{server.runtime_dir, server.port, {}, {}, server.installation.major};
  const std::vector<std::string> names = {known.role, server.user.name};
  if (auto pid = start_server(server); !pid) return std::move(pid).error();
  auto session = open_superuser(target, names);
  if (session) return session;
  // None of the usual names: ask the stopped cluster itself.
  BFS_TRY(stop_server(server.data_dir));
  BFS_ASSIGN(const std::string role,
             find_superuser_offline(server.installation, server.data_dir, server.user));
  if (auto pid = start_server(server); !pid) return std::move(pid).error();
  return open_superuser(target, {role});
}

void Facts::add_neutralized(const std::vector<std::string>& items) {
  for (const auto& item : items) {
    if (std::find(neutralized.begin(), neutralized.end(), item) == neutralized.end())
      neutralized.push_back(item);
  }
}

nlohmann::json to_json(const Facts& facts) {
  // The identifier is 64 bits wide, more than a JSON number keeps in most readers.
  return {{"major", facts.major},       {"system_identifier", std::to_string(facts.system_identifier)},
          {"port", facts.port},         {"runtime_dir", facts.runtime_dir},
          {"role", facts.role},         {"database", facts.database},
          {"configured", facts.configured}, {"prepared", facts.prepared},
          {"neutralized", facts.neutralized}};
}

Facts facts_from_json(const nlohmann::json& json) {
  Facts facts;
  if (!json.is_object()) return facts;
  std::string identifier;
  take(json, "major", facts.major);
  take(json, "system_identifier", identifier);
  take(json, "port", facts.port);
  take(json, "runtime_dir", facts.runtime_dir);
  take(json, "role", facts.role);
  take(json, "database", facts.database);
  take(json, "configured", facts.configured);
  take(json, "prepared", facts.prepared);
  facts.system_identifier = std::strtoull(identifier.c_str(), nullptr, 10);
  if (const auto list = json.find("neutralized"); list != json.end() && list->is_array()) {
    for (const auto& item : *list) {
      if (item.is_string()) facts.neutralized.push_back(item.get<std::string>());
    }
  }
  return facts;
}

Result<FirstStartResult> first_start(FirstStart request, Facts known) {
  request.neutralize.port = request.server.port;
  request.neutralize.socket_dir = request.server.runtime_dir;
  request.neutralize.installation = request.server.installation;
  FirstStartResult result{std::move(known), {}};
  const bool configured = result.facts.configured && result.facts.port == request.server.port &&
                          result.facts.runtime_dir == request.server.runtime_dir;
  // What happened in the branch since then is its user's own wish.
  if (!configured) {
    BFS_ASSIGN(const NeutralizePlan plan, neutralize(request.server.data_dir, request.neutralize));
    result.facts.add_neutralized(plan.done);
    result.warnings = plan.warnings;
  }
  if (auto prepared = prepare(request, result); !prepared) {
    ignore(stop_server(request.server.data_dir));  // the first error is the one to tell
    return std::move(prepared).error();
  }
  BFS_ASSIGN(const ControlFile control, read_control_file(request.server.data_dir));
  result.facts.system_identifier = control.system_identifier;
  result.facts.major = request.server.installation.major;
  result.facts.port = request.server.port;
  result.facts.runtime_dir = request.server.runtime_dir;
  result.facts.configured = true;
  result.facts.prepared = true;
  return result;
}

}  // namespace branchfs::pg
