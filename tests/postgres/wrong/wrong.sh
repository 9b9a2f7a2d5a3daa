#!/usr/bin/env bash
# Every wrong use gives its exit code and one line `branchfs: cannot VERB WHAT: WHY (hint)`, and leaves the store and the
# mounts as they were. As root, and again as an ordinary user.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
chmod 755 "$work"  # for the user of root's servers
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
checks=0 failures=0

shape() {
  awk -v s=" $BRANCHFS_STORE:" 'index($0, s) { print $5 }' /proc/self/mountinfo | sort
  store_objects
}

# refused CODE TEXT COMMAND...
refused() {
  # In a subshell, so that one wrong answer does not hide the next.
  (
    trap - EXIT
    before=$(shape)
    expect "$@"
    grep -qE '^(mount\.)?branchfs: cannot [a-z].*: .' "$work/err" || fail "${*:3}: not in the usual form: $(cat "$work/err")"
    equal "$(shape)" "$before" "the store after ${*:3}"
  ) || failures=$((failures + 1))
  checks=$((checks + 1))
}
# At the end of a part: where an earlier wrong answer counts.
passed() {
  ((failures == 0)) || fail "$failures of $checks answers were wrong, as $(id -un)"
  say "passed as $(id -un), $checks refusals"
}
b() { "$BRANCHFS" "$@"; }

# What an ordinary user needs for a mount is missing (set by the last lines below).
if [[ -n ${WITHOUT:-} ]]; then
  b init > /dev/null
  b import prod --initdb --quiet > /dev/null
  refused 1 "$WITHOUT" b mount prod
  say "$(cat "$work/err")"
  refused 1 "$WITHOUT" b create x --start
  refused 1 "$WITHOUT" b run -- true
  passed
  exit
fi

say "as $(id -un): stores"
refused 3 "there is no store at" b list
refused 3 "there is no store at" b create x --from y
refused 3 "there is no store at" b import x --initdb
mkdir "$work/full" && touch "$work/full/file"
refused 6 "is not empty" b init "$work/full"
refused 3 "there is no store at" b --store "$work/full" list
touch "$work/plain"
refused 1 "Not a directory" b --store "$work/plain" list
refused 1 "Not a directory" b init "$work/plain/below"
b init > /dev/null
refused 4 "is a store already" b init
cp "$BRANCHFS_STORE/store" "$work/store.good"
export STORE_FILE=$work/store.good
sed 's/"format": *1/"format": 999/' "$work/store.good" > "$BRANCHFS_STORE/store"
refused 6 "was written by a newer branchfs" b list
refused 6 "was written by a newer branchfs" "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/full" -o branch=x,nonempty
echo garbage > "$BRANCHFS_STORE/store"
refused 7 "is not the file of a store" b list
cp "$work/store.good" "$BRANCHFS_STORE/store"
chmod 777 "$BRANCHFS_STORE"
refused 6 "is writable for everyone" b list
chmod 700 "$BRANCHFS_STORE"
if ((EUID != 0)); then
  refused 6 "belongs to another user" b --store "$TMPDIR/foreign" list
  refused 1 "Permission denied" b --store "$TMPDIR/closed" list
  refused 1 "Permission denied" b init "$TMPDIR"/foreign/mine
fi

say "usage"
expect_usage() { refused 2 "$@"; }
expect_usage "did you mean create" b craete x
expect_usage "NAME is required" b create
expect_usage "unexpected argument" b list x
expect_usage "takes nothing after" b list -- x
expect_usage "no command given" b run
expect_usage "not a duration" b create x --from y --ttl 5parsecs
expect_usage "--port" b start x --port 70000
expect_usage "--ttl" b expire x
expect_usage "" b import x
expect_usage "" b import x --initdb --pgdata /nowhere
expect_usage "--pgdata" b import x --initdb --move
expect_usage "are for initdb" b import x --pgdata /nowhere -- --encoding=UTF8
expect_usage "makes no sense here" b import x --initdb -- -D /nowhere
code=0
b run --from x -- /no/such/program 2> "$work/err" || code=$?
equal "$code" 127 "run of a program that does not exist"
long=$(printf 'x%.0s' {1..64})
for name in "" . .. ../x x/../y .hidden x/.y -- /x x/ x//y _x "x y" $'x\ny' "x:y" "ä" "$long"; do
  [[ $name == -- ]] || expect_usage "" b create "$name" --from y
  [[ $name == -- ]] || expect_usage "" b import "$name" --initdb
