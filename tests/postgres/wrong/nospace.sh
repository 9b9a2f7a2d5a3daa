#!/usr/bin/env bash
# Every operation with every remaining size of a 300 MiB filesystem: it succeeds, or says in one line that there is no space and leaves
# the store as it was; no space is lost, and no branch notices (P8). What frees space works with no block and no inode left. Root only
# (an ext4 in a file; a tmpfs where loop devices are not to be had). BRANCHFS_SEED repeats a run, BRANCHFS_ROUNDS asks for more sizes.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
if ((EUID != 0)); then say "skipped: only root can make a small filesystem"; exit 0; fi

# In a mount namespace of its own, so that nothing is left whatever happens.
if [[ -z ${DISK:-} ]]; then
  mkdir "$work/disk"
  DISK=$work/disk unshare -m --propagation slave "$0"
  exit
fi
disk=$DISK
seed=${BRANCHFS_SEED:-$RANDOM}
RANDOM=$seed
rounds=${BRANCHFS_ROUNDS:-2}
b() { "$BRANCHFS" "$@"; }

# Few inodes, so that running out of them takes no time.
truncate -s 300M "$work/image"
if mkfs.ext4 -q -F -b 4096 -m 0 -N 2048 "$work/image" && mount -o loop,nodiscard "$work/image" "$disk" 2> /dev/null; then
  kind=ext4
else
  mount -t tmpfs -o size=300m,nr_inodes=2048 tmpfs "$disk"
  kind=tmpfs
fi
chmod 755 "$disk"
# Runs first when the test ends: whatever is up comes down by itself, but not on a full disk.
at_end+=('rm -rf "$disk/filler" "$disk/inodes"')
export BRANCHFS_STORE=$disk/store
say "seed $seed, $rounds random sizes for each operation, on $kind"

free_bytes() { df --output=avail -B1 "$disk" | tail -n 1; }
free_inodes() { df --output=iavail "$disk" | tail -n 1 | tr -d " "; }
# leave BYTES: and no more. Whatever the host wrote out late is written first, so that it is not taken for room.
leave() {
  local keep=$1 much
  rm -f "$disk/filler"
  sync -f "$disk"
  much=$(($(free_bytes) - keep))
  ((much <= 0)) || fallocate -l "$much" "$disk/filler" 2> /dev/null || true
  until ((keep > 0 || $(free_bytes) == 0)); do
    dd if=/dev/zero of="$disk/filler" bs=4k count=64 oflag=append conv=notrunc 2> /dev/null || true
    sync -f "$disk"
  done
}
leave_inodes() {
  local much
  rm -rf "$disk/inodes" && mkdir "$disk/inodes"
  much=$(($(free_inodes) - $1))
  (cd "$disk/inodes" && seq "$much" | xargs touch)
  equal "$(free_inodes)" "$1" "inodes left"
}
room() { rm -rf "$disk/filler" "$disk/inodes"; }
used() { sync -f "$disk"; df --output=used -B1 "$disk" | tail -n 1; }

# The files of two branches that nobody changes: one packed, one with writes of its own.
bystanders() {
  local name
  for name in prod side; do
    b mount "$name" "$work/look" -o ro > /dev/null
    (cd "$work/look" && find . -type f -print0 | sort -z | xargs -0 cat | sha256sum)
    umount "$work/look"
  done
}

