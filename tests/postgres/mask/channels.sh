#!/usr/bin/env bash
# Every channel through which an original gets into a data directory other than its row. channels.sql and fill_files() plant a marker in
# each; masking closes all of them. With a closing step left out (channels.tsv), the proof finds the marker, and there is no branch; what no
# step can close is refused (channels-refused.tsv). A few channels have a function channel_NN() here. Argument: the group of controls.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export LC_ALL=C
group=$1

prefix=mark
marker() { printf '%s%s.%s@origin.example' "$prefix" "$1" "$(printf 'marker%d' "$((10#$1))" | md5sum | cut -c 1-12)"; }
for number in $(seq -w 1 31); do marker "$number"; echo; done > "$work/markers"
fill_database() { psql -Xq -v ON_ERROR_STOP=1 -v m="$prefix" -f "$here/channels.sql" "$1"; }
database_dir() { find "$1/base" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -n | tail -n 2 | head -n 1; }

# The channels that are files of the stopped directory DIR. Written as the owner of what is there.
fill_files() {
  local dir=$1 database file
  database=$(database_dir "$dir")
  put() {
    mkdir -p "$(dirname "$dir/$2")"
    printf 'bytes %s bytes\n' "$(marker "$1")" >> "$dir/$2"
  }
  put 07 "base/$database/77777"
  put 07 base/99999/1
  # These two go as soon as a branch is configured and its server starts, whatever step is left out.
  put 19 pg_replslot/away/state
  put 07 "base/$database/t5_88888"
  put 07 base/pgsql_tmp/pgsql_tmp4711.0
  : > "$dir/base/pgsql_tmp/$(marker 17)"
  ln -s "/nowhere/$(marker 17)" "$dir/base/pgsql_tmp/link"
  put 08 pg_wal/0000000100000000000000F0
  put 08 pg_wal/archive_status/0000000100000000000000F0.ready
  put 18 pg_twophase/left-over
  put 19 pg_logical/snapshots/away.snap
  printf "\n# was: primary_conninfo = 'host=production.example password=%s'\n" "$(marker 20)" >> "$dir/postgresql.conf"
  printf "\n# %s\n" "$(marker 21)" >> "$dir/pg_hba.conf"
  put 22 pg_stat/pg_stat_statements.stat
  put 22 pg_stat_tmp/pgss_query_texts.stat
  for file in log/postgresql.log core.4711 backup_label.old dump.sql stray/deep/file; do put 23 "$file"; done
  chown -hR --reference="$dir/PG_VERSION" "$dir"
}

cat > "$work/rules.json" << 'JSON'
{"version": 1, "defaults": {"unmapped_columns": "keep", "large_objects": "drop", "other_databases": "drop"},
 "masking_rules": [
  {"database_name": "shop", "table_name": "markers", "column_name": "m*", "masking_value": "'gone'"},
  {"database_name": "shop", "table_name": "t*", "column_name": "v", "masking_value": "'masked'"},
  {"database_name": "shop", "table_name": "seen01", "column_name": "v", "masking_value": "'masked'"},
  {"database_name": "shop", "table_name": "emptied*", "truncate": true}]}
JSON

# no_markers FILE-OR-DIR...: none of the markers, nor what else there was to be cleared.
no_markers() {
  ! grep -raoF -f "$work/markers" "$@" > "$work/found" || fail "left: $(sort "$work/found" | uniq -c | head -n 20)"
  ! grep -raoE 'branchfs_mask|channel-password|SCRAM-SHA-256.{20}|origin\.example' "$@" > "$work/found" || fail "left: $(sort "$work/found" | uniq -c | head -n 20)"
}

# without STEPS CHANNEL PLACE [CHANNEL PLACE...]: the proof refuses and names every PLACE, and nothing is left of the branch.
without() {
  local steps=$1 code=0 before line place
  shift
  before=$(store_objects)
  BRANCHFS_TEST_SKIP_CLOSING=$steps b create "$x" --from main --anonymized "$work/rules.json" --quiet > "$work/out" 2> "$work/err" || code=$?
  ((code == 6)) || fail "without $steps: exit code $code: $(cat "$work/err")"
  line=$(grep '^branchfs: cannot' "$work/err") || fail "without $steps: $(cat "$work/err")"
  while (($# > 0)); do
    place=$2
    [[ $steps != structure,* || $place == *"original of"* ]] || place+="[^;]*: an original of shop\.public\.markers\.m$1p?\b"
    grep -qE "$place" <<< "$line" || fail "without $steps: channel $1 is not found: no $place in: $line"
    shift 2
  done
  ! grep -qF -f "$work/markers" "$work/err" || fail "without $steps: the message holds an original: $(cat "$work/err")"
  no_trace "$x" "$before"
}

# All rows of channels.tsv of the group: those with the same steps at once.
skipped_steps() {
  local steps
  local -a expected
  while read -r steps; do
    mapfile -t expected < <(awk -F '\t' -v steps="$steps" -v own="$group" '$2 == own && $3 == steps { print $1; print $4 }' "$here/channels.tsv")
    without "$steps" "${expected[@]}"
    say "  found in $((${#expected[@]} / 2)) places without $steps"
  done < <(grep -v '^#' "$here/channels.tsv" | awk -F '\t' -v own="$group" '$2 == own && !seen[$3]++ { print $3 }')
}

# 6: the file that a rewrite has left. Postgres truncates it before it removes it, so it holds nothing as soon as it is left: the store gives
# zeros for what is truncated and grown again. Had it stayed as it was, `mask verify` finds it, as it finds rows put back into other files.
channel_06() {
  local dir file old place code=0
  local -A kept
  b create look --from main --start > /dev/null
  old=$(sql look "SELECT pg_relation_filepath('t06')")
  b stop look > /dev/null
  dir=$(b mount look)
  cp "$dir/$old" "$work/old-file"
  grep -qaF "$(marker 06)" "$work/old-file" || fail "marker 06 is not in the parent"
  truncate -s 0 "$dir/$old"
  truncate -s "$(stat -c %s "$work/old-file")" "$dir/$old"
  ! tr -d '\0' < "$dir/$old" | grep -qa . || fail "a truncated file shows what it held"
  b delete look > /dev/null
  masked "$x" --anonymized "$work/rules.json"
  b start "$x" > /dev/null
  for place in t01 t04_lower t28; do kept[$place]=$(sql "$x" "SELECT pg_relation_filepath('$place')"); done
  b stop "$x" > /dev/null
  b mask verify "$x" > /dev/null 2> "$work/err" || fail "mask verify: $(cat "$work/err")"
  dir=$(b mount "$x")
  [[ ! -e $dir/$old ]] || fail "the file from before the rewrite is there: $old"
  cp "$work/old-file" "$dir/$old"
  for file in "${kept[@]}"; do plant "$dir/$file" "$(marker 01)"; done
  b umount "$x" > /dev/null
  b mask verify "$x" > "$work/out" 2> "$work/err" || code=$?
  ((code == 6)) || fail "mask verify: exit code $code: $(cat "$work/err")"
  for file in "$old" "${kept[@]}"; do
    grep -qE "${file}[ ,][^;]*: an original of shop\.public\.markers\.m0[16] " "$work/err" || fail "nothing was found in $file: $(cat "$work/err")"
  done
  ! grep -qF -f "$work/markers" "$work/err" || fail "the message holds an original: $(cat "$work/err")"
  b delete "$x" > /dev/null
}
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

group_rows() {
  say "the proof finds what is left in the files of relations"
  # So that pages may be changed.
  as_server_user pg_checksums --disable --pgdata "$(b mount main)" > /dev/null 2>&1
  b umount main > /dev/null
  skipped_steps
  say "a file from before the rewrite, and rows put back"
  channel_06
}

# 24: what the run itself says of an expression that fails on a row, to the operator and in its server's log, which goes with it. With the
# step left out both say the value.
channel_24() {
  sed 's/"table_name": "t\*"\(.*\)"masking_value": "'"'masked'"'"/"table_name": "t14"\1"masking_function": "pg_catalog.concat(pg_catalog.to_date(v, '"'YYYY'"'))"/' \
    "$work/rules.json" > "$work/failing.json"
  grep -q to_date "$work/failing.json" || fail "no rule fails: $(cat "$work/failing.json")"
  failing_run none
  ! grep -qF "$prefix" "$work/err" "$work/log" || fail "the run says a part of an original: $(grep -F "$prefix" "$work/err" "$work/log")"
  failing_run errors
  for said in "$work/err" "$work/log"; do grep -qF "\"$prefix\"" "$said" || fail "without errors: no value in $said: $(cat "$said")"; done
}
# failing_run STEPS: its messages into err, its log into log: the file is gone afterwards, and is read through what was opened.
failing_run() {
  local run pid log='' code=0
  BRANCHFS_TEST_SKIP_CLOSING=$1 b create "$x" --from main --anonymized "$work/failing.json" > "$work/out" 2> "$work/err" &
  run=$!
  while [[ -z $log ]] && alive "$run"; do
    for pid in $(pgrep -f -- "-D [^ ]*/$x( |\$)"); do
      [[ $(readlink "/proc/$pid/fd/2" || true) == */postgres.log ]] || continue
      exec {log}< "/proc/$pid/fd/2" && break
    done
    sleep 0.02
  done
  wait "$run" || code=$?
  ((code == 6)) || fail "without $1: exit code $code: $(cat "$work/err")"
  [[ -n $log ]] || fail "no log of the run was seen"
  cat <&"$log" > "$work/log"
  exec {log}<&-
}

# 29: a token that stays visible says nothing without the key, and the key is nowhere. Two ephemeral keys give tokens that have nothing in
# common; with one key file they are the same, which the same comparison shows.
channel_29() {
  local name file
  openssl rand -hex 32 > "$work/key"
  chmod 600 "$work/key"
  for name in one two; do
    sed 's/"masking_rules": \[/"key": "ephemeral", &{"database_name": "shop", "table_name": "markers", "column_name": "m29", "masking_function": "anon.hash(m29)"},/' \
      "$work/rules.json" > "$work/$name-ephemeral.json"
    # Not the same rules, or the second branch takes what the first one has.
    sed "s,\"ephemeral\",\"file:$work/key\",; s/'masked'/'masked $name'/" "$work/$name-ephemeral.json" > "$work/$name-file.json"
    for file in ephemeral file; do
      masked "$x" --anonymized "$work/$name-$file.json"
      b start "$x" > /dev/null
      sql "$x" "SELECT m29 FROM markers" > "$work/tokens.$name-$file"
      b stop "$x" > /dev/null
      [[ $name-$file != two-file ]] || no_key
      b delete "$x" > /dev/null
    done
  done
  [[ -s $work/tokens.one-file ]] || fail "no tokens"
  cmp -s "$work/tokens.one-file" "$work/tokens.two-file" || fail "one key gives two tokens"
  ! cmp -s "$work/tokens.one-ephemeral" "$work/tokens.two-ephemeral" || fail "two keys give one token"
  ! cmp -s "$work/tokens.one-ephemeral" "$work/tokens.one-file" || fail "two keys give one token"
}
# Neither the file's text nor the key made of it (key.cpp), as it is or in hexadecimal.
no_key() {
  local dir key
  key=$({ echo "branchfs masking key, version 1"; cat "$work/key"; } | sha256sum | cut -c 1-64)
  dir=$(b mount "$x")
  # shellcheck disable=SC2016 # expanded by perl
  has_key() {
    grep -qaF -e "$key" -e "$(cat "$work/key")" "$1" ||
      perl -e 'my $key = pack "H*", shift; open my $f, "<:raw", shift or die $!; local $/; exit(index(<$f> // "", $key) < 0)' "$key" "$1"
  }
  while read -r file; do ! has_key "$file" || fail "the key is in $file"; done < <(find "$dir" -type f)
  b umount "$x" > /dev/null
  perl -e 'print "x", pack "H*", shift' "$key" > "$work/holds-key"
  has_key "$work/holds-key" || fail "a key is not found where there is one"
}

group_catalogs() {
  say "the proof finds what is left in catalogs"
  skipped_steps
  say "what the run says to the operator"
  channel_24
  say "visible tokens"
  channel_29
}

# 31: of an exported branch only what it shows travels: the layer that `compact` writes, and a copy of the mount. The same search finds the
# markers in the parent's.
channel_31() {
  local name dir
  b compact "$x" > /dev/null 2>&1 || fail "compact: $?"
  for name in "$x" main; do
    dir=$(b mount "$name")
    tar -C "$dir" -cf "$work/$name.tar" .
    b umount "$name" > /dev/null
  done
  no_markers "$work/$x.tar"
  for number in 01 02 03 06 07 08 11 16 17 19 21 22 23 25 28; do
    grep -qaF "$(marker "$number")" "$work/main.tar" || fail "marker $number is not in the parent's export"
  done
  b mask verify "$x" > /dev/null 2> "$work/err" || fail "mask verify: $(cat "$work/err")"
}

group_files() {
  local dir number
  dir=$(b mount main)
  fill_files "$dir"
  for number in 01 02 03 06 07 08 09 11 16 17 18 19 20 21 22 23 25 26 27 28; do
    { grep -raqF "$(marker "$number")" "$dir" || find "$dir" -printf '%p %l\n' | grep -qF "$(marker "$number")"; } || fail "marker $number is not in the parent"
  done
  b umount main > /dev/null
  say "all of them are closed"
  masked "$x" --anonymized "$work/rules.json"
  dir=$(b mount "$x")
  no_markers "$dir"
  find "$dir" -printf '%p %l\n' > "$work/names"
  no_markers "$work/names"
  ! grep -E '77777|/t5_|pgsql_tmp|core|/stray|dump\.sql|99999' "$work/names" || fail "left"
  ((2 >= $(find "$dir/pg_wal" -maxdepth 1 -type f | wc -l))) || fail "segments: $(ls "$dir/pg_wal")"
  b umount "$x" > /dev/null
  say "what travels with an export"
  channel_31
  b start "$x" > /dev/null
  equal "$(sql "$x" "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'mask|anon|^pg_temp'")" 0 "schemas left"
  equal "$(sql "$x" "SELECT (SELECT count(*) FROM pg_largeobject_metadata) + (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM emptied09)")" 0 "objects left"
  b stop "$x" > /dev/null
  b delete "$x" > /dev/null
  say "the proof finds what is left among the files"
  skipped_steps
}

# refuses TEXT...: a branch of `odd` is refused, each TEXT (a regular expression) being said.
refuses() {
  local rule_file=$1 text before
  shift
  before=$(store_objects)
  local code=0
  b create "$x" --from odd --anonymized "$rule_file" > "$work/out" 2> "$work/err" || code=$?
  ((code == 6)) || fail "exit code $code: $(cat "$work/err")"
  for text; do grep -qE -- "$text" "$work/err" || fail "no $text in: $(cat "$work/err")"; done
  ! grep -qF -f "$work/markers" "$work/err" || fail "the message holds an original: $(cat "$work/err")"
  no_trace "$x" "$before"
}
odd() { b create odd --from main --start > /dev/null; }

# Literals and copies that production has to take away itself: all rows of channels-refused.tsv of one run in one branch.
literals() {
  local run number place statement
  local -a places runs
  mapfile -t runs < <(grep -v '^#' "$here/channels-refused.tsv" | cut -f 2 | sort -u)
  for run in "${runs[@]}"; do
    odd
    places=()
    while IFS=$'\t' read -r number _ place statement; do
      # The number is a channel's, the marker is in the statement as @.
      psql -Xq -v ON_ERROR_STOP=1 "$(at odd)" -c "SET client_min_messages = error" -c "${statement//@/$(marker "$number")}" > /dev/null || fail "$statement"
      places+=("${place}[^;]*: an original of shop\.public\.markers\.m${number}\b")
    done < <(awk -F '\t' -v run="$run" '$2 == run' "$here/channels-refused.tsv")
    b stop odd > /dev/null
    refuses "$work/rules.json" "${places[@]}"
    say "  refused: ${#places[@]} places"
    b delete odd > /dev/null
  done
}

# 16: large objects, and 27: databases that no rule names, where the rules do not say drop.
channel_16_27() {
  odd
  for database in postgres template1; do psql -Xq "$(at odd $database)" -c "CREATE TABLE elsewhere AS SELECT '$(marker 27)' AS v" > /dev/null; done
  sql odd "ALTER DATABASE other ALLOW_CONNECTIONS false"
  b stop odd > /dev/null
  sed 's/"drop"/"refuse"/g' "$work/rules.json" > "$work/refuse.json"
  refuses "$work/refuse.json" "large object" "^branchfs: .*postgres: it has 1 tables" "template1: it has 1 tables" "other: the database allows no connections"
  b delete odd > /dev/null
}

# 18: a transaction that waits for its second phase. What is in its directory all the same is among the files.
channel_18() {
  odd
  sql odd "ALTER SYSTEM SET max_prepared_transactions = 5"
  b restart odd > /dev/null
  sql odd "BEGIN; INSERT INTO t15 VALUES (2, '$(marker 18)'); PREPARE TRANSACTION '$(marker 18)'" > /dev/null
  b stop odd > /dev/null
  refuses "$work/rules.json" "it has 1 prepared transactions"
  b delete odd > /dev/null
}

# 28: what lies outside of the branch is production's own.
channel_28() {
  local outside=$work/outside dir
  mkdir "$outside"
  give_to_server_user "$outside"
  odd
  sql odd "CREATE TABLESPACE far LOCATION '$outside'"
  sql odd "CREATE TABLE t28_far TABLESPACE far AS SELECT '$(marker 28)' AS v"
  b stop odd > /dev/null
  refuses "$work/rules.json" "tablespace .* outside"
  grep -raqF "$(marker 28)" "$outside" || fail "production's tablespace was changed"
  b delete odd > /dev/null
  b create odd --from main > /dev/null
  dir=$(b mount odd)
  mv "$dir/pg_wal" "$work/wal-outside"
  ln -s "$work/wal-outside" "$dir/pg_wal"
  b umount odd > /dev/null
  refuses "$work/rules.json" "pg_wal"
  b delete odd > /dev/null
}

# A control for each of the 31: in one of the two tables or a function.
all_channels() {
  { grep -hv '^#' "$here/channels.tsv" "$here/channels-refused.tsv" | cut -f 1; declare -F | grep -o 'channel_[0-9_]*' | grep -o '[0-9]*'; } | sort -u > "$work/controlled"
  diff <(seq -w 1 31) "$work/controlled" || fail "channels without a control"
}

group_refused() {
  all_channels
  say "what no step can close is refused"
  literals
  channel_16_27
  channel_18
  channel_28
}

say "a marker in every channel"
production fill_database
group_"$group"
b verify --all > /dev/null
say "passed"
