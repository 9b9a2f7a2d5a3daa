// The tree behind Expression: made by expression_parser.cpp alone, read by expression.cpp and
// expression_traits.cpp.
//
// Immutable once built; any thread. No tree is deeper than kDepthLimit, so walking one recursively is safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/mask/rules/expression.h"

namespace branchfs::mask {

inline constexpr int kDepthLimit = 100;

struct Expression::Node {
  enum class Kind : std::uint8_t {
    string,
    number,
    word,         // TRUE, FALSE, NULL
    column,       // schema: the table it was qualified with
    anon_call,    // text: the name; labels: of named arguments, "" for a positional one
    builtin,      // of pg_catalog
    conditional,  // COALESCE, NULLIF, GREATEST, LEAST: syntax, not functions
    cast,         // schema "": builtin
    binary,       // text: the operator, or AND, OR
    unary,        // "-", "+", NOT
    is,           // text: "NULL", "NOT NULL", "TRUE", …
    between,      // value, low, high
    in,           // value, then the list
    array,
    choice,  // CASE: [operand] {when then} [else]
  };
  Kind kind = Kind::word;
  std::string text;
  std::string schema;
  std::string modifiers;                       // of a cast: "10,2"
  bool array = false;                          // of a cast
  bool negated = false;                        // NOT BETWEEN, NOT IN
  bool has_operand = false, has_else = false;  // of CASE
  std::vector<std::string> labels;
  std::vector<std::shared_ptr<const Node>> children;
  int depth = 1;
};

using NodePtr = std::shared_ptr<const Expression::Node>;

Result<NodePtr> parse_expression(std::string_view text);

}  // namespace branchfs::mask
