#!/usr/bin/env bash
# Builds with gcc's line counters, runs the tests, and says what share of the lines of layers/, fs/ and tools/ ran.
# Exits 1 when a test failed or a share is below what the project asks for.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/coverage.sh [--report] [OPTION-OF-test.sh ...]
  --report  no tests: only the figures of the last run
  Each file's share goes to build/coverage/files.txt, its lines to build/coverage/html.
  What a process that was killed with SIGKILL had run is not counted.
TEXT
}

# Lines in percent that must have run.
readonly -A least=([layers]=90 [fs]=80 [tools]=80)

report=""
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --report) report=only; shift ;;
esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
build=$root/build/coverage
status=0
if [[ -z $report ]]; then
  scripts/setup.sh --coverage
  scripts/build.sh coverage
  # The counters are files beside the objects; servers and some tests run as another user and add to them. An empty one counts from zero.
  find "$build" -name '*.gcda' -delete
  find "$build" -name '*.gcno' | while IFS= read -r notes; do
    install -m 666 /dev/null "${notes%gcno}gcda"
  done
  # A process that is killed while it writes its counters leaves a file that the next one complains about.
  export GCOV_ERROR_FILE=$build/complaints.log
  install -m 666 /dev/null "$GCOV_ERROR_FILE"
  scripts/test.sh --preset coverage "$@" || status=$?
fi

command -v gcovr > /dev/null || { printf 'coverage: gcovr is not installed (run scripts/setup.sh --coverage)\n' >&2; exit 2; }
# Counters that no process wrote are still empty.
find "$build" -name '*.gcda' -size 0 -delete
mkdir -p "$build/html"
data=$build/coverage.json
gcovr --root "$root" --object-directory "$build" --filter 'layers/' --filter 'fs/' --filter 'tools/' -j "$(nproc)" \
  --gcov-ignore-parse-errors --exclude-throw-branches --json "$data" "$build"/{layers,fs,tools} > "$build/gcovr.log" 2>&1 || { tail -n 5 "$build/gcovr.log" >&2; exit 2; }
gcovr --root "$root" -a "$data" --txt "$build/files.txt" --html-details "$build/html/index.html" > /dev/null

printf '%-8s %8s %8s %8s %8s\n' folder lines ran share least
for folder in layers fs tools; do
  summary=$(gcovr --root "$root" -a "$data" --filter "$folder/" --json-summary)
  lines=$(grep -oE '"line_total": [0-9]+' <<< "$summary" | tail -n 1 | tr -dc 0-9)
  ran=$(grep -oE '"line_covered": [0-9]+' <<< "$summary" | tail -n 1 | tr -dc 0-9)
  verdict=""
  if ((ran * 100 < lines * ${least[$folder]})); then verdict="  too few"; status=1; fi
  printf '%-8s %8d %8d %7s%% %7d%%%s\n' "$folder" "$lines" "$ran" "$(awk -v a="$ran" -v b="$lines" 'BEGIN { printf "%.1f", 100 * a / b }')" \
    "${least[$folder]}" "$verdict"
done
exit "$status"
