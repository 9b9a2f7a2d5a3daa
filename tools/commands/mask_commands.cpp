// mask init, check, preview, verify: everything about rules but masking itself (create --anonymized, run --anonymized).
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "tools/command_line.h"
#include "tools/commands/branch_view.h"
#include "tools/commands/certificate.h"
#include "tools/commands/commands.h"
#include "tools/interrupt.h"
#include "tools/mask/engine/run.h"
#include "tools/pg/text.h"
#include "tools/text.h"

namespace branchfs {

namespace {

// `mask check` has exit codes of its own, for scripts that watch a rule file.
constexpr int kWarned = 1;
constexpr int kRefused = 2;
constexpr std::size_t kPreviewRows = 3;

struct MaskArguments {
  std::string name;
  std::string rules;
  std::string output;
  std::size_t rows = kPreviewRows;
  bool strict = false;
  bool accept = false;
};

nlohmann::json to_json(const mask::Finding& finding) {
  return {{"level", finding.level == mask::Finding::Level::error ? "error" : "warning"},
          {"where", finding.where},
          {"what", finding.what},
          {"hint", finding.hint}};
}

std::string check_text(const mask::Checked& checked) {
  std::string text;
  for (const nlohmann::json& table : checked.plan) {
    text += fmt::format("{}.{}\n", table.value("database", ""), table.value("table", ""));
    for (const auto& [column, mask] : table["columns"].items()) {
      text += fmt::format("  {:<24} {}\n", column, mask.get<std::string>());
    }
  }
  for (const mask::Finding& finding : checked.findings) {
    text += fmt::format("{}: {}: {}{}\n", finding.level == mask::Finding::Level::error ? "refused" : "warning", finding.where,
                        finding.what, finding.hint.empty() ? "" : fmt::format(" ({})", finding.hint));
  }
  if (!checked.refused) text += fmt::format("{} tables change; nothing stands in the way\n", checked.plan.size());
  return text;
}

Result<int> check(Context& context, const MaskArguments& arguments) {
  BFS_ASSIGN(const mask::Rules rules, mask::load_rules(arguments.rules));
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, arguments.name));
  const Interrupt interrupt;
  ProgressReporter progress(context.progress_style());
  BFS_ASSIGN(const mask::Checked checked,
             mask::check_rules({store, progress, context.warner()}, arguments.name, rules));
  progress.finish();
  if (arguments.accept && !checked.refused) BFS_TRY(mask::accept_columns(arguments.rules, checked.columns));
  context.print(
      [&] {
        nlohmann::json findings = nlohmann::json::array();
        for (const mask::Finding& finding : checked.findings) findings.push_back(to_json(finding));
        return nlohmann::json{{"refused", checked.refused}, {"findings", findings}, {"tables", checked.plan}};
      },
      [&] { return check_text(checked); });
  if (checked.refused) return kRefused;
  return arguments.strict && !checked.findings.empty() ? kWarned : 0;
}

// One line of a table: what is long is cut, so that rows stay rows.
std::string shortened(const std::string& value) {
  constexpr std::size_t kWidth = 48;
  std::string text;
  std::size_t shown = 0;
  for (const char c : value) {
    const bool starts = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    if (starts && ++shown > kWidth) return text + "…";
    text += static_cast<unsigned char>(c) < 0x20U ? ' ' : c;
  }
  return text;
}

std::string preview_text(const std::vector<mask::PreviewRow>& rows) {
  std::string text;
  std::string table;
  for (const mask::PreviewRow& row : rows) {
    if (row.table != table) text += fmt::format("{}{}\n", table.empty() ? "" : "\n", row.table);
    table = row.table;
    Table lines({"  COLUMN", "BEFORE", "AFTER"});
    for (std::size_t i = 0; i < row.columns.size(); ++i) lines.add({"  " + row.columns[i], shortened(row.before[i]), shortened(row.after[i])});
    text += lines.text();
  }
  return text.empty() ? "no rows to show\n" : text;
}

Result<int> preview(Context& context, const MaskArguments& arguments) {
  BFS_ASSIGN(const mask::Rules rules, mask::load_rules(arguments.rules));
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, arguments.name));
  const Interrupt interrupt;
  ProgressReporter progress(context.progress_style());
  BFS_ASSIGN(const std::vector<mask::PreviewRow> rows,
             mask::preview_rules({store, progress, context.warner()}, arguments.name, rules, arguments.rows));
  progress.finish();
  context.print(
      [&] {
        nlohmann::json list = nlohmann::json::array();
        for (const mask::PreviewRow& row : rows) {
          list.push_back({{"table", row.table}, {"columns", row.columns}, {"before", row.before}, {"after", row.after}});
        }
        return list;
      },
      [&] { return preview_text(rows); });
  return 0;
}

