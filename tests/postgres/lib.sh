# Shared by the shell tests: a store of its own, checks, and a cleanup that ends what was started.
# Source it with BRANCHFS and MOUNT_BRANCHFS set to the programs under test.
set -euo pipefail

: "${BRANCHFS:?path of branchfs}" "${MOUNT_BRANCHFS:?path of mount.branchfs}"
work=$(mktemp -d "${TMPDIR:-/tmp}/branchfs-e2e.XXXXXX")
export BRANCHFS_STORE=$work/store
# branchfs looks next to itself and into PATH for the helper.
PATH=$(dirname "$BRANCHFS"):$(dirname "$MOUNT_BRANCHFS"):$PATH
unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE

say() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# Every branch down, by the program itself; what is left is named and fails the test.
cleanup() {
  local code=$?
  trap - EXIT
  if [[ -d $BRANCHFS_STORE ]]; then
    while read -r name; do
      "$BRANCHFS" stop "$name" > /dev/null 2>&1 || true
      "$BRANCHFS" umount "$name" > /dev/null 2>&1 || true
    done < <("$BRANCHFS" list --json 2> /dev/null | sed -n 's/^ *"name": "\(.*\)",\{0,1\}$/\1/p')
  fi
  if grep -qF " $BRANCHFS_STORE:" /proc/self/mountinfo; then
    echo "left mounted:" >&2
    grep -F " $BRANCHFS_STORE:" /proc/self/mountinfo >&2
    code=1
  else
    rm -rf "$work"
  fi
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# expect CODE TEXT COMMAND...: the exit code, and TEXT as a part of stderr.
expect() {
  local want=$1 text=$2 code=0
  shift 2
  "$@" > "$work/out" 2> "$work/err" || code=$?
  [[ $code == "$want" ]] || fail "$*: exit code $code, not $want: $(cat "$work/err")"
  grep -qF -- "$text" "$work/err" || fail "$*: stderr lacks \"$text\": $(cat "$work/err")"
  [[ $(wc -l < "$work/err") == 1 ]] || fail "$*: more than one line: $(cat "$work/err")"
}

equal() { [[ $1 == "$2" ]] || fail "$3: \"$1\" is not \"$2\""; }
query() { psql -XAtq -v ON_ERROR_STOP=1 "$("$BRANCHFS" url "$1")" -c "$2"; }
field() { "$BRANCHFS" status "$1" --json | sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1; }
state() { "$BRANCHFS" show "$1" --json | sed -n 's/^ *"state": "\(.*\)",\{0,1\}$/\1/p'; }
