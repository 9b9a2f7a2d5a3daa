#!/usr/bin/env bash
# Measures branchfs side by side with what a user would otherwise pick: real servers, sides taking turns, everything in one run
# on one machine. The machinery is tests/bench/suite.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/bench.sh [--quick] [--only NAME]... [--side SIDE]... [--rounds N] [--out DIR] [--build DIR] [--scratch DIR]
  --quick        small data, few rounds, the plain directory and branchfs alone in most workloads: ten minutes, for a direction
  --only NAME    only this workload: create, ready, pgbench, scan, bulk, checkpoint, depth, growth, scale, import, latency,
                 masking, micro
  --side SIDE    only this side, besides the one it is compared with: branchfs, branchfs-uring, branchfs-own, overlayfs,
                 fuse-overlayfs, btrfs, xfs, cp, pg_basebackup, branchfs-url, createdb
  --rounds N     counted rounds (default: 5 after a warm-up, with --quick 2 without one; fewer where little varies)
  --out DIR      where results go (default: build/bench/results, with --quick build/bench/results-quick);
                 a round that is there already is not measured again
  --build DIR    measure this build instead of making one in build/bench
  --scratch DIR  where the data lies while it is measured (default: /var/tmp)
Writes DIR/report.md, report.json, rounds.jsonl and plots (*.svg), and says beforehand how long it takes. What the machine lacks
is skipped, with the reason in the report; root is needed for cold caches and for the sides that mount.
BRANCHFS_SKIP_SETUP=1 in the environment: install nothing.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build="" out="" quick="" arguments=()
while (($#)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --build | --out) (($# > 1)) || { usage >&2; exit 2; }; declare "${1#--}=$2"; shift 2 ;;
    --quick) quick=-quick; arguments+=("$1"); shift ;;
    *) arguments+=("$1"); shift ;;
  esac
done

"$root/scripts/setup.sh" --bench
if [[ -z $build ]]; then
  "$root/scripts/build.sh" bench bench-programs
  build=$root/build/bench
fi
exec python3 -B "$root/tests/bench/suite" --build "$build" --out "${out:-$root/build/bench/results$quick}" "${arguments[@]}"
