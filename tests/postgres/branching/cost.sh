#!/usr/bin/env bash
# P5: what a branch costs. A fresh one owns next to nothing; looking after files (open for writing, fsync, chmod, utimes, rename) copies no
# data; crash recovery adds what recovery writes; an UPDATE of a random 1 % of the rows adds the pages it touched and its WAL.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
scale=$(sized 10 50)
page=8192
# Counters, SLRUs, pg_control, statistics and the free space map: small files and pages that carry no LSN.
slack=$((256 * 1024))

at_most() { (($1 <= $2)) || fail "$3: $1 is more than $2"; }
# Bytes of a branch's open delta: all data files, and those that are WAL segments of the mounted directory.
data_bytes() { allocated "$(own_delta "$1")/f"; }
# Names and sizes of its data files: a copied block makes one or makes one longer.
data_files() { find "$(own_delta "$1")/f" -type f -printf '%f %s\n' | sort; }
wal_files() { find "$1/pg_wal" -maxdepth 1 -type f -name "[0-9A-F]*" -printf "%i %s\n"; }
wal_data_bytes() {
  wal_files "$2" | while read -r ino _; do allocated "$(own_delta "$1")/f/$(printf %016x "$ino")"; done | awk '{s += $1} END {print s + 0}'
}
# Whole segments that the branch wrote to, as a plain filesystem would hold them.
wal_kept() {
  wal_files "$2" | while read -r ino size; do
    if [[ -e $(own_delta "$1")/f/$(printf %016x "$ino") ]]; then echo "$size"; fi
  done | awk '{s += $1} END {print s + 0}'
}
# Removed files keep their blocks until the journal says so durably, which the mount sees to every few seconds.
removed_files_are_gone() {
  for ((i = 0; i < 120; ++i)); do
    find "$2" -type f -printf '%i\n' | while read -r ino; do printf '%016x\n' "$ino"; done | LC_ALL=C sort > "$work/inodes"
    find "$(own_delta "$1")/f" -type f -printf '%f\n' | LC_ALL=C sort | LC_ALL=C comm -23 - "$work/inodes" > "$work/removed"
    [[ -s $work/removed ]] || return 0
    sleep 0.5
  done
  fail "$1: still there a minute after their removal: $(tr '\n' ' ' < "$work/removed")"
}

"$BRANCHFS" init > /dev/null
pgbench_cluster "$work/cluster" "$scale"
"$BRANCHFS" import prod --pgdata "$work/cluster" --quiet > /dev/null 2>&1
"$BRANCHFS" create parent --from prod --start > /dev/null
query parent "ALTER SYSTEM SET autovacuum = off" && query parent "ALTER SYSTEM SET checkpoint_timeout = '1h'"
query parent "SELECT pg_reload_conf()" > /dev/null
query parent "VACUUM FREEZE"

say "a fresh branch"
for from in prod parent; do
  "$BRANCHFS" create "fresh-$from" --from "$from" > /dev/null
  at_most "$(allocated "$BRANCHFS_STORE/branches/fresh-$from")" 65535 "files of a branch just created from $from"
  at_most "$(du_field "fresh-$from" own)" 65535 "own bytes of a branch just created from $from"
  dir=$("$BRANCHFS" mount "fresh-$from")
  at_most "$(du_field "fresh-$from" own)" 65535 "own bytes of a branch just mounted"
  "$BRANCHFS" umount "fresh-$from" > /dev/null
done

