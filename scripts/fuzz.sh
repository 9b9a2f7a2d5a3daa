#!/usr/bin/env bash
# Builds the libFuzzer targets of tests/fuzz with clang and runs them one after the other. Exits with 1 when one of them found something.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/fuzz.sh [MINUTES [TARGET ...]]
  MINUTES  of CPU time for each target (default: 5)
  TARGET   layer, journal, ... (default: all in tests/fuzz)
  Inputs that reach new code collect in build/fuzz/corpus/TARGET, those that fail in build/fuzz/findings. A finding is run again with
  build/fuzz/tests/fuzz/fuzz_TARGET FILE; mended, it goes to tests/fuzz/corpus/TARGET, where the quick tests run it.
  BRANCHFS_FUZZ_BUILD=DIR in the environment: a build directory that is ready to run, instead of build/fuzz.
TEXT
}

die() { printf 'fuzz: %s\n' "$*" >&2; exit 2; }

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
minutes=${1:-5}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || { usage >&2; die "MINUTES is a number"; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BRANCHFS_FUZZ_BUILD:-$root/build/fuzz}
if [[ -z ${BRANCHFS_FUZZ_BUILD:-} ]]; then
  "$root/scripts/setup.sh" --fuzz
  "$root/scripts/build.sh" fuzz fuzz
fi

targets=("${@:2}")
if ((${#targets[@]} == 0)); then
  for program in "$build"/tests/fuzz/fuzz_*; do
    if [[ -x $program ]]; then targets+=("$(basename "${program#*/fuzz_}" | sed 's/^fuzz_//')"); fi
  done
fi
for target in "${targets[@]}"; do
  [[ -x $build/tests/fuzz/fuzz_$target ]] || die "there is no target '$target'"
done

readonly slice=120       # seconds at most; CPU time is counted after each
readonly memory_mb=1536
readonly hang=25         # seconds for one input
logs=$build/logs
findings=$build/findings
mkdir -p "$logs" "$findings"
failed=0

# -entropic=0: with many inputs that reach much code, clang 14's bookkeeping for it takes half of the time.
# One slice; prints the CPU seconds it took. The program's own output goes to the log.
run_slice() {
  local target=$1 seconds=$2 log=$3 status=0
  local TIMEFORMAT='%U %S'
  local times
  times=$({ time "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb="$memory_mb" -timeout="$hang" \
    -entropic=0 -print_final_stats=1 -artifact_prefix="$findings/$target-" \
    "$build/corpus/$target" "$root/tests/fuzz/corpus/$target" >> "$log" 2>&1; } 2>&1) || status=$?
  awk '{ print $1 + $2 }' <<< "${times##*$'\n'}"
  return "$status"
}

run_target() {
  local target=$1 log=$logs/$1.log cpu=0 took left status=0 verdict=none
  : > "$log"
  mkdir -p "$build/corpus/$target" "$root/tests/fuzz/corpus/$target"
  while awk -v a="$cpu" -v b="$minutes" 'BEGIN { exit !(a < b * 60) }'; do
    left=$(awk -v a="$cpu" -v b="$minutes" -v most="$slice" 'BEGIN { s = int(b * 60 - a) + 1; print s < most ? s : most }')
    took=$(run_slice "$target" "$left" "$log") || status=$?
    cpu=$(awk -v a="$cpu" -v b="$took" 'BEGIN { print a + b }')
    if ((status != 0)); then
      verdict=$(grep -oE "$findings/$target-[a-z-]+[0-9a-f]+" "$log" | tail -n 1 || true)
      verdict=${verdict:-see $log}
      failed=1
      break
    fi
  done
  local runs coverage
  runs=$(awk '/^stat::number_of_executed_units:/ { n += $2 } END { print n + 0 }' "$log")
  coverage=$(grep -oE 'cov: [0-9]+' "$log" | awk '$2 > most { most = $2 } END { print most + 0 }')
  awk -v t="$target" -v c="$cpu" -v r="$runs" -v e="$coverage" -v v="$verdict" \
    'BEGIN { printf "%-14s %11.1f %12d %9d  %s\n", t, c / 60, r, e, v }'
}

printf '%-14s %11s %12s %9s  %s\n' target 'CPU minutes' executions edges findings
for target in "${targets[@]}"; do run_target "$target"; done
exit "$failed"
