// What an expression does to the values it is given: constant or not, seeded or not, distinct or not, how
// long.
#include <algorithm>
#include <optional>
#include <string_view>

#include "tools/mask/rules/expression_node.h"
#include "tools/mask/rules/types.h"

namespace branchfs::mask {
namespace {

using Node = Expression::Node;

bool is_volatile_builtin(std::string_view name) {
  return name == "random" || name == "clock_timestamp" || name == "gen_random_uuid" || name == "timeofday";
}

// The function as its overloads agree on it: the weakest promise counts.
struct Promise {
  Uniqueness uniqueness = Uniqueness::preserved;
  bool seeded = false;
  int longest = 0;
};
Promise promise_of(std::string_view name) {
  Promise promise;
  bool unbounded = false;
  for (const Signature& signature : overloads(name)) {
    promise.uniqueness = std::max(promise.uniqueness, signature.uniqueness);
    promise.seeded |= signature.source == Source::seeded || signature.uniqueness == Uniqueness::extended;
    promise.longest = std::max(promise.longest, signature.longest);
    unbounded |= signature.longest == 0;
  }
  if (unbounded) promise.longest = 0;
  return promise;
}

bool is_join(const Node& node) {
  return (node.kind == Node::Kind::binary && node.text == "||") || node.kind == Node::Kind::array ||
         (node.kind == Node::Kind::builtin && (node.text == "concat" || node.text == "concat_ws"));
}

class Distinctness {
 public:
  explicit Distinctness(const std::string& column) : column_(column) {}

  // Nothing: constant, the same for every row.
  [[nodiscard]] std::optional<Uniqueness> of(const Node& node) const {
    switch (node.kind) {
      case Node::Kind::string:
      case Node::Kind::number:
      case Node::Kind::word:
        return std::nullopt;
      // Another column of the row says nothing about this one.
      case Node::Kind::column:
        return node.text == column_ ? Uniqueness::preserved : Uniqueness::lossy;
      case Node::Kind::cast:
        return cast(node);
      case Node::Kind::anon_call:
        return call(node);
      default:
        break;
    }
    std::vector<Uniqueness> parts;
    for (const NodePtr& child : node.children) {
      if (auto part = of(*child)) parts.push_back(*part);
    }
    if (node.kind == Node::Kind::builtin && is_volatile_builtin(node.text)) return Uniqueness::lossy;
    if (parts.empty()) return std::nullopt;
    if (is_join(node) && parts.size() > 1) return joined(parts);
    if (parts.size() > 1) return Uniqueness::lossy;
    if (is_join(node)) return parts[0];
    if (node.kind == Node::Kind::builtin) return std::max(parts[0], builtin_uniqueness(node.text, parts[0]));
    const bool shift = (node.kind == Node::Kind::binary || node.kind == Node::Kind::unary) &&
                       (node.text == "+" || node.text == "-");
    return shift ? parts[0] : Uniqueness::lossy;
  }

 private:
  // ab || c and a || bc meet, but not where a part holds a token nobody can guess.
  static Uniqueness joined(const std::vector<Uniqueness>& parts) {
    Uniqueness best = Uniqueness::lossy;
    for (Uniqueness part : parts) {
      if (part == Uniqueness::probable || part == Uniqueness::extended) best = std::min(best, part);
    }
    return best;
  }
  [[nodiscard]] std::optional<Uniqueness> cast(const Node& node) const {
    const auto inner = of(*node.children[0]);
    if (!inner) return inner;
    if (node.array || !node.schema.empty() || !node.modifiers.empty()) return Uniqueness::lossy;
    if (is_text_type(node.text) && node.text != "name") return inner;
    if (node.text == "int8" || node.text == "numeric") return inner;
    // Two spellings of one uuid meet; two digests do not.
    if (node.text == "uuid") return std::max(*inner, Uniqueness::probable);
    return Uniqueness::lossy;
  }
  [[nodiscard]] std::optional<Uniqueness> call(const Node& node) const {
    const Promise promise = promise_of(node.text);
    std::vector<Uniqueness> parts;
    for (const NodePtr& child : node.children) {
      if (auto part = of(*child)) parts.push_back(*part);
    }
    const bool seeded = std::any_of(overloads(node.text).begin(), overloads(node.text).end(),
                                    [](const Signature& s) { return s.source == Source::seeded; });
    if (seeded) return promise.uniqueness;
    if (parts.empty())
      return promise.uniqueness == Uniqueness::extended ? std::optional(promise.uniqueness) : std::nullopt;
    if (parts.size() > 1)
      return promise.uniqueness == Uniqueness::extended ? promise.uniqueness : Uniqueness::lossy;
    return promise.uniqueness == Uniqueness::extended ? promise.uniqueness
                                                      : std::max(parts[0], promise.uniqueness);
  }

