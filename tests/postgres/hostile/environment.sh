#!/usr/bin/env bash
# What an environment that somebody else prepared makes root do: nothing of theirs runs, is followed or is written. And an install has no
# program that gives anybody rights.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
b() { "$BRANCHFS" "$@"; }

say "no program of an install is set-user-ID or set-group-ID, nothing in it may be written by others"
if [[ -n ${BUILD:-} && -w $BUILD/cmake_install.cmake ]]; then
  mkdir "$work/prefix"
  cmake -DCMAKE_INSTALL_PREFIX="$work/prefix" -P "$BUILD/cmake_install.cmake" > "$work/install" 2>&1 || fail "install: $(tail -n 3 "$work/install")"
  find "$work/prefix" -name 'branchfs' -type f | grep -q . || fail "nothing installed"
  if find "$work/prefix" \( -perm /6000 -o -perm /022 \) ! -type l -printf '%m %p\n' | grep .; then fail "an install gives rights away"; fi
  if command -v getcap > /dev/null && getcap -r "$work/prefix" 2> /dev/null | grep .; then fail "an install gives capabilities"; fi
fi
if ((EUID != 0)); then say "passed as $(id -un)"; exit 0; fi

say "root with another user's environment"
chmod 755 "$work"
evil=$work/evil
mkdir -m 777 "$evil" "$evil/tmp"
cat > "$evil/trap" << TRAP
#!/bin/sh
echo "\$0 \$*" >> $evil/ran
exit 1
TRAP
for program in postgres psql pg_ctl initdb pg_basebackup mount.branchfs fusermount3 fusermount mount umount sh ps ss cmake pg_config pg_controldata; do
  install -m 755 "$evil/trap" "$evil/$program"
done
touch "$evil/ran" && chmod 666 "$evil/ran"
chown -R nobody "$evil"
# Root's own programs only by full path: what the tool looks for by itself is under test.
as_if() {
  env PATH="$evil:$PATH" PGBIN="$evil" HOME="$evil" XDG_DATA_HOME="$evil" XDG_RUNTIME_DIR="$evil" XDG_CONFIG_HOME="$evil" \
    PGHOST="$evil" PGPORT=1 PGSERVICEFILE="$evil/service" PGPASSFILE="$evil/pass" PGSYSCONFDIR="$evil" PGDATA="$evil" \
    PSQLRC="$evil/rc" IFS=/ ENV="$evil/trap" BASH_ENV="$evil/trap" LC_ALL=C LOCPATH="$evil" TZ=":$evil/tz" "$@"
}
as_if "$BRANCHFS" init > /dev/null
as_if "$BRANCHFS" import prod --initdb --quiet > /dev/null || fail "import"
as_if "$BRANCHFS" create dev --from prod --start > /dev/null || fail "create --start"
as_if "$BRANCHFS" status > /dev/null
as_if "$BRANCHFS" psql dev -- -Atc "SELECT 1" > "$work/out" || fail "psql"
equal "$(cat "$work/out")" 1 "psql on the branch"
as_if "$BRANCHFS" run --from prod -- /bin/true
as_if "$BRANCHFS" stop dev > /dev/null
mkdir "$work/at"
as_if "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/at" -o branch=dev
umount "$work/at"
as_if "$BRANCHFS" delete dev > /dev/null
as_if "$BRANCHFS" verify --all > /dev/null
equal "$(cat "$evil/ran")" "" "what ran of somebody else's"
equal "$(find "$evil" -newer "$work/install" ! -user nobody 2> /dev/null)" "" "what was written where somebody else reads"

say "a store that the environment names"
cp -a "$BRANCHFS_STORE" "$evil/branchfs"
chown -R nobody "$evil/branchfs"
expect 6 "belongs to another user" env BRANCHFS_STORE="$evil/branchfs" "$BRANCHFS" list
expect 3 "no store at /var/lib" env -u BRANCHFS_STORE XDG_DATA_HOME="$evil" "$BRANCHFS" list

say "a scratch directory where somebody else rules"
cluster=$work/c2
TMPDIR=$evil/tmp as_if "$BRANCHFS" import second --initdb --quiet > "$work/out" 2>&1 || say "refused: $(cat "$work/out")"
equal "$(find "$evil/tmp" -mindepth 1)" "" "left in the scratch directory"
say "passed as root"
again_as_ordinary_user
