#!/usr/bin/env bash
# Builds everything with a sanitizer and runs the quick, mount and postgres tests with it. A report of any process, also of a mount's or of
# a tool's that a test started, is a failure.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/sanitize.sh [address|thread] [-L LABEL] [OPTION-OF-test.sh ...]
  address  AddressSanitizer with leak detection, and UndefinedBehaviorSanitizer (default)
  thread   ThreadSanitizer
TEXT
}

case "${1:-address}" in
  address) preset=asan ;;
  thread) preset=tsan ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
exec "$(dirname "${BASH_SOURCE[0]}")/test.sh" --preset "$preset" "${@:2}"
