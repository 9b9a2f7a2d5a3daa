#!/usr/bin/env bash
# P1, P2, P8, P10 on real filesystems: the power is cut under a store on ext4 and on XFS while servers and tools work on it. The disk
# below records each write and flush (power_disk.cpp), so that what a cut at any moment leaves can be made afterwards: all that was
# flushed, and of the rest nothing, all, some writes or some sectors. The journal is recovered, a new boot begins, and the store must
# hold what was acknowledged before. What was acknowledged is recorded between the disk's writes, in the same order.
# BRANCHFS_CUTS asks for more cuts, SEED repeats the choices. Root only.
if ((EUID != 0)); then echo "-- skipped: only root can mount a disk"; exit 0; fi
# In a mount namespace of its own, so that nothing is left whatever happens.
if [[ -z ${POWER_CUT_INSIDE:-} ]]; then POWER_CUT_INSIDE=1 exec unshare -m --propagation slave "$0" "$@"; fi
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
: "${POWER_DISK:?path of power_disk}"

cuts=${BRANCHFS_CUTS:-$(sized 2 60)}
seconds=$(sized 6 60)
kinds=("$@")
((${#kinds[@]})) || kinds=(ext4 xfs)
seed=${SEED:-$RANDOM}
RANDOM=$seed
megabytes=$((320 + seconds * 8))
disk=$work/disk below=$work/below log=$work/log
mkdir "$disk" "$below"
export BRANCHFS_STORE=$disk/store
loop="" server="" bench="" ledger=""
cut="" # which one is looked at, for what fails
fail() { printf 'FAILED: %s%s\n' "${cut:+$cut: }" "$*" >&2; exit 1; }
b() { "$BRANCHFS" "$@"; }
big_random() { REPLY=$((RANDOM * 32768 + RANDOM)); }

end_load() {
  local pid
  for pid in $bench $ledger; do kill "$pid" 2> /dev/null && wait "$pid" 2> /dev/null || true; done
  bench="" ledger=""
}
branches() { b list --json | sed -n 's/^ *"name": "\(.*\)",\{0,1\}$/\1/p'; }
# All that this script started, from the top to the bottom.
take_down() {
  local name
  end_load
  if [[ -d $BRANCHFS_STORE ]]; then
    for name in $(branches 2> /dev/null); do
      b stop "$name" > /dev/null 2>&1 || true
      b umount "$name" > /dev/null 2>&1 || true
    done
  fi
  if mountpoint -q "$disk"; then umount "$disk" || umount -l "$disk"; fi
  if [[ -n $loop ]]; then losetup -d "$loop" 2> /dev/null || true; loop=""; fi
  if [[ -n $server ]]; then
    until umount "$below" 2> /dev/null || ! mountpoint -q "$below"; do sleep 0.1; done
    wait "$server" || fail "the recording disk failed"
    server=""
  fi
}
at_end+=(take_down)

note() { echo "$*" >> "$below/notes"; }
# do_it COMMAND...: noted before it begins and after it was acknowledged.
do_it() {
  note "begin $*"
  b "$@" > /dev/null 2> "$work/err" || fail "$*: $(cat "$work/err")"
  note "end $*"
}

format() {
  case $1 in
    ext4) mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$2" ;;
    xfs) mkfs.xfs -q -K "$2" ;;
  esac
}
can() { command -v "mkfs.$1" > /dev/null && { grep -qw "$1" /proc/filesystems || modprobe "$1" 2> /dev/null; }; }

# A store on a new recorded disk.
build() {
  "$POWER_DISK" serve "$below" "$log" "$megabytes" & server=$!
  until [[ -e $below/disk ]]; do kill -0 "$server" || fail "no recording disk"; sleep 0.05; done
  loop=$(losetup --direct-io=on -f --show "$below/disk")
  format "$1" "$loop"
  mount -o nodiscard "$loop" "$disk"
  chmod 755 "$disk"
  b init > /dev/null
  b import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
  b create dev --from prod --start > /dev/null
  query dev "CREATE TABLE ledger (number bigint PRIMARY KEY)"
}

# Children come and go while two clients of the ledger and two of pgbench commit.
children=() made=0
one_operation() {
  local i=$((RANDOM % (${#children[@]} + 1))) name
  name=${children[i]:-}
  case $((RANDOM % 12)) in
    0 | 1) ((${#children[@]} < 4)) || return 0; made=$((made + 1)); do_it create "c$made" --from dev --no-checkpoint; children+=("c$made") ;;
    2) ((${#children[@]} < 4)) || return 0; made=$((made + 1)); do_it create "c$made" --from dev; children+=("c$made") ;;
    3 | 4) [[ -n $name ]] || return 0; unset "children[i]"; children=("${children[@]}"); do_it delete "$name" ;;
    5 | 6) [[ -z $name ]] || do_it reset "$name" ;;
    7) [[ -n $name ]] || return 0; made=$((made + 1)); children[i]=c$made; do_it rename "$name" "c$made" ;;
    8) do_it pack ;;
    9) [[ -z $name ]] || do_it compact "$name" ;;
    10 | 11) do_it gc ;;
  esac
}
load() {
  local until=$((SECONDS + seconds)) early=$((SECONDS + seconds / 2)) url
  url=$(b url dev)
  children=() made=0
  note ready
  "$LEDGER" "$url" "$below/notes" 2 2 & ledger=$!
  pgbench -n -c 2 -j 1 -T 3600 "$url" > "$work/bench" 2>&1 & bench=$!
  while ((SECONDS < until)); do
    one_operation
    sleep "0.$((RANDOM % 3))"
    # The host writes out what nobody synced, when it likes; a test's time is short. Not from the beginning, so that it hides nothing.
    ((SECONDS < early || RANDOM % 3)) || sync -f "$disk"
    kill -0 "$bench" 2> /dev/null || fail "pgbench ended: $(tail -n 5 "$work/bench")"
    kill -0 "$ledger" 2> /dev/null || fail "the ledger ended"
  done
  end_load
  note done
}

# What the notes before a cut say of each branch: `there NAME LINE` (it holds what was noted before LINE), `gone NAME`, or
# `one NAME OTHER` of which exactly one is there. A branch of which nothing is said may be there or not.
expectations() {
  awk '
    function over() { begun = "" }
    $1 == "begin" { begun = $2; a = $3; c = $4; line = NR }
    $1 == "end" && $2 == "create" { there[$3] = line; delete gone[$3]; over() }
    $1 == "end" && $2 == "delete" { delete there[$3]; gone[$3]; over() }
    $1 == "end" && $2 == "reset" { there[$3] = line; over() }
    $1 == "end" && $2 == "rename" { there[$4] = there[$3]; delete there[$3]; gone[$3]; over() }
    $1 == "end" { over() }
    END {
      if (begun == "delete" || begun == "rename") delete there[a]
      if (begun == "rename") print "one", a, c
      for (name in there) print "there", name, there[name]
      for (name in gone) print "gone", name
    }' "$1"
}

# holds_of BRANCH LINES: what the ledger had noted in the first LINES lines.
holds_of() {
  head -n "$2" "$work/notes" | grep -E '^[0-9]+ [0-9]+$' > "$work/before" || true
  holds "$1" "$work/before"
}

# The store as the boot after the cut finds it.
check() {
  local what name other line picked=""
  b list > "$work/list" 2> "$work/err" && [[ ! -s $work/err ]] || fail "list: $(cat "$work/err")"
  b verify --all > "$work/out" 2>&1 || fail "verify: $(cat "$work/out")"
  branches | sort > "$work/names"
  expectations "$work/notes" > "$work/expected"
  while read -r what name other; do
    line=$other
    case $what in
      there) grep -qxF "$name" "$work/names" || fail "$name is lost"; picked="$name $line" ;;
      gone) ! grep -qxF "$name" "$work/names" || fail "$name was deleted and is back" ;;
      one) equal "$(grep -cxF -e "$name" -e "$other" "$work/names")" 1 "names of a branch that was being renamed from $name to $other" ;;
    esac
  done < "$work/expected"
  b start dev > /dev/null 2> "$work/err" || fail "start dev: $(cat "$work/err")"
  holds_of dev "$(wc -l < "$work/notes")"
  balanced dev
  amcheck dev
  if [[ -n $picked ]]; then
    read -r name line <<< "$picked"
    b start "$name" > /dev/null 2> "$work/err" || fail "start $name: $(cat "$work/err")"
    holds_of "$name" "$line"
    balanced "$name"
    b delete "$name" > /dev/null 2> "$work/err" || fail "delete $name: $(cat "$work/err")"
  fi
  b gc > "$work/out" 2>&1 || fail "gc: $(cat "$work/out")"
  b stop dev > /dev/null
  b umount dev > /dev/null
  b verify --all > "$work/out" 2>&1 || fail "verify after gc: $(cat "$work/out")"
}

