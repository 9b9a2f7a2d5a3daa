// A masking run: from a parent and a rule file to a branch that is proven, or to nothing.
//
//   begin ─▶ sealed ─▶ open ─▶ plan ─▶ mask ─▶ finish ─▶ ready
//                         └────────┴───────┴───────┴─▶ (any failure, Ctrl-C, kill) destroyed
//
// anonymize() goes all the way, or finds a branch that was masked from the same head with the same rules and key file, and takes its data (mask
// once). The other functions are the shorter ways of `branchfs mask`. Plain functions; one at a time in a process; they make threads and child
// processes of their own. Errors: refused (a rule, a check, the proof), failed, and what create_branch() says; nothing is left then.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/mask/engine/database.h"
#include "tools/mask/engine/key.h"
#include "tools/progress.h"

namespace branchfs::mask {

struct Rules {
  RuleSet set;
  std::string directory;  // where a relative key file is looked for
};
Result<Rules> load_rules(const std::string& path);
// As they are kept with a masked branch.
Result<Rules> rules_of(const Manifest& manifest);

struct Surroundings {
  std::shared_ptr<Store> store;
  ProgressReporter& progress;
  Warn warn;
};

// `options`: what the branch is to be besides (expires, protected, postgres).
Result<Manifest> anonymize(const Surroundings& around, const std::string& name, const std::string& parent,
                           const CreateOptions& options, const Rules& rules);
// A masked branch goes back to its parent's present data: masked again, proven, then swapped in. The branch is not open.
Result<Manifest> mask_again(const Surroundings& around, const std::string& name);
// Whether the branch was masked itself, rather than made from a masked one.
bool is_masked_root(const Manifest& manifest);

// All that stands in the way of the rules on this branch's data; nothing is changed.
struct Checked {
  std::vector<Finding> findings;
  nlohmann::json plan;     // of the tables that change: columns and their masks
  nlohmann::json columns;  // all there are: {"app": {"public.users": ["id", "email"]}}
  bool refused = false;
};
Result<Checked> check_rules(const Surroundings& around, const std::string& parent, const Rules& rules);

// Notes in a rule file in JSON which columns it was accepted for ("accepted"), so that columns which come later are refused.
Status accept_columns(const std::string& path, const nlohmann::json& columns);

Result<std::vector<PreviewRow>> preview_rules(const Surroundings& around, const std::string& parent, const Rules& rules,
                                              std::size_t rows);

// The proof once more, on what the branch shows now, with originals sampled anew from what it was made from.
Result<nlohmann::json> verify_masking(const Surroundings& around, const std::string& name);

// A rule file to begin with, from what the branch's columns look like.
Result<std::string> suggest_rules(const Surroundings& around, const std::string& parent);

}  // namespace branchfs::mask
