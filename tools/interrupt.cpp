#include "tools/interrupt.h"

namespace branchfs {

namespace {

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGHUP};
volatile sig_atomic_t requested_flag = 0;
int depth = 0;

void note(int) { requested_flag = 1; }

}  // namespace

Interrupt::Interrupt() {
  if (depth++ == 0) requested_flag = 0;
  struct sigaction action {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &former_[i]);
    // nohup's SIG_IGN is a wish to be respected.
    if (former_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &former_[i], nullptr);
  --depth;
}

bool Interrupt::requested() { return requested_flag != 0; }

Status Interrupt::check() {
  if (!requested()) return {};
  return Error{Kind::failed, ECANCELED, "interrupted", {}};
}

}  // namespace branchfs
