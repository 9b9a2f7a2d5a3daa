#!/usr/bin/env bash
# A masked branch behaves like production: the same schema, sequences, counts and shape of the data; every constraint
# holds, checked by queries of this test; indexes and statistics are sound; the parent is as it was.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
customers=$(sized 4000 1000000)

# same NAME COMMAND...: what COMMAND prints for the parent and for the branch.
same() {
  local name=$1 branch
  shift
  for branch in main staging; do "$@" "$branch" > "$work/$branch.$name" || fail "$name of $branch"; done
  [[ -s $work/main.$name ]] || fail "$name: nothing to compare"
  diff "$work/main.$name" "$work/staging.$name" > "$work/diff" || fail "$name differ: $(wc -l < "$work/diff") lines, $(head -n 20 "$work/diff")"
}
# Without the random word that newer dumps begin and end with.
schema() { client "$1" pg_dump --schema-only | sed '/^\\\(un\)\{0,1\}restrict /d'; }
roles() { client "$1" pg_dumpall --globals-only --no-role-passwords | sed '/^\\\(un\)\{0,1\}restrict /d'; }
facts() { file "$1" facts.sql; }
rows() { row_counts "$1" | grep -vE '^(crm.import_buffer|audit.changes|crm.city_names)\|'; }
file() { psql -XAtq -v ON_ERROR_STOP=1 -f "$here/$2" "$(at "$1")"; }
columns_with_statistics() {
  sql "$1" "SELECT schemaname, tablename, attname FROM pg_stats WHERE schemaname IN ('public', 'crm', 'hr') AND tablename <> 'import_buffer' ORDER BY 1, 2, 3"
  sql "$1" "SELECT stxname FROM pg_statistic_ext JOIN pg_statistic_ext_data ON stxoid = pg_statistic_ext.oid ORDER BY 1"
}

say "a sample of $customers customers"
sample "$customers"
file_sums main > "$work/before"
masked staging
file_sums main > "$work/after"
diff "$work/before" "$work/after" > "$work/diff" || fail "masking changed the parent: $(head -n 3 "$work/diff")"
"$BRANCHFS" start main > /dev/null
"$BRANCHFS" start staging > /dev/null

say "schema, roles, counts, shape"
same schema schema
same roles roles
same rows rows
same facts facts
equal "$(sql staging "SELECT (SELECT count(*) FROM crm.import_buffer) + (SELECT count(*) FROM audit.changes)")" 0 "rows of truncated tables"
equal "$(sql staging "SELECT count(DISTINCT first_name) > 200 AND count(DISTINCT last_name) > 200 FROM customers")" t "many distinct names"

say "constraints"
file staging integrity.sql > "$work/violations" 2>&1 || fail "integrity.sql: $(tail -n 3 "$work/violations")"
[[ ! -s $work/violations ]] || fail "violated: $(head -n 10 "$work/violations")"
# Writes, with triggers, identities and keys that go on where production was.
sql staging "BEGIN; INSERT INTO customers (public_id, email, first_name, last_name, national_id)
    VALUES (gen_random_uuid(), 'new@corvel.example', 'New', 'Name', '000-00-0000');
  INSERT INTO orders (customer_id, order_no, total, created_at) SELECT id, 1, 1, now() FROM customers WHERE full_name = 'New Name';
  UPDATE customers SET phone = '+49 151 000000001' WHERE email = 'new@corvel.example'; ROLLBACK"

say "no value of a masked column is in its old row"
for branch in main staging; do file $branch rows.sql | LC_ALL=C sort > "$work/rows.$branch"; done
equal "$(wc -l < "$work/rows.staging")" "$(wc -l < "$work/rows.main")" "lines"
LC_ALL=C comm -12 "$work/rows.main" "$work/rows.staging" > "$work/unchanged"
[[ ! -s $work/unchanged ]] || fail "unchanged: $(wc -l < "$work/unchanged") of $(wc -l < "$work/rows.main"): $(head -n 5 "$work/unchanged")"

say "indexes, pages, statistics"
client staging pg_amcheck --install-missing --heapallindexed -d shop > "$work/amcheck" 2>&1 || fail "pg_amcheck: $(tail -n 3 "$work/amcheck")"
same statistics columns_with_statistics
equal "$(sql staging "SELECT c.oid::regclass FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'crm', 'hr')
  AND abs(reltuples - (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ONLY ' || c.oid::regclass, false, true, '')))[1]::text::float) >
    0.02 * greatest(reltuples, 50)")" "" "tables whose row estimate is off"
# What the planner expects of a few queries, within a factor of three of what they give.
while read -r query; do
  estimated=$(sql staging "EXPLAIN (FORMAT JSON) $query" | sed -n 's/.*"Plan Rows": \([0-9]*\).*/\1/p' | head -n 1)
  actual=$(sql staging "SELECT count(*) FROM ($query) q")
  ((estimated <= 3 * actual + 10 && actual <= 3 * estimated + 10)) || fail "$estimated rows estimated, $actual there: $query"
done << 'SQL'
SELECT 1 FROM customers c JOIN orders o ON o.customer_id = c.id
SELECT 1 FROM customers c JOIN crm.logins l ON l.login = c.email
SELECT 1 FROM customers WHERE phone IS NULL
SELECT 1 FROM orders JOIN order_items USING (customer_id, order_no)
SELECT 1 FROM customers WHERE birth_date < '1960-01-01'
SQL

say "the branch's own writes stay its own"
sql staging "DELETE FROM crm.newsletter"
equal "$(sql main "SELECT count(*) FROM crm.newsletter")" "$(wc -l < <(grep -F '|newsletter|' "$work/rows.main"))" "the parent's rows"
"$BRANCHFS" verify --all > /dev/null
say "passed"
