#!/usr/bin/env bash
# Proves the README: makes a minimal Debian 12 root, puts a clean checkout of HEAD into it and runs the README's
# first block of commands there, as typed. Needs root, debootstrap and git.
#
# The root gets mount and process namespaces of its own: when the script ends, however it ends, the kernel takes
# every mount and process of it away.
# shellcheck disable=SC2317 # functions that only traps call
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/bare-debian.sh [--keep] [--shell COMMAND] [DIR]
  DIR               where the root goes (default: a new directory below TMPDIR, about 4 GB); must be empty or absent
  --keep            keep the root afterwards
  --shell COMMAND   run this instead of the README's commands
TEXT
}

say() { printf 'bare-debian: %s\n' "$*"; }
die() { printf 'bare-debian: %s\n' "$*" >&2; exit 1; }

keep=no
command=""
dir=""
while (($#)); do
  case $1 in
    --keep) keep=yes; shift ;;
    --shell) command=${2:?--shell needs a command}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) [[ -z $dir ]] || { usage >&2; exit 2; }; dir=$1; shift ;;
  esac
done

((EUID == 0)) || die "needs root: debootstrap and chroot do"
[[ -c /dev/fuse ]] || die "there is no /dev/fuse here"
for tool in debootstrap git unshare chroot; do
  command -v "$tool" > /dev/null || die "$tool is not installed"
done
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ -z $command ]]; then
  # The first ```sh block of the README, without comments.
  # shellcheck disable=SC2016 # the backticks are Markdown's
  command=$(sed -n '/^```sh$/,/^```$/{/^```$/q;/^```/d;s/[[:space:]]*#.*//;/./p}' "$root/README.md")
  [[ $(wc -l <<< "$command") == 2 ]] || die "README.md does not begin with a block of two commands"
fi

# The mirror that this machine's apt uses for Debian itself (one-line and deb822 files alike).
host_mirror() {
  local uri
  uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2> /dev/null |
    sed -nE 's/^(deb +(\[[^]]*\] +)?|URIs: *)(https?:\/\/[^ ]+\/debian)\/?( .*)?$/\3/p' | head -n 1)
  printf '%s\n' "${uri:-http://deb.debian.org/debian}"
}

if [[ -z $dir ]]; then dir=$(mktemp -d "${TMPDIR:-/tmp}/bare-debian.XXXXXX"); else mkdir -p "$dir"; fi
dir=$(realpath "$dir")
# It becomes "/" for every user in there.
chmod 755 "$dir"
[[ -z $(ls -A "$dir") ]] || die "$dir is not empty"

log=$(mktemp "${TMPDIR:-/tmp}/bare-debian-log.XXXXXX")
namespace_pid=""
cleanup() {
  rm -f "$log"
  # SIGKILL: unshare ignores SIGTERM while it waits, and its death takes the namespace's processes along.
  if [[ -n $namespace_pid ]] && kill -KILL "$namespace_pid" 2> /dev/null; then
    wait "$namespace_pid" 2> /dev/null || true
  fi
  if [[ $keep == yes ]]; then say "the root stays in $dir"; else rm -rf --one-file-system "$dir"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mirror=$(host_mirror)
say "making a minimal Debian 12 in $dir from $mirror"
debootstrap --variant=minbase bookworm "$dir" "$mirror" > "$log" 2>&1 || { tail -n 20 "$log" >&2; die "debootstrap failed"; }
cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
git clone --quiet --depth 1 "file://$root" "$dir/root/branchfs"
say "checkout: $(git -C "$dir/root/branchfs" log -1 --format='%h %s')"

# Runs as process 1 of the namespaces: $1 the root, the rest what to run in it.
inside() {
  set -euo pipefail
  local dir=$1 line started status=0
  # A root of its own rather than a directory of the outer one: tests make mount namespaces and look for "/" in the
  # mount table.
  mount --bind "$dir" "$dir"
  mount -t proc proc "$dir/proc"
  mount --rbind --make-rslave /sys "$dir/sys"
  touch "$dir/dev/fuse"
  mount --bind /dev/fuse "$dir/dev/fuse"
  mount -t tmpfs -o mode=1777 tmpfs "$dir/dev/shm"
  cd "$dir"
  mkdir outside
  pivot_root . outside
  hash -r
  umount --lazy /outside
  rmdir /outside
  while IFS= read -r line; do
    started=$SECONDS
    printf 'bare-debian: $ %s\n' "$line"
    /usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      /bin/bash -c "cd /root/branchfs && $line" < /dev/null || status=$?
    printf 'bare-debian: exit code %d after %d s\n' "$status" "$((SECONDS - started))"
    if ((status != 0)); then return "$status"; fi
  done <<< "$2"
}

unshare --mount --pid --fork --kill-child bash -c "$(declare -f inside); inside \"\$@\"" bash "$dir" "$command" &
namespace_pid=$!
status=0
wait "$namespace_pid" || status=$?
namespace_pid=""
exit "$status"
