#include "tools/pg/conf_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tools/pg/text.h"

namespace branchfs::pg {
namespace {

constexpr int kMaxDepth = 10;  // PostgreSQL's CONF_FILE_MAX_DEPTH

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) { return is_letter(c) || is_digit(c) || c == '$' || c == '.'; }
// Unquoted strings, numbers and units: everything that needs no quotes.
bool is_bare_char(char c) { return is_name_char(c) || c == '-' || c == '+' || c == ':' || c == '/'; }

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }
  [[nodiscard]] bool at_end() const { return at_ == text_.size() || text_[at_] == '#'; }
  bool accept(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view take(bool (*belongs)(char)) {
    const std::size_t start = at_;
    while (at_ < text_.size() && belongs(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  // After the opening quote. False when the string does not end on this line.
  bool quoted(std::string& value) {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\'') {
        if (!accept('\'')) return true;
        value.push_back('\'');
      } else if (c == '\\') {
        if (at_ == text_.size()) return false;
        value.push_back(escape());
      } else {
        value.push_back(c);
      }
    }
    return false;
  }

 private:
  char escape() {
    const char c = text_[at_++];
    switch (c) {
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      default:
        break;
    }
    if (c < '0' || c > '7') return c;
    int code = c - '0';
    for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
      code = code * 8 + (text_[at_++] - '0');
    }
    return static_cast<char>(code);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

ConfLine::Kind kind_of(const std::string& name) {
  if (name == "include") return ConfLine::Kind::include;
  if (name == "include_if_exists") return ConfLine::Kind::include_if_exists;
  if (name == "include_dir") return ConfLine::Kind::include_dir;
  return ConfLine::Kind::setting;
}

class Flattener {
 public:
  Flattener(ConfSource& source, FlatConf& result) : source_(source), result_(result) {}

  Status file(const std::string& path, bool required, int depth) {
    if (depth > kMaxDepth) {
      return make_error(Kind::failed, fmt::format("{}: includes nested deeper than {}", path, kMaxDepth));
    }
    BFS_ASSIGN(const auto text, source_.read(path));
    if (!text) {
      if (required) result_.missing.push_back(path);
      return {};
    }
    if (depth > 0) {
      result_.included.push_back(path);
      note("# from " + path);
    }
    for (auto& line : parse_conf(*text)) {
      const std::string target = resolve(path, line.value);
      switch (line.kind) {
        case ConfLine::Kind::include:
          BFS_TRY(file(target, true, depth + 1));
          break;
        case ConfLine::Kind::include_if_exists:
          BFS_TRY(file(target, false, depth + 1));
          break;
        case ConfLine::Kind::include_dir:
          BFS_TRY(directory(target, depth + 1));
          break;
        default:
          result_.lines.push_back(std::move(line));
      }
    }
    if (depth > 0) note("# end of " + path);
    return {};
  }

 private:
  Status directory(const std::string& path, int depth) {
    BFS_ASSIGN(const auto names, source_.list(path));
    if (!names) {
      result_.missing.push_back(path);
      return {};
    }
    for (const auto& name : *names) {
      if (name.starts_with('.') || !name.ends_with(".conf")) continue;
      std::string file_path = path;
      file_path += "/";
      file_path += name;
      BFS_TRY(file(file_path, true, depth));
    }
    return {};
  }

  static std::string resolve(const std::string& including, const std::string& target) {
    if (target.starts_with('/')) return target;
    const std::string dir = parent_of(including);
    return dir == "." ? target : dir + "/" + target;
  }

  void note(std::string text) { result_.lines.push_back({ConfLine::Kind::blank, std::move(text), {}, {}}); }

  ConfSource& source_;
  FlatConf& result_;
};

}  // namespace

ConfLine parse_conf_line(std::string_view line) {
  ConfLine result;
  result.raw = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  Scanner scan(line);
  scan.skip_blanks();
  if (scan.at_end()) return result;
  result.kind = ConfLine::Kind::invalid;
  const std::string_view name = scan.take(is_name_char);
  if (name.empty() || !is_letter(name.front())) return result;
  result.name = lower(name);
  scan.skip_blanks();
  if (scan.accept('=')) scan.skip_blanks();
  if (scan.accept('\'')) {
    if (!scan.quoted(result.value)) return result;
  } else {
    result.value = scan.take(is_bare_char);
    if (result.value.empty()) return result;
  }
  scan.skip_blanks();
  if (scan.at_end()) result.kind = kind_of(result.name);
  return result;
}

std::vector<ConfLine> parse_conf(std::string_view text) {
  std::vector<ConfLine> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(parse_conf_line(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string conf_setting(std::string_view name, std::string_view value) {
  std::string result(name);
  result += " = '";
  for (const char c : value) {
    if (c == '\n') {
      result += "\\n";
      continue;
    }
    if (c == '\'' || c == '\\') result.push_back(c);
    result.push_back(c);
  }
  result.push_back('\'');
  return result;
}

std::optional<std::uint64_t> parse_size(std::string_view value, std::uint64_t unit) {
  value = trim(value);
  double number = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
  if (parsed.ec != std::errc() || number < 0) return std::nullopt;
  const std::string_view suffix = trim(value.substr(static_cast<std::size_t>(parsed.ptr - value.data())));
  double factor = 0;
  if (suffix.empty()) factor = static_cast<double>(unit);
  if (suffix == "B") factor = 1;
  if (suffix == "kB") factor = 1024.0;
  if (suffix == "MB") factor = 1024.0 * 1024;
  if (suffix == "GB") factor = 1024.0 * 1024 * 1024;
  if (suffix == "TB") factor = 1024.0 * 1024 * 1024 * 1024;
  constexpr double kTooLarge = 9e18;
  if (factor == 0 || number * factor > kTooLarge) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(number * factor));
}

std::vector<std::string> parse_list(std::string_view value) {
  std::vector<std::string> result;
  std::string entry;
  bool quoted = false;
  const auto finish = [&] {
    const std::string_view trimmed = trim(entry);
    if (!trimmed.empty()) result.emplace_back(trimmed);
    entry.clear();
  };
  for (const char c : value) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      finish();
    } else {
      entry.push_back(c);
    }
  }
  finish();
  return result;
}

Result<FlatConf> flatten_conf(ConfSource& source, const std::string& path) {
  FlatConf result;
  BFS_TRY(Flattener(source, result).file(path, true, 0));
  return result;
}

std::map<std::string, std::string> effective_settings(const std::vector<ConfLine>& lines) {
  std::map<std::string, std::string> result;
  for (const auto& line : lines) {
    if (line.kind == ConfLine::Kind::setting) result[line.name] = line.value;
  }
  return result;
}

std::map<std::string, std::string> effective_settings(std::vector<ConfLine> lines, const std::vector<ConfLine>& auto_lines) {
  lines.insert(lines.end(), auto_lines.begin(), auto_lines.end());
  return effective_settings(lines);
}

}  // namespace branchfs::pg
