#!/usr/bin/env bash
# Rules that cannot be followed: for another schema, wrong, hostile, failing in the middle. Each is refused before or ends
# without a trace, and nothing that a rule or a name says is ever run.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

say "a sample of 300 customers"
sample 300
objects=$(store_objects)

say "rules for another schema, or for none"
rules_with "$work/bad.json" "$(column_rule customers e_mail '"masking_function": "anon.fake_email()"')"
refused "6" "e_mail" "$x" b create "$x" --from main --anonymized "$work/bad.json"
expect 3 "no branch" "$BRANCHFS" create "$x-child" --from "$x"
rules_with "$work/bad.json" "$(column_rule customers last_name '"masking_function": "anon.no_such_function()"')"
refused 6 "unknown function" "$x" b create "$x" --from main --anonymized "$work/bad.json"
rules_with "$work/bad.json" "$(column_rule customers credit_limit '"masking_function": "anon.fake_email()"')"
refused 6 "credit_limit" "$x" b create "$x" --from main --anonymized "$work/bad.json"
rules_with "$work/bad.json" "$(column_rule customers email '"masking_value": "NULL"')"
refused 6 "email" "$x" b create "$x" --from main --anonymized "$work/bad.json"
rules_with "$work/bad.json" "$(column_rule customers national_id '"masking_value": "'"'000-00-0000'"'"')"
refused 6 "national_id" "$x" b create "$x" --from main --anonymized "$work/bad.json"
rules_with "$work/bad.json" "$(column_rule customers phone '"masking_value": "'"'none'"'"')"
refused 6 "phone" "$x" b create "$x" --from main --anonymized "$work/bad.json"
rules_with "$work/bad.json" "$(column_rule payments paid_on '"mask": "permute"')"
refused 6 "paid_on" "$x" b create "$x" --from main --anonymized "$work/bad.json"
rules_with "$work/bad.json" "$(column_rule customers full_name '"masking_value": "'"'x'"'"')"
refused 6 "full_name" "$x" b create "$x" --from main --anonymized "$work/bad.json"
refused "1|2|3" "nosuch.json" "$x" b create "$x" --from main --anonymized "$work/nosuch.json"
echo '{"masking_rules": [' > "$work/bad.json"
refused 2 "" "$x" b create "$x" --from main --anonymized "$work/bad.json"
b create drifted --from main --start > /dev/null
sql drifted "ALTER TABLE customers ADD COLUMN fax text"
b stop drifted > /dev/null
refused 6 "fax" "$x" b create "$x" --from drifted --anonymized "$rules"
b start drifted > /dev/null
sql drifted "ALTER TABLE customers DROP COLUMN fax; ALTER TABLE customers RENAME COLUMN phone TO telephone"
b stop drifted > /dev/null
refused 6 "phone" "$x" b create "$x" --from drifted --anonymized "$rules"
b delete drifted > /dev/null

