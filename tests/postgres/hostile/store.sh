#!/usr/bin/env bash
# A store that somebody else owns, can write to, has prepared or can exchange: refused in one line; links planted anywhere in it lead
# nowhere, and nothing beside it is read, written, removed or given to somebody. As root, and again as an ordinary user.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
b() { "$BRANCHFS" "$@"; }

# refused TEXT COMMAND...: by a rule, before anything happened.
refused() { expect 6 "$@"; }

b init > /dev/null
b import prod --initdb --quiet > /dev/null
b create side --from prod > /dev/null
b mount side > /dev/null
b umount side > /dev/null
b create top --from side > /dev/null
store=$BRANCHFS_STORE
mkdir "$work/at"

say "a store or a directory of it that others may write"
for place in "" /branches /deltas /layers /trash /reap; do
  chmod o+w "$store$place"
  refused "writable for everyone" b list
  refused "writable for everyone" b delete top
  refused "writable for everyone" "$MOUNT_BRANCHFS" "$store" "$work/at" -o branch=top
  chmod o-w "$store$place"
done
mkdir "$work/open" "$work/open/below"
mv "$store" "$work/open/below/store"
chmod 777 "$work/open"
refused "$work/open, above $work/open/below/store, is writable for everyone" b --store "$work/open/below/store" list
chmod 1777 "$work/open" # as /tmp is
b --store "$work/open/below/store" list > /dev/null
chmod 755 "$work/open"
mv "$work/open/below/store" "$store"
if ((EUID == 0)); then
  say "root, and another user's store"
  cp -a "$store" "$work/theirs"
  chown -R nobody "$work/theirs"
  before=$(cd "$work/theirs" && find . -printf '%p %u %m %s\n' | sort)
  for command in list "create x --from prod" "delete top" gc "verify --all" "start prod" "mount prod"; do
    # shellcheck disable=SC2086 # words
    refused "belongs to another user" b --store "$work/theirs" $command
  done
  refused "belongs to another user" "$MOUNT_BRANCHFS" "$work/theirs" "$work/at" -o branch=prod
  equal "$(cd "$work/theirs" && find . -printf '%p %u %m %s\n' | sort)" "$before" "another user's store"
  SUDO_UID=$(stat -c %u "$work/theirs") "$BRANCHFS" --store "$work/theirs" list > /dev/null || fail "sudo does not work on its caller's store"
  rm -r "$work/theirs"
  mkdir "$work/home"
  mv "$store" "$work/home/store"
  chown nobody "$work/home"
  refused "above root's store" b --store "$work/home/store" list
  chown root "$work/home"
  mv "$work/home/store" "$store"
  chown nobody "$store/trash"
  refused "belongs to another user" b gc
  chown root "$store/trash"
fi

say "planted links"
# What must not be touched, with names that a store has.
outside=$work/outside
id=$(printf 'ab%.0s' {1..16})
prepare_outside() {
  rm -rf "$outside"
  mkdir -p "$outside/$id/f" "$outside/f" "$outside/below"
  for file in manifest lock log password control journal store "$id/journal" "$id/f/0000000000000002" "$id/manifest" "$id.layer" "$id.tmp" below/file; do
    echo precious > "$outside/$file"
  done
}
prepare_outside
chmod -R go= "$outside"
look_outside() { (cd "$outside" && find . -printf '%p %y %u %m %s %T@\n' | sort); }
# Everything that might lead there: whatever it says, it leads nowhere.
attack() {
  local command before
  before=$(look_outside)
  for command in list du "create x --from prod" "create y --from x" "create y --from prod" "reset x" "rename x z" "mount x" "mount y" \
    "start x" "umount x" "protect x" "logs x" pack "compact x" "delete x" "umount y" "delete y" "verify --all" gc; do
    # shellcheck disable=SC2086 # words
    b $command > "$work/out" 2> "$work/err" < /dev/null || true
    (($(wc -l < "$work/err") <= 2)) || fail "$1: $command: $(cat "$work/err")"
    equal "$(look_outside)" "$before" "what lies beside the store, after $1 and $command"
  done
  b umount y > /dev/null 2>&1 || true
}
fresh() { rm -rf "$store" && cp -a "$work/store.good" "$store"; }
cp -a "$store" "$work/store.good"
for place in branches deltas layers trash reap; do
  mv "$store/$place" "$store/$place.real"
  ln -s "$outside" "$store/$place"
  attack "$place as a link"
  fresh
done
for place in "branches/x" "deltas/$id" "trash/$id" "reap/$id"; do
  ln -s "$outside" "$store/$place"
  attack "$place as a link"
  fresh
done
# A branch that is there, each of its files and directories led away.
delta=$(b show side --json | sed -n 's/^ *"delta": "\(.*\)",\{0,1\}$/\1/p')
[[ -n $delta ]] || delta=$(find "$store/deltas" -mindepth 1 -maxdepth 1 -printf '%f\n' | head -n 1)
cp -a "$store/branches/prod" "$store/branches/x"
rm -rf "$work/store.good" && cp -a "$store" "$work/store.good"
for file in manifest lock log password control; do
  rm -f "$store/branches/x/$file"
  ln -s "$outside/$file" "$store/branches/x/$file"
  attack "branches/x/$file as a link"
  fresh
done
for file in "deltas/$delta/f" "deltas/$delta/journal" "deltas/$delta/sealed" "deltas/$delta/pack.lock" "deltas/$delta"; do
  rm -rf "${store:?}/$file"
  ln -s "$outside" "$store/$file"
  attack "$file as a link"
  fresh
done
for layer in "$store"/layers/*.layer; do
  mv "$layer" "$work/real.layer"
  ln -s "$work/real.layer" "$layer"
  before=$(stat -c '%s %Y %u %a' "$work/real.layer")
  attack "a layer as a link"
  equal "$(stat -c '%s %Y %u %a' "$work/real.layer")" "$before" "what a layer's link led to"
  fresh
done
rm "$store/store"
ln -s "$outside/store" "$store/store"
attack "the file store as a link"
fresh
rm "$store/lock"
ln -s "$outside/lock" "$store/lock"
attack "the lock as a link"
fresh

say "a log that leads away, a directory for mounts that is not one's own"
ln -s "$outside/log" "$work/log"
before=$(look_outside)
code=0
"$MOUNT_BRANCHFS" "$store" "$work/at" -o "branch=prod,log=$work/log" 2> "$work/err" || code=$?
equal "$code $(wc -l < "$work/err")" "1 1" "mount with a log that is a link: $(cat "$work/err")"
equal "$(look_outside)" "$before" "what the log led to"
if ((EUID != 0)); then
  rm -rf "$store/mnt"
  ln -s "$outside" "$store/mnt"
  b mount prod > "$work/out" 2> "$work/err" && fail "mounted below a link"
  equal "$(look_outside)" "$before" "what the directory for mounts led to"
fi
say "passed as $(id -un)"
if ((EUID == 0)); then again_as_ordinary_user; fi
