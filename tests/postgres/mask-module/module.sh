#!/usr/bin/env bash
# The masking module in a real server: every function answers, equal values of different types have equal seeds, the key shows
# nowhere, other encodings work. usage: module.sh MAJOR MODULE MASK_INSTALL_SQL
set -euo pipefail

major=$1 module=$2 install=$3
here=$(cd "$(dirname "$0")" && pwd)
bin=/usr/lib/postgresql/$major/bin
if [[ ! -x $bin/initdb ]]; then bin=$(pg_config --bindir); fi
dir=$(mktemp -d)
cd "$dir"
secret=deadbeefcafef00d

as_owner() {
  if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi
}
cleanup() {
  as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate stop > /dev/null 2>&1 || true
  rm -rf "$dir"
}
trap cleanup EXIT
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
equal() { [[ $2 == "$3" ]] || fail "$1: '$2' is not '$3'"; }
equal "where the module is" "$("$install" --find "$major")" "$module"
code=0
"$install" --find 99 > /dev/null || code=$?
equal "no such major: exit code" "$code" 3

if ((EUID == 0)); then chown postgres "$dir"; fi
cp "$module" "$dir/branchfs_mask.so"
chmod 755 "$dir" "$dir/branchfs_mask.so"
"$install" "$dir/branchfs_mask.so" > install.sql

as_owner "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C > /dev/null
as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w start \
  -o "-c listen_addresses= -k $dir -c fsync=off -c log_statement=none -c log_min_messages=debug1" > /dev/null
sql() { # DATABASE, statements on standard input
  "$bin/psql" -h "$dir" -U postgres -X -q -A -t -v ON_ERROR_STOP=1 -d "$1"
}
# One answer for a statement in a session that has the key.
ask() { # DATABASE STATEMENT
  sql "$1" <<< "set client_min_messages = error; do \$\$ begin perform branchfs_mask.set_key(decode(repeat('$secret', 4), 'hex')); end \$\$; $2"
}
refused() { # WHAT STATEMENT PART_OF_THE_MESSAGE
  local out
  if out=$(ask postgres "$2" 2>&1); then fail "$1: was not refused: $out"; fi
  [[ $out == *"$3"* ]] || fail "$1: says: $out"
}

sql postgres < install.sql
created=$(grep -c '^CREATE FUNCTION' install.sql)
equal "functions installed" "$(ask postgres "select count(*) from pg_proc where pronamespace = 'branchfs_mask'::regnamespace")" "$created"

# Every function of the module, with an argument of each type that it takes.
equal "functions that answered" "$(ask postgres "$(cat "$here/call_all.sql")")" "$created of $created"

echo "-- seeds"
uuid() { ask postgres "select branchfs_mask.dummy_uuidv4() from (select branchfs_mask.begin($1, false) offset 0) s where begin"; }
for value in 42::smallint 42::integer 42::bigint 42::numeric 42.00::numeric; do equal "$value" "$(uuid "$value")" "$(uuid 42)"; done
for value in "'Bob'::varchar" "'Bob'::char(9)" "'Bob'::name" "'Bob'"; do equal "$value" "$(uuid "$value")" "$(uuid "'Bob'::text")"; done
[[ $(uuid "'42'::text") != "$(uuid 42)" ]] || fail "text and number have one seed"
[[ $(uuid 42.5) != "$(uuid 42)" ]] || fail "42.5 is 42"
equal "settings" "$(ask postgres "set datestyle = german; select branchfs_mask.dummy_uuidv4() from (select branchfs_mask.begin(date '2020-02-01', false) offset 0) s where begin")" \
  "$(uuid "date '2020-02-01'")"
