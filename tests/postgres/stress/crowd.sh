#!/usr/bin/env bash
# Many at once, without servers: twenty processes that mount one branch in the same moment, of which one wins and the others say who
# has it (P9), also right after the winner was killed; MOUNTS (50) mounts that are written, and read after the next mount; BRANCHES (300)
# branches listed, shown, deleted. Afterwards no process and no file is left.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mounts=${MOUNTS:-50}
branches=${BRANCHES:-300}
rivals=20
b() { "$BRANCHFS" "$@"; }
# Also where two have one branch, or a test failed half-way.
at_end+=('grep -o " $work/[^ ]*" /proc/self/mountinfo | xargs -r -n 1 umount -l')
since() { printf '%s.%s s' $(((${EPOCHREALTIME/./} - $1) / 1000000)) $(((${EPOCHREALTIME/./} - $1) / 100000 % 10)); }

chmod 755 "$work"
b init > /dev/null
b import prod --initdb --quiet > /dev/null
b gc > /dev/null
first=$(store_data)

# rush WHERE: all at once, with the helper and with the tool in turns. The one that won: its mount point in `winner`.
rush() {
  local i codes=() pids=()
  mkdir -p "$1"
  exec {gate}> "$work/gate"
  flock "$gate"
  for ((i = 0; i < rivals; i++)); do
    mkdir -p "$1/$i"
    (
      trap - EXIT
      exec {gate}>&-
      exec {gate}< "$work/gate"
      flock -s "$gate"  # until all are here
      exec {gate}<&-
      if ((i % 2)); then b mount one "$1/$i"; else "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$1/$i" -o branch=one; fi
    ) > /dev/null 2> "$work/said.$i" &
    pids+=($!)
  done
  sleep 0.5
  exec {gate}>&-
  winner=
  for ((i = 0; i < rivals; i++)); do
    codes[i]=0
    wait "${pids[i]}" || codes[i]=$?
    if ((codes[i] == 0)) && mountpoint -q "$1/$i"; then
      [[ -z $winner ]] || fail "two have the branch: $winner and $1/$i"
      winner=$1/$i
    fi
  done
  [[ -n $winner ]] || fail "of $rivals at once none got the branch: $(cat "$work"/said.*)"
  for ((i = 0; i < rivals; i++)); do
    [[ $winner != "$1/$i" ]] || continue
    equal "${codes[i]}" 5 "exit code of a rival ($(cat "$work/said.$i"))"
    equal "$(wc -l < "$work/said.$i")" 1 "lines of a rival ($(cat "$work/said.$i"))"
    grep -qE 'branchfs: cannot mount .*(in use|is mounted|busy|another branchfs command)' "$work/said.$i" || fail "a rival says: $(cat "$work/said.$i")"
    mountpoint -q "$1/$i" && fail "$1/$i is mounted too"
  done
  daemon=$(field one pid)
}

say "$rivals processes mount one branch at once"
b create one --from prod > /dev/null
rush "$work/rivals"
echo kept > "$winner/file" && sync "$winner/file"
expect 5 "$daemon" "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/rivals/$([[ $winner == */0 ]] && echo 1 || echo 0)" -o branch=one

say "and again after the winner was killed"
for again in 1 2; do
  kill -9 "$daemon"
  umount -l "$winner"
  rush "$work/rivals$again"
  equal "$(cat "$winner/file")" kept "what the killed one had synced"
done
b umount one > /dev/null
b delete one > /dev/null

say "$mounts mounts at once"
began=${EPOCHREALTIME/./}
daemons=()
for ((i = 0; i < mounts; i++)); do
  mkdir "$work/m$i"
  b create "m$i" --from prod > /dev/null
  b mount "m$i" "$work/m$i" > /dev/null
done
up=$(since "$began")
for ((i = 0; i < mounts; i++)); do head -c 300000 /dev/urandom > "$work/m$i/data.$i" && sync "$work/m$i/data.$i"; done
for ((i = 0; i < mounts; i++)); do
  sums[i]=$(sha256sum < "$work/m$i/data.$i")
  equal "$(cd "$work/m$i" && echo data.*)" "data.$i" "new files in branch $i (P4)"
  daemons+=("$(field "m$i" pid)")
done
# PSS: what is shared with others counts in parts.
memory=$(for pid in "${daemons[@]}"; do cat "/proc/$pid/smaps_rollup"; done |
  awk '/^Rss:/ { rss += $2 } /^Pss:/ { pss += $2 } /^Private_/ { own += $2 } END { printf "%d %d %d", rss, pss, own }')
read -r rss pss private <<< "$memory"
say "mounted in $up; a mount takes $((rss / mounts)) KiB (RSS), $((pss / mounts)) (PSS), $((private / mounts)) of its own"
((pss / mounts < 65536)) || fail "a mount takes $((pss / mounts)) KiB"
for ((i = 0; i < mounts; i++)); do b umount "m$i" > /dev/null; done
for pid in "${daemons[@]}"; do
  for ((wait = 0; wait < 50; wait++)); do alive "$pid" || break; sleep 0.1; done
  alive "$pid" && fail "the daemon $pid lives on without a mount"
done
for ((i = 0; i < mounts; i += 7)); do
  b mount "m$i" "$work/m$i" -o ro > /dev/null
  equal "$(sha256sum < "$work/m$i/data.$i")" "${sums[i]}" "data of branch $i after the next mount"
  umount "$work/m$i"
done
for ((i = 0; i < mounts; i++)); do b delete "m$i" > /dev/null; done
b gc > /dev/null
equal "$(store_data)" "$first" "the store after the mounts"

say "$branches branches"
b create mother --from prod > /dev/null
began=${EPOCHREALTIME/./}
seq "$branches" | xargs -P 4 -I{} "$BRANCHFS" create "many/{}" --from mother > /dev/null
say "created in $(since "$began")"
began=${EPOCHREALTIME/./}
equal "$(b list --json | grep -c '"name": "many/')" "$branches" "branches in the list"
say "listed in $(since "$began")"
began=${EPOCHREALTIME/./}
b show "many/$branches" > /dev/null
say "one shown in $(since "$began")"
seq 10 | xargs -P 4 -I{} "$BRANCHFS" delete "many/{}" > /dev/null
expect 3 'no branch "many/7"' b show many/7
began=${EPOCHREALTIME/./}
b gc > /dev/null
say "gc in $(since "$began")"
began=${EPOCHREALTIME/./}
b verify --all > "$work/verify" || fail "verify: $(cat "$work/verify")"
say "verified in $(since "$began")"
equal "$(b list --json | grep -c '"name": "many/')" $((branches - 10)) "branches left in the list"
began=${EPOCHREALTIME/./}
b delete mother --recursive > /dev/null
say "the others deleted in $(since "$began")"
b gc > /dev/null
equal "$(store_data)" "$first" "the store after deleting everything"
say "passed"
