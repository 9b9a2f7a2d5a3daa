// Configuration files that are in memory alone.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/pg/conf_file.h"

namespace branchfs::pg {

class FakeSource : public ConfSource {
 public:
  std::map<std::string, std::string> files;
  Result<std::optional<std::string>> read(const std::string& path) override {
    auto found = files.find(path);
    if (found == files.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Result<std::optional<std::vector<std::string>>> list(const std::string& path) override {
    std::vector<std::string> names;
    for (const auto& [name, text] : files) {
      if (!name.starts_with(path + "/")) continue;
      const std::string rest = name.substr(path.size() + 1);
      const std::string first = rest.substr(0, rest.find('/'));
      if (std::find(names.begin(), names.end(), first) == names.end()) names.push_back(first);
    }
    if (names.empty()) return std::optional<std::vector<std::string>>();
    return std::optional(names);
  }
};

}  // namespace branchfs::pg
