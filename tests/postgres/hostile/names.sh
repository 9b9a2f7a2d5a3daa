#!/usr/bin/env bash
# Branch names that mean something to a shell, a path or a terminal, wherever a name is taken: one clear line, exit code 2, nothing touched.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
b() { "$BRANCHFS" "$@"; }

b init > /dev/null
b import prod --initdb --quiet > /dev/null
mkdir "$work/at"
echo outside > "$work/outside"
echo '{"version": 1, "masking_rules": []}' > "$work/rules.json"
before=$(store_objects)
checks=0

kilobytes=$(printf 'x%.0s' {1..4096})
slashes=$(printf 'a/%.0s' {1..30})
names=(. .. ../store ../../outside a/../b /etc/passwd a//b a/ .a a/.b a/-b _a $'a\nb' $'a\tb' $'a\rb' $'\e[2Ja' $'a\x7f' "a b" "a:b" "a,ro" "a\\b" "a'b"
  'a"b' 'a$(id)' 'a`id`' 'a;id' 'a%2Fb' 'a@b' "ä" $'pr\xd0\xbed' $'\xff\xfe' $'a\xe2\x80\xaeb' $'prod\xe2\x80\x8b' "$kilobytes" "${slashes}x${slashes}y")
# refused NAME COMMAND...
refused() {
  local name=$1 shown code=0
  shift
  shown=${name@Q}
  shown="$2 with ${shown:0:60}"
  "$@" > "$work/out" 2> "$work/err" < /dev/null || code=$?
  equal "$code" 2 "$shown: exit code ($(cat "$work/err"))"
  equal "$(wc -l < "$work/err")" 1 "$shown: lines"
  (($(wc -c < "$work/err") < 500 + ${#BRANCHFS_STORE})) || fail "$shown: $(wc -c < "$work/err") bytes"
  ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$work/err" || fail "$shown sends control characters to the terminal"
  LC_ALL=C grep -qE "^branchfs: cannot .*is not a branch name.*\)$" "$work/err" || fail "$shown: $(cat "$work/err")"
  checks=$((checks + 1))
}

# All the names where most of them arrive, some of them everywhere else.
for name in "${names[@]}"; do
  refused "$name" b create "$name" --from prod
  refused "$name" b create x --from "$name"
  refused "$name" b import "$name" --initdb
  refused "$name" b rename prod "$name"
  case $name in
    *,*) ;; # where mount(8) takes it apart
    *) refused "$name" "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/at" -o "branch=$name" ;;
  esac
done
for name in ../store $'a\nb' $'\e[2Ja' 'a$(id)' "$kilobytes"; do
  for command in show delete protect reset mount umount start stop restart url psql logs du pack compact verify status; do
    refused "$name" b "$command" "$name"
  done
  refused "$name" b rename "$name" x
  refused "$name" b expire "$name" --ttl 1h
  refused "$name" b run --from "$name" -- true
  refused "$name" b mask check "$name" "$work/rules.json"
done
# What looks like an option is one, or none that is known.
for name in -x --recursive=1 -- --; do
  code=0
  b delete "$name" > /dev/null 2> "$work/err" || code=$?
  equal "$code" 2 "delete $name: exit code"
done
equal "$(store_objects)" "$before" "the store"
equal "$(cat "$work/outside")" outside "a file beside the store"

# Nothing reaches the kernel's option string: a store whose path has commas and a newline mounts as what it is.
say "paths with commas, blanks and newlines"
odd=$work/$'a,suid,allow_other\\,b\nc d'
mkdir -m 700 "$odd"
mv "$BRANCHFS_STORE" "$odd/store"
export BRANCHFS_STORE=$odd/store
mkdir "$odd/mnt,dev"
b mount prod "$odd/mnt,dev" > /dev/null
line=$(grep -F 'fuse.branchfs' /proc/self/mountinfo | grep -F 'mnt,dev')
[[ $line == *nosuid,nodev* ]] || fail "mounted as $line"
[[ -e "$odd/mnt,dev/PG_VERSION" ]] || fail "nothing mounted"
b umount prod
for options in 'suid ,x' 'fsname=evil' 'subtype=evil' 'fd=3' 'rootmode=40000' 'user_id=0' 'group_id=0' 'context=x' 'modules=subdir' $'ro\nsuid' 'blkdev' 'drop_privileges' 'auto_unmount' 'max_read=0'; do
  code=0
  "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$odd/mnt,dev" -o "branch=prod,$options" > /dev/null 2> "$work/err" || code=$?
  equal "$code" 2 "mount -o ${options@Q}: $(cat "$work/err")"
done
cd "$odd"
mkdir -- "-oallow_other" "--help"
for place in "-oallow_other" "--help"; do
  code=0
  b mount prod -- "$place" > /dev/null 2> "$work/err" || code=$?
  ((code == 2)) || fail "mount on $place: exit code $code"
  b mount prod "./$place" > /dev/null
  [[ -e ./$place/PG_VERSION ]] || fail "$place is no mount"
  b umount prod
done
cd /
say "passed, $checks refusals"
