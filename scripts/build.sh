#!/usr/bin/env bash
# Configures and builds one preset of CMakePresets.json into build/PRESET.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/build.sh [PRESET] [TARGET ...]
  PRESET   release (default), asan, tsan, coverage or fuzz
  TARGET   what to build (default: everything)
  CMAKE_BUILD_PARALLEL_LEVEL=N in the environment limits the number of compilers.
TEXT
}

die() { printf 'build: %s\n' "$*" >&2; exit 1; }

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
preset=${1:-release}
targets=("${@:2}")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

for tool in cmake ninja; do
  command -v "$tool" > /dev/null || die "$tool is not installed (run scripts/setup.sh)"
done
if [[ $preset == fuzz ]] && ! command -v clang++ > /dev/null; then
  die "the fuzz preset needs clang (run scripts/setup.sh --fuzz)"
fi

# A newer libfuse than the system's is faster, not needed.
scripts/libfuse.sh || (($? == 3))

options=()
if command -v ccache > /dev/null; then
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  # ccache needs a place of its own when there is no home to write to.
  if [[ -z ${CCACHE_DIR:-} && ! -w ${HOME:-/nonexistent} ]]; then export CCACHE_DIR=$root/.cache/ccache; fi
fi

jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
arguments=(--parallel "$jobs")
if ((${#targets[@]})); then arguments+=(--target "${targets[@]}"); fi

started=$SECONDS
printf 'build: configuring %s\n' "build/$preset"
log=$(cmake --preset "$preset" "${options[@]}" 2>&1) || { printf '%s\n' "$log" >&2; die "cmake could not configure"; }
printf 'build: compiling with %s jobs\n' "$jobs"
cmake --build "build/$preset" "${arguments[@]}"
printf 'build: %s is ready after %d s\n' "build/$preset" "$((SECONDS - started))"
