// A scratch directory where an unprivileged user may run servers; ends every server below it when destroyed.
// Root lends it to "postgres" (or "nobody"), anybody else uses it as they are.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/catch.h"
#include "tests/unit/pg/scratch.h"
#include "tools/pg/credentials.h"
#include "tools/pg/first_start.h"
#include "tools/pg/initdb.h"
#include "tools/pg/process.h"
#include "tools/pg/text.h"
#include "tools/pg/url.h"

namespace branchfs::pg {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what + " (" + result.error().hint + ")");
  return *std::move(result);
}
inline void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().what + " (" + status.error().hint + ")");
}

class Place {
 public:
  Place() : installation(must(newest_installation())), user(find_user()) {
    if (geteuid() == 0 && chown(scratch_.path().c_str(), user.uid, user.gid) != 0)
      throw std::runtime_error("chown");
  }
  ~Place() {
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.path())) {
      ignore(stop_server(entry.path().string(), StopMode::immediate));
    }
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::string operator/(const std::string& name) const { return scratch_ / name; }

  std::string cluster(const std::string& name, const std::vector<std::string>& options = {}) {
    must(run_initdb(installation, scratch_ / name, user, options));
    return scratch_ / name;
  }
  ServerSpec server(const std::string& name) {
    ServerSpec spec;
    spec.installation = installation;
    spec.data_dir = scratch_ / name;
    spec.runtime_dir = must(prepare_runtime_dir(scratch_ / (name + ".run"), user));
    spec.port = must(choose_port({}, spec.data_dir));
    spec.user = user;
    return spec;
  }
  FirstStart first_start_of(const std::string& name) {
    FirstStart request;
    request.server = server(name);
    request.neutralize.branch = name;
    request.neutralize.tls = must(ensure_certificate(scratch_ / "tls"));
    request.password = must(generate_password());
    return request;
  }
  // As the servers' user; throws when it fails.
  Output as_user(const std::vector<std::string>& argv, const std::string& text = {}) {
    Command command;
    command.argv = argv;
    command.stdin_text = text;
    command.unset = {"PG*"};
    command.user = user;
    command.cwd = "/";
    command.timeout = std::chrono::minutes(2);
    return must(succeed(command));
  }
  // One value, over the private socket.
  std::string ask(const ServerSpec& spec, const std::string& sql, const std::string& database = "postgres",
                  const std::string& role = "postgres") {
    auto output = as_user({installation.program("psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h",
                           spec.runtime_dir, "-p", std::to_string(spec.port), "-U", role, "-d", database},
                          sql);
    return std::string(trim(output.out));
  }
  void append(const std::string& path, const std::string& text) {
    const ActAs as(user);
    const auto before = read_file(path);
    must(write_file(path, (before ? *before : std::string()) + text));
  }

  Installation installation;
  Identity user;

 private:
  static Identity find_user() {
    if (geteuid() != 0) return must(current_identity());
    auto postgres = identity_named("postgres");
    return postgres ? *postgres : must(identity_named("nobody"));
  }

  Scratch scratch_;
};

}  // namespace branchfs::pg
