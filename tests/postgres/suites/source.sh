#!/usr/bin/env bash
# usage: source.sh MAJOR DIR
# Gets PostgreSQL's source package of the distribution and builds pg_regress, isolationtester, the modules their tests
# load and the psql whose output they know; prints where. DIR is a cache: done once, by one process at a time. Nothing of the machine's apt changes.
# Exit code 77: the source cannot be had here (no network, no apt).
set -euo pipefail

major=$1 dir=$2
source_dir=$dir/postgresql-$major
mkdir -p "$dir"
exec 9> "$dir/lock"
flock 9
if [[ -e $source_dir/.built ]]; then
  echo "$source_dir"
  exit 0
fi
unavailable() { printf 'the source of PostgreSQL %s cannot be had: %s\n' "$major" "$*" >&2; exit 77; }
command -v apt-get > /dev/null || unavailable "there is no apt-get here"
command -v dpkg-source > /dev/null || unavailable "there is no dpkg-source here (package dpkg-dev)"

# The machine's own sources and keys, asked for source packages, with lists of our own.
apt=$dir/apt
mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
  [[ -f $file ]] || continue
  case $file in
    *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" > "$apt/parts/${file##*/}" ;;
    *.list) sed -n 's/^deb[[:space:]]/deb-src /p' "$file" > "$apt/parts/${file##*/}" ;;
  esac
done
options=(-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/parts" -o Dir::State::lists="$apt/lists"
  -o Dir::Cache="$apt/cache" -o APT::Sandbox::User= -o Acquire::Retries=2)
log=$dir/log
apt-get "${options[@]}" update > "$log" 2>&1 || true # one archive without sources does not matter
package=postgresql-$major
installed=$(dpkg-query -W -f '${source:Version}' "$package" 2> /dev/null || true)
# The installed version first. An archive may have dropped its source already: then another minor release's tests.
mapfile -t versions < <(
  echo "$installed"
  apt-cache "${options[@]}" showsrc "$package" 2> /dev/null | sed -n 's/^Version: //p' | sort -rV
)
got=""
for version in "${versions[@]}"; do
  [[ -n $version ]] || continue
  rm -rf "$dir/unpack"
  mkdir "$dir/unpack"
  if (cd "$dir/unpack" && apt-get "${options[@]}" source --download-only "$package=$version") >> "$log" 2>&1; then
    got=$version
    break
  fi
done
[[ -n $got ]] || unavailable "no version of it can be downloaded (see $log)"
[[ $got == "$installed" ]] || echo "installed is $installed, its source is gone from the archive: tests of $got" >&2

cd "$dir/unpack"
dpkg-source --no-check -x ./*.dsc "$source_dir.new" >> "$log" 2>&1
cd "$source_dir.new"
compiler=$(command -v gcc || command -v cc)
if command -v ccache > /dev/null; then compiler="ccache $compiler"; fi
# Only clients and test modules are built: what the installed server was built with does not matter to them.
CC=$compiler ./configure --prefix=/usr --without-readline --without-zlib CFLAGS=-O1 >> "$log" 2>&1
for part in src/test/regress src/test/isolation src/bin/psql; do
  make -s -j "$(nproc)" -C "$part" all >> "$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
done
rm -rf "$source_dir" "$dir/unpack" "$apt"
mv "$source_dir.new" "$source_dir"
touch "$source_dir/.built"
echo "$source_dir"
