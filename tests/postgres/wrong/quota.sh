#!/usr/bin/env bash
# A quota that is used up is a full disk that statfs does not tell of (P8): the store in a btrfs subvolume with a limit. What does not fit
# says so in one line and leaves nothing; branches that are open stay as they are; delete and gc work; with a larger quota all goes on.
# Root only, where btrfs can be mounted. BRANCHFS_SEED repeats a run, BRANCHFS_ROUNDS asks for more sizes.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
if ((EUID != 0)); then say "skipped: only root can make a small filesystem"; exit 0; fi
if ! command -v mkfs.btrfs > /dev/null; then say "skipped: no btrfs-progs"; exit 0; fi

# In a mount namespace of its own, so that nothing is left whatever happens.
if [[ -z ${DISK:-} ]]; then
  mkdir "$work/disk"
  DISK=$work/disk unshare -m --propagation slave "$0"
  exit
fi
seed=${BRANCHFS_SEED:-$RANDOM}
RANDOM=$seed
rounds=${BRANCHFS_ROUNDS:-2}
b() { "$BRANCHFS" "$@"; }

truncate -s 1G "$work/image"
mkfs.btrfs -q "$work/image" > /dev/null 2>&1
if ! mount -o loop "$work/image" "$DISK" 2> /dev/null; then say "skipped: no btrfs here"; exit 0; fi
disk=$DISK/mine
{ btrfs quota enable "$DISK" && btrfs subvolume create "$disk"; } > /dev/null
chmod 755 "$DISK" "$disk" "$work"
at_end+=(room)
export BRANCHFS_STORE=$disk/store
say "seed $seed"

# Asked through the top of the filesystem: changing a limit takes room where it is asked.
group=0/$(btrfs inspect-internal rootid "$disk")
room() { btrfs qgroup limit none "$group" "$DISK"; }
# leave BYTES of the quota. What the host wrote out late is counted first.
leave() {
  local used
  sync -f "$disk"
  used=$(btrfs qgroup show --raw -f "$disk" | awk -v group="$group" '$1 == group { print $2 }')
  btrfs qgroup limit $((used + $1)) "$group" "$DISK"
}
sizes() {
  printf '%s\n' 0 16384 $(($1 / 2))
  for ((i = 0; i < rounds; i++)); do echo $(((RANDOM * 32768 + RANDOM) % $1)); done
}
refused=0
# refused_or_done WHAT COMMAND...: 0 if it was done. Otherwise one line, exit code 1, what to do.
refused_or_done() {
  local what=$1 code=0
  shift
  "$@" > /dev/null 2> "$work/err" || code=$?
  ((code != 0)) || return 0
  refused=$((refused + 1))
  equal "$code $(wc -l < "$work/err")" "1 1" "$what: exit code and lines ($(cat "$work/err"))"
  grep -qE 'quota.*\(.*\)$' "$work/err" || fail "$what does not say why, and what to do: $(cat "$work/err")"
  return 1
}

cluster=$work/cluster
mkdir -m 700 "$cluster" && give_to_server_user "$cluster"
as_server_user "$(server_programs)/initdb" -D "$cluster" -U postgres -A trust --no-sync --wal-segsize=1 > /dev/null
mkdir "$work/look"
b init > /dev/null
b import prod --pgdata "$cluster" --quiet > /dev/null
b create side --from prod > /dev/null
b create open --from prod > /dev/null
b mount open "$work/look" > /dev/null
head -c 200000 /dev/urandom > "$work/look/kept" && sync "$work/look/kept"
kept=$(sha256sum < "$work/look/kept")

say "import, create, rename, pack"
for size in $(sizes 4000000); do
  objects=$(store_objects)
  leave "$size"
  if refused_or_done "import with $size bytes of quota" b import x --pgdata "$cluster" --quiet; then room; b delete x > /dev/null; fi
  room
  b gc > /dev/null
  equal "$(store_objects)" "$objects" "the store after an import with $size bytes of quota"
