#!/usr/bin/env bash
# Checks the dependency ladder by its includes: a lower rung never includes an upper one.
#   layers/  base < io < format < delta < store < branch < jobs; knows neither fs/ nor tools/, FUSE nor libpq
#   fs/      may use layers/; knows neither tools/ nor libpq
#   tools/   may use layers/; knows neither fs/ nor FUSE
# The CMakeLists.txt files are held to the same: what a tree may not include, its targets may not link.
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

# Prints the places below $1 where a CMakeLists.txt names one of the targets $2.
links() {
  [[ -d $1 ]] || return 0
  grep -rnoE "(^|[[:space:](])($2)([[:space:])]|\$)" --include=CMakeLists.txt "$1" |
    sed -E 's/^([^:]+:[0-9]+:)[[:space:](]*([^[:space:])]+).*/\1 must not link \2/' || true
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
  while IFS= read -r line; do
    printf '%s\n' "$line"
    bad=$((bad + 1))
  done < <(
    links layers 'PkgConfig::(fuse3|libpq)|branchfs_(fs|tools|pg|import|text|mask)'
    links fs 'PkgConfig::libpq|branchfs_(tools|pg|import|text|mask)'
    links tools 'PkgConfig::fuse3|branchfs_fs'
  )
  if ((bad > 0)); then
    printf 'check-rungs: %d violations of the ladder (CONTRIBUTING.md, "The ladder"); %d includes looked at\n' "$bad" "$seen" >&2
    return 1
  fi
  if ((seen == 0)); then
    printf 'check-rungs: no include found below %s: wrong directory?\n' "$1" >&2
    return 1
  fi
  printf 'check-rungs: %d includes, all in order\n' "$seen"
}

# expect ok|bad FILE WHAT: whether a tree passes in which FILE includes (CMakeLists.txt: links) WHAT.
expect() {
  local want=$1 file=$2 what=$3 got=ok tree
  tree=$(mktemp -d "$scratch/tree.XXXXXX")
  mkdir -p "$tree/$(dirname "$file")" "$tree/layers/base"
  printf '#include <vector>\n' > "$tree/layers/base/types.h"
  if [[ $file == *CMakeLists.txt ]]; then
    printf 'target_link_libraries(x PUBLIC %s)\n' "$what" > "$tree/$file"
  else
    printf '#pragma once\n#include %s\n' "$what" > "$tree/$file"
  fi
  (check "$tree") > /dev/null 2>&1 || got=bad
  if [[ $got != "$want" ]]; then
    printf 'check-rungs: self-test: %s with %s is %s, should be %s\n' "$file" "$what" "$got" "$want" >&2
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
  expect ok layers/CMakeLists.txt 'branchfs_io PRIVATE PkgConfig::lz4'
  expect ok fs/CMakeLists.txt 'branchfs_branch PkgConfig::fuse3'
  expect ok tools/CMakeLists.txt 'branchfs_import branchfs_pg'
  expect bad layers/CMakeLists.txt 'branchfs_io PRIVATE PkgConfig::fuse3'
  expect bad layers/jobs/CMakeLists.txt 'PkgConfig::libpq'
  expect bad layers/CMakeLists.txt 'branchfs_import'
  expect bad fs/CMakeLists.txt 'branchfs_pg PkgConfig::fuse3'
  expect bad tools/CMakeLists.txt 'branchfs_jobs branchfs_fs'
  expect bad tools/pg/CMakeLists.txt 'PkgConfig::fuse3 '
  if ((failures > 0)); then return 1; fi
  echo "check-rungs: self-test passed"
}

case "${1:-}" in
  -h | --help) usage ;;
  --self-test) self_test ;;
  -*) usage >&2; exit 2 ;;
  *) check "${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}" ;;
esac
