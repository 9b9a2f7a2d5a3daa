#include "tools/command_line.h"

#include <algorithm>
#include <new>
#include <ostream>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "tools/commands/commands.h"
#include "tools/text.h"

namespace branchfs {

namespace {

// Descriptions start here; 80 columns leave 54 for them.
constexpr std::size_t kHelpColumn = 26;

std::string tail_error(const std::string& command, const std::vector<std::string>& tail) {
  return fmt::format("\"branchfs {}\" takes nothing after \"--\", got \"{}\"", command, tail.empty() ? "" : tail.front());
}

// CLI11's sentences, made as short as ours.
std::string plain(std::string message) {
  for (const char* lead : {"The following argument was not expected: ", "The following arguments were not expected: "}) {
    if (message.rfind(lead, 0) == 0) {
      message.erase(0, std::string_view(lead).size());
      return fmt::format("unexpected argument \"{}\"", message.substr(0, message.find(' ')));
    }
  }
  return message;
}

}  // namespace

std::function<std::string()> branch_object(std::shared_ptr<std::string> name) {
  constexpr std::size_t kLongestName = 63;
  // Of what is no name, as much as tells which one it was.
  return [name = std::move(name)] { return fmt::format("branch \"{}\"", name->size() > kLongestName ? name->substr(0, kLongestName) + "..." : *name); };
}

CommandLine::CommandLine(GlobalOptions& globals)
    : app_("branchfs: branches of a Postgres database in milliseconds, at the price of what they change", "branchfs") {
  app_.get_formatter()->column_width(kHelpColumn);
  app_.require_subcommand(1);
  app_.set_help_flag("-h,--help", "Show this text; branchfs COMMAND --help tells more");
  app_.set_version_flag("--version", std::string("branchfs ") + BRANCHFS_VERSION, "Show the version");
  app_.add_option("--store", globals.store, "The store (default: $BRANCHFS_STORE, see below)")->type_name("DIR");
  app_.add_flag("--json", globals.json, "Print JSON instead of text");
  app_.add_flag("-q,--quiet", globals.quiet, "No progress, nothing but results");
  app_.footer(
      "Without --store and $BRANCHFS_STORE: " + default_store_dir() + "\n"
      "Examples:\n"
      "  branchfs init && branchfs import prod --pgdata /var/lib/postgresql/15/main\n"
      "  branchfs create dev1 --from prod --start\n"
      "  branchfs run --from prod -- make test\n"
      "Exit codes: 0 done, 1 failed, 2 usage, 3 no such branch or store, 4 exists,\n"
      "  5 busy, 6 refused by a rule, 7 the store is damaged");
}

CLI::App& CommandLine::add(const std::string& name, const std::string& description, const std::string& group,
                           const std::string& examples) {
  CLI::App* sub = app_.add_subcommand(name, description);
  sub->get_formatter()->column_width(kHelpColumn);
  sub->fallthrough();
  sub->group(group);
  if (!examples.empty()) sub->footer("Examples:\n" + examples);
  return *sub;
}

CLI::App& CommandLine::add_below(CLI::App& parent, const std::string& name, const std::string& description,
                                 const std::string& examples) {
  CLI::App* sub = parent.add_subcommand(name, description);
  sub->get_formatter()->column_width(kHelpColumn);
  sub->fallthrough();
  sub->group("Commands");
  if (!examples.empty()) sub->footer("Examples:\n" + examples);
  return *sub;
}

// The first word of a command.
std::string CommandLine::top_name(const Command& command) const {
  const CLI::App* app = command.app;
  while (app->get_parent() != nullptr && app->get_parent() != &app_) app = app->get_parent();
  return app->get_name();
}

std::string CommandLine::unknown_command(const std::vector<std::string>& arguments) const {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--store") {
      ++i;
    } else if (word.empty() || word.front() != '-') {
      const bool known = std::any_of(commands_.begin(), commands_.end(),
                                     [&](const Command& c) { return top_name(c) == word; });
      return known ? "" : word;
    }
  }
  return "";
}

Error CommandLine::explain(const std::string& message) const {
  const auto chosen = app_.get_subcommands();
  std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
  if (!chosen.empty() && !chosen.front()->get_subcommands().empty()) {
    command += " " + chosen.front()->get_subcommands().front()->get_name();
  }
  return make_error(Kind::usage, plain(message), fmt::format("see branchfs{} --help", command));
}

Result<const Command*> CommandLine::selected() {
  for (const Command& command : commands_) {
    if (!command.app->parsed()) continue;
    if (has_tail_ && !command.takes_tail) {
      return make_error(Kind::usage, tail_error(command.app->get_name(), tail_));
    }
    return &command;
  }
  return make_error(Kind::usage, "no command given", "see branchfs --help");
}

const Command* CommandLine::parse(const std::vector<std::string>& arguments, Context& context, std::ostream& err,
                                  int& exit_code) {
  exit_code = static_cast<int>(Kind::usage);
  const auto marker = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> own(arguments.begin(), marker);
  has_tail_ = marker != arguments.end();
  if (has_tail_) tail_.assign(marker + 1, arguments.end());

  // An error found before the options are read should still be JSON for who asked for JSON.
  context.options.json = std::find(own.begin(), own.end(), "--json") != own.end();
  if (own.empty()) {
    err << app_.help();
    return nullptr;
  }
  if (const std::string word = unknown_command(own); !word.empty()) {
    std::vector<std::string> names;
    for (const Command& command : commands_) names.push_back(top_name(command));
    const std::string guess = nearest(word, names);
    context.print_error(fmt::format("run \"{}\"", word),
                        make_error(Kind::usage, "no such command",
                                   guess.empty() ? "see branchfs --help" : "did you mean " + guess + "?"));
    return nullptr;
  }
  std::reverse(own.begin(), own.end());  // CLI11 takes them last first
  try {
    app_.parse(own);
  } catch (const CLI::Success& text) {
    exit_code = app_.exit(text, context.out(), err);
    return nullptr;
  } catch (const CLI::ParseError& problem) {
    const auto chosen = app_.get_subcommands();
    context.print_error(chosen.empty() ? "read the command line" : chosen.front()->get_name(),
                        explain(problem.what()));
    return nullptr;
  }
  auto command = selected();
  if (!command) {
    context.print_error("read the command line", command.error());
    return nullptr;
  }
  return *command;
}

int branchfs_main(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  Context context(out, err);
  CommandLine line(context.options);
  add_store_commands(line);
  add_branch_commands(line);
  add_postgres_commands(line);
  add_mask_commands(line);
  add_maintenance_commands(line);

  int exit_code = 0;
  const Command* command = line.parse(arguments, context, err, exit_code);
  if (command == nullptr) return exit_code;
  const std::string object = command->object ? command->object() : "";
  const std::string action = object.empty() ? command->verb : command->verb + " " + object;
  // The only exceptions are the standard library's: no memory, or a bug.
  try {
    auto done = command->body(context);
    if (done) return *done;
    // Exit code 3 says "no such branch or store"; a file that a system call did not find is another matter.
    if (done.error().kind == Kind::not_found && done.error().sys != 0) done.error().kind = Kind::failed;
    context.print_error(action, done.error());
    return static_cast<int>(done.error().kind);
  } catch (const std::bad_alloc&) {
    context.print_error(action, make_error(Kind::failed, "out of memory", "if a limit is in force, ulimit -v shows it"));
    return static_cast<int>(Kind::failed);
  } catch (const std::exception& problem) {
    context.print_error(action, make_error(Kind::failed, problem.what()));
    return static_cast<int>(Kind::failed);
  }
}

}  // namespace branchfs