Result<int> suggest(Context& context, const MaskArguments& arguments) {
  if (!arguments.output.empty() && pg::path_exists(arguments.output)) {
    return make_error(Kind::exists, fmt::format("{} exists", arguments.output), "choose another file");
  }
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, arguments.name));
  const Interrupt interrupt;
  ProgressReporter progress(context.progress_style());
  BFS_ASSIGN(const std::string text, mask::suggest_rules({store, progress, context.warner()}, arguments.name));
  progress.finish();
  if (arguments.output.empty()) {
    context.out() << text;
    return 0;
  }
  BFS_TRY(pg::write_file(arguments.output, text, 0644));
  context.print([&] { return nlohmann::json{{"rules", arguments.output}}; },
                [&] { return fmt::format("wrote {}; now: branchfs mask check {} {}", arguments.output, arguments.name,
                                         arguments.output); });
  return 0;
}

Result<int> verify(Context& context, const MaskArguments& arguments) {
  BFS_ASSIGN(const auto store, context.open_store());
  BFS_TRY(find_branch(*store, arguments.name));
  const Interrupt interrupt;
  ProgressReporter progress(context.progress_style());
  BFS_ASSIGN(const nlohmann::json certificate,
             mask::verify_masking({store, progress, context.warner()}, arguments.name));
  progress.finish();
  context.print([&] { return certificate; },
                [&] { return fmt::format("{} is anonymized\n{}", arguments.name, describe_certificate(certificate)); });
  return 0;
}

}  // namespace

void add_mask_commands(CommandLine& line) {
  auto arguments = std::make_shared<MaskArguments>();
  const auto object = [arguments] { return fmt::format("branch \"{}\"", arguments->name); };
  CLI::App& mask = line.add("mask", "Write, check and try masking rules", "Masking",
                           "  branchfs mask init prod -o rules.json\n"
                           "  branchfs mask check prod rules.json\n"
                           "  branchfs create staging --from prod --anonymized rules.json\n"
                           "  branchfs mask verify staging\n");
  mask.require_subcommand(1);

  CLI::App& init = line.add_below(mask, "init", "Suggest rules from what columns are called and hold",
                                  "  branchfs mask init prod -o rules.json\n");
  init.add_option("NAME", arguments->name, "The branch to look at")->required();
  init.add_option("-o,--output", arguments->output, "Where to (default: standard output)")->type_name("FILE");
  line.bind({&init, "suggest rules for", object, [=](Context& context) { return suggest(context, *arguments); }});

  CLI::App& checking = line.add_below(mask, "check", "Find what stands in the way, change nothing",
                                      "  branchfs mask check prod rules.json --strict\n"
                                      "Exit codes: 0 fine, 1 warnings (with --strict), 2 the rules are refused\n");
  checking.add_option("NAME", arguments->name, "The branch they are for")->required();
  checking.add_option("RULES", arguments->rules, "The rule file")->required();
  checking.add_flag("--strict", arguments->strict, "Exit code 1 when there are warnings");
  checking.add_flag("--accept", arguments->accept, "Note in the file which columns it is for");
  line.bind({&checking, "check rules for", object, [=](Context& context) { return check(context, *arguments); }});

  CLI::App& previewing = line.add_below(mask, "preview", "Show a few rows before and after, on this terminal",
                                        "  branchfs mask preview prod rules.json --rows 5\n");
  previewing.add_option("NAME", arguments->name, "The branch they are for")->required();
  previewing.add_option("RULES", arguments->rules, "The rule file")->required();
  previewing.add_option("--rows", arguments->rows, "How many of each table (default: 3)")->type_name("N")->check(CLI::Range(1, 1000));
  line.bind({&previewing, "preview rules for", object, [=](Context& context) { return preview(context, *arguments); }});

  CLI::App& verifying = line.add_below(mask, "verify", "Prove a masked branch once more",
                                       "  branchfs mask verify staging\n");
  verifying.add_option("NAME", arguments->name, "The masked branch, or a child of one")->required();
  line.bind({&verifying, "verify", object, [=](Context& context) { return verify(context, *arguments); }});
}

}  // namespace branchfs
