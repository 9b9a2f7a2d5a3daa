#!/usr/bin/env bash
# The man page names the commands and options that `branchfs --help` names, no more and no fewer.
set -euo pipefail
branchfs=${1:?path of branchfs}
page=$(dirname "${BASH_SOURCE[0]}")/../docs/man/branchfs.1
failed=0

commands=$("$branchfs" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' | sort -u)
in_page=$(grep -oE '^\.(It )?Ic [a-z]+' "$page" | sed 's/.* //' | sort -u)
[[ $commands == "$in_page" ]] || {
  echo "commands, --help against the man page:" && diff <(echo "$commands") <(echo "$in_page") || failed=1
}
options() { grep -oE -- '(^|[ ,])--[a-z][a-z-]+' | tr -d ' ,' | sort -u; }
# Commands of a command: "mask check".
below() { "$branchfs" "$1" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'; }
helps() {
  local command nested
  "$branchfs" --help
  for command in $commands; do
    "$branchfs" "$command" --help
    for nested in $(below "$command"); do "$branchfs" "$command" "$nested" --help; done
  done
}
told=$(helps | sed -n '/^ /p' |
  grep -E '^ +(-[a-z],)?--[a-z]' | options)
documented=$(grep -oE 'Fl -[a-z][a-z-]+|\| -[a-z][a-z-]+' "$page" | sed 's/^Fl -/--/; s/^| -/--/' | sort -u)
[[ $told == "$documented" ]] || {
  echo "options, --help against the man page:" && diff <(echo "$told") <(echo "$documented") || failed=1
}
exit "$failed"