# sweep WHAT NEED UNDO COMMAND...: COMMAND with each remaining size up to NEED bytes, then with few inodes. It may succeed (then
# UNDO) or must say why not, exit with 1, and leave nothing.
sizes() {
  printf '%s\n' 0 4096 12288 40960 131072 $(($1 / 2)) "$1"
  for ((i = 0; i < rounds; i++)); do echo $(((RANDOM * 32768 + RANDOM) % ($1 + 65536))); done
}
sweep() {
  local what=$1 need=$2 undo=$3 before objects size inodes good=0 bad=0
  shift 3
  before=$(used)
  objects=$(store_objects)
  try() {
    local code=0
    "$@" > "$work/out" 2> "$work/err" || code=$?
    if ((code == 0)); then
      good=$((good + 1))
      room
      $undo
    else
      bad=$((bad + 1))
      equal "$code" 1 "$what with $left left: exit code ($(cat "$work/err"))"
      grep -qiE 'no space left|has .* free|are free|is full' "$work/err" || fail "$what with $left left does not say why: $(cat "$work/err")"
      grep -q '(.*)$' "$work/err" || fail "$what with $left left does not say what to do: $(cat "$work/err")"
      equal "$(wc -l < "$work/err")" 1 "$what with $left left: lines ($(cat "$work/err"))"
      room
    fi
    b gc > "$work/out" 2>&1 || fail "gc after $what with $left left: $(cat "$work/out")"
    equal "$(store_objects)" "$objects" "the store after $what with $left left"
  }
  for size in $(sizes "$need"); do
    left="$size bytes"
    leave "$size"
    try "$@"
  done
  for inodes in 0 1 2 3 5 8; do
    left="$inodes inodes"
    leave_inodes "$inodes"
    try "$@"
  done
  b verify --all > "$work/out" 2>&1 || fail "verify after $what: $(cat "$work/out")"
  (($(used) <= before + 65536)) || fail "$what lost $(($(used) - before)) bytes"
  say "$what: $good done, $bad refused"
}

bin=$(server_programs)
cluster=$work/cluster
chmod 755 "$work"
mkdir -m 700 "$cluster" && give_to_server_user "$cluster"
as_server_user "$bin/initdb" -D "$cluster" -U postgres -A trust --no-sync --wal-segsize=1 > /dev/null
mkdir "$work/look"

b init > /dev/null
b import prod --pgdata "$cluster" --quiet > /dev/null
b create side --from prod > /dev/null
b mount side "$work/look" > /dev/null
head -c 3000000 /dev/urandom > "$work/look/data" && sync "$work/look/data"
b umount side > /dev/null
originals=$(bystanders)

delete_x() { b delete x > /dev/null; }
nothing() { :; }
sweep "import" 30000000 delete_x b import x --pgdata "$cluster" --quiet
sweep "create" 65536 delete_x b create x --from prod
sweep "verify, list, show" 4096 nothing eval 'b verify --all && b list && b show side'
rename_back() { b rename x side > /dev/null; }
sweep "rename" 4096 rename_back b rename side x

# The parent is mounted and has writes that were not synced: a create that fails leaves it writable.
b create open --from prod > /dev/null
b mount open "$work/look" > /dev/null
b create twin --from open > /dev/null
echo sync > "$work/look/synced" && sync "$work/look/synced"
for size in $(sizes 65536); do
  left="$size bytes"
  code=0
  head -c 30000 /dev/urandom > "$work/look/unsynced"
  leave "$size"
  b create x --from open > /dev/null 2> "$work/err" || code=$?
  equal "$(field open read_only)" false "create from an open parent with $left left: read_only of the parent"
  ((code == 0)) || grep -q "No space left.*(.*)$" "$work/err" || fail "create from an open parent with $left left: $(cat "$work/err")"
  room
  ((code != 0)) || delete_x
  echo more >> "$work/look/synced" && sync "$work/look/synced" || fail "a write after a create with $left left"
done
b umount open > /dev/null
b verify --all > /dev/null
say "create from an open parent: done"

# Files of a mount: what was synced stays, what did not fit was refused.
b mount open "$work/look" > /dev/null
head -c 200000 /dev/urandom > "$work/look/kept" && sync "$work/look/kept"
kept=$(sha256sum < "$work/look/kept")
for size in $(sizes 300000); do
  leave "$size"
  if head -c 200000 /dev/urandom > "$work/look/new" 2> /dev/null && sync "$work/look/new" 2> /dev/null; then
    written=$(sha256sum < "$work/look/new")
  else
    written=
  fi
  room
  b umount open > /dev/null
  b mount open "$work/look" > /dev/null
  equal "$(sha256sum < "$work/look/kept")" "$kept" "a synced file after writing with $size bytes left"
  [[ -z $written ]] || equal "$(sha256sum < "$work/look/new")" "$written" "a file that was synced with $size bytes left"
  rm -f "$work/look/new"
done
b umount open > /dev/null
say "write and fsync: done"

