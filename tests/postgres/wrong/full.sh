#!/usr/bin/env bash
# A store on a full filesystem: Postgres gets an error, nothing that was acknowledged is lost, delete and gc work, and
# with space again the branch goes on (P8). Makes a small tmpfs, so it needs root.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
if ((EUID != 0)); then say "skipped: only root can make a small filesystem"; exit 0; fi

# In a mount namespace of its own, so that nothing is left whatever happens.
if [[ -z ${DISK:-} ]]; then
  mkdir "$work/disk"
  DISK=$work/disk unshare -m --propagation slave "$0"
  exit
fi
disk=$DISK
mount -t tmpfs -o size=120m tmpfs "$disk"
export BRANCHFS_STORE=$disk/store
free_bytes() { df --output=avail -B1 "$disk" | tail -n 1; }
# Until it stays full: a server that gives up may still free something.
fill() {
  for ((calm = 0; calm < 20; calm++)); do
    dd if=/dev/zero of="$disk/filler" bs=4k oflag=append conv=notrunc 2> /dev/null || true
    sleep 0.1
    [[ $(free_bytes) -eq 0 ]] || calm=0
  done
}
b() { "$BRANCHFS" "$@"; }

# refused CODE TEXT COMMAND...: and the store is as it was.
refused() {
  local before
  before=$(store_objects)
  expect "$@"
  equal "$(store_objects)" "$before" "the store after ${*:3}"
}

b init > /dev/null
b import prod --initdb --quiet -- --wal-segsize=1 > /dev/null
b create old --from prod > /dev/null
b create dev --from prod --start > /dev/null
query dev "ALTER SYSTEM SET max_wal_size = '8MB'"
query dev "SELECT pg_reload_conf()" > /dev/null
query dev "CREATE TABLE ledger (i int, pad text); INSERT INTO ledger SELECT i, '' FROM generate_series(1, 1000) i"

say "a write that fills the disk: an error for its client, every commit is there"
rows=1000
for ((batch = 0; batch < 400; batch++)); do
  if query dev "INSERT INTO ledger SELECT i, repeat('x', 900) FROM generate_series(1, 1000) i" > /dev/null 2> "$work/insert"; then
    rows=$((rows + 1000))
  else
    break
  fi
done
say "$rows rows, then: $(head -n 1 "$work/insert")"
grep -qE "No space left|server closed the connection|could not connect|starting up|recovery mode" "$work/insert" ||
  fail "the disk took $batch batches and said: $(cat "$work/insert")"
fill
say "$(free_bytes) bytes free"

say "what a full disk still lets be done, and what it refuses"
b list > /dev/null
b status > /dev/null
refused 1 "free" b import second --initdb
say "import: $(cat "$work/err")"
code=0
b create more --from prod > /dev/null 2> "$work/err" || code=$?
if ((code != 0)); then
  equal "$code" 1 "create on a full disk"
  grep -q "No space left" "$work/err" || fail "create: $(cat "$work/err")"
  b show more 2> /dev/null && fail "a failed create left a branch"
fi
b verify --all > "$work/verify" || fail "verify on a full disk: $(cat "$work/verify")"
b delete old > /dev/null
b gc > /dev/null
((code != 0)) || b delete more > /dev/null

say "with space again"
rm "$disk/filler"
mount -o remount,size=400m "$disk"
# The server may have stopped itself (a failed fsync, no room for WAL): a start repairs.
say "dev is $(state dev)"
b start dev > /dev/null
got=$(query dev 'SELECT count(*) FROM ledger')
[[ $got -ge $rows ]] || fail "$got rows, $rows were acknowledged"
query dev "INSERT INTO ledger VALUES (0, 'after')"
b create copy --from dev --start > /dev/null
equal "$(query copy "SELECT count(*) FROM ledger WHERE pad = 'after'")" 1 "a branch of it"
b stop dev > /dev/null
b delete dev --recursive > /dev/null
b gc > /dev/null
b verify --all > /dev/null

say "a write that the kernel kept and cannot hand over: no change any more, until it is mounted again"
b create kept --from prod > /dev/null
b mount kept "$disk/kept" -o writeback > /dev/null
echo before > "$disk/kept/before"
sync "$disk/kept/before"
fill
dd if=/dev/zero of="$disk/kept/late" bs=1M count=8 2> /dev/null && fail "8 MiB fitted into $(free_bytes) bytes"
sync "$disk/kept/late" 2> /dev/null && fail "a sync after a lost write"
equal "$(field kept read_only)" true "read_only after a lost write"
rm "$disk/filler"
echo more 2> /dev/null >> "$disk/kept/before" && sync "$disk/kept/before" 2> /dev/null && fail "a branch that lost a write took another"
expect 1 "ended before everything that was written" b umount kept
equal "$(state kept)" offline "what could not be written, after umount"
b mount kept "$disk/kept" > /dev/null
equal "$(head -n 1 "$disk/kept/before")" before "what was synced"
echo after > "$disk/kept/after"
b umount kept > /dev/null
b delete kept > /dev/null

say "the same below a server, whose pid file nobody can read any more: stop ends it, start opens the branch again"
b create kept --from prod --start > /dev/null
query kept "CREATE TABLE told AS SELECT 1 AS i" > /dev/null
for command in stop start; do
  dir=$(field kept mountpoint)
  server=$(head -n 1 "$dir/postmaster.pid")
  fill
  dd if=/dev/zero of="$dir/late" bs=1M count=8 2> /dev/null && fail "8 MiB fitted into $(free_bytes) bytes"
  sync "$dir/late" 2> /dev/null && fail "a sync after a lost write"
  ! dd if="$dir/postmaster.pid" of=/dev/null iflag=direct 2> /dev/null || fail "a branch that lost a write is read"
  rm "$disk/filler"
  b list > /dev/null
  b "$command" kept > /dev/null || fail "$command after a lost write"
  ! alive "$server" || fail "$command left server $server"
  b start kept > /dev/null
  equal "$(query kept "SELECT * FROM told")" 1 "what was committed, after $command"
done
b stop kept > /dev/null
b delete kept > /dev/null

say "a full disk, nothing running: delete and gc free it"
b create dev --from prod --start > /dev/null
query dev "CREATE TABLE big AS SELECT repeat('x', 900) AS pad FROM generate_series(1, 50000)"
b stop dev > /dev/null
fill
before=$(free_bytes)
b pack > /dev/null || fail "pack with nothing to pack"
b delete dev > /dev/null
b gc > /dev/null
[[ $(free_bytes) -gt $((before + 40000000)) ]] || fail "delete and gc freed $(($(free_bytes) - before)) bytes"
b verify --all > /dev/null
say "passed"
