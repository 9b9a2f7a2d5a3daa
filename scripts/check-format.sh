#!/usr/bin/env bash
# Checks every C++ file in git against .clang-format; --fix rewrites them. Skips (exit 0, with a line) when
# clang-format is not installed: versions differ in detail, so this helps people and gates nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
mode=(--dry-run --Werror)
case "${1:-}" in
  "") ;;
  --fix) mode=(-i) ;;
  *) echo "usage: scripts/check-format.sh [--fix]" >&2; exit 2 ;;
esac
if ! command -v clang-format > /dev/null; then
  echo "check-format: skipped, clang-format is not installed"
  exit 0
fi
mapfile -t files < <(git ls-files '*.h' '*.cpp')
if ((${#files[@]} == 0)); then exit 0; fi
clang-format --style=file "${mode[@]}" "${files[@]}"
