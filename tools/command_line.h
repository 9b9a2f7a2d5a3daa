// The grammar of `branchfs`: which commands exist, their options, and which function runs each.
//
// Every tools/commands/*.cpp adds its commands in one `add_…` function (tools/commands/commands.h). Arguments after the first
// "--" never reach the parser: a command that takes them (run, psql, import) finds them in
// CommandLine::tail(). One thread, one invocation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "tools/context.h"

namespace branchfs {

// Returns the exit code: 0, or what a child process returned.
using CommandBody = std::function<Result<int>(Context&)>;

struct Command {
  CLI::App* app = nullptr;
  std::string verb;                     // "create": error lines say `cannot VERB OBJECT: …`
  std::function<std::string()> object;  // "branch \"dev1\""; may be empty
  CommandBody body;
  bool takes_tail = false;
};

class CommandLine {
 public:
  explicit CommandLine(GlobalOptions& globals);

  // A subcommand; `group` is its heading in --help. `examples` follows the options in `branchfs NAME --help`.
  CLI::App& add(const std::string& name, const std::string& description, const std::string& group,
                const std::string& examples);
  // A command of a command: "mask check".
  CLI::App& add_below(CLI::App& parent, const std::string& name, const std::string& description, const std::string& examples);
  void bind(Command command) { commands_.push_back(std::move(command)); }
  [[nodiscard]] const std::vector<std::string>& tail() const { return tail_; }

  // The command that the arguments name, or null with `exit_code` set after --help, --version or a usage
  // error, which has then been printed.
  const Command* parse(const std::vector<std::string>& arguments, Context& context, std::ostream& err,
                       int& exit_code);

 private:
  Result<const Command*> selected();
  [[nodiscard]] std::string top_name(const Command& command) const;
  [[nodiscard]] Error explain(const std::string& message) const;
  [[nodiscard]] std::string unknown_command(const std::vector<std::string>& arguments) const;

  CLI::App app_;
  std::vector<Command> commands_;
  std::vector<std::string> tail_;
  bool has_tail_ = false;
};

// The whole program; `arguments` without the program's name.
int branchfs_main(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

// `branch "NAME"`, as error lines name a branch.
std::function<std::string()> branch_object(std::shared_ptr<std::string> name);

}  // namespace branchfs