say "looking after files"
dir=$("$BRANCHFS" mount fresh-prod)
# The first mount gave it a configuration of its own; nothing may come on top.
before=$(data_files fresh-prod)
looked_after=$(cd "$dir" && find . -type f -print0 | perl -0 -MIO::Handle -ne '
  chomp; my $f = $_;
  open(my $h, "+<", $f) or die "open $f: $!"; $h->sync or die "fsync $f: $!";
  my $mode = (stat $h)[2] & 07777;
  chmod($mode ^ 0010, $f) && chmod($mode, $f) or die "chmod $f: $!";
  utime(undef, undef, $f) or die "utime $f: $!";
  rename($f, "$f.moved") && rename("$f.moved", $f) or die "rename $f: $!";
  link($f, "$f.link") && unlink("$f.link") or die "link $f: $!";
  $h->sync or die "fsync $f: $!"; close $h; ++$n; END { print $n }')
equal "$(data_files fresh-prod)" "$before" "data files after looking after $looked_after files"
"$BRANCHFS" umount fresh-prod > /dev/null
equal "$(data_files fresh-prod)" "$before" "data files after the umount"
say "  $looked_after files: no data block, journal $(stat -c %s "$(own_delta fresh-prod)/journal") bytes"

say "crash recovery with recovery_init_sync_method=fsync"
query parent CHECKPOINT
pgbench -n -c 4 -j 1 -t 1000 "$("$BRANCHFS" url parent)" > /dev/null 2>&1
"$BRANCHFS" create crashed --from parent --no-checkpoint > /dev/null
dir=$("$BRANCHFS" mount crashed)
rm -f "$dir/postmaster.pid" # the parent's, which is alive; start would remove it as well
redo=$(as_owner pg_controldata "$dir" | sed -n "s/^Latest checkpoint's REDO location: *//p")
as_owner pg_waldump -p "$dir/pg_wal" -s "$redo" 2> /dev/null > "$work/waldump" || true
pages=$(grep -oE 'rel [0-9/]+ (fork [a-z]+ )?blk [0-9]+' "$work/waldump" | sort -u | wc -l)
as_owner postgres --single -D "$dir" -c recovery_init_sync_method=fsync postgres < /dev/null > "$work/recovery" 2>&1 || fail "recovery: $(tail -n 3 "$work/recovery")"
grep -q 'redo done' "$work/recovery" || fail "no recovery took place: $(cat "$work/recovery")"
wal=$(wal_data_bytes crashed "$dir")
added=$(($(data_bytes crashed) - wal))
kept=$(wal_kept crashed "$dir")
at_most "$added" $((pages * page * 115 / 100 + slack)) "bytes that recovery of $pages pages added"
at_most "$wal" $((kept + page)) "WAL bytes that recovery added"
"$BRANCHFS" umount crashed > /dev/null
say "  $pages pages in the WAL ($((pages * page)) bytes): $added bytes of data, $wal of WAL"

say "UPDATE of a random 1 % of the rows"
"$BRANCHFS" create updated --from parent > /dev/null
"$BRANCHFS" start updated > /dev/null
dir=$(field updated mountpoint)
query updated CHECKPOINT
data=$(data_bytes updated) wal=$(wal_data_bytes updated "$dir") kept=$(wal_kept updated "$dir")
lsn=$(query updated "SELECT pg_current_wal_insert_lsn()")
rows=$(query updated "WITH changed AS (UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE random() < 0.01 RETURNING 1) SELECT count(*) FROM changed")
query updated CHECKPOINT
removed_files_are_gone updated "$dir"
# Every page of every relation that is newer than the moment before. The free space map carries no LSN: slack.
pages=$(query updated "SELECT sum(n) FROM (SELECT (SELECT count(*) FROM generate_series(0, pg_relation_size(c.oid, fork) / $page - 1) AS b
    WHERE (page_header(get_raw_page(c.oid::regclass::text, fork, b::int))).lsn >= '$lsn') AS n
  FROM pg_class c, unnest(ARRAY['main', 'vm']) AS fork WHERE relkind IN ('r', 'i', 't') AND pg_relation_size(c.oid, fork) > 0) counted")
# Counting set no hint bits that reached the disk: it came after the checkpoint that is measured here.
wal_after=$(wal_data_bytes updated "$dir") kept_after=$(wal_kept updated "$dir")
grown=$(($(data_bytes updated) - data))
grown_wal=$((wal_after - wal))
wal_now=$((kept_after - kept))
((wal_now > 0)) || wal_now=$grown_wal
at_most "$grown" $((115 * (pages * page + wal_now) / 100)) "bytes that an UPDATE of $rows rows added"
at_most $((grown - grown_wal)) $((115 * pages * page / 100 + slack)) "bytes without WAL that an UPDATE of $rows rows added"
say "  $rows rows on $pages pages ($((pages * page)) bytes): $((grown - grown_wal)) bytes of data, ratio $(awk "BEGIN {printf \"%.3f\", ($grown - $grown_wal) / ($pages * $page)}")"
say "  WAL: $grown_wal bytes for $wal_now kept; together ratio $(awk "BEGIN {printf \"%.3f\", $grown / ($pages * $page + $wal_now)}")"
"$BRANCHFS" stop updated > /dev/null
"$BRANCHFS" verify --all > /dev/null
say "passed"
