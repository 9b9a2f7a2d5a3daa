#!/usr/bin/env bash
# P2, P8: memory that ends from outside, as in a container: mount and server in a memory control group. Within a limit that is tight they
# go on; past it the kernel kills the mount, or a backend. Then `branchfs start` repairs, and every commit that was acknowledged is there.
# Root only, where the memory controller can be had. ROUNDS asks for more kills.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
rounds=${ROUNDS:-2}
((rounds <= 20)) || rounds=20  # for the tests that take the same variable it is many more
b() { "$BRANCHFS" "$@"; }

# The controller by itself (cgroup v1), or in the unified hierarchy where whoever runs the tests may pass it on.
group=""
for place in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  [[ $place == */memory || -e $place/cgroup.controllers ]] || continue
  if ((EUID == 0)) && mkdir "$place/branchfs-test-$$" 2> /dev/null; then
    group=$place/branchfs-test-$$
    [[ ! -e $group/memory.max && ! -e $group/memory.limit_in_bytes ]] || break
    rmdir "$group"
    group=""
  fi
done
if [[ -z $group ]]; then say "skipped: no memory control group can be made here"; exit 0; fi
at_end+=('while read -r pid; do kill -KILL "$pid"; done < "$group/cgroup.procs"; for i in {1..50}; do rmdir "$group" 2> /dev/null && break; sleep 0.1; done')
# Nothing of it goes to a swap device instead.
for file in memory.swap.max memory.swappiness; do [[ ! -e $group/$file ]] || echo 0 > "$group/$file"; done
set_limit() {
  local file=$group/memory.max
  [[ -e $file ]] || file=$group/memory.limit_in_bytes
  echo $(($1 * 1048576)) 2> /dev/null > "$file"
}
no_limit() {
  if [[ -e $group/memory.max ]]; then echo max > "$group/memory.max"; else echo -1 > "$group/memory.limit_in_bytes"; fi
}
kills() { { cat "$group"/memory.events "$group"/memory.oom_control 2> /dev/null || true; } | awk '$1 == "oom_kill" { print $2 }'; }
inside() { (echo "$BASHPID" > "$group/cgroup.procs" && exec "$@"); }

b init > /dev/null
pgbench_cluster "$work/cluster" 5
b import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
dir=$work/mnt
mkdir "$dir"

say "a mount in 16 MiB takes 120 MB"
b create files --from prod > /dev/null
set_limit 16
inside "$BRANCHFS" mount files "$dir" > /dev/null
daemon=$(field files pid)
for i in {1..30}; do head -c 4000000 /dev/urandom > "$dir/f$i"; done
sync "$dir"/f*
sums=$(cd "$dir" && sha256sum f*)
alive "$daemon" || fail "the mount did not live in 16 MiB"
equal "$(kills)" 0 "processes killed within 16 MiB"
# What it must remember grows with the names that are in use: held open, they cannot be forgotten.
limit=$(($(awk '/^RssAnon/ { print $2 }' "/proc/$daemon/status") / 1024 + 4))
until set_limit "$limit"; do limit=$((limit + 1)); ((limit < 16)) || fail "no limit below 16 MiB"; done
made=0
for ((i = 0; i < 200; i++)); do
  mkdir -p "$dir/many/$i" 2> /dev/null && (cd "$dir/many/$i" && touch {1..200}) 2> /dev/null || break
  sync "$dir/many/$i" "$dir/many" 2> /dev/null || break
  made=$i
done
alive "$daemon" && fail "200 directories fitted into $limit MiB"
((made > 0)) || fail "the mount was killed before anything was synced"
no_limit
umount -l "$dir" 2> /dev/null || true
b umount files > /dev/null 2>&1 || true
b mount files "$dir" > /dev/null
equal "$(cd "$dir" && sha256sum f{1..30} | LC_ALL=C sort -k2)" "$(LC_ALL=C sort -k2 <<< "$sums")" "files that were synced before the kill"
for ((i = 0; i < made; i++)); do equal "$(find "$dir/many/$i" -type f | wc -l)" 200 "files in directory $i"; done
b umount files > /dev/null
say "  killed in $limit MiB after $made directories; all of it is there"

say "a server and its mount in 160 MiB, under load"
b create dev --from prod --start > /dev/null
query dev "CREATE TABLE ledger (number bigint PRIMARY KEY)"
query dev "ALTER SYSTEM SET shared_buffers = '32MB'"
touch "$work/ledger"
ledger="" bench=""
at_end+=('[[ -z $ledger ]] || kill "$ledger" "$bench"')
for ((round = 1; round <= rounds; round++)); do
  b stop dev > /dev/null && b umount dev > /dev/null || true
  set_limit 160
  inside "$BRANCHFS" start dev > /dev/null
  held=$(query dev "SELECT coalesce(max(number), 1) FROM ledger")
  "$LEDGER" "$(b url dev)" "$work/ledger" 2 $((held + 100)) 2> /dev/null & ledger=$!
  pgbench -n -c 4 -j 1 -T 3600 "$(b url dev)" > "$work/bench" 2>&1 & bench=$!
  before=$(wc -l < "$work/ledger")
  sleep 3
  # A bulk load through a cache that cannot hold it.
  query dev "DROP TABLE IF EXISTS bulk; CREATE TABLE bulk AS SELECT i, repeat('x', 500) AS pad FROM generate_series(1, 200000) i; CHECKPOINT"
  equal "$(query dev "SELECT count(*) FROM bulk")" 200000 "rows"
  (($(wc -l < "$work/ledger") > before)) || fail "no commit within 160 MiB"
  kill -0 "$ledger" && kill -0 "$bench" || fail "the load did not live in 160 MiB: $(tail -n 3 "$work/bench")"
  victim=backend
  daemon=$(field dev mount_pid)
  if ((round % 2)); then
    victim=mount
    echo 1000 > "/proc/$daemon/oom_score_adj"
  fi
  was=$(kills)
  query dev "SELECT length(string_agg(repeat('x', 1000), '')) FROM generate_series(1, 900000)" > /dev/null 2> "$work/err" && fail "900 MB fitted into 160 MiB"
  (($(kills) > was)) || fail "nothing was killed: $(cat "$work/err")"
  if [[ $victim == mount ]]; then ! alive "$daemon" || fail "something else was killed"; fi
  no_limit
  kill "$ledger" "$bench" 2> /dev/null || true
  wait "$ledger" "$bench" 2> /dev/null || true
  ledger="" bench=""
  b start dev > /dev/null
  holds dev "$work/ledger"
  balanced dev
  say "  $victim killed: $(wc -l < "$work/ledger") acknowledged commits held"
done
amcheck dev
b stop dev > /dev/null
b gc > /dev/null
b verify --all > /dev/null
page_checksums dev
say "passed"
