#!/usr/bin/env bash
# Measures what README.md claims, on this machine, in one run: prints a Markdown table. Needs an earlier scripts/build.sh
# (or BRANCHFS_BUILD) and PostgreSQL; as root the servers run as the user postgres. Takes about two minutes.
# shellcheck disable=SC2016 # the labels hold Markdown, not commands
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/numbers.sh
  NUMBERS_SCALES="10 100"   pgbench scales of the two databases (about 16 MB a unit)
  NUMBERS_ROUNDS=20         how often a short operation is repeated (the median is printed)
  BRANCHFS_BUILD=DIR        the build to measure (default: build/release)
TEXT
}
if (($#)); then usage; [[ $1 == -h || $1 == --help ]] && exit 0; exit 2; fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BRANCHFS_BUILD:-$root/build/release}
rounds=${NUMBERS_ROUNDS:-20}
read -ra scales <<< "${NUMBERS_SCALES:-10 100}"
PATH=$build/tools:$build/fs:$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1):$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/branchfs-numbers.XXXXXX")
export BRANCHFS_STORE=$work/store
chmod 711 "$work"

cleanup() {
  local name
  while read -r name; do branchfs stop "$name" > /dev/null 2>&1 || true; done \
    < <(branchfs list --json 2> /dev/null | sed -n 's/^ *"name": "\(.*\)",\{0,1\}$/\1/p')
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

as_server_user() { if ((EUID == 0)); then runuser -u postgres -- "$@"; else "$@"; fi; }
now_us() { echo $(($(date +%s%N) / 1000)); }
# us COMMAND...: microseconds the command took.
us() {
  local start
  start=$(now_us)
  "$@" > /dev/null 2>> "$work/stderr" || { cat "$work/stderr" >&2; exit 1; }
  echo $(($(now_us) - start))
}
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
ms() { awk -v us="$1" 'BEGIN {printf us < 100000 ? "%.1f ms" : "%.0f ms", us / 1000}'; }
mib() { awk -v bytes="$1" 'BEGIN {printf "%.1f MiB", bytes / 1048576}'; }
json_number() { sed -n "s/^ *\"$1\": \([0-9]*\),\{0,1\}\$/\1/p" | head -n 1; }

make_cluster() {  # DIR SCALE
  mkdir "$1"
  if ((EUID == 0)); then chown postgres: "$1"; fi
  as_server_user initdb -D "$1/data" -U postgres -A trust --no-sync > /dev/null
  as_server_user pg_ctl -w -D "$1/data" -l "$1/log" -o "-c listen_addresses= -k $1 -c fsync=off" start > /dev/null
  as_server_user pgbench -h "$1" -U postgres -i -q -s "$2" postgres > /dev/null 2>&1
  as_server_user pg_ctl -w -D "$1/data" -m fast stop > /dev/null
  as_server_user pg_checksums --enable -D "$1/data" > /dev/null 2>&1 || true
}

create_started() { branchfs create "$1" --from "$2" --start; }

branchfs init > /dev/null
declare -A row
for scale in "${scales[@]}"; do
  name=main$scale
  make_cluster "$work/source$scale" "$scale"
  sync
  row[cp,$scale]=$(us cp -a "$work/source$scale/data" "$work/copy")
  rm -rf "$work/copy"
  row[import,$scale]=$(us branchfs import "$name" --pgdata "$work/source$scale/data" --quiet)
  row[size,$scale]=$(du -sb "$work/source$scale/data" | cut -f1)
  row[stored,$scale]=$(branchfs du "$name" --json | sed -n 's/^ *"\(shared\|exclusive\)": \([0-9]*\).*/\2/p' | sort -n | tail -n 1)
  for ((i = 0; i < rounds; i++)); do us branchfs create "f$i" --from "$name"; done | median > "$work/create"
  row[create,$scale]=$(< "$work/create")
  row[owns,$scale]=$(branchfs du f0 --json | json_number own)
  for ((i = 0; i < rounds; i++)); do us branchfs delete "f$i"; done | median > "$work/delete"
  row[delete,$scale]=$(< "$work/delete")
  for ((i = 0; i < 5; i++)); do us create_started "s$i" "$name"; done | median > "$work/start"
  row[start,$scale]=$(< "$work/start")
  for ((i = 0; i < 5; i++)); do branchfs delete "s$i" > /dev/null; done
  for ((i = 0; i < 5; i++)); do us branchfs run --from "$name" -- true; done | median > "$work/run"
  row[run,$scale]=$(< "$work/run")
done

line() {  # LABEL FORMATTER KEY
  printf '| %s |' "$1"
  for scale in "${scales[@]}"; do printf ' %s |' "$("$2" "${row[$3,$scale]}")"; done
  printf '\n'
}
printf 'branchfs %s, %s cores, kernel %s, %s, median of %s (starts and runs: of 5)\n\n' \
  "$(branchfs --version | awk '{print $NF}')" "$(nproc)" "$(uname -r)" "$(postgres --version | awk '{print $1, $3}')" "$rounds"
printf '| |'; for scale in "${scales[@]}"; do printf ' pgbench scale %s |' "$scale"; done; printf '\n|---|'
for _ in "${scales[@]}"; do printf -- '---|'; done; printf '\n'
line 'data directory' mib size
line 'stored after import' mib stored
line '`cp -a` of it' ms cp
line '`branchfs import`' ms import
line '`branchfs create`' ms create
line 'a fresh branch owns' mib owns
line '`branchfs create --start`: until its server answers' ms start
line '`branchfs run -- true`: create, start, run, delete' ms run
line '`branchfs delete`' ms delete
