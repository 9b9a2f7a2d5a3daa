#!/usr/bin/env bash
# What Postgres and its own programs do to a data directory, done to a branch: backups, tablespaces, hard links,
# databases by both strategies, rewrites, crashes, every way to sync the WAL, slots, checksums, dumps.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

bin=$(server_programs)
"$BRANCHFS" init > /dev/null
"$BRANCHFS" import prod --initdb --quiet -- --locale=C --encoding=UTF8 > /dev/null 2>&1
"$BRANCHFS" create dev --start > /dev/null
chmod 755 "$work"
mkdir "$work/pg"
give_to_server_user "$work/pg"
mount_of() { field "$1" mountpoint; }
# sum BRANCH: over all rows of t.
sum() { query "$1" "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY i)) FROM t"; }
crash() { kill -9 "$(field "$1" server_pid)"; while [[ $(state "$1") == running ]]; do sleep 0.05; done; }
# statements BRANCH: from stdin, each in a transaction of its own.
statements() { psql -XAtq -v ON_ERROR_STOP=1 "$("$BRANCHFS" url "$1")" -f -; }

say "rewrites: VACUUM FULL, REINDEX, CLUSTER, temporary files, large objects, COPY"
statements dev <<'SQL' > /dev/null
CREATE TABLE t AS SELECT i, md5(i::text) AS text, repeat(md5(i::text), 20) AS more FROM generate_series(1, 40000) AS i;
CREATE INDEX t_text ON t (text);
CREATE UNLOGGED TABLE u AS SELECT generate_series(1, 1000) AS i;
SQL
whole=$(sum dev)
statements dev <<'SQL' > /dev/null
DELETE FROM t WHERE i % 2 = 0;
INSERT INTO t SELECT i, md5(i::text), repeat(md5(i::text), 20) FROM generate_series(2, 40000, 2) AS i;
VACUUM FULL t;
REINDEX TABLE CONCURRENTLY t;
CLUSTER t USING t_text;
VACUUM FREEZE ANALYZE;
SQL
equal "$(sum dev)" "$whole" "rows after rewrites"
spilled=$(query dev "SET work_mem = '64kB'; SELECT sum(length(more)) FROM (SELECT more FROM t ORDER BY more, i) AS s;
  SELECT pg_stat_force_next_flush(); SELECT 1" | sed -n 1p)
equal "$spilled" $((40000 * 640)) "a sort in temporary files"
equal "$(query dev "SELECT temp_bytes > 1000000 FROM pg_stat_database WHERE datname = 'postgres'")" t "temporary files were used"
[[ -z $(find "$(mount_of dev)/base/pgsql_tmp" -type f 2> /dev/null) ]] || fail "temporary files are left"
oid=$(query dev "SELECT lo_from_bytea(0, decode(repeat('00ff', 300000), 'hex'))")
equal "$(query dev "SELECT length(lo_get($oid))")" 600000 "a large object"
query dev "COPY t TO '$work/pg/t.csv' (FORMAT csv)"
query dev "CREATE TABLE t2 (LIKE t); COPY t2 FROM '$work/pg/t.csv' (FORMAT csv)"
equal "$(query dev "SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM t2) AS d")" 0 "rows through COPY"

say "databases by both strategies; DROP"
query dev "CREATE DATABASE by_log STRATEGY wal_log"
query dev "CREATE DATABASE by_copy TEMPLATE by_log STRATEGY file_copy"
query dev "DROP DATABASE by_log"
"$BRANCHFS" psql dev -- -XAtqd by_copy -c "CREATE TABLE x AS SELECT 7 AS i"

say "pg_dump, pg_restore"
dump=$work/dump
"$bin/pg_dump" -Fd -j 2 -f "$dump" "$("$BRANCHFS" url dev)"
query dev "CREATE DATABASE restored"
# shellcheck disable=SC2016 # expanded by the child
"$BRANCHFS" run --from prod -- sh -c 'pg_restore --no-owner -j 2 -d "$DATABASE_URL" "$0" &&
  psql -XAtqc "SELECT count(*) || chr(32) || md5(string_agg(t::text, chr(44) ORDER BY i)) FROM t"' "$dump" > "$work/restored"
equal "$(cat "$work/restored")" "$whole" "rows through pg_dump and pg_restore"

say "a crash: unlogged tables are empty, the rest is whole (P2, P8)"
crash dev
"$BRANCHFS" start dev > /dev/null
equal "$(sum dev) $(query dev 'SELECT count(*) FROM u')" "$whole 0" "rows after a crash"
equal "$("$BRANCHFS" psql dev -- -XAtqd by_copy -c 'SELECT i FROM x')" 7 "the copied database after a crash"
"$bin/pg_amcheck" --all --maintenance-db="$("$BRANCHFS" url dev)" --install-missing --heapallindexed > /dev/null

