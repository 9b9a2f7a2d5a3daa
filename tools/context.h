// What every command of `branchfs` shares: the global options, where output goes, the store.
//
// Owner: branchfs_main() makes one per invocation; one thread. Results go to stdout (text, or one JSON
// document with --json); warnings, progress and errors go to stderr. An error is one line
// `branchfs: cannot VERB WHAT: WHY (hint)`, or with --json one line
// {"error":{"code":N,"kind":WORD,"message":TEXT,"why":TEXT,"hint":TEXT}}, also on stderr, so that stdout holds
// results and nothing else. The exit code is the error's Kind (layers/base/result.h).
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "layers/store/store.h"
#include "tools/progress.h"

namespace branchfs {

struct GlobalOptions {
  std::string store;  // --store; empty: $BRANCHFS_STORE or the default
  bool json = false;
  bool quiet = false;
};

class Context {
 public:
  Context(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  GlobalOptions options;

  // Absolute, symlinks resolved. Order: --store, $BRANCHFS_STORE, the default.
  [[nodiscard]] std::string store_dir() const;
  // Opens the store and deletes the branches whose time is over. not_found says how to make one.
  Result<std::shared_ptr<Store>> open_store();

  // `json` is called only with --json, and then `text` is not.
  void print(const std::function<nlohmann::json()>& json, const std::function<std::string()>& text);
  // A line on stderr that does not change the exit code. Also with --quiet: it is about safety.
  void warn(const std::string& line);
  [[nodiscard]] std::function<void(const std::string&)> warner() {
    return [this](const std::string& line) { warn(line); };
  }
  void print_error(const std::string& action, const Error& error);

  [[nodiscard]] std::ostream& out() const { return out_; }
  [[nodiscard]] ProgressReporter::Style progress_style() const {
    return ProgressReporter::style_for(options.json, options.quiet);
  }

 private:
  std::ostream& out_;
  std::ostream& err_;
  std::shared_ptr<Store> store_;
};

// "failed", "usage", "not_found", "exists", "busy", "refused", "damaged".
const char* kind_name(Kind kind);
// $XDG_DATA_HOME/branchfs, ~/.local/share/branchfs, or /var/lib/branchfs for root.
std::string default_store_dir();

}  // namespace branchfs
