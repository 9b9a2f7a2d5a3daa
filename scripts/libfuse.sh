#!/usr/bin/env bash
# Builds libfuse with the io_uring transport (3.18 or later) from Debian's own source package, as a static library below
# build/libfuse, for systems whose libfuse is older. The build takes it from there; without it branchfs works the same, only slower.
# apt verifies the source against Debian's archive key. Nothing is installed outside of the prefix, and the machine's package sources
# stay as they are.
#
# libfuse-replies.patch: libfuse 3.18 lets any thread reply, but a thread that does so over a ring races with the ring's own thread for
# its submission queue (lost replies, a hung mount) and for the request's memory. Without the patch branchfs replies from the ring's
# thread alone.
set -euo pipefail

readonly wanted=3.18
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=$root/build/libfuse
patch=$root/scripts/libfuse-replies.patch
mirror=${BRANCHFS_DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'libfuse: %s\n' "$*"; }
# Not fatal for the caller: exit code 3 says "goes on with the system's".
without() { say "$*; branchfs is built with the system's libfuse"; exit 3; }

usage() {
  cat <<'TEXT'
usage: scripts/libfuse.sh
  Builds libfuse 3.18 or later into build/libfuse, unless the system's is new enough or it is there already.
  exit code 0: there is one; 3: there is none, with the reason (the system's will do)
  BRANCHFS_SYSTEM_LIBFUSE=1 in the environment: do nothing
  BRANCHFS_DEBIAN_MIRROR=URL in the environment: where the source package comes from
TEXT
}
case "${1:-}" in "") ;; -h | --help) usage; exit 0 ;; *) usage >&2; exit 2 ;; esac

if [[ -n ${BRANCHFS_SYSTEM_LIBFUSE:-} ]]; then exit 0; fi
if pkg-config --exists "fuse3 >= $wanted"; then exit 0; fi
if PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --exists "fuse3 >= $wanted" && cmp -s "$patch" "$prefix/replies.patch" &&
  grep -qxF "prefix=$prefix" "$prefix/lib/pkgconfig/fuse3.pc"; then exit 0; fi # not one of a checkout that was moved
for tool in meson ninja apt-get patch; do
  command -v "$tool" > /dev/null || without "$tool is not installed (scripts/setup.sh installs it)"
done
[[ -r $keyring ]] || without "there is no $keyring to check Debian's source package with"

work=$(mktemp -d "${TMPDIR:-/tmp}/branchfs-libfuse.XXXXXX") || without "no scratch directory"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/download"
echo "deb-src [signed-by=$keyring] $mirror sid main" > "$work/sources.list"
# With lists, cache and sources of its own: an ordinary user may, and apt's own state is not touched. A mirror may be a snapshot whose
# lists are older than Debian says they should be; they are signed all the same.
apt() {
  (cd "$work/download" && apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User= \
    -o Acquire::Check-Valid-Until=false "$@") > "$work/log" 2>&1 < /dev/null
}
say "the system's is $(pkg-config --modversion fuse3 2> /dev/null || echo missing): fetching $wanted or later from $mirror"
if ! { apt update && apt source --download-only fuse3; }; then without "no source package: $(tail -n 1 "$work/log")"; fi
source_tar=$(find "$work/download" -name 'fuse3_*.orig.tar.*' ! -name '*.asc' | head -n 1)
[[ -n $source_tar ]] || without "the source package has no tar file"
mkdir "$work/source"
tar -xf "$source_tar" -C "$work/source" --strip-components=1 || without "it could not be unpacked"
patch --quiet --strip=1 --directory="$work/source" < "$patch" > "$work/log" 2>&1 || without "$(basename "$patch") does not fit this source: $(head -n 1 "$work/log")"

# fusermount3 stays the system's: only that one is set-user-ID root.
rm -rf "$prefix.new"
{
  meson setup "$work/build" "$work/source" --prefix="$prefix" --libdir=lib --buildtype=release -Ddefault_library=static \
    -Dexamples=false -Dtests=false -Dutils=false && DESTDIR=$prefix.new ninja -C "$work/build" install
} > "$work/log" 2>&1 || { tail -n 15 "$work/log" >&2; without "it could not be built, its last lines are above"; }
PKG_CONFIG_PATH=$prefix.new$prefix/lib/pkgconfig pkg-config --exists "fuse3 >= $wanted" || without "the source package is older than $wanted"
grep -q '^#define HAVE_URING' "$work/build/fuse_config.h" || without "it was built without io_uring"
cp "$patch" "$prefix.new$prefix/replies.patch" || without "it could not be installed"
# Complete or not there at all.
rm -rf "$prefix"
mkdir -p "${prefix%/*}"
mv "$prefix.new$prefix" "$prefix" || without "it could not be installed"
rm -rf "$prefix.new"
say "$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --modversion fuse3) is in $prefix"
