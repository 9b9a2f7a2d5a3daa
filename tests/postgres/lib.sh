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

# Commands of a test that end what it started besides branches.
at_end=()

# Every branch down, by the program itself; what is left is named and fails the test.
cleanup() {
  local code=$? command
  trap - EXIT
  for command in "${at_end[@]}"; do eval "$command" || true; done
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
# Where nobody reaps orphans, a dead one stays a zombie.
alive() { [[ $(sed 's/.*) //' "/proc/$1/stat" 2> /dev/null || true) == [^ZX]* ]]; }
# What a store holds, names and sizes: the same before and after when nothing is left behind. Locks are files that
# appear when somebody looks.
store_data() {
  [[ -d $BRANCHFS_STORE ]] || return 0
  (cd "$BRANCHFS_STORE" && find layers deltas trash reap branches -mindepth 1 ! -path 'branches/*/lock' \
    -printf '%p %y %s\n' | sort)
}

# Server programs of the newest major here, and the user that servers run as: root's are those of `postgres`.
server_programs() { printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1; }
as_server_user() { if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; else "$@"; fi; }
give_to_server_user() { if ((EUID == 0)); then chown -R postgres: "$@"; fi; }
# Which branches, deltas and layers there are: the same before and after a refusal.
store_objects() { store_data | awk '{ print $1 }' | grep -E '^[^/]+/[^/]+$' || true; }

# The calling script once more as an ordinary user (root only): a private mount namespace, in it a /dev/fuse that
# everybody may open, as distributions have it. Arguments: a command to run in the namespace before, or nothing.
ordinary_user=nobody
again_as_ordinary_user() {
  local place script
  place=$(mktemp -d "${TMPDIR:-/tmp}/bfs-user.XXXXXX")
  script=$(readlink -f "$0")
  # A checkout need not be reachable for everybody.
  mkdir "$place/programs"
  cp "$BRANCHFS" "$MOUNT_BRANCHFS" "$place/programs/"
  cp -r "$(dirname "$(dirname "$script")")" "$place/programs/postgres"
  script=$place/programs/postgres/$(basename "$(dirname "$script")")/$(basename "$script")
  chmod -R a+rX "$place/programs"
  chown "$ordinary_user:" "$place"
  # shellcheck disable=SC2016 # expanded inside
  BRANCHFS=$place/programs/branchfs MOUNT_BRANCHFS=$place/programs/mount.branchfs \
    TMPDIR=$place BEFORE=${1:-} BRANCHFS_ORDINARY=1 HOME=$place unshare -m --propagation slave bash -euc '
    unset BRANCHFS_STORE
    dev=$(mktemp -d); mount -t tmpfs -o mode=755,dev tmpfs "$dev"
    mknod -m 666 "$dev/fuse" c 10 229; mount --bind "$dev/fuse" /dev/fuse
    eval "$BEFORE"; cd /
    exec setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups "$2"' - "$ordinary_user" "$script" || return
  rm -rf "$place"
}
