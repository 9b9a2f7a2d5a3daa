#!/usr/bin/env bash
# Every channel through which an original gets into a data directory other than its row. All are filled in one parent;
# masking closes all of them. With the closing step of one left out, the proof finds it, and there is no branch; and what no step
# can close is refused.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export LC_ALL=C

prefix=mark
marker() { printf '%s%s.%s@origin.example' "$prefix" "$1" "$(printf 'marker%d' "$((10#$1))" | md5sum | cut -c 1-12)"; }
fill_database() { psql -Xq -v ON_ERROR_STOP=1 -v m="$prefix" -f "$here/channels.sql" "$1"; }

# The channels that are files of the stopped directory DIR. Written as the owner of what is there.
fill_files() {
  local dir=$1 database file
  database=$(find "$dir/base" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -n | tail -n 1)
  put() {
    mkdir -p "$(dirname "$dir/$2")"
    printf 'bytes %s bytes\n' "$(marker "$1")" >> "$dir/$2"
  }
  put 07 "base/$database/77777"
  put 07 "base/$database/t5_88888"
  put 07 base/pgsql_tmp/pgsql_tmp4711.0
  put 08 pg_wal/0000000100000000000000F0
  put 08 pg_wal/archive_status/0000000100000000000000F0.ready
  put 19 pg_replslot/away/state
  put 19 pg_logical/snapshots/0-1234.snap
  printf "\n# was: password=%s\n" "$(marker 21)" >> "$dir/postgresql.conf"
  printf "\n# %s\n" "$(marker 21)" >> "$dir/pg_hba.conf"
  put 22 pg_stat/pg_stat_statements.stat
  put 22 pg_stat_tmp/pgss_query_texts.stat
  for file in log/postgresql.log core.4711 backup_label.old dump.sql stray/deep/file; do put 23 "$file"; done
  chown -R --reference="$dir/PG_VERSION" "$dir"
}

cat > "$work/rules.json" << 'JSON'
{"version": 1, "defaults": {"unmapped_columns": "keep", "large_objects": "drop"},
 "masking_rules": [
  {"table_name": "people", "column_name": "email", "masking_function": "anon.fake_email()"},
  {"table_name": "people", "column_name": "bio*", "masking_value": "'removed'"},
  {"table_name": "people", "column_name": "origin", "masking_value": "'somewhere'"},
  {"table_name": "trail", "truncate": true}],
 "references": [
  {"from": "public.mails.email", "to": "public.people.email"}, {"from": "public.seen.email", "to": "public.people.email"},
  {"from": "public.raw.email", "to": "public.people.email"}, {"from": "public.far_away.email", "to": "public.people.email"}]}
JSON

say "every channel is filled"
production fill_database
dir=$(b mount main)
fill_files "$dir"
# So that pages may be changed below.
as_server_user pg_checksums --disable --pgdata "$dir" > /dev/null 2>&1
b umount main > /dev/null
for number in $(seq -w 1 31); do marker "$number"; echo; done > "$work/markers"
dir=$(b mount main)
for number in 02 03 07 08 11 16 19 20 21 22 23; do
  grep -raqF "$(marker "$number")" "$dir" || fail "marker $number is not in the parent"
done
b umount main > /dev/null

say "all of them are closed"
masked "$x" --anonymized "$work/rules.json"
dir=$(b mount "$x")
! grep -raoF -f "$work/markers" "$dir" > "$work/found" || fail "left: $(sort "$work/found" | uniq -c | head -n 20)"
! grep -raoE 'branchfs_mask|channel-password|SCRAM-SHA-256.{20}|origin\.example' "$dir" > "$work/found" || fail "left: $(sort "$work/found" | uniq -c | head -n 20)"
(cd "$dir" && find . -name '*77777*' -o -name 't5_*' -o -name 'pgsql_tmp*' -o -name 'core*' -o -name stray -o -name 'dump.sql') > "$work/found"
[[ ! -s $work/found ]] || fail "left: $(cat "$work/found")"
((2 >= $(find "$dir/pg_wal" -maxdepth 1 -type f | wc -l))) || fail "segments: $(ls "$dir/pg_wal")"
b umount "$x" > /dev/null
b start "$x" > /dev/null
equal "$(sql "$x" "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname ~ 'mask|anon'")" 0 "functions left"
equal "$(sql "$x" "SELECT (SELECT count(*) FROM pg_largeobject_metadata) + (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM trail)")" 0 "objects left"
equal "$(sql "$x" "SELECT count(*) FROM seen JOIN people USING (id, email)")" 400 "rows that still belong together"

say "the proof finds what a rewrite would leave, had it not made new files"
declare -A file
file[people]=$(sql "$x" "SELECT pg_relation_filepath('people')")
file[people_lower]=$(sql "$x" "SELECT pg_relation_filepath('people_lower')")
file[pg_toast]=$(sql "$x" "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'seen'")
file[seen]=$(sql "$x" "SELECT pg_relation_filepath('seen')")
file[far_away]=$(sql "$x" "SELECT pg_relation_filepath('far_away')")
b stop "$x" > /dev/null
b mask verify "$x" > /dev/null 2> "$work/err" || fail "mask verify: $(cat "$work/err")"
# plant FILE MARKER: into the first page of it that has room, where dead rows lie.
plant() {
  # shellcheck disable=SC2016 # expanded by perl
  perl -e 'my ($file, $marker) = @ARGV; open my $f, "+<:raw", $file or die "$file: $!"; my $page;
    for (my $at = 0; read($f, $page, 8192) == 8192; $at += 8192) {
      my ($lower, $upper) = unpack "x12 v2", $page;
      next if $lower < 24 || $upper - $lower < 100;
      seek $f, $at + $upper - 80, 0; print $f $marker; close $f or die $!; exit }
    die "$file has no room\n"' "$1" "$2" || fail "nothing planted"
}
dir=$(b mount "$x")
for place in "${!file[@]}"; do plant "$dir/${file[$place]}" "$(marker 01)"; done
b umount "$x" > /dev/null
code=0
b mask verify "$x" > "$work/out" 2> "$work/err" || code=$?
((code == 6)) || fail "mask verify: exit code $code: $(cat "$work/err")"
for place in "${!file[@]}"; do grep -qF "${file[$place]}" "$work/err" || fail "nothing was found in $place (${file[$place]}): $(cat "$work/err")"; done
! grep -qF -f "$work/markers" "$work/err" || fail "the message holds an original: $(cat "$work/err")"
b delete "$x" > /dev/null

say "the proof finds what a skipped step leaves"
# skipped STEPS PLACE: the proof refuses, names a PLACE (a pattern), and nothing is left of the branch.
skipped() {
  local before code=0
  before=$(store_objects)
  BRANCHFS_TEST_SKIP_CLOSING=$1 b create "$x" --from main --anonymized "$work/rules.json" --quiet > "$work/out" 2> "$work/err" || code=$?
  ((code == 6 || code == 1)) || fail "without $1: exit code $code: $(cat "$work/err")"
  grep '^branchfs: cannot' "$work/err" | grep -qE "$2" || fail "without $1: no place $2 is named: $(cat "$work/err")"
  ! grep -qF -f "$work/markers" "$work/err" || fail "without $1: the message holds an original: $(cat "$work/err")"
  no_trace "$x" "$before"
}
skipped allow-list 'log/|core|dump|stray|backup_label'
skipped server-state 'pg_stat|pg_replslot|pg_logical'
skipped wal 'pg_wal'
skipped orphans '77777|88888|pgsql_tmp'
skipped configuration 'postgresql.conf|pg_hba'
skipped catalogs 'pg_statistic|pg_description|pg_attribute|pg_largeobject'
skipped shared-catalogs 'pg_shdescription|pg_db_role_setting|global/'
skipped refresh 'people_copy'
skipped settings 'pg_db_role_setting'
skipped subscriptions 'pg_subscription'
skipped mappings 'pg_user_mapping'
skipped large-objects 'pg_largeobject'

say "what nothing can close is refused"
# unclosable TEXT SQL: with SQL in the parent, in as many databases as it names.
unclosable() {
  b create odd --from main --start > /dev/null
  psql -Xq -v ON_ERROR_STOP=1 "$(at odd "${3:-shop}")" -c "$2" > /dev/null
  b stop odd > /dev/null
  refused 6 "$1" "$x" b create "$x" --from odd --anonymized "$work/rules.json"
  ! grep -qF -f "$work/markers" "$work/err" || fail "the message holds an original: $(cat "$work/err")"
  b delete odd > /dev/null
}
unclosable pg_ "ALTER TABLE people ALTER grp TYPE text, ALTER grp SET DEFAULT '$(marker 12)'"
unclosable pg_proc "CREATE FUNCTION f() RETURNS boolean LANGUAGE sql AS \$\$ SELECT '$(marker 12)' <> '' \$\$"
unclosable trail_kept "CREATE TABLE trail_kept AS SELECT to_jsonb(p) AS old FROM people p"
unclosable "" "CREATE TABLE parts (email text) PARTITION BY LIST (email); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN ('$(marker 13)')"
if [[ $full == 1 ]]; then
  unclosable pg_ "ALTER TABLE people ADD CONSTRAINT c CHECK (email <> '$(marker 12)x')"
  unclosable pg_rewrite "CREATE VIEW v AS SELECT FROM people WHERE email = '$(marker 12)'"
  unclosable pg_description "COMMENT ON COLUMN people.email IS 'such as $(marker 12)'"
  unclosable pg_enum "CREATE TYPE e AS ENUM ('$(marker 12)')"
  unclosable pg_index "CREATE INDEX ON people (id) WHERE email = '$(marker 12)'"
  unclosable pg_type "CREATE DOMAIN d AS text DEFAULT '$(marker 12)'"
  unclosable "" "CREATE TABLE \"$(marker 12)\" (i int)"
  unclosable postgres "CREATE TABLE elsewhere AS SELECT '$(marker 27)' AS v" postgres
  unclosable template1 "CREATE TABLE elsewhere AS SELECT '$(marker 27)' AS v" template1
  sed 's/"large_objects": "drop"/"large_objects": "refuse"/' -i "$work/rules.json"
  unclosable "large object" "SELECT 1"
fi
b verify --all > /dev/null
say "passed"
