#!/usr/bin/env bash
# Fills an empty database with a sample of what a shop has in production: people, orders, payments, support notes, and
# the schema around them that makes masking hard. All of it is made up from formulae; the same seed gives the same rows.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/sample-db.sh [--customers N] [--seed S] [PSQL-CONNECTION …]
  --customers N   how many (default: 10000; 1000000 are about 2 GB)
  --seed S        another number, other people (default: 1)
  What follows goes to psql and says which database: a URL, or options such as -h DIR -U postgres -d shop.
TEXT
}
die() { printf 'sample-db: %s\n' "$*" >&2; exit 2; }

customers=10000 seed=1
while (($#)); do
  case $1 in
    --customers) customers=${2:-}; shift 2 || die "--customers needs a number" ;;
    --seed) seed=${2:-}; shift 2 || die "--seed needs a number" ;;
    --help) usage; exit 0 ;;
    *) break ;;
  esac
done
[[ $customers =~ ^[1-9][0-9]{1,7}$ ]] || die "--customers takes a number from 10 to 50000000, not \"$customers\""
((customers <= 50000000)) || die "--customers takes a number from 10 to 50000000, not $customers"
[[ $seed =~ ^[0-9]{1,6}$ ]] || die "--seed takes a number below 1000000, not \"$seed\""

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/sample-db" && pwd)
ask() { psql -XAtq -v ON_ERROR_STOP=1 -c "$1" "${@:2}"; }
found=$(ask "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_|^information_schema$')
  AND relkind IN ('r', 'p', 'v', 'm', 'S') AND oid >= 16384" "$@")
[[ $found == 0 ]] || die "the database is not empty: it has $found relations (name a new one)"
lz4=$(ask "SELECT enumvals @> ARRAY['lz4'] FROM pg_settings WHERE name = 'default_toast_compression'" "$@")

files=()
for part in 1-schema 2-making 3-data 4-keys 5-life; do files+=(-f "$here/$part.sql"); done
PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning -c synchronous_commit=off -c maintenance_work_mem=128MB -c work_mem=32MB -c jit=off" \
  PGCLIENTENCODING=UTF8 psql -Xq -v ON_ERROR_STOP=1 -v customers="$customers" -v seed="$seed" -v lz4="$lz4" "${files[@]}" "$@"