done
gave_up=0
echo first > "$work/look/synced"
for size in $(sizes 100000); do
  head -c 30000 /dev/urandom > "$work/look/unsynced"
  sync "$work/look/synced"  # hands over the journal's records: what is handed over later may find no room, which a branch does not survive
  leave "$size"
  made=no
  if refused_or_done "create with $size bytes of quota" b create x --from open; then made=yes; fi
  if refused_or_done "rename with $size bytes of quota" b rename side other; then room; b rename other side > /dev/null; fi
  room
  # Room that was reserved is no promise here: the parent may have turned read-only, as after any sync that found none (P2).
  if [[ $(field open read_only) == true ]]; then
    gave_up=$((gave_up + 1))
    b umount open > /dev/null 2>&1 || true
    b mount open "$work/look" > /dev/null
    equal "$(head -n 1 "$work/look/synced")" first "the synced file of a parent that turned read-only"
  fi
  [[ $made == no ]] || b delete x > /dev/null
  echo more >> "$work/look/synced" && sync "$work/look/synced" || fail "a write after a create with $size bytes of quota"
done
b create y --from open > /dev/null
for size in $(sizes 300000); do
  leave "$size"
  refused_or_done "pack with $size bytes of quota" b pack || true
  room
  equal "$(find "$BRANCHFS_STORE" -name '*.tmp')" "" "temporary files after pack with $size bytes of quota"
done
((refused > 0)) || fail "no quota refused anything"
say "  $refused refused, $gave_up times the parent was opened again"

say "writes of a mount"
lost=0
for size in $(sizes 400000); do
  leave "$size"
  written=
  if head -c 300000 /dev/urandom > "$work/look/new" 2> /dev/null && sync "$work/look/new" 2> /dev/null; then
    written=$(sha256sum < "$work/look/new")
  else
    lost=$((lost + 1))
  fi
  room
  b umount open > /dev/null
  b mount open "$work/look" > /dev/null
  equal "$(sha256sum < "$work/look/kept")" "$kept" "a synced file after writing with $size bytes of quota"
  [[ -z $written ]] || equal "$(sha256sum < "$work/look/new")" "$written" "a file that was synced with $size bytes of quota"
  rm -f "$work/look/new"
done
((lost > 0)) || fail "no quota refused a write"
b umount open > /dev/null

say "a server"
b create dev --from prod --start > /dev/null
query dev "CREATE TABLE ledger (i int, pad text)"
rows=0
for size in 100000 3000000; do
  leave "$size"
  for ((batch = 0; batch < 60; batch++)); do
    query dev "INSERT INTO ledger SELECT i, repeat('x', 900) FROM generate_series(1, 1000) i" > /dev/null 2> "$work/err" || break
    rows=$((rows + 1000))
    query dev CHECKPOINT > /dev/null 2> "$work/err" || break
  done
  ((batch < 60)) || fail "a quota of $size bytes took $rows rows"
  say "  $rows rows, then: $(head -n 1 "$work/err")"
  b list > /dev/null && b status > /dev/null
  room
  b start dev > /dev/null
  got=$(query dev "SELECT count(*) FROM ledger")
  ((got >= rows)) || fail "$got rows, $rows were acknowledged"
  rows=$got
done

say "what frees space"
leave 0
b delete y > "$work/out" 2>&1 || fail "delete without quota: $(cat "$work/out")"
b delete dev > "$work/out" 2>&1 || fail "delete of a branch with a server without quota: $(cat "$work/out")"
b gc > "$work/out" 2>&1 || fail "gc without quota: $(cat "$work/out")"
room
b mount open "$work/look" > /dev/null
equal "$(sha256sum < "$work/look/kept")" "$kept" "the synced file at the end"
b umount open > /dev/null
b verify --all > "$work/out" 2>&1 || fail "verify: $(cat "$work/out")"
say "passed"