keeps=(none some torn all)
one_cut() {
  local kind=$1 number=$2 first=$3 end=$4 at keep chance open
  big_random; chance=$REPLY
  keep=${keeps[(number + seed) % 4]}
  # Any moment; and every other time one at which the disk had much to lose.
  at=$("$POWER_DISK" pick "$log" "$first" "$end" "$chance" $((number % 2 * 15 + 1)))
  cat /proc/sys/kernel/random/uuid > "$work/boot"
  "$POWER_DISK" cut "$log" "$work/image" "$at" "$keep" "$chance" > "$work/notes" 2> "$work/open"
  open=$(cat "$work/open")
  echo "$open" >> "$work/open.$kind"
  cut="$kind, seed $seed, cut before record $at of $end, $open writes not flushed, keep $keep"
  mount -o loop,nodiscard "$work/image" "$disk" || fail "it does not mount"
  check
  umount "$disk"
  cut=""
}

pgbench_cluster "$work/cluster" 2 --wal-segsize=1
printf '%s\n' "max_wal_size = 32MB" "min_wal_size = 8MB" "shared_buffers = 16MB" >> "$work/cluster/postgresql.conf"
cat /proc/sys/kernel/random/uuid > "$work/boot" && chmod 644 "$work/boot"
mount --bind "$work/boot" /proc/sys/kernel/random/boot_id
losetup -f > /dev/null 2>&1 || { say "skipped: there are no loop devices here"; exit 0; }

for kind in "${kinds[@]}"; do
  can "$kind" || { say "$kind skipped: there is no mkfs.$kind, or the kernel does not know it"; continue; }
  build "$kind"
  load
  acknowledged=$(query dev "SELECT count(*) FROM ledger")
  take_down
  read -r first all writes flushes < <("$POWER_DISK" count "$log" ready)
  read -r end _ < <("$POWER_DISK" count "$log" "done")
  "$POWER_DISK" cut "$log" "$work/image" "$all" all 0 > "$work/notes" 2> /dev/null
  cmp "$work/image" "$log.disk" || fail "the record of the disk is not what was on it"
  say "$kind, seed $seed: $writes writes, $flushes flushes, $acknowledged commits acknowledged; operations: $(grep -c ^end "$work/notes")"
  for ((i = 0; i < cuts; i++)); do one_cut "$kind" "$i" "$first" "$end"; done
  say "$kind: $cuts cuts; writes not flushed at a cut: $(median_max < "$work/open.$kind")"
  rm -f "$log" "$log.disk" "$work/image"
done
say "passed"
