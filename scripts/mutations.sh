#!/usr/bin/env bash
# Breaks each promise on purpose in a copy of the sources and shows that a quick test turns red (tests/mutations/mutations.tsv).
# Exits 1 when a mutation survives or no longer matches the code.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/mutations.sh [--only PROMISE] [--dir DIR]
  --only P2   only the mutations of this promise
  --dir DIR   where the copy is made and built (default: build/mutations); kept, so that the next run builds less
TEXT
}

die() { printf 'mutations: %s\n' "$*" >&2; exit 2; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
only="" dir=$root/build/mutations
while (($#)); do
  case $1 in
    --only) only=${2:?--only needs a promise}; shift 2 ;;
    --dir) dir=${2:?--dir needs a directory}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
done

source=$dir/source build=$dir/build
mkdir -p "$source" "$build"
# Only what changed is copied, so that only that is built again.
(cd "$root" && git ls-files -co --exclude-standard -z | while IFS= read -r -d '' file; do
  [[ -f $file ]] || continue
  cmp -s "$file" "$source/$file" || { mkdir -p "$source/$(dirname "$file")" && cp "$file" "$source/$file"; }
done)
if [[ -e $root/build/libfuse && ! -e $source/build/libfuse ]]; then mkdir -p "$source/build" && cp -a "$root/build/libfuse" "$source/build/"; fi

declare -A binary=([branch_test]=tests/unit/branch/branch_test [crash_test]=tests/fault/crash_test [damage_test]=tests/damage/damage_test)
export BRANCHFS_CRASH_ROUNDS=2 BRANCHFS_HISTORIES=2 BRANCHFS_SEED=1

build() { cmake --build "$build" --target branch_test crash_test damage_test > "$dir/build.log" 2>&1; }

[[ -f $build/build.ninja ]] ||
  cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo > "$dir/configure.log" 2>&1 || die "cannot configure: see $dir/configure.log"
build || die "the unchanged sources do not build: see $dir/build.log"

# A test that does not start or does not end is not one that says what is wrong.
red() {
  local words
  read -ra words <<< "$1"
  (cd "$build" && timeout 900 "${binary[${words[0]}]}" --abort "${words[@]:1}") > "$dir/test.log" 2>&1 || true
  grep -q 'FAILED:' "$dir/test.log" && ! grep -q 'SIGTERM' "$dir/test.log"
}

killed=0 survived=0
while IFS=$'\t' read -r promise file change what command; do
  [[ $promise == P* ]] || continue
  [[ -z $only || $promise == "$only" ]] || continue
  cp -p "$source/$file" "$dir/saved"
  perl -0pi -e "$change" "$source/$file"
  verdict="killed"
  if cmp -s "$source/$file" "$dir/saved"; then
    verdict="NO MATCH"
  elif ! build; then
    verdict="DOES NOT BUILD"
  elif ! red "$command"; then
    verdict="SURVIVED"
  fi
  cp "$dir/saved" "$source/$file"  # a new time: built again
  if [[ $verdict == killed ]]; then killed=$((killed + 1)); else survived=$((survived + 1)); fi
  printf '%-4s %-15s %s: %s\n' "$promise" "$verdict" "$command" "$what"
done < "$root/tests/mutations/mutations.tsv"

build || die "cannot build the unchanged sources again: see $dir/build.log"
for command in "branch_test" "crash_test" "damage_test"; do
  if red "$command"; then die "$command fails without a mutation: see $dir/test.log"; fi
done
printf 'mutations: %s killed, %s not\n' "$killed" "$survived"
((survived == 0))
