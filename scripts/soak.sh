#!/usr/bin/env bash
# Runs what is random in the tests, longer than scripts/test.sh does and with a new seed each time, until the time is up.
# Stops at the first finding and says how to repeat it. Exits 0 when there was none.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/soak.sh [MINUTES] [--out DIR]
  MINUTES    how long (default 120); the round under way is finished
  --out DIR  where the table of rounds and the output of a failed one go (default: build/soak)
TEXT
}

die() { printf 'soak: %s\n' "$*" >&2; exit 2; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
minutes=120 out=$root/build/soak
while (($#)); do
  case $1 in
    --out) out=${2:?--out needs a directory}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *[!0-9]* | "") usage >&2; die "unknown argument '$1'" ;;
    *) minutes=$1; shift ;;
  esac
done
mkdir -p "$out"
table=$out/rounds.tsv
printf 'began\tseconds\tverdict\tseed\ttests\n' > "$table"

# Two at a time, on two processors: one that computes beside one that runs servers.
computing=(crash crash branch-model branch-model threads-model threads-model damage fault)
serving=(stress-interleave stress-kills stress-runs stress-crowd stress-limits branching-live_create branching-crash branching-isolation
  branching-memory mask-kills branching-power_cut mask-leaks wrong-nospace wrong-quota wrong-full mount mount-writeback hostile-session)

# Longer than in scripts/test.sh, and within the time limits that the tests state.
export BRANCHFS_HISTORIES=12 BRANCHFS_CRASH_ROUNDS=3 BRANCHFS_MODEL_RUNS=60 BRANCHFS_ROUNDS=3 ROUNDS=120 SECONDS_EACH=60
export BRANCHFS_DAMAGE_CASES=6000 BRANCHFS_THREAD_RUNS=40 BRANCHES=1000 BRANCHFS_CUTS=20

deadline=$((SECONDS + minutes * 60))
rounds=0
declare -A runs=()
while ((SECONDS < deadline)); do
  one=${computing[RANDOM % ${#computing[@]}]}
  two=${serving[RANDOM % ${#serving[@]}]}
  seed=$((RANDOM * 32768 + RANDOM))
  began=$SECONDS
  verdict=passed
  # The shell tests take SEED. Of the others all but damage draw their own and print it, because BRANCHFS_SEED means "this one alone".
  settings=("SEED=$((seed % 32768))")
  if [[ $one == damage ]]; then settings+=("BRANCHFS_SEED=$seed"); fi
  env "${settings[@]}" "$root/scripts/test.sh" -- -R "^($one|$two)\$" > "$out/round.log" 2>&1 || verdict=FAILED
  printf '%s\t%s\t%s\t%s\t%s %s\n' "$(date -u +%FT%TZ)" "$((SECONDS - began))" "$verdict" "$seed" "$one" "$two" | tee -a "$table"
  if [[ $verdict != passed ]]; then
    cp "$out/round.log" "$out/failed.log"
    tail -n 60 "$out/failed.log" >&2
    printf 'soak: a finding after %s rounds; all of it is in %s. Repeat: %s scripts/test.sh -- -R "^(%s|%s)$"\n' \
      "$rounds" "$out/failed.log" "${settings[*]}" "$one" "$two" >&2
    exit 1
  fi
  rounds=$((rounds + 1))
  runs[$one]=$((${runs[$one]:-0} + 1))
  runs[$two]=$((${runs[$two]:-0} + 1))
done
for name in "${!runs[@]}"; do printf '%6s × %s\n' "${runs[$name]}" "$name"; done | sort -k3
printf 'soak: %s rounds in %s minutes, no finding\n' "$rounds" "$((SECONDS / 60))"
