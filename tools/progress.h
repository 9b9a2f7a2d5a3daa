// Shows on stderr how far a long job is: a bar with rate and remaining time on a terminal, one JSON object
// per line on stdout with --json, nothing with --quiet or when stderr is not a terminal.
//
// Owner: a command makes one and hands it to the job. At most ten updates a second reach the screen, however
// often update() is called. The bar is erased by the destructor or finish(), so that what is printed next
// starts on a clean line. Threads: any (a mutex orders updates). Errors: none; a stderr that is gone is
// ignored.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace branchfs {

class ProgressReporter {
 public:
  enum class Style : std::uint8_t { none, bar, json };
  // json wins over quiet (events are output); a bar needs a terminal on stderr.
  static Style style_for(bool json, bool quiet);

  explicit ProgressReporter(Style style, int fd = -1);  // -1: stderr for a bar, stdout for JSON
  ~ProgressReporter();
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  // Begins a phase ("copying"); the clock of the rate starts again.
  void begin(const std::string& label);
  // The same with a phase that has no numbers of its own: it is shown at once.
  void step(const std::string& label);
  // Another label for what goes on: rate and remaining time stay those of the whole.
  void rename(const std::string& label);
  // Bytes; total 0 = unknown, and a total below done is raised to it.
  void update(std::uint64_t done, std::uint64_t total);
  // Writes the last state as JSON, erases the bar.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  void draw_bar(double seconds, double rate);
  void draw_json(double rate);

  Style style_;
  int fd_;
  std::mutex mutex_;
  std::string label_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  Clock::time_point started_{};
  Clock::time_point drawn_{};
  bool visible_ = false;
  bool active_ = false;
};

}  // namespace branchfs