say "tablespaces inside the branch"
query dev "CREATE TABLE before_inside AS SELECT 1 AS i"
statements dev <<'SQL'
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE inside LOCATION '';
CREATE TABLE in_space TABLESPACE inside AS SELECT generate_series(1, 500) AS i;
CREATE DATABASE space_db TABLESPACE inside;
SQL
"$BRANCHFS" create child --from dev --start > /dev/null
query child "DELETE FROM in_space WHERE i > 100"
equal "$(query dev 'SELECT count(*) FROM in_space') $(query child 'SELECT count(*) FROM in_space')" "500 100" "a tablespace inside (P4)"


say "a tablespace at a path inside the mount goes with the branch"
dir=$(mount_of dev)
as_server_user mkdir "$dir/spaces" "$dir/spaces/one"
query dev "CREATE TABLESPACE one LOCATION '$dir/spaces/one'" 2> /dev/null
query dev "CREATE TABLE in_one TABLESPACE one AS SELECT generate_series(1, 500) AS i"
"$BRANCHFS" reset child > /dev/null
query child "UPDATE in_one SET i = -i"
equal "$(query child 'SELECT sum(i) FROM in_one') $(query dev 'SELECT sum(i) FROM in_one')" "-125250 125250" "rows (P4)"
equal "$(query child "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'one'")" \
  "$(mount_of child)/spaces/one" "the child's location"
"$BRANCHFS" stop child > /dev/null
as_server_user mkdir "$work/pg/elsewhere"
"$BRANCHFS" mount child "$work/pg/elsewhere" > /dev/null
"$BRANCHFS" start child > /dev/null
equal "$(query child "SELECT sum(i) || pg_tablespace_location(t.oid) FROM in_one, pg_tablespace AS t WHERE spcname = 'one' GROUP BY t.oid")" \
  "-125250$work/pg/elsewhere/spaces/one" "after a move of the mount"
"$BRANCHFS" stop child > /dev/null
"$BRANCHFS" umount child > /dev/null

say "a tablespace outside of the mount stays with the branch that made it"
as_server_user mkdir "$work/pg/space"
query dev "CREATE TABLESPACE outside LOCATION '$work/pg/space'"
query dev "CREATE TABLE in_outside TABLESPACE outside AS SELECT 1 AS i"
"$BRANCHFS" restart dev > /dev/null
equal "$(query dev 'SELECT i FROM in_outside')" 1 "the branch itself"
"$BRANCHFS" create other --from dev > /dev/null
expect 6 "outside of the branch: those files are its parent's" "$BRANCHFS" start other
equal "$(state other)" offline "nothing half-made"
query dev "ALTER TABLE in_outside SET TABLESPACE pg_default"
query dev "DROP TABLESPACE outside"
"$BRANCHFS" reset other > /dev/null
"$BRANCHFS" start other > /dev/null
equal "$(query other 'SELECT i FROM in_outside')" 1 "after the table moved inside"
"$BRANCHFS" delete other > /dev/null

say "pg_basebackup, pg_verifybackup, the result on a plain directory, and imported again"
backup=$work/pg/backup
url=$("$BRANCHFS" url dev)
as_server_user "$bin/pg_basebackup" -d "$url" -D "$backup" -c fast --tablespace-mapping="$dir/spaces/one=$work/pg/one"
as_server_user "$bin/pg_verifybackup" "$backup" > /dev/null
as_server_user mkdir -m 700 "$work/pg/sockets"
at_end+=('as_server_user "$bin/pg_ctl" -D "$backup" -s -m immediate stop 2> /dev/null')
as_server_user "$bin/pg_ctl" -D "$backup" -w -s -l "$work/pg/backup.log" \
  -o "-c listen_addresses= -c unix_socket_directories=$work/pg/sockets -c allow_in_place_tablespaces=on" start \
  || fail "$(tail -n 5 "$work/pg/backup.log")"
plain() { psql -XAtq -h "$work/pg/sockets" -p "$(as_server_user "$bin/postgres" -D "$backup" -C port)" -U postgres -c "$1" postgres; }
equal "$(plain "SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY i)) FROM t") $(plain 'SELECT sum(i) FROM in_one')" \
  "$whole 125250" "rows in the backup"
as_server_user "$bin/pg_ctl" -D "$backup" -s -m fast stop
"$BRANCHFS" import again --pgdata "$backup" --quiet > /dev/null 2>&1
"$BRANCHFS" start again > /dev/null
equal "$(sum again) $(query again 'SELECT sum(i) FROM in_one')" "$whole 125250" "rows in the import of the backup"
"$BRANCHFS" delete again > /dev/null

say "every wal_sync_method, with a crash after each (P2)"
for method in fsync fdatasync open_datasync open_sync; do
  statements dev <<SQL
ALTER SYSTEM SET wal_sync_method = '$method';
SELECT pg_reload_conf();
SQL
  "$BRANCHFS" restart dev > /dev/null
  equal "$(query dev 'SHOW wal_sync_method')" "$method" "wal_sync_method"
  query dev "CREATE TABLE w_$method AS SELECT generate_series(1, 2000) AS i"
  query dev "INSERT INTO w_$method VALUES (0)"
  crash dev
  kill -9 "$(field dev mount_pid)"
  "$BRANCHFS" start dev > /dev/null
  equal "$(query dev "SELECT count(*) FROM w_$method")" 2001 "rows after a crash of server and mount with $method"
