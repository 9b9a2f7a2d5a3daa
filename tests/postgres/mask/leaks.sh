#!/usr/bin/env bash
# Looks for production in a masked branch with nothing but grep: the originals of every masked column, as they are, as
# UTF-16, hex and base64, in every file of the mount and in what pg_dump, pg_waldump and pageinspect make of it.
# Excluded by rule, not by hand: values too short to be told from chance (originals.sql), what a kept column or the schema holds as
# well, and what a random number may repeat. The same search finds them in the parent.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export LC_ALL=C
customers=$(sized 3000 1000000)
# More patterns than grep can keep in memory: a sample of them, and all of them by their shape (by_shape).
limit=$(sized 1000000 200000)

patterns=$(mktemp -d /dev/shm/branchfs-leaks.XXXXXX)
at_end+=("rm -rf $patterns")

# encodings: plain → the other pattern files. Of base64 the characters that the value alone decides, at each of the three offsets.
encodings() {
  iconv -f UTF-8 -t UTF-16LE "$patterns/plain" | tr -d '\0' > "$patterns/utf16"
  perl -ne 'chomp; print unpack("H*", $_), "\n"' "$patterns/plain" > "$patterns/hex"
  perl -ne 'chomp; for my $k (0 .. 2) { my $b = join "", map { substr $_, 1 } split /\n/, pack("u45", "x" x $k . $_); $b =~ tr{`!-_}{A-Za-z0-9+/};
    my $from = (0, 2, 3)[$k]; print substr($b, $from, int(8 * ($k + length) / 6) - $from), "\n" }' "$patterns/plain" > "$patterns/base64"
}

# texts BRANCH DIR: what programs of Postgres's say about a running branch.
texts() {
  local branch=$1 dir=$2
  mkdir -p "$dir"
  client "$branch" pg_dump > "$dir/dump"
  client "$branch" pg_dumpall > "$dir/dumpall"
  sql "$branch" "SELECT * FROM pg_stats" > "$dir/stats"
  sql "$branch" "SELECT * FROM pg_stats_ext" >> "$dir/stats"
  sql "$branch" "CREATE EXTENSION IF NOT EXISTS pageinspect"
  # Every tuple of every table and catalog, dead ones and their bytes included.
  sql "$branch" "SELECT format('SELECT %L, t_data FROM generate_series(0, pg_relation_size(%L) / 8192 - 1) AS b, heap_page_items(get_raw_page(%L, b::int))', oid::regclass, oid, oid::regclass)
    FROM pg_class WHERE relkind IN ('r', 'm', 't') AND oid::regclass::text NOT IN ('originals', 'kept')" | sed 's/$/;/' > "$work/items.sql"
  psql -XAtq -v ON_ERROR_STOP=1 -f "$work/items.sql" "$(at "$branch")" > "$dir/tuples"
}

# find_in DIR OUT: hits in all files below DIR as "encoding file:match". UTF-16 of either order is found without its zeros.
find_in() {
  local dir=$1 out=$2
  (cd "$dir" && find . -printf '%p %l\n') > "$work/names"
  rm -rf "$work/stripped"
  mkdir "$work/stripped"
  (cd "$dir" && find . -type f -printf '%P\n') | while read -r file; do tr -d '\0' < "$dir/$file" > "$work/stripped/${file//\//+}"; done
  {
    grep -raoF -f "$patterns/plain" "$dir" "$work/names" | sed 's/^/plain /'
    grep -raoF -f "$patterns/utf16" "$work/stripped" | sed 's/^/utf16 /'
    grep -raoiF -f "$patterns/hex" "$dir" | sed 's/^/hex /'
    grep -raoF -f "$patterns/base64" "$dir" | sed 's/^/base64 /'
  } > "$out" || true
  rm -rf "$work/stripped"
}

# Shapes that nothing but an original has: the tails of e-mail addresses, phone numbers, IBANs, numbers of cards and persons.
shapes='_[0-9a-f]{8}@[a-z-]+\.example|\+49 [0-9]{3} [0-9]{9}|DE[0-9]{20}|[0-9]{3}-[0-9]{2}-[0-9]{4}|4[0-9]{15}'
by_shape() { { grep -raohE "$shapes" "$@" || true; } | sort -u; }

# files BRANCH DO...: with the mounted branch's directory appended.
files() {
  local dir
  dir=$("$BRANCHFS" mount "$1")
  "${@:2}" "$dir"
  "$BRANCHFS" umount "$1" > /dev/null
}
scan_files() { find_in "$2" "$1.hits"; by_shape "$2" > "$1.shapes"; pg_waldump -p "$2/pg_wal" "$(first_segment "$2")" > "$1.waldump" 2> /dev/null || true; }
first_segment() { find "$1/pg_wal" -maxdepth 1 -type f -printf '%f\n' | grep -E '^[0-9A-F]{24}$' | sort | head -n 1; }

