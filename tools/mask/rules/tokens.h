// Tokens of SQL expressions and of SECURITY LABEL statements: what a rule's text is cut into before anything
// else looks at it.
//
// Only what the grammar of expression.h knows becomes a token; everything else (comments inside expressions,
// semicolons, E'' strings, control characters, bytes that are no UTF-8) is refused here, with its position.
// Values; any thread. Errors: refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "layers/base/result.h"

namespace branchfs::mask {

// Hostile input costs no more than this.
inline constexpr std::size_t kExpressionLimit = 16UL << 10U;  // bytes
inline constexpr std::size_t kTokenLimit = 2000;
inline constexpr std::size_t kNameLimit = 63;  // bytes, NAMEDATALEN - 1

enum class TokenKind : std::uint8_t { name, quoted_name, string, number, symbol, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;          // name: folded to lower case; string, quoted name: its value
  std::size_t position = 0;  // bytes from the beginning
  [[nodiscard]] bool is(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
  [[nodiscard]] bool is_word(std::string_view word) const { return kind == TokenKind::name && text == word; }
  [[nodiscard]] bool is_any_name() const { return kind == TokenKind::name || kind == TokenKind::quoted_name; }
};

enum class Dialect : std::uint8_t {
  expression,  // no comments, no semicolons
  statements,  // comments are skipped, a semicolon is a symbol, no limit of the number of tokens
};

// The last token is always `end`.
Result<std::vector<Token>> tokenize(std::string_view text, Dialect dialect);

// Empty when `text` is UTF-8 without control characters (line feeds, carriage returns and tabs are allowed
// where `lines`), else what is wrong.
std::string objection_to_text(std::string_view text, bool lines);

// What is wrong at a position, as one line.
std::string where_in(std::string_view text, std::size_t position);

}  // namespace branchfs::mask