done

say "names, rules, parents"
refused 3 "the store has no branch yet" b create x
b import prod --initdb --quiet -- --wal-segsize=1 > /dev/null
for command in show delete protect reset mount umount start stop restart status url psql logs du pack compact verify; do
  refused 3 'no branch "nosuch"' b "$command" nosuch
done
refused 3 'no branch "prodd"' b show prodd
grep -q 'prod' "$work/err" || fail "no guess for a name with a typing error: $(cat "$work/err")"
refused 3 'no branch "nosuch"' b expire nosuch --ttl 1h
refused 3 'no branch "nosuch"' b rename nosuch other
refused 3 'no branch "nosuch"' b create x --from nosuch
refused 3 'no branch "nosuch"' b run --from nosuch -- true
refused 3 'no branch "nosuch"' "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/full" -o branch=nosuch,nonempty
b create dev --from prod > /dev/null
b create child --from dev > /dev/null
refused 4 "exists already" b create dev --from prod
refused 4 "with another parent" b create dev --from child --if-not-exists
refused 4 "a branch of this name exists" b import dev --initdb
refused 4 "exists already" b rename child dev
refused 2 "is not a branch name" b rename child ../x
refused 6 "it has children: child" b delete dev
refused 6 "it has no parent to go back to" b reset prod
b protect child > /dev/null
refused 6 "it is protected" b reset child
refused 6 "is protected" b delete child
refused 6 'branch "child" is protected' b delete dev --recursive
b protect child --off > /dev/null

say "mounts"
mkdir "$work/a" "$work/b"
refused 1 "is not a directory" b mount dev "$work/plain"
refused 6 "is not empty" b mount dev "$work/full"
refused 6 "would hide the store" b mount dev "$work"
refused 1 "does not exist" "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/missing" -o branch=dev
if ((EUID != 0)); then
  refused 6 "you do not own the mount point" b mount dev "$TMPDIR/foreign"
  refused 1 "Permission denied" b mount dev "$TMPDIR"/foreign/below
  ls "$work/missing" 2> /dev/null && fail "a refused mount left its mount point"
fi
b mount dev "$work/a" > /dev/null
refused 5 "it is mounted at $work/a" b mount dev "$work/b"
refused 5 "has it mounted at $work/a" "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/b" -o branch=dev
refused 5 "is mounted there already" b mount child "$work/a"
refused 5 "it is mounted" b rename dev other
refused 5 "is in use" b compact dev
exec 9< "$work/a/PG_VERSION"
refused 5 "are open" b umount dev
exec 9<&-
b umount dev > /dev/null

say "servers"
refused 1 "it was never started" b url dev
refused 1 "its server does not run" b psql dev
refused 1 "its server was never started" b logs dev
b start dev > /dev/null
refused 5 "a server runs on it" b umount dev
refused 5 "it is running" b rename dev other
refused 5 "it runs on port" b start dev --port 19998
b mount child > /dev/null && b umount child > /dev/null
refused 5 "belongs to branch" b start child --port "$(field dev port)"
port=$(field dev port)
b stop dev > /dev/null
refused 1 "its server does not run" b psql dev
if ((EUID == 0)); then
  refused 6 "root" b start child --user root
  refused 1 "user nosuchuser does not exist" b start child --user nosuchuser
else
  refused 6 "only root can start a server as another user" b start child --user postgres