# Frozen deltas to pack, layers to compact: neither changes what is seen.
b create deep --from side > /dev/null
b mount deep "$work/look" > /dev/null
head -c 2000000 /dev/urandom > "$work/look/late" && sync "$work/look/late"
b umount deep > /dev/null
b create deeper --from deep > /dev/null
packed_at() {
  local size
  for size in $(sizes 5000000); do
    leave "$size"
    code=0
    b "$@" > /dev/null 2> "$work/err" || code=$?
    ((code == 0)) || grep -q "No space left.*(.*)$" "$work/err" || fail "$* with $size bytes left: exit code $code, $(cat "$work/err")"
    equal "$(find "$BRANCHFS_STORE" -name '*.tmp')" "" "temporary files after $* with $size bytes left"
    room
  done
  b "$@" > /dev/null
  b verify --all > /dev/null
  say "$*: done"
}
packed_at pack deeper
packed_at compact deeper
b gc > /dev/null

# Back to the parent's head.
b mount deeper "$work/look" > /dev/null
head -c 300000 /dev/urandom > "$work/look/own" && sync "$work/look/own"
b umount deeper > /dev/null
for size in $(sizes 20000); do
  leave "$size"
  code=0
  b reset deeper > /dev/null 2> "$work/err" || code=$?
  ((code == 0)) || grep -q "No space left.*(.*)$" "$work/err" || fail "reset with $size bytes left: exit code $code, $(cat "$work/err")"
  room
done
b reset deeper > /dev/null
b verify --all > /dev/null
say "reset: done"

say "a limit on the size of files is an error like others"
code=0
(ulimit -f 16 && b import limited --pgdata "$cluster" --quiet) > /dev/null 2> "$work/err" || code=$?
equal "$code $(wc -l < "$work/err")" "1 1" "import below ulimit -f: $(cat "$work/err")"
grep -q "File too large.*ulimit" "$work/err" || fail "import below ulimit -f: $(cat "$work/err")"
(ulimit -f 1024 && b mount open "$work/look" > /dev/null)
head -c 4000000 /dev/zero > "$work/look/big" 2> /dev/null && fail "4 MB fitted into a limit of 1 MiB"
echo small > "$work/look/small" && sync "$work/look/small" || fail "a small file after a large one that was refused"
equal "$(sha256sum < "$work/look/kept")" "$kept" "a file beside the one that was refused"
b umount open > /dev/null
b gc > /dev/null
b verify --all > /dev/null

say "masking"
cat > "$work/rules.json" << 'RULES'
{"version": 1, "masking_rules": [{"schema_name": "*", "table_name": "*", "column_name": "*", "mask": "keep"},
  {"schema_name": "public", "table_name": "people", "column_name": "email", "masking_function": "anon.fake_email()"}]}
RULES
b create crowd --from prod --start > /dev/null
query crowd "CREATE TABLE people (id int primary key, email text); INSERT INTO people SELECT i, md5(i::text) || '@corp.test' FROM generate_series(1, 20000) i"
b stop crowd > /dev/null
objects=$(store_objects)
mask() { b create m --from crowd --anonymized "$work/rules.json" --quiet; }
begin=$(date +%s%N)
if mask > /dev/null 2> "$work/err"; then
  took=$((($(date +%s%N) - begin) / 1000000))
  b delete m > /dev/null
  objects=$(store_objects)
  leave 1000000
  expect 1 "are free" mask
  room
  for ((i = 0; i < rounds; i++)); do
    moment=$((RANDOM % took))
    code=0
    mask > /dev/null 2> "$work/err" & tool=$!
    sleep "$((moment / 1000)).$(printf '%03d' $((moment % 1000)))"
    leave 0
    wait "$tool" || code=$?
    room
    if ((code == 0)); then
      b delete m > /dev/null
    else
      equal "$code" 1 "masking on a disk that fills up after $moment ms: $(cat "$work/err")"
      grep -qiE "no space|full" "$work/err" || fail "masking on a disk that fills up after $moment ms: $(cat "$work/err")"
      ! b show m > /dev/null 2>&1 || fail "a branch that is not masked to the end"
    fi
    say "  full after $moment of $took ms: exit code $code, $(tail -n 1 "$work/err")"
    b gc > /dev/null
    equal "$(store_objects)" "$objects" "the store after masking on a disk that fills up"
  done