done > /dev/null
statements dev <<< "ALTER SYSTEM RESET wal_sync_method" > /dev/null

say "wal_level=logical and a slot of the branch's own"
statements dev <<< "ALTER SYSTEM SET wal_level = 'logical'" > /dev/null
"$BRANCHFS" restart dev > /dev/null
query dev "SELECT pg_create_logical_replication_slot('mine', 'test_decoding')" > /dev/null
query dev "CREATE TABLE decoded AS SELECT 1 AS i" && query dev "INSERT INTO decoded VALUES (42)"
crash dev
"$BRANCHFS" start dev > /dev/null
equal "$(query dev "SELECT count(*) FROM pg_logical_slot_get_changes('mine', NULL, NULL) WHERE data LIKE '%INSERT: i[integer]:42'")" 1 "decoded changes after a crash"
"$BRANCHFS" reset child > /dev/null
"$BRANCHFS" start child > /dev/null
equal "$(query child 'SELECT count(*) FROM pg_replication_slots') $(query dev 'SELECT count(*) FROM pg_replication_slots')" \
  "0 1" "slots of a child and of its parent"
"$BRANCHFS" delete child > /dev/null

say "hard links as pg_upgrade --link makes them"
"$BRANCHFS" create upgrade --from dev --start > /dev/null
"$BRANCHFS" stop upgrade > /dev/null
dir=$("$BRANCHFS" mount upgrade)
as_server_user mkdir "$dir/new"
count=0
for file in "$dir"/base/5/*; do
  as_server_user ln "$file" "$dir/new/${file##*/}"
  count=$((count + 1))
done
((count > 200)) || fail "only $count files in base/5"
file=$(find "$dir/base/5" -type f -size +64k | sort | sed -n 1p)
equal "$(stat -c '%h' "$file") $(stat -c %i "$file")" "2 $(stat -c %i "$dir/new/${file##*/}")" "links and inode of both names"
printf 'through the old name' | as_server_user dd of="$file" bs=1 seek=20000 conv=notrunc status=none
as_server_user rm "$file"
equal "$(stat -c %h "$dir/new/${file##*/}")" 1 "links of what is left"
equal "$(dd if="$dir/new/${file##*/}" bs=1 skip=20000 count=20 status=none)" "through the old name" "bytes through the other name"
sums() { (cd "$dir/new" && md5sum -- * | md5sum); }
linked=$(sums)
"$BRANCHFS" umount upgrade > /dev/null
"$BRANCHFS" mount upgrade > /dev/null
equal "$(sums)" "$linked" "the linked files after a remount"
equal "$(find "$dir/new" -type f -links 2 | wc -l) $(find "$dir/new" -type f -links 1 | wc -l)" "$((count - 1)) 1" "links after a remount"
"$BRANCHFS" delete upgrade > /dev/null

say "offline programs on a mounted branch"
"$BRANCHFS" create offline --from dev --start > /dev/null
"$BRANCHFS" stop offline > /dev/null
dir=$("$BRANCHFS" mount offline)
as_server_user "$bin/pg_checksums" -D "$dir" --check > /dev/null
as_server_user "$bin/pg_checksums" -D "$dir" --disable > /dev/null
as_server_user "$bin/pg_checksums" -D "$dir" --enable > /dev/null
as_server_user "$bin/pg_checksums" -D "$dir" --check > /dev/null
as_server_user "$bin/pg_resetwal" -D "$dir" -n > /dev/null
"$bin/pg_controldata" "$dir" | grep -q "shut down" || fail "pg_controldata: not shut down"
# Only two lines of one history can be rewound: the parent's server went its own way on the same timeline.
as_server_user "$bin/pg_rewind" -D "$dir" --source-server="$("$BRANCHFS" url dev)" --dry-run > "$work/rewind" 2>&1 ||
  grep -qE "same timeline|no rewind required|system identifier" "$work/rewind" || fail "pg_rewind: $(cat "$work/rewind")"
"$BRANCHFS" start offline > /dev/null
equal "$(query offline 'SHOW data_checksums') $(sum offline)" "on $whole" "checksums enabled, rows"
"$BRANCHFS" delete offline > /dev/null

say "shared memory of another type"
statements dev <<< "ALTER SYSTEM SET dynamic_shared_memory_type = 'mmap'" > /dev/null
"$BRANCHFS" restart dev > /dev/null
equal "$(query dev "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
  SELECT count(*) FROM t WHERE more LIKE '%'")" 40000 "a parallel query through mmapped files in the branch"
equal "$(find "$(mount_of dev)/pg_dynshmem" -type f | wc -l | xargs)" "$(find "$(mount_of dev)/pg_dynshmem" -name 'mmap.*' | wc -l | xargs)" "files in pg_dynshmem"

"$BRANCHFS" stop dev > /dev/null
"$BRANCHFS" verify --all > /dev/null
say "passed"