say "SQL in every field of a rule: refused, and nothing of it runs"
# Whatever runs as SQL anywhere would leave this file.
canary=$work/canary
mkdir "$canary"
chmod 777 "$canary"
attack="COPY (SELECT 1) TO PROGRAM 'touch $canary/sang'"
injected=0
forms=("x'; $attack; --" "x\"; $attack; --" "x); $attack; --" "\$\$; $attack; --" "$attack" "x' || (SELECT pg_ls_dir('.') LIMIT 1) || '")
# inject FILE: all forms, or another one for each field.
inject() {
  local file=$1 form text json
  local -a tried=("${forms[@]}")
  [[ $full == 1 ]] || tried=("${forms[injected % ${#forms[@]}]}")
  for form in "${tried[@]}"; do
    text=${form//\\/\\\\}
    json=${text//\"/\\\"}
    text=$(< "$file.form")
    printf '%s' "${text//@@/$json}" > "$file"
    refused "2|6" "" "$x" b create "$x" --from main --anonymized "$file"
    [[ -z $(ls "$canary") ]] || fail "it was executed: $(cat "$file")"
    injected=$((injected + 1))
  done
}
plain='"schema_name": "public", "table_name": "customers", "column_name": "last_name"'
while read -r rule; do
  printf '{"version": 1, "defaults": {"unmapped_columns": "keep"}, "masking_rules": [%s]}' "$rule" > "$work/inject.json.form"
  inject "$work/inject.json"
done << RULES
{"database_name": "@@", $plain, "mask": "permute"}
{"schema_name": "@@", "table_name": "customers", "column_name": "last_name", "mask": "permute"}
{"schema_name": "public", "table_name": "@@", "column_name": "last_name", "mask": "permute"}
{"schema_name": "public", "table_name": "customers", "column_name": "@@", "mask": "permute"}
{$plain, "mask": "@@"}
{$plain, "masking_function": "@@"}
{$plain, "masking_function": "anon.partial(last_name, 1, '@@"}
{$plain, "masking_function": "anon.dummy_last_name() || @@"}
{$plain, "masking_value": "@@"}
{$plain, "masking_value": "'a'::@@"}
{$plain, "mask": "permute", "when": "@@"}
{$plain, "mask": "permute", "when": "last_name = '@@"}
{$plain, "masking_function": "anon.dummy_last_name()", "seed": ["@@"]}
{$plain, "masking_function": "anon.dummy_last_name()", "compat": "@@"}
{"schema_name": "public", "table_name": "@@", "truncate": true}
RULES
printf '{"version": 1, "key": "@@", "masking_rules": []}' > "$work/inject.json.form"
inject "$work/inject.json"
printf '{"version": 1, "defaults": {"unmapped_columns": "keep"}, "masking_rules": [{%s, "mask": "permute"}], "references": [{"from": "@@", "to": "public.customers.email"}]}' "$plain" > "$work/inject.json.form"
inject "$work/inject.json"
printf '{"masking_rules": [{"database_name": "shop", %s, "masking_function": "anon.concat(@@)"}]}' "$plain" > "$work/inject.json.form"
inject "$work/inject.json"
printf "SECURITY LABEL FOR anon ON COLUMN public.customers.last_name IS 'MASKED WITH FUNCTION anon.fake_last_name()'; %s;\n" "$attack" > "$work/inject.sql.form"
cp "$work/inject.sql.form" "$work/inject.sql"
refused "2|6" "" "$x" b create "$x" --from main --anonymized "$work/inject.sql"
[[ -z $(ls "$canary") ]] || fail "a statement of a label file was executed"
say "  $injected refused"
equal "$(store_objects)" "$objects" "the store so far"

say "names in the database that look like SQL are only names"
hostile() {
  psql -Xq -v ON_ERROR_STOP=1 "$1" << SQL
CREATE SCHEMA "s""; SELECT 'x'; --";
CREATE TABLE "s""; SELECT 'x'; --"."t'; DROP TABLE canary; --" ("c"" '); --" text UNIQUE, "d\$\$" text DEFAULT 'secret-default', "E'\\" int4);
INSERT INTO "s""; SELECT 'x'; --"."t'; DROP TABLE canary; --" SELECT 'original value number ' || i, 'x', i FROM generate_series(1, 100) i;
SQL
}
b create hostile --from main --start > /dev/null
hostile "$(at hostile)"
b stop hostile > /dev/null
rules_with "$work/hostile.json" '{"schema_name": "s*", "table_name": "t*", "column_name": "c*", "mask": "permute"}'
b create hostile-masked --from hostile --anonymized "$work/hostile.json" --start > /dev/null 2> "$work/err" || fail "hostile names: $(cat "$work/err")"
equal "$(sql hostile-masked "SELECT count(*) FILTER (WHERE \"c\"\" '); --\" ~ '^original value'), count(*) FROM \"s\"\"; SELECT 'x'; --\".\"t'; DROP TABLE canary; --\"")" "0|100" "rows under hostile names"
b delete hostile --recursive > /dev/null

say "an expression that fails in the fourth table of five"
five() {
  local i
  for i in 1 2 3 4 5; do
    psql -Xq -v ON_ERROR_STOP=1 "$1" -c "CREATE TABLE five_$i (i int PRIMARY KEY, v text, n int);
      INSERT INTO five_$i SELECT i, 'original ' || md5(i::text), CASE WHEN i = 20000 AND $i = 4 THEN 0 ELSE 5 END FROM generate_series(1, 20000) AS i"
  done
}
b create five --from main --start > /dev/null
five "$(at five)"
b stop five > /dev/null
rules_with "$work/five.json" "$(for i in 1 2 3 4 5; do column_rule "five_$i" v '"masking_function": "pg_catalog.concat('"'masked '"', 100 / n)"'; ((i == 5)) || echo ,; done)"
refused "1|6" "five_4" "$x" b create "$x" --from five --anonymized "$work/five.json"
! grep -q "original " "$work/err" || fail "the error shows a value: $(cat "$work/err")"
b delete five > /dev/null

b verify --all > /dev/null
say "passed"
