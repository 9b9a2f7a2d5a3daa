#!/usr/bin/env bash
# Checks the dependency ladder by its includes: a lower rung never includes an upper one.
#   layers/  base < io < format < delta < store < branch < jobs; knows neither fs/ nor tools/, FUSE nor libpq
#   fs/      may use layers/; knows neither tools/ nor libpq
#   tools/   may use layers/; knows neither fs/ nor FUSE
# Prints one line per violation and exits 1 when there is one. --self-test plants violations in a scratch
# tree and fails when one is not found.
set -euo pipefail

readonly ladder=(base io format delta store branch jobs)
readonly fuse='^[<"](fuse3/|fuse[a-z_]*\.h|cuse[a-z_]*\.h)'
readonly libpq='^[<"](postgresql/|libpq[-/]|pg_config|postgres_ext\.h)'

usage() { echo "usage: scripts/check-rungs.sh [ROOT | --self-test]"; }

# Prints FILE:LINE:<header> or FILE:LINE:"header" for every include below the directory $1.
includes() {
  [[ -d $1 ]] || return 0
  grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' --include='*.h' --include='*.cpp' "$1" |
    sed -E 's/^([^:]+:[0-9]+:)[[:space:]]*#[[:space:]]*include[[:space:]]*([<"][^>"]*[>"]).*/\1\2/' || true
}

declare -A rung=()
for i in "${!ladder[@]}"; do rung[${ladder[i]}]=$i; done

# Sets `reason` to why a file $1 may not include $2; empty when it may.
objection() {
  local file=$1 header=$2 own other path
  reason=""
  case $header in
    '"../'* | '"./'* | *'/../'*) reason="includes are written from the top of the tree"; return ;;
  esac
  path=${header#[<\"]}
  case $file in
    layers/*)
      case $path in
        fs/* | tools/* | tests/*) reason="layers/ knows nothing of ${path%%/*}/" ;;
        layers/*)
          own=${file#layers/} own=${own%%/*}
          other=${path#layers/} other=${other%%/*}
          if [[ -z ${rung[$own]:-} ]]; then
            reason="$own is not a rung of the ladder"
          elif [[ -z ${rung[$other]:-} ]]; then
            reason="$other is not a rung of the ladder"
          elif ((rung[$other] > rung[$own])); then
            reason="$own is below $other"
          fi
          ;;
      esac
      if [[ $header =~ $fuse ]]; then reason="layers/ knows nothing of FUSE"; fi
      if [[ $header =~ $libpq ]]; then reason="layers/ knows nothing of libpq"; fi
      ;;
    fs/*)
      case $path in tools/* | tests/*) reason="fs/ knows nothing of ${path%%/*}/" ;; esac
      if [[ $header =~ $libpq ]]; then reason="fs/ knows nothing of libpq"; fi
      ;;
    tools/*)
      case $path in fs/* | tests/*) reason="tools/ knows nothing of ${path%%/*}/" ;; esac
      if [[ $header =~ $fuse ]]; then reason="tools/ knows nothing of FUSE"; fi
      ;;
  esac
}

check() {
  local file line header reason="" bad=0 seen=0
  cd "$1"
  while IFS=: read -r file line header; do
    seen=$((seen + 1))
    objection "$file" "$header"
    if [[ -n $reason ]]; then
      printf '%s:%s: must not include %s: %s\n' "$file" "$line" "$header" "$reason"
      bad=$((bad + 1))
    fi
  done < <(includes layers; includes fs; includes tools)
  if ((bad > 0)); then
    printf 'check-rungs: %d of %d includes break the ladder (CONTRIBUTING.md, "The ladder")\n' "$bad" "$seen" >&2
    return 1
  fi
  if ((seen == 0)); then
    printf 'check-rungs: no include found below %s: wrong directory?\n' "$1" >&2
    return 1
  fi
  printf 'check-rungs: %d includes, all in order\n' "$seen"
}

# expect ok|bad FILE INCLUDE: whether a tree with this one line in this file passes.
expect() {
  local want=$1 file=$2 include=$3 got=ok tree
  tree=$(mktemp -d "$scratch/tree.XXXXXX")
  mkdir -p "$tree/$(dirname "$file")"
  printf '#pragma once\n#include %s\n' "$include" > "$tree/$file"
  (check "$tree") > /dev/null 2>&1 || got=bad
  if [[ $got != "$want" ]]; then
    printf 'check-rungs: self-test: %s with #include %s is %s, should be %s\n' "$file" "$include" "$got" "$want" >&2
    failures=$((failures + 1))
  fi
}

self_test() {
  failures=0
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/check-rungs.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  expect ok layers/io/env.h '"layers/base/types.h"'
  expect ok layers/io/env.h '"layers/io/env.h"'
  expect ok layers/jobs/pack.cpp '"layers/base/types.h"'
  expect ok layers/base/types.h '<vector>'
  expect ok fs/session.cpp '"layers/jobs/pack.h"'
  expect ok fs/session.cpp '<fuse3/fuse_lowlevel.h>'
  expect ok tools/pg/connection.cpp '<libpq-fe.h>'
  expect ok tools/pg/connection.cpp '"tools/pg/cluster.h"'
  local i
  for ((i = 1; i < ${#ladder[@]}; i++)); do
    expect ok "layers/${ladder[i]}/a.h" "\"layers/${ladder[i - 1]}/b.h\""
    expect bad "layers/${ladder[i - 1]}/a.cpp" "\"layers/${ladder[i]}/b.h\""
  done
  expect bad layers/base/types.h '"layers/jobs/pack.h"'
  expect bad layers/base/types.h '"../io/env.h"'
  expect bad layers/odd/a.h '"layers/base/types.h"'
  expect bad layers/jobs/pack.cpp '"fs/session.h"'
  expect bad layers/jobs/pack.cpp '"tools/cli.h"'
  expect bad layers/jobs/pack.cpp '<fuse_lowlevel.h>'
  expect bad layers/jobs/pack.cpp '<fuse3/fuse.h>'
  expect bad layers/jobs/pack.cpp '<libpq-fe.h>'
  expect bad layers/jobs/pack.cpp '<postgresql/libpq-fe.h>'
  expect bad fs/session.cpp '"tools/cli.h"'
  expect bad fs/session.cpp '<libpq-fe.h>'
  expect bad tools/main.cpp '"fs/session.h"'
  expect bad tools/main.cpp '<fuse_lowlevel.h>'
  if ((failures > 0)); then return 1; fi
  echo "check-rungs: self-test passed"
}

case "${1:-}" in
  -h | --help) usage ;;
  --self-test) self_test ;;
  -*) usage >&2; exit 2 ;;
  *) check "${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}" ;;
esac
