// YAML to JSON, from the parser's events: no anchors, aliases and tags, so that a document is as large as its
// text.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <set>
#include <sstream>
#include <stdexcept>

#include "tools/mask/rules/rules_form.h"
#include "tools/mask/rules/tokens.h"

namespace branchfs::mask {
namespace {

using nlohmann::json;

// The parser's own way to stop is an exception; it ends in yaml_to_json().
class Objection : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A scalar without quotes, by the core schema of YAML 1.2.
json plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  std::int64_t integer = 0;
  const char* end = text.data() + text.size();
  if (auto read = std::from_chars(text.data(), end, integer); read.ec == std::errc() && read.ptr == end)
    return integer;
  double number = 0;
  const bool digits = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (auto read = std::from_chars(text.data(), end, number);
      digits && read.ec == std::errc() && read.ptr == end)
    return number;
  return text;
}

class Builder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    add(mark, nullptr);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { object(mark, "aliases are not allowed"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check(mark, tag, anchor);
    const bool quoted = tag == "!";
    Frame* top = frames_.empty() ? nullptr : &frames_.back();
    if (top != nullptr && top->value.is_object() && !top->has_key) {
      if (!objection_to_text(value, false).empty()) object(mark, "a key holds a control character");
      if (!top->keys.insert(value).second) object(mark, fmt::format("the key \"{}\" occurs twice", value));
      top->key = value;
      top->has_key = true;
      return;
    }
    add(mark, quoted ? json(value) : plain_scalar(value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::array());
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, json::object());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  json result;

 private:
  struct Frame {
    json value;
    YAML::Mark mark;
    std::set<std::string> keys;
    std::string key;
    bool has_key = false;
  };

  [[noreturn]] static void object(const YAML::Mark& mark, const std::string& what) {
    throw Objection(fmt::format("line {}: {}", mark.line + 1, what));
  }
  static void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) object(mark, "anchors are not allowed");
    if (!tag.empty() && tag != "?" && tag != "!") object(mark, "tags are not allowed");
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, json empty) {
    check(mark, tag, anchor);
    if (frames_.size() >= static_cast<std::size_t>(kDocumentDepth)) object(mark, "it is nested too deep");
    if (!frames_.empty() && frames_.back().value.is_object() && !frames_.back().has_key)
      object(mark, "a key is no text");
    frames_.push_back(Frame{std::move(empty), mark, {}, {}, false});
  }
  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    add(frame.mark, std::move(frame.value));
  }
  void add(const YAML::Mark& mark, json value) {
    if (frames_.empty()) {
      result = std::move(value);
      return;
    }
    Frame& top = frames_.back();
    if (top.value.is_array()) {
      top.value.push_back(std::move(value));
    } else {
      if (!top.has_key) object(mark, "a key is no text");
      top.value[top.key] = std::move(value);
      top.has_key = false;
    }
  }

  std::vector<Frame> frames_;
};

}  // namespace

Result<json> yaml_to_json(std::string_view text) {
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    Builder builder;
    if (!parser.HandleNextDocument(builder)) return make_error(Kind::usage, "no rule file: it is empty");
    Builder second;
    if (parser.HandleNextDocument(second))
      return make_error(Kind::usage, "no rule file: it holds more than one document");
    return std::move(builder.result);
  } catch (const YAML::Exception& error) {
    return make_error(Kind::usage, fmt::format("no rule file: line {}: {}", error.mark.line + 1, error.msg));
  } catch (const Objection& objection) {
    return make_error(Kind::refused, fmt::format("no rule file: {}", objection.what()));
  }
}

}  // namespace branchfs::mask
