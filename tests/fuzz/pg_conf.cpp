// Configuration of a cluster that somebody hands us: postgresql.conf with its includes, and pg_hba.conf.
#include <algorithm>
#include <string>
#include <string_view>

#include "tests/fuzz/support.h"
#include "tools/pg/conf_file.h"
#include "tools/pg/hba.h"

namespace {

using namespace branchfs;
using namespace branchfs::fuzz;

// Every file is this text, which may include itself.
class Mirror final : public pg::ConfSource {
 public:
  explicit Mirror(std::string_view text) : text_(text) {}
  Result<std::optional<std::string>> read(const std::string&) override {
    if (++reads_ > kMostReads) return std::optional<std::string>();
    return std::optional(std::string(text_));
  }
  Result<std::optional<std::vector<std::string>>> list(const std::string&) override {
    return std::optional(std::vector<std::string>{"a.conf", "b.conf"});
  }

 private:
  static constexpr int kMostReads = 64;
  std::string_view text_;
  int reads_ = 0;
};

bool in_force(std::string_view line) {
  const auto at = line.find_first_not_of(" \t\r");
  return at != line.npos && line[at] != '#';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const pg::ConfLine& line : pg::parse_conf(text)) {
    if (line.kind != pg::ConfLine::Kind::setting || line.value.find('\n') != std::string::npos) continue;
    // What we write for a value is read back as that value.
    const pg::ConfLine again = pg::parse_conf_line(pg::conf_setting(line.name, line.value));
    expect(again.kind == pg::ConfLine::Kind::setting && again.name == line.name && again.value == line.value);
  }
  Mirror mirror(text);
  if (const auto flat = pg::flatten_conf(mirror, "/postgresql.conf")) static_cast<void>(pg::effective_settings(flat->lines));
  static_cast<void>(pg::parse_size(text, 8192));
  static_cast<void>(pg::parse_list(text));
  // No rule of the source stays in force, and what we made of it stays as it is.
  const std::string hba = pg::branch_hba(text);
  expect(!pg::has_foreign_rules(hba) && pg::branch_hba(hba) == hba);
  const std::string none = pg::branch_hba("");
  const auto rules = [](std::string_view all) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t end = std::min(all.find('\n', at), all.size());
      count += in_force(all.substr(at, end - at)) ? 1 : 0;
      at = end + 1;
    }
    return count;
  };
  expect(rules(hba) == rules(none));
  return 0;
}
