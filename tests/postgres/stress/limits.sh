#!/usr/bin/env bash
# Limits of the process: mounts and commands that may open few files or take little memory. They work, or the error reaches whoever asked;
# what a sync acknowledged is there afterwards, verify finds nothing, and without the limit everything goes on (P2, P8).
# ROUNDS asks for more of the random limits, SEED repeats a run.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

seed=${SEED:-$RANDOM}
RANDOM=$seed
rounds=${ROUNDS:-3}
((rounds <= 20)) || rounds=20  # for the tests that take the same variable it is many more
files=100
b() { "$BRANCHFS" "$@"; }
chmod 755 "$work"
say "seed $seed"

cluster=$work/cluster
mkdir -m 700 "$cluster" && give_to_server_user "$cluster"
as_server_user "$(server_programs)/initdb" -D "$cluster" -U postgres -A trust --no-sync --wal-segsize=1 > /dev/null
b init > /dev/null
b import prod --pgdata "$cluster" --quiet > /dev/null
b gc > /dev/null
first=$(store_data)
dir=$work/mnt
mkdir "$dir"
at_end+=('! mountpoint -q "$dir" || umount -l "$dir"')

# What was acknowledged: file number → what it holds.
declare -A synced=()
filling=$(printf 'line %s\n' {1..1500})
content() { printf '%s %s\n%s' "$1" "$2" "$filling"; }
# write_all MARK [FILES]: each of the files written, then all synced, while most of them are open. Only a want of descriptors or
# memory may be an error, or a mount that ended.
write_all() {
  local i fds=() much=${2:-$files} paths=()
  : > "$work/err"
  for ((i = 0; i < much; i++)); do
    unset "synced[$i]"
    content "$1" "$i" > "$dir/f$i" || echo "'$dir/f$i'"
    ((i >= 80)) || exec {fds[i]}< "$dir/f$i" || true
    paths+=("$dir/f$i")
  done 2>> "$work/err" >> "$work/err"
  LC_ALL=C sync "${paths[@]}" 2>> "$work/err" || true
  for i in "${fds[@]}"; do exec {i}<&-; done
  ! grep -vE "Too many open files|Cannot allocate memory|not connected|connection abort|^'" "$work/err" || fail "an error that says something else"
  for ((i = 0; i < much; i++)); do grep -qF "'$dir/f$i'" "$work/err" || synced[$i]=$1; done
}
check_all() {
  local i
  for i in "${!synced[@]}"; do
    [[ $(content "${synced[$i]}" "$i") == "$(< "$dir/f$i")" ]] || fail "f$i, which was synced as ${synced[$i]}, is $(head -c 30 "$dir/f$i") $1"
  done
}
remount() {
  mountpoint -q "$dir" && umount -l "$dir"
  b umount few > /dev/null 2>&1 || true
  b mount few "$dir" > /dev/null
}
# One line that says why, and nothing left of it.
works_or_says() {
  local what=$1 code=0
  shift
  "$@" > "$work/out" 2> "$work/err" || code=$?
  ((code == 0)) && return
  equal "$(wc -l < "$work/err")" 1 "lines of $what ($(cat "$work/err"))"
  grep -qE '^branchfs: (cannot .*([Tt]oo many open files|[Mm]emory|Resource temporarily unavailable|thread|died|no branch "[xy]")|out of memory)|error while loading shared libraries' "$work/err" ||
    fail "$what, exit code $code: $(cat "$work/err")"
  refused=$((refused + 1))
}

say "a mount that may open 64 files, then 40"
b create few --from prod > /dev/null
for limit in 64 40; do
  (ulimit -n "$limit" && b mount few "$dir" > /dev/null)
  write_all "limit$limit"
  check_all "with a limit of $limit"
  equal "${#synced[@]}" "$files" "files written with a limit of $limit"
  b create "child$limit" --from few > /dev/null
  equal "$(field few read_only)" false "read_only with a limit of $limit"
  b umount few > /dev/null
done
b mount few "$dir" > /dev/null
check_all "after the next mount"

say "a limit put on a running mount, down to none"
daemon=$(field few pid)
open_now=$(find "/proc/$daemon/fd" -mindepth 1 | wc -l)
for more in 40 8 2 0; do
  prlimit --pid "$daemon" --nofile=$((open_now + more)):
  write_all "more$more" 60
  check_all "with $more more files"
  say "  $more more: ${#synced[@]} of $files hold what a sync acknowledged"
  prlimit --pid "$daemon" --nofile=4096:
  write_all "again$more" 60
  equal "${#synced[@]}" "$files" "files written without the limit"
  check_all "without the limit"
done
remount
check_all "after the limits and the next mount"
b umount few > /dev/null
b verify --all > "$work/out" || fail "verify: $(cat "$work/out")"

say "commands that may open few files"
refused=0
for limit in 24 12 10 8 6; do
  for command in "import x --pgdata $cluster --quiet" "create y --from few" pack gc "verify --all" list "delete y" "delete x"; do
    # shellcheck disable=SC2086 # words
    works_or_says "$command with $limit files" bash -c 'ulimit -n "$1"; shift; exec "$@"' - "$limit" "$BRANCHFS" $command
  done
  for name in x y; do ! b show "$name" > /dev/null 2>&1 || b delete "$name" > /dev/null; done
done
say "  $refused refused"
b gc > /dev/null
b verify --all > "$work/out" || fail "verify: $(cat "$work/out")"

say "a mount whose memory ends"
died=0
for ((round = 0; round < rounds; round++)); do
  remount
  daemon=$(field few pid)
  size=$(awk '/^VmSize/ { print $2 * 1024 }' "/proc/$daemon/status")
  prlimit --pid "$daemon" --as=$((size + RANDOM * 100)):
  write_all "memory$round" 60
  for ((i = 0; i < 300; i++)); do mkdir -p "$dir/d$round/$i" 2> /dev/null || break; done
  sync "$dir/d$round" 2> /dev/null || true
  b create "m$round" --from few --no-checkpoint > /dev/null 2> "$work/err" || equal "$(wc -l < "$work/err")" 1 "lines of create ($(cat "$work/err"))"
  alive "$daemon" || died=$((died + 1))
  if ((round % 2)); then prlimit --pid "$daemon" --as=unlimited: 2> /dev/null || true; else kill -9 "$daemon" 2> /dev/null || true; fi
  remount
  check_all "after a mount without memory"
done
say "  $died of $rounds ended"
b umount few > /dev/null
b verify --all > "$work/out" || fail "verify: $(cat "$work/out")"

say "commands without memory"
refused=0
for limit in 400000 120000 60000 30000; do
  for command in "import x --pgdata $cluster --quiet" "create y --from few" pack gc "verify --all" list "delete y" "delete x"; do
    # shellcheck disable=SC2086 # words
    works_or_says "$command with $limit KiB" bash -c 'ulimit -v "$1"; shift; exec "$@"' - "$limit" "$BRANCHFS" $command
  done
  for name in x y; do ! b show "$name" > /dev/null 2>&1 || b delete "$name" > /dev/null; done
done
say "  $refused refused"
b mount few "$dir" > /dev/null
check_all "after all"
b umount few > /dev/null
b verify --all > "$work/out" || fail "verify: $(cat "$work/out")"
b list --json | sed -n 's/^ *"name": "\(.*\)",\{0,1\}$/\1/p' > "$work/names"
while read -r name; do [[ $name == prod || $name == few ]] || b delete "$name" > /dev/null; done < "$work/names"
b delete few > /dev/null
b gc > /dev/null
equal "$(store_data)" "$first" "the store after deleting everything"
say "passed"