say "originals of $customers customers"
sample "$customers"
"$BRANCHFS" create look --from main --start > /dev/null
psql -Xq -v ON_ERROR_STOP=1 -f "$here/originals.sql" "$(at look)"
client look pg_dump --schema-only -T originals -T kept > "$work/kept"
sql look "SELECT v FROM kept" >> "$work/kept"
sql look "SELECT DISTINCT v FROM originals" | sort -u > "$patterns/all"
grep -oF -f <(shuf -n "$limit" "$patterns/all" | tee "$patterns/sample") "$work/kept" | sort -u > "$work/excluded" || true
masked staging
"$BRANCHFS" create child --from staging --start > /dev/null
# national_id WIDTH and addresses are drawn from few: chance repeats a few, and no more.
may_repeat() {
  sql look "SELECT DISTINCT v FROM originals WHERE what = '$1'" | sort > "$work/old"
  sql child "$2" | sort -u > "$work/new"
  comm -12 "$work/old" "$work/new" > "$work/both"
  awk -v old="$(wc -l < "$work/old")" -v new="$(wc -l < "$work/new")" -v both="$(wc -l < "$work/both")" -v space="$3" \
    'BEGIN { exit !(both <= 5 + 3 * old * new / space) }' || fail "$1: $(wc -l < "$work/both") originals are masks of other rows, too many for chance"
  cat "$work/both" >> "$work/excluded"
}
may_repeat national_id "SELECT national_id FROM customers" 1e9
may_repeat last_ip "SELECT host(last_ip) FROM customers UNION SELECT host(last_ip) FROM crm.logins" 4.2e9
sort -u -o "$work/excluded" "$work/excluded"
sort -u "$patterns/sample" | comm -23 - "$work/excluded" > "$patterns/plain"
comm -23 "$patterns/all" "$work/excluded" | { grep -ohE "$shapes" || true; } | sort -u > "$patterns/shapes"
encodings
say "  $(wc -l < "$patterns/plain") patterns, $(wc -l < "$work/excluded") excluded ($(head -n 3 "$work/excluded" | tr '\n' ' ')…), $(wc -l < "$patterns/shapes") with a shape"

say "control: the search finds them in the parent, and in every encoding"
mkdir "$work/planted"
some=$(grep -m 1 '@' "$patterns/plain")
printf 'x%sx' "$some" > "$work/planted/plain"
printf '%s' "$some" | iconv -f UTF-8 -t UTF-16BE > "$work/planted/utf16"
printf 'y%s' "$some" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F > "$work/planted/hex"
for before in "" a ab; do printf '%s%s' "$before" "$some." | base64 -w 0 > "$work/planted/base64$before"; done
find_in "$work/planted" "$work/planted.hits"
equal "$(sed 's,.*/\([a-z0-9]*\):.*,\1,' "$work/planted.hits" | sort -u | tr '\n' ' ')" "base64 base64a base64ab hex plain utf16 " "encodings found"
files main scan_files "$work/main"
found=$(sed -n 's/^plain [^:]*://p' "$work/main.hits" | sort -u | wc -l)
# The texts are compressed, and only what a row, an index or a statistic holds as it is can be seen.
((found * 2 > $(wc -l < "$patterns/plain"))) || fail "only $found found in the parent's files"
((2 * $(comm -12 "$patterns/shapes" "$work/main.shapes" | wc -l) > $(wc -l < "$patterns/shapes"))) || fail "few shapes found in the parent's files"
texts look "$work/texts.look"
grep -aoF -f "$patterns/plain" "$work/texts.look/dump" | sort -u > "$work/found"
((20 * $(wc -l < "$work/found") > 19 * $(wc -l < "$patterns/plain"))) || fail "only $(wc -l < "$work/found") found in the parent's dump"
say "  $found in the parent's files, $(wc -l < "$work/found") in its dump"
"$BRANCHFS" delete look > /dev/null
rm -rf "$work/texts.look"

# nothing WHAT HITS: no line in the file HITS.
nothing() { [[ ! -s $2 ]] || fail "$1: $(wc -l < "$2") hits: $(cut -c 1-200 "$2" | sed "s,$work/,," | head -n 12)"; }
say "the masked branch's files"
files staging scan_files "$work/staging"
nothing "files" "$work/staging.hits"
comm -12 "$patterns/shapes" "$work/staging.shapes" > "$work/found"
nothing "shapes in files" "$work/found"
say "dump, statistics, tuples, write-ahead log"
texts child "$work/texts"
cp "$work/staging.waldump" "$work/texts/waldump"
[[ -s $work/texts/waldump ]] || fail "pg_waldump says nothing"
find_in "$work/texts" "$work/texts.hits"
nothing "texts" "$work/texts.hits"
by_shape "$work/texts" | comm -12 "$patterns/shapes" - > "$work/found"
nothing "shapes in texts" "$work/found"
"$BRANCHFS" stop child > /dev/null
say "a child of it that a server ran on"
files child scan_files "$work/child"
nothing "files of the child" "$work/child.hits"
say "passed"
