#include "tools/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tools/text.h"

namespace branchfs {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr int kDefaultColumns = 80;
// Until then a rate is noise: a first chunk from the page cache would promise an end that never comes.
constexpr double kSettled = 0.5;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n <= 0) return;  // a reader that went away must not fail the job
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

int columns_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

std::string human_time(double seconds) {
  const auto s = static_cast<std::uint64_t>(std::min(std::ceil(seconds), 359999.0));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace

ProgressReporter::Style ProgressReporter::style_for(bool json, bool quiet) {
  if (json) return Style::json;
  return !quiet && ::isatty(STDERR_FILENO) == 1 ? Style::bar : Style::none;
}

ProgressReporter::ProgressReporter(Style style, int fd)
    : style_(style), fd_(fd >= 0 ? fd : (style == Style::json ? STDOUT_FILENO : STDERR_FILENO)) {}

ProgressReporter::~ProgressReporter() { finish(); }

void ProgressReporter::begin(const std::string& label) {
  finish();
  const std::lock_guard guard(mutex_);
  label_ = label;
  done_ = total_ = 0;
  started_ = Clock::now();
  drawn_ = {};
  active_ = true;
}

void ProgressReporter::step(const std::string& label) {
  begin(label);
  if (style_ == Style::none) return;
  const std::lock_guard guard(mutex_);
  draw();
}

void ProgressReporter::rename(const std::string& label) {
  const std::lock_guard guard(mutex_);
  label_ = label;
  drawn_ = {};  // shown by the next update, however soon
}

void ProgressReporter::update(std::uint64_t done, std::uint64_t total) {
  if (style_ == Style::none) return;
  const std::lock_guard guard(mutex_);
  if (!active_) return;
  done_ = done;
  total_ = total == 0 ? 0 : std::max(total, done);
  const auto now = Clock::now();
  if (now - drawn_ < kInterval) return;
  drawn_ = now;
  draw();
}

void ProgressReporter::finish() {
  const std::lock_guard guard(mutex_);
  if (!active_) return;
  active_ = false;
  if (style_ == Style::json && done_ > 0) draw();
  if (visible_) write_all(fd_, "\r\x1b[K");
  visible_ = false;
}

void ProgressReporter::draw() {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  if (style_ == Style::json) {
    draw_json(rate);
  } else if (style_ == Style::bar) {
    draw_bar(seconds, rate);
  }
}

void ProgressReporter::draw_json(double rate) {
  nlohmann::json event = {{"event", "progress"},
                          {"phase", label_},
                          {"done", done_},
                          {"total", total_ == 0 ? nlohmann::json(nullptr) : nlohmann::json(total_)},
                          {"rate", static_cast<std::uint64_t>(rate)}};
  write_all(fd_, event.dump() + "\n");
}

void ProgressReporter::draw_bar(double seconds, double rate) {
  const int columns = columns_of(fd_);
  std::string numbers = done_ == 0 && total_ == 0 ? "…" : format_bytes(done_);
  if (total_ > 0) numbers += " of " + format_bytes(total_);
  if (seconds >= kSettled) {
    numbers += fmt::format("  {}/s", format_bytes(static_cast<std::uint64_t>(rate)));
    if (total_ > 0 && rate > 0) numbers += "  " + human_time(static_cast<double>(total_ - done_) / rate);
  }
  std::string line = label_ + "  ";
  // "[####    ]  42%  " takes 10 columns besides the bar itself; the last column stays free, so no terminal
  // wraps.
  const int room = columns - 1 - static_cast<int>(line.size() + numbers.size()) - 10;
  if (total_ > 0) {
    const double part = static_cast<double>(done_) / static_cast<double>(total_);
    if (const int width = std::min(room, 40); width >= 5) {
      const int full = static_cast<int>(part * width);
      line += '[' + std::string(static_cast<std::size_t>(full), '#') +
              std::string(static_cast<std::size_t>(width - full), ' ') + "] ";
    }
    line += fmt::format("{:3}%  ", static_cast<int>(part * 100));
  }
  line += numbers;
  line.resize(std::min(line.size(), static_cast<std::size_t>(std::max(columns - 1, 1))));
  write_all(fd_, "\r" + line + "\x1b[K");
  visible_ = true;
}

}  // namespace branchfs
