// What a branch enforces, setting by setting (internal to neutralize.cpp). Plain constants.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace branchfs::pg {

enum class Enforce : std::uint8_t {
  value,    // written to branchfs.conf
  default_  // the line is taken out, so that Postgres's default applies
};

struct Rule {
  std::string_view section;  // a heading in branchfs.conf; empty: the same as before
  std::string_view name;
  Enforce how = Enforce::value;
  std::string_view value = {};
  std::string_view why = {};  // for `show` and the comment; empty: not worth reporting
  bool secret = false;        // its value may hold a password or a token
  int from = 0;               // majors that know the setting
  int until = 999;
};

std::span<const Rule> neutralize_rules();

// Libraries that start work of their own when preloaded.
struct Scheduler {
  std::string_view library;
  std::string_view setting;  // makes it quiet; empty: the library is not loaded at all
  std::string_view value;
  std::string_view why;
};

std::span<const Scheduler> known_schedulers();

}  // namespace branchfs::pg