fi
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1) or die; sleep 60' "$port" &
listener=$!
for ((i = 0; i < 50; i++)); do (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break; sleep 0.1; done
refused 5 "port $port is taken by another program" b start dev
kill "$listener"
wait "$listener" 2> /dev/null || true
b delete child > /dev/null

say "a major version that is not installed"
mnt=$(b mount dev)
owner=(setpriv --reuid "$(stat -c %u "$mnt")" --regid "$(stat -c %g "$mnt")" --clear-groups)
((EUID == 0)) || owner=()
"${owner[@]}" sh -c 'echo 99 > "$1/PG_VERSION"' - "$mnt"
refused 1 "PostgreSQL 99" b start dev
b umount dev > /dev/null
refused 1 "PostgreSQL 99" b start dev
refused 1 "PostgreSQL 99" b create grandchild --from dev --start
refused 1 "PostgreSQL 99" b run --from dev -- true
b delete dev > /dev/null

say "imports"
refused 1 "No such file" b import x --pgdata "$work/nosuch"
refused 6 "is not a PostgreSQL data directory" b import x --pgdata "$work/full"
refused 6 "is not a directory" b import x --pgdata "$work/plain"
refused 1 "" b import x --url postgres://127.0.0.1:1/
cluster=$work/cluster
mkdir -m 700 "$cluster"
as=()
if ((EUID == 0)); then
  chown postgres: "$cluster"
  as=(setpriv --reuid postgres --regid "$(id -g postgres)" --clear-groups)
fi
"${as[@]}" "$bin/initdb" -D "$cluster" -U boss -A trust --no-sync --wal-segsize=1 > /dev/null
"${as[@]}" mkdir "$cluster/sockets"
(cd / && "${as[@]}" "$bin/pg_ctl" -s -w -D "$cluster" -o "-h '' -k '$cluster/sockets'" start > /dev/null)
refused 5 "running" b import x --pgdata "$cluster"
refused 5 "running" b import x --pgdata "$cluster" --move
kill -9 "$(head -n 1 "$cluster/postmaster.pid")"
sleep 0.5
refused 6 "was not shut down cleanly" b import x --pgdata "$cluster"
rm -f "$cluster/postmaster.pid"
refused 6 "was not shut down cleanly" b import x --pgdata "$cluster" --move
if ((EUID != 0)); then
  refused 1 "permission denied" b import x --pgdata "$TMPDIR/closed"
fi

say "files that are no files of a store"
refused 1 "No such file" b dump "$work/nosuch"
refused 2 "is not a file of a store" b dump "$work/plain"
b verify --all > /dev/null

# Without /dev/fuse or fusermount3: in a mount namespace of its own.
if [[ -z ${BRANCHFS_ORDINARY:-} && $EUID == 0 ]]; then
  say "no /dev/fuse"
  b create dev --from prod > /dev/null
  no_fuse() {
    # shellcheck disable=SC2016 # expanded inside
    unshare -m --propagation slave bash -euc 'd=$(mktemp -d); mount -t tmpfs -o mode=755,dev tmpfs "$d"
      cp -a /dev/null /dev/zero /dev/urandom /dev/random /dev/full "$d"; mkdir "$d/shm"; mount --bind /dev/shm "$d/shm"
      mount --move "$d" /dev; exec "$@"' - "$@"
  }
  refused 1 "/dev/fuse" no_fuse "$BRANCHFS" mount dev
  say "$(cat "$work/err")"
  refused 1 "/dev/fuse" no_fuse "$BRANCHFS" start dev
  refused 1 "/dev/fuse" no_fuse "$BRANCHFS" create other --from prod --mount
  refused 1 "/dev/fuse" no_fuse "$BRANCHFS" run --from prod -- true
  # Where neither the helper is beside the tool nor in PATH.
  cp "$BRANCHFS" "$work/branchfs-alone"
  no_helper() { PATH=/usr/bin:/bin "$work/branchfs-alone" mount dev; }
  [[ -x /usr/sbin/mount.branchfs ]] || refused 1 "mount.branchfs is not installed" no_helper
  b delete dev > /dev/null
fi
passed
if ((EUID == 0)); then
  # shellcheck disable=SC2016 # expanded inside
  again_as_ordinary_user 'mkdir -m 700 "$TMPDIR/closed"; mkdir -m 755 "$TMPDIR/foreign"; cp "$STORE_FILE" "$TMPDIR/foreign/store"'
  WITHOUT="/dev/fuse" again_as_ordinary_user "chmod 600 /dev/fuse"
  WITHOUT="fusermount3 is not installed" again_as_ordinary_user "mount --bind /dev/null $(readlink -f "$(command -v fusermount3)")"
fi
