#include "tools/mask/rules/tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace branchfs::mask {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_name(char c) { return starts_name(c) || is_digit(c) || c == '$'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
// As the server does: only ASCII letters.
char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Longest first: "!~*" before "!~".
constexpr std::array<std::string_view, 11> kLongSymbols{"!~*", "!~", "~*", "::", ":=", "=>",
                                                        "||",  "<>", "!=", "<=", ">="};
constexpr std::string_view kShortSymbols = "+-*/%=<>~()[],.";

class Tokenizer {
 public:
  Tokenizer(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {}

  Result<std::vector<Token>> run() {
    const bool expression = dialect_ == Dialect::expression;
    if (expression && text_.size() > kExpressionLimit) {
      return make_error(Kind::refused, fmt::format("the expression has {} bytes, at most {} are allowed",
                                                   text_.size(), kExpressionLimit));
    }
    if (auto why = objection_to_text(text_, true); !why.empty()) return make_error(Kind::refused, why);
    while (true) {
      BFS_TRY(skip_blanks());
      if (at_ == text_.size()) break;
      if (expression && tokens_.size() >= kTokenLimit) {
        return make_error(Kind::refused,
                          fmt::format("the expression has more than {} words and signs", kTokenLimit));
      }
      BFS_TRY(next());
    }
    tokens_.push_back(Token{TokenKind::end, "", text_.size()});
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] bool sees(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  [[nodiscard]] Error refuse(std::size_t position, std::string_view what) const {
    return make_error(Kind::refused, fmt::format("{} {}", what, where_in(text_, position)));
  }
  void emit(TokenKind kind, std::string text, std::size_t position) {
    tokens_.push_back(Token{kind, std::move(text), position});
  }

  Status skip_blanks() {
    while (at_ < text_.size()) {
      if (is_blank(text_[at_])) {
        ++at_;
      } else if (!sees("--") && !sees("/*")) {
        break;
      } else if (dialect_ == Dialect::expression) {
        return refuse(at_, "comments are not allowed");
      } else if (sees("--")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        BFS_TRY(skip_block_comment());
      }
    }
    return {};
  }
  // They nest in SQL.
  Status skip_block_comment() {
    const std::size_t first = at_;
    std::size_t depth = 0;
    do {
      if (at_ >= text_.size()) return refuse(first, "a comment does not end");
      if (sees("/*")) {
        ++depth;
        at_ += 2;
      } else if (sees("*/")) {
        --depth;
        at_ += 2;
      } else {
        ++at_;
      }
    } while (depth > 0);
    return {};
  }

  Status next() {
    const char c = text_[at_];
    if (c == '\'') return quoted('\'', TokenKind::string);
    if (c == '"') return quoted('"', TokenKind::quoted_name);
    if (c == '$') return dollar_quoted();
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return number();
    if (starts_name(c)) return name();
    return symbol();
  }

  Status quoted(char quote, TokenKind kind) {
    const std::size_t first = at_++;
    std::string value;
    while (true) {
      const std::size_t end = text_.find(quote, at_);
      if (end == std::string_view::npos) return refuse(first, "a quote does not end");
      value += text_.substr(at_, end - at_);
      at_ = end + 1;
      if (at_ == text_.size() || text_[at_] != quote) break;
      value += quote;
      ++at_;
    }
    if (kind == TokenKind::quoted_name) BFS_TRY(check_name(value, first));
    emit(kind, std::move(value), first);
    return {};
  }

  Status dollar_quoted() {
    const std::size_t first = at_;
    std::size_t end = at_ + 1;
    if (end < text_.size() && starts_name(text_[end])) {
      while (end < text_.size() && continues_name(text_[end]) && text_[end] != '$') ++end;
    }
    if (end >= text_.size() || text_[end] != '$')
      return refuse(first, "parameters such as $1 are not allowed");
    const std::string_view tag = text_.substr(first, end + 1 - first);
    const std::size_t close = text_.find(tag, end + 1);
    if (close == std::string_view::npos) return refuse(first, "a dollar quote does not end");
    emit(TokenKind::string, std::string(text_.substr(end + 1, close - end - 1)), first);
    at_ = close + tag.size();
    return {};
  }

  Status number() {
    const std::size_t first = at_;
    auto digits = [&] {
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    };
    digits();
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      digits();
    }
    if (at_ < text_.size() && fold(text_[at_]) == 'e') {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (at_ == text_.size() || !is_digit(text_[at_])) return refuse(first, "this is not a number");
      digits();
    }
    if ((at_ < text_.size() && continues_name(text_[at_])) || at_ - first > 100) {
      return refuse(first, "this is not a number");
    }
    emit(TokenKind::number, std::string(text_.substr(first, at_ - first)), first);
    return {};
  }

  Status name() {
    const std::size_t first = at_;
    while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
    std::string value(text_.substr(first, at_ - first));
    std::transform(value.begin(), value.end(), value.begin(), fold);
    const bool quote_follows = at_ < text_.size() && text_[at_] == '\'';
    if ((quote_follows && (value == "e" || value == "b" || value == "x" || value == "n")) ||
        (value == "u" && sees("&"))) {
      return refuse(first, "strings with a prefix (E'…', U&'…', B'…', X'…', N'…') are not allowed");
    }
    BFS_TRY(check_name(value, first));
    emit(TokenKind::name, std::move(value), first);
    return {};
  }

  Status check_name(const std::string& name, std::size_t position) const {
    if (name.empty()) return refuse(position, "a name is empty");
    if (name.size() > kNameLimit)
      return refuse(position, fmt::format("a name is longer than {} bytes", kNameLimit));
    if (!objection_to_text(name, false).empty()) return refuse(position, "a name holds a control character");
    return {};
  }

  Status symbol() {
    const std::size_t first = at_;
    if (text_[at_] == ';') {
      if (dialect_ == Dialect::expression) return refuse(first, "semicolons are not allowed");
      ++at_;
      emit(TokenKind::symbol, ";", first);
      return {};
    }
    for (std::string_view known : kLongSymbols) {
      if (!sees(known)) continue;
      at_ += known.size();
      emit(TokenKind::symbol, std::string(known), first);
      return {};
    }
    if (kShortSymbols.find(text_[at_]) == std::string_view::npos) {
      return refuse(first, fmt::format("the sign '{}' is not allowed", text_[first]));
    }
    emit(TokenKind::symbol, std::string(1, text_[at_++]), first);
    return {};
  }

  std::string_view text_;
  Dialect dialect_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

// Bytes of the UTF-8 sequence at `at`; 0 when there is none (also overlong forms, surrogates and what is
// beyond U+10FFFF).
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const unsigned second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view text, Dialect dialect) {
  return Tokenizer(text, dialect).run();
}

std::string objection_to_text(std::string_view text, bool lines) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool line = byte == '\n' || byte == '\r' || byte == '\t';
    if ((byte < 0x20 && !(lines && line)) || byte == 0x7F) {
      return fmt::format("control character 0x{:02x} at byte {}", byte, at + 1);
    }
    const std::size_t length = sequence_length(text, at);
    if (length == 0) return fmt::format("byte 0x{:02x} at {} is not UTF-8", byte, at + 1);
    // U+0080 to U+009F: control characters too, and terminals obey some of them.
    if (byte == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0) {
      return fmt::format("control character at byte {}", at + 1);
    }
    at += length;
  }
  return {};
}

std::string where_in(std::string_view text, std::size_t position) {
  if (position >= text.size()) return "at the end";
  std::size_t end = std::min(text.size(), position + 20);
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  std::string rest(text.substr(position, end - position));
  std::replace_if(
      rest.begin(), rest.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return fmt::format("at position {} ({})", position + 1, rest);
}

}  // namespace branchfs::mask