equal "NULL" "$(ask postgres "select branchfs_mask.begin(null::text, false)")" f
equal "the same again" "$(uuid "'x'::text")" "$(uuid "'x'::text")"
other=$(sql postgres <<< "do \$\$ begin perform branchfs_mask.set_key(decode(repeat('00', 32), 'hex')); end \$\$;
  select branchfs_mask.dummy_uuidv4() from (select branchfs_mask.begin('x'::text, false) offset 0) s where begin")
[[ $other != "$(uuid "'x'::text")" ]] || fail "two keys, one value"
equal "random seeds" "$(ask postgres "select count(distinct case when branchfs_mask.begin_random(false) then branchfs_mask.dummy_uuidv4() end) from generate_series(1, 100)")" 100
equal "tokens" "$(ask postgres "select count(distinct case when branchfs_mask.begin(g, true) then branchfs_mask.dummy_title() end) from generate_series(1, 5000) g")" 5000
if sql postgres <<< "create extension citext" 2> /dev/null; then
  equal citext "$(uuid "'BoB'::citext")" "$(uuid "'bob'::text")"
fi

echo "-- permutations"
equal integers "$(ask postgres "select count(distinct p), min(p), max(p) from (select branchfs_mask.permute(g, -50, 949, 'd') p from generate_series(-50, 949) g) s")" "1000|-50|949"
equal "types of one class" "$(ask postgres "select branchfs_mask.permute(7::smallint, 1::smallint, 90::smallint, 'd') = branchfs_mask.permute(7::bigint, 1::bigint, 90::bigint, 'd')")" t
equal numerics "$(ask postgres "select count(distinct p), min(length(p::text)), max(length(p::text)) from (select branchfs_mask.permute(g::numeric, 'd', '') p from generate_series(1000, 9999) g) s")" "9000|4|4"
equal "text stays valid" "$(ask postgres "select length(branchfs_mask.permute('Zoë Ünal 東京 12', 'd', ''))")" 14
equal "strict" "$(ask postgres "select branchfs_mask.permute(null::text, 'd', '') is null")" t
equal "infinite dates" "$(ask postgres "select branchfs_mask.permute('infinity'::date, '2020-01-01', '2020-12-31', 'd')")" infinity

echo "-- shuffle"
equal "shuffled values" "$(ask postgres "select sum(branchfs_mask.shuffle_collect(1, v)) from (select nullif(g, 3)::text v from generate_series(1, 100) g) s;
  select count(*), count(v), count(distinct v), string_agg(v, ',') <> string_agg(n::text, ',')
  from (select n, branchfs_mask.shuffle_next(1, null::text) v from generate_series(1, 100) n) s")" $'100\n100|99|99|t'
refused "an empty slot" "select branchfs_mask.shuffle_next(9, 1)" "nothing was collected"
refused "another type" "select branchfs_mask.shuffle_collect(1, 1); select branchfs_mask.shuffle_next(1, 'x'::text)" "another type"

echo "-- errors name no value"
if sql postgres <<< "select branchfs_mask.begin('Waldo'::text, false)" > out 2>&1; then fail "masks without a key"; fi
grep -q 'has no key' out || fail "without a key: $(cat out)"
refused "out of range" "select branchfs_mask.permute(4711, 1, 10, 'd')" "outside of the range"
refused "a fraction" "select branchfs_mask.permute(47.11, 'd', '')" "whole numbers only"
refused "a short key" "select branchfs_mask.set_key('\\x00')" "32 bytes"
refused "no seed" "select branchfs_mask.dummy_name()" "no value to mask"
refused "a locale" "select branchfs_mask.begin(1, false), branchfs_mask.dummy_name_locale('tlh')" "unknown locale"
if grep -qE 'ERROR.*(4711|47\.11|Waldo)' log; then fail "a value in an error: $(grep -E 'ERROR.*(4711|Waldo)' log)"; fi

echo "-- the key shows nowhere"
equal "the session's settings" "$(ask postgres "select count(*) from pg_settings where setting ~* '$secret' or name ~ 'branchfs'")" 0
equal "other sessions' view" "$(ask postgres "select branchfs_mask.begin(1, false); select count(*) from pg_stat_activity where query ~ ('$secret' || '') and pid <> pg_backend_pid()")" $'t\n0'
if grep -q "$secret" log; then fail "the key is in the server's log: $(grep -m1 "$secret" log)"; fi

echo "-- other encodings"
for encoding in LATIN1 SQL_ASCII; do
  sql postgres <<< "create database \"other_$encoding\" template template0 encoding '$encoding' lc_collate 'C' lc_ctype 'C'"
  sql "other_$encoding" < install.sql
  [[ $encoding == LATIN1 ]] && client="set client_encoding = utf8;" || client=""
  equal "$encoding: every function" "$(ask "other_$encoding" "$(cat "$here/call_all.sql")")" "$created of $created"
  equal "$encoding: ascii seeds" \
    "$(ask "other_$encoding" "select branchfs_mask.dummy_uuidv4() from (select branchfs_mask.begin('Bob'::text, false) offset 0) s where begin")" "$(uuid "'Bob'::text")"
  equal "$encoding: french names" "$(ask "other_$encoding" "$client select count(*) from (select case when branchfs_mask.begin(g, false)
    then branchfs_mask.dummy_name_locale('fr_FR') || branchfs_mask.dummy_street_name_locale('fr_FR') || branchfs_mask.dummy_currency_symbol() end v
    from generate_series(1, 2000) g) s where v <> ''")" 2000
done
accents='Zoë Ünal'
equal "LATIN1: the seed is that of UTF-8" "$(ask other_LATIN1 "set client_encoding = utf8; select branchfs_mask.dummy_uuidv4() from (select branchfs_mask.begin('$accents'::text, false) offset 0) s where begin")" \
  "$(uuid "'$accents'::text")"
equal "LATIN1: permuted" "$(ask other_LATIN1 "set client_encoding = utf8; select length(branchfs_mask.permute('$accents', 'd', ''))")" 8
echo "passed"
