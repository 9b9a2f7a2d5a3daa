#!/usr/bin/env bash
# Sets the machine up, builds, and runs the tests. Exits as ctest does; ctest's closing lines come last.
# Every test works below one scratch directory; what a test leaves behind there (mounts, processes, files)
# is named, ended and removed.
# shellcheck disable=SC2317 # functions that only traps call
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/test.sh [-L LABEL] [--preset PRESET] [--jobs N] [-- CTEST-OPTIONS]
  -L LABEL        only tests with this label (a regular expression): quick, mount, postgres, soak;
                  without it all but soak
  --preset NAME   release (default), asan or tsan (see sanitize.sh), coverage
  --jobs N        tests at a time (default: one per processor)
  TMPDIR says where the scratch directory goes (a disk with about 10 GB free, not tmpfs).
TEXT
}

die() { printf 'test: %s\n' "$*" >&2; exit 2; }
say() { printf 'test: %s\n' "$*"; }

preset=release
jobs=$(nproc)
label=""
extra=()
while (($#)); do
  case $1 in
    -L) label=${2:?-L needs a label}; shift 2 ;;
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift 2 ;;
    --) extra=("${@:2}"); break ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
"$root/scripts/setup.sh"
"$root/scripts/build.sh" "$preset"
build=$root/build/$preset

# Short, because Unix sockets live below it; open to other users, because as root the tests run Postgres as one.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bfs-test.XXXXXX")
chmod 755 "$scratch"
log=$(mktemp "${TMPDIR:-/tmp}/bfs-test-log.XXXXXX")
export TMPDIR=$scratch BRANCHFS_TEST_RUN=${scratch##*/}
ctest_pid=""

# Processes that a test started and left: they stand in the scratch directory, name it on their command
# line or carry this run's mark in their environment. One pid per line, never this script.
leftover_pids() {
  local entry pid cwd
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    if [[ $pid == "$$" || $pid == "$BASHPID" ]]; then continue; fi
    cwd=$(readlink "$entry/cwd" 2> /dev/null || true)
    if [[ $cwd == "$scratch" || $cwd == "$scratch"/* ]] ||
      grep -qaF -e "$scratch" "$entry/cmdline" 2> /dev/null ||
      grep -qazFx -e "BRANCHFS_TEST_RUN=$BRANCHFS_TEST_RUN" "$entry/environ" 2> /dev/null; then
      printf '%s\n' "$pid"
    fi
  done
}

leftover_mounts() {
  local target
  while read -r _ target _; do
    target=$(printf '%b' "$target")
    if [[ $target == "$scratch"/* ]]; then printf '%s\n' "$target"; fi
  done < /proc/self/mounts | sort -r
}

signal_leftovers() {
  local pid
  for pid in $(leftover_pids); do kill "-$1" "$pid" 2> /dev/null || true; done
}

wait_for_leftovers() {
  local tenth
  for ((tenth = 0; tenth < $1 * 10; tenth++)); do
    [[ -n $(leftover_pids) ]] || return 0
    sleep 0.1
  done
}

unmount_leftovers() {
  local target
  while IFS= read -r target; do
    if ((EUID == 0)); then umount -l "$target" || true; else fusermount3 -uz "$target" || true; fi
  done < <(leftover_mounts)
}

describe_leftovers() {
  local pid
  for pid in $(leftover_pids); do
    printf 'test: left behind: process %s: %s\n' "$pid" "$(tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null || true)"
  done
  leftover_mounts | sed 's/^/test: left behind: mount /'
}

cleanup() {
  local status=$? found
  trap - EXIT INT TERM HUP
  cd /
  found=$(describe_leftovers)
  if [[ -n $found ]]; then
    printf '%s\n' "$found" >&2
    signal_leftovers TERM
    wait_for_leftovers 3
    unmount_leftovers
    signal_leftovers KILL
    wait_for_leftovers 3
    # ctest's verdict stays the last thing to be read.
    sed -n '/tests passed,/,$p' "$log"
  fi
  if [[ -n $(leftover_mounts) ]]; then
    printf 'test: %s still has mounts below it and is kept\n' "$scratch" >&2
  else
    rm -rf --one-file-system "$scratch"
  fi
  rm -f "$log" "$log".tmp*  # ctest writes beside it until it ends
  exit "$status"
}
trap cleanup EXIT

stop() {
  if [[ -n $ctest_pid ]]; then kill -TERM -- "-$ctest_pid" 2> /dev/null || true; fi
  exit "$1"
}
trap 'stop 129' HUP
trap 'stop 130' INT
trap 'stop 143' TERM

# Where a sanitizer reports, whatever process it is in and whoever reads its stderr.
reports=""
if [[ $preset == asan || $preset == tsan ]]; then
  reports=$(mktemp -d "${TMPDIR%/*}/bfs-reports.XXXXXX")
  chmod 1777 "$reports"  # servers run as another user
  for tool in ASAN UBSAN LSAN TSAN; do
    variable=${tool}_OPTIONS
    export "$variable=${!variable:+${!variable}:}log_path=$reports/$tool"
  done
fi

select=(--test-dir "$build")
# The soak tests run for minutes each: only when asked for.
if [[ -n $label ]]; then select+=(-L "$label"); else select+=(-LE soak); fi
if ((${#extra[@]})); then select+=("${extra[@]}"); fi

count=$(ctest "${select[@]}" -N | sed -n 's/^Total Tests: //p')
say "preset $preset, ${count:-0} tests${label:+ with label $label}, $jobs at a time, in $scratch"
if ((${count:-0} == 0)); then die "no test matches"; fi
if [[ ! -c /dev/fuse ]]; then say "there is no /dev/fuse here: tests that mount will skip or fail"; fi

# Job control gives ctest a process group of its own, so that one signal reaches all of its tests, and
# leaves SIGINT undisturbed in it (a plain background job would ignore it, and so would every test).
set -m
ctest "${select[@]}" --parallel "$jobs" --timeout 600 --no-tests=error --output-on-failure --output-log "$log" &
ctest_pid=$!
set +m
status=0
wait "$ctest_pid" || status=$?
if [[ -n $reports ]]; then
  if compgen -G "$reports/*" > /dev/null; then
    cat "$reports"/*
    say "the sanitizer reports above are in $reports"
    status=1
  else
    rmdir "$reports"
  fi
fi
exit "$status"