else
  grep -q "no masking module" "$work/err" || fail "mask: $(cat "$work/err")"
  say "  skipped: $(cat "$work/err")"
fi
b verify --all > /dev/null

say "servers"
b create dev --from prod > /dev/null
for size in 0 65536 1000000 4000000 $(((RANDOM * 32768 + RANDOM) % 16000000)); do
  leave "$size"
  code=0
  b start dev > /dev/null 2> "$work/err" || code=$?
  ((code == 0 || $(wc -l < "$work/err") == 1)) || fail "first start with $size bytes left: $(cat "$work/err")"
  say "  first start with $size bytes left: $( ((code == 0)) && echo done || cat "$work/err")"
  room
  if ((code == 0)); then b stop dev > /dev/null; break; fi
done
b start dev > /dev/null
query dev "CREATE TABLE ledger (i int, pad text)"
rows=0
for size in 0 300000 3000000 $(((RANDOM * 32768 + RANDOM) % 8000000)); do
  leave "$size"
  for ((batch = 0; batch < 40; batch++)); do
    query dev "INSERT INTO ledger SELECT i, repeat('x', 900) FROM generate_series(1, 1000) i" > /dev/null 2> "$work/err" || break
    rows=$((rows + 1000))
    query dev "CHECKPOINT" > /dev/null 2> "$work/err" || break
    seq 1000 | query dev "COPY ledger (i) FROM stdin" > /dev/null 2> "$work/err" || break
    rows=$((rows + 1000))
    query dev "UPDATE ledger SET pad = 'short' WHERE i = 500" > /dev/null 2> "$work/err" || break
  done
  ((batch < 40)) || fail "$size bytes took $rows rows"
  say "  $rows rows with $size bytes left: $(head -n 1 "$work/err")"
  grep -qE "No space left|closed the connection|could not connect|starting up|recovery mode|Connection refused|Input/output|Read-only|terminating connection" "$work/err" ||
    fail "$size bytes left: $(cat "$work/err")"
  b list > /dev/null && b status > /dev/null
  room
  b start dev > /dev/null
  got=$(query dev "SELECT count(*) FROM ledger")
  ((got >= rows)) || fail "$got rows, $rows were acknowledged"
  rows=$got
done

say "what frees space, with no block and no inode left, below a running server"
dir=$BRANCHFS_STORE/trash
query dev "CREATE TABLE big AS SELECT repeat('x', 900) AS pad FROM generate_series(1, 30000)"
b create old --from prod > /dev/null
b mount old "$work/look" > /dev/null
head -c 4000000 /dev/urandom > "$work/look/own" && sync "$work/look/own"
b umount old > /dev/null
# Names in trash/ until the next one would take a block (links, which take no inode).
if [[ $kind == ext4 ]]; then
  echo > "$dir/00000000000000000000000000000000"
  for ((i = 1; $(stat -c %s "$dir") == 4096; i++)); do
    name=$(printf '%032x' "$i")
    ln "$dir/00000000000000000000000000000000" "$dir/$name"
  done
  rm "$dir/$name"
fi
leave_inodes 0
leave 0
before=$(free_bytes)
b delete old > "$work/out" 2>&1 || fail "delete on a full disk: $(cat "$work/out")"
(($(free_bytes) > before + 3000000)) || fail "delete freed $(($(free_bytes) - before)) bytes"
leave 0
before=$(free_bytes)
b delete dev > "$work/out" 2>&1 || fail "delete of a branch with a server on a full disk: $(cat "$work/out")"
b gc > "$work/out" 2>&1 || fail "gc on a full disk: $(cat "$work/out")"
(($(free_bytes) > before + 20000000)) || fail "delete and gc freed $(($(free_bytes) - before)) bytes"
room
for name in deeper deep x twin open crowd; do ! b show "$name" > /dev/null 2>&1 || b delete "$name" --recursive > /dev/null; done
b verify --all > /dev/null
equal "$(bystanders)" "$originals" "the branches that nobody changed"
equal "$(find "$BRANCHFS_STORE" -name '*.tmp')" "" "temporary files"
say "passed"