  const std::string& column_;
};

bool constant(const Node& node) {
  if (node.kind == Node::Kind::column) return false;
  if (node.kind == Node::Kind::anon_call && promise_of(node.text).seeded) return false;
  if (node.kind == Node::Kind::builtin && is_volatile_builtin(node.text)) return false;
  return std::all_of(node.children.begin(), node.children.end(),
                     [](const NodePtr& child) { return constant(*child); });
}

bool seeded(const Node& node) {
  if (node.kind == Node::Kind::anon_call && promise_of(node.text).seeded) return true;
  return std::any_of(node.children.begin(), node.children.end(),
                     [](const NodePtr& child) { return seeded(*child); });
}

int longest_of(const Node& node);

int sum_of(const Node& node) {
  int sum = 0;
  for (const NodePtr& child : node.children) {
    const int part = longest_of(*child);
    if (part == 0) return 0;
    sum += part;
  }
  return sum;
}

int longest_value(const Node& node, std::size_t first, std::size_t step) {
  int longest = 0;
  for (std::size_t i = first; i < node.children.size(); i += step) {
    const int part = longest_of(*node.children[i]);
    if (part == 0) return 0;
    longest = std::max(longest, part);
  }
  return longest;
}

int longest_choice(const Node& node) {
  int longest = 0;
  const std::size_t end = node.children.size() - (node.has_else ? 1 : 0);
  for (std::size_t i = node.has_operand ? 2 : 1; i < end; i += 2) {
    const int part = longest_of(*node.children[i]);
    if (part == 0) return 0;
    longest = std::max(longest, part);
  }
  if (!node.has_else) return longest;
  const int other = longest_of(*node.children.back());
  return other == 0 ? 0 : std::max(longest, other);
}

// Lengths stay small: an expression has at most 16 KiB.
int longest_of(const Node& node) {
  switch (node.kind) {
    // An empty string counts as one byte: 0 is "unknown".
    case Node::Kind::string:
    case Node::Kind::number:
    case Node::Kind::word:
      return std::max(1, static_cast<int>(node.text.size()));
    case Node::Kind::anon_call:
      return promise_of(node.text).longest;
    case Node::Kind::binary:
      return node.text == "||" ? sum_of(node) : 0;
    case Node::Kind::conditional:
      return node.text == "NULLIF" ? longest_of(*node.children[0]) : longest_value(node, 0, 1);
    case Node::Kind::choice:
      return longest_choice(node);
    case Node::Kind::cast:
      return is_text_type(node.text) && !node.array ? longest_of(*node.children[0]) : 0;
    case Node::Kind::builtin:
      if (node.text == "concat") return sum_of(node);
      if (node.text == "md5") return 32;
      if ((node.text == "lower" || node.text == "upper") && node.children.size() == 1)
        return 2 * longest_of(*node.children[0]);
      return 0;
    default:
      return 0;
  }
}

}  // namespace

bool Expression::is_constant() const { return constant(*root_); }
bool Expression::uses_seed() const { return seeded(*root_); }
int Expression::longest() const { return longest_of(*root_); }

Uniqueness Expression::uniqueness(const std::string& column) const {
  return Distinctness(column).of(*root_).value_or(Uniqueness::lossy);
}

}  // namespace branchfs::mask
