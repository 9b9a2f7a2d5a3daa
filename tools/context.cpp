#include "tools/context.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <ostream>

#include <fmt/format.h>

#include "tools/lifecycle/reap.h"

namespace branchfs {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// JSON must be UTF-8; a file name in an error message need not be.
std::string dump_json(const nlohmann::json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::failed: return "failed";
    case Kind::usage: return "usage";
    case Kind::not_found: return "not_found";
    case Kind::exists: return "exists";
    case Kind::busy: return "busy";
    case Kind::refused: return "refused";
    case Kind::damaged: return "damaged";
  }
  return "failed";
}

std::string default_store_dir() {
  if (::geteuid() == 0) return "/var/lib/branchfs";
  // The XDG specification: a relative path there is invalid and to be ignored.
  const std::string data = environment("XDG_DATA_HOME");
  if (!data.empty() && data.front() == '/') return data + "/branchfs";
  return environment("HOME") + "/.local/share/branchfs";
}

std::string Context::store_dir() const {
  std::string dir = options.store;
  if (dir.empty()) dir = environment("BRANCHFS_STORE");
  if (dir.empty()) dir = default_store_dir();
  std::error_code failed;
  const auto resolved = std::filesystem::weakly_canonical(std::filesystem::absolute(dir, failed), failed);
  if (failed) return dir;
  std::string text = resolved.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Result<std::shared_ptr<Store>> Context::open_store() {
  if (store_) return store_;
  auto opened = Store::open(posix_env(), store_dir());
  if (!opened) {
    Error error = std::move(opened).error();
    if (error.kind == Kind::not_found && error.hint.empty()) {
      error.hint = "make one with: branchfs init, or name another with --store or BRANCHFS_STORE";
    }
    return error;
  }
  store_ = *std::move(opened);
  for (const std::string& problem : reap_due(*store_)) warn(problem);
  return store_;
}

void Context::print(const std::function<nlohmann::json()>& json, const std::function<std::string()>& text) {
  if (options.json) {
    out_ << dump_json(json(), 2) << '\n';
  } else {
    std::string lines = text();
    if (!lines.empty() && lines.back() != '\n') lines += '\n';
    out_ << lines;
  }
  out_.flush();
}

void Context::warn(const std::string& line) {
  if (options.json) {
    err_ << dump_json({{"warning", line}}, -1) << '\n';
  } else {
    err_ << "branchfs: " << line << '\n';
  }
  err_.flush();
}

void Context::print_error(const std::string& action, const Error& error) {
  constexpr std::size_t kLongestAction = 160;  // of what somebody calls a branch, as much as tells what it was
  std::string message = fmt::format("cannot {}{}: {}", action.substr(0, kLongestAction), action.size() > kLongestAction ? "..." : "", error.what);
  const std::string hint = hint_of(error);
  if (options.json) {
    err_ << dump_json({{"error",
                        {{"code", static_cast<int>(error.kind)},
                         {"kind", kind_name(error.kind)},
                         {"message", message},
                         {"why", error.what},
                         {"hint", hint}}}},
                      -1)
         << '\n';
  } else {
    for (char& c : message) {
      // One line, whatever a child process said, and no command to the terminal.
      if (c == '\n') c = ' ';
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
    }
    err_ << "branchfs: " << message;
    if (!hint.empty()) err_ << " (" << hint << ")";
    err_ << '\n';
  }
  err_.flush();
}

}  // namespace branchfs
