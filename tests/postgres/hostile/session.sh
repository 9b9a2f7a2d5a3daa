#!/usr/bin/env bash
# A whole session under umask 000, looked at from outside: the mode and owner of everything it makes, what `ps`, logs and the mount's
# control socket give away, who may ask that socket, what listens. Passwords and masking keys are nowhere but in their files.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
b() { "$BRANCHFS" "$@"; }
umask 000
chmod 755 "$work"
bin=$(server_programs)

listeners() { ss -Hltnp 2> /dev/null | awk '{ print $4 }' | sort; }
# Everything that anybody's processes show, again and again while the session goes on.
watch_processes() {
  while :; do
    ps -eo args=
    sleep 0.02
  done > "$work/ps"
}
watch_processes &
watcher=$!
at_end+=('kill "$watcher" 2> /dev/null')

say "a cluster that listens everywhere and lets everybody in"
cluster=$work/cluster
mkdir -m 700 "$cluster" && give_to_server_user "$cluster"
as_server_user "$bin/initdb" -D "$cluster" -U postgres -A trust --no-sync --wal-segsize=1 > /dev/null
cat >> "$cluster/postgresql.conf" << 'CONF'
listen_addresses = '*'
port = 5432
unix_socket_permissions = 0777
log_file_mode = 0666
log_statement = 'all'
password_encryption = 'md5'
CONF
echo "host all all 0.0.0.0/0 trust" >> "$cluster/pg_hba.conf"
echo "listen_addresses = '0.0.0.0'" >> "$cluster/postgresql.auto.conf"

before=$(listeners)
b init > /dev/null
b import prod --pgdata "$cluster" --quiet > /dev/null
b create dev --from prod --start > /dev/null
query dev "CREATE TABLE people (id int primary key, name text, email text); INSERT INTO people SELECT i, 'name ' || md5('n' || i), md5(i::text) || '@corp.test' FROM generate_series(1, 100) i"
b stop dev > /dev/null
printf 'SECRETKEYSECRETKEYSECRETKEYSECRE' > "$work/key"
chmod 600 "$work/key"
cat > "$work/rules.json" << RULES
{"version": 1, "key": "file:$work/key", "masking_rules": [
  {"schema_name": "*", "table_name": "*", "column_name": "id", "mask": "keep"},
  {"schema_name": "public", "table_name": "people", "column_name": "name", "mask": "permute"},
  {"schema_name": "public", "table_name": "people", "column_name": "email", "masking_function": "anon.fake_email()"}]}
RULES
b create masked --from dev --anonymized "$work/rules.json" --quiet > "$work/mask.out" 2> "$work/mask.err" ||
  grep -q "no masking module" "$work/mask.err" || fail "no mask: $(cat "$work/mask.err")"
b start dev > /dev/null
password=$(field dev password)
[[ -n $password ]] || password=$(cat "$BRANCHFS_STORE/branches/dev/password")
b run --from dev -- psql -c "SELECT 1" > /dev/null
b create other --from dev --mount > /dev/null
b status > "$work/status"
b list > /dev/null
b logs dev > "$work/logs" 2>&1 || true

say "what listens"
after=$(listeners)
diff <(echo "$before") <(echo "$after") | sed -n 's/^> //p' > "$work/new" || true
grep -q . "$work/new" || fail "nothing listens: the test sees nothing"
if grep -vE '^(127\.0\.0\.1|\[::1\]):' "$work/new"; then fail "listens on more than loopback"; fi
port=$(field dev port)
[[ $(query dev "SHOW listen_addresses" | tr -d ' ') =~ ^(localhost|127\.0\.0\.1)(,::1)?$ ]] || fail "listen_addresses: $(query dev "SHOW listen_addresses")"
PGPASSWORD=wrong psql -X "host=127.0.0.1 port=$port user=postgres dbname=postgres" -c "SELECT 1" > /dev/null 2>&1 && fail "in with a wrong password"
query dev "SELECT rolpassword FROM pg_authid WHERE rolname = current_user" | grep -q '^SCRAM-SHA-256' || fail "the password is not kept as SCRAM"

say "modes and owners"
server=$(if ((EUID == 0)); then echo postgres; else id -un; fi)
me=$(id -un)
walk() {
  find "$BRANCHFS_STORE" -xdev -printf '%m %u %y %p\n'
  runtime=$(field dev socket_dir)
  [[ -z $runtime ]] || find "$runtime" -xdev -printf '%m %u %y %p\n'
}
walk > "$work/walk"
(($(wc -l < "$work/walk") > 20)) || fail "only $(wc -l < "$work/walk") files: the test sees nothing"
while read -r mode user type path; do
  [[ $user == "$me" || $user == "$server" ]] || fail "$path belongs to $user"
  case $type in
    d) ((0$mode & 066)) && [[ $path != "$BRANCHFS_STORE"/mnt/* ]] && fail "$path: directory of mode $mode" ;;
    l) fail "$path is a link" ;;
    s) case $path in */control) ((0$mode & 077)) && fail "$path: socket of mode $mode" ;; esac ;;
    *) ((0$mode & 077)) && [[ $path != */tls/server.crt ]] && fail "$path: file of mode $mode" ;;
  esac
done < "$work/walk"
if [[ -d /run/branchfs && $EUID == 0 ]]; then
  if find /run/branchfs -xdev -perm /022 ! -type l ! -type s -printf '%m %p\n' | grep .; then fail "root's run directory is writable for others"; fi
fi

say "passwords and keys"
kill "$watcher" && wait "$watcher" 2> /dev/null || true
(($(wc -l < "$work/ps") > 100)) || fail "ps was not watched"
for secret in "$password" SECRETKEYSECRETKEY; do
  if grep -F -- "$secret" "$work/ps" | grep -vF "postgresql://" | head -n 3 | grep .; then fail "ps shows a secret"; fi
  if grep -rlF --exclude=password -e "$secret" "$BRANCHFS_STORE"; then fail "the store has a secret in the clear"; fi
  runtime=$(field dev socket_dir)
  if [[ -n $runtime ]] && grep -rlF -e "$secret" "$runtime"; then fail "a log has a secret in the clear"; fi
  ! grep -qF -- "$secret" "$work/status" "$work/logs" || fail "status or logs show a secret"
done

say "the control socket, for other users"
control=$BRANCHFS_STORE/branches/other/control
[[ -S $control ]] || fail "$control is no socket"
ask='use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or do { print "connect: $!\n"; exit 0 };
  my $m = $ARGV[1]; print $s pack("V", length $m), $m; $s->flush; my $r = ""; 1 while sysread($s, $r, 65536, length $r); print substr($r, 4), "\n"'
reply=$(perl -e "$ask" "$control" '{"op":"status"}')
[[ $reply == *'"ok":true'* ]] || fail "the owner is told: $reply"
for name in '../../x' 'a\u0000b' '' 'x\n' "$(printf 'x%.0s' {1..4096})"; do
  reply=$(perl -e "$ask" "$control" "{\"op\":\"freeze\",\"name\":\"$name\"}")
  [[ $reply == *'"ok":false'* ]] || fail "freeze of ${name:0:20}: $reply"
done
for message in '[]' 'null' '{' '{"op":7}' '{"op":{"a":1}}' '{"op":"nosuch"}' '{"op":"freeze","name":7}'; do
  reply=$(perl -e "$ask" "$control" "$message")
  [[ $reply == *'"ok":false'* ]] || fail "$message: $reply"
done
equal "$(field other state)" mounted "after nonsense on its control socket"
if ((EUID == 0)); then
  for user in nobody postgres; do
    reply=$(setpriv --reuid "$user" --clear-groups perl -e "$ask" "$control" '{"op":"status"}')
    [[ $reply == connect:* ]] || fail "$user reaches the control socket: $reply"
  done
  # With every permission given away, the server still looks who asks.
  chmod 711 "$BRANCHFS_STORE" "$BRANCHFS_STORE/branches" "$BRANCHFS_STORE/branches/other"
  chmod 666 "$control"
  for op in status unmount sync; do
    # The answer, or a connection that is closed at once.
    reply=$(setpriv --reuid nobody --clear-groups perl -e "$ask" "$control" "{\"op\":\"$op\"}" 2> /dev/null || true)
    [[ $reply != *'"ok":true'* && $reply != connect:* ]] || fail "nobody may $op: $reply"
  done
  equal "$(field other state)" mounted "after another user asked to unmount"
  chmod 700 "$BRANCHFS_STORE" "$BRANCHFS_STORE/branches" "$BRANCHFS_STORE/branches/other"
fi

say "no core file of the tool has them: it cannot be dumped or attached to"
"$BRANCHFS" run --from dev -- sleep 3 > /dev/null 2>&1 &
runner=$!
sleep 1.5
equal "$(stat -c %U "/proc/$runner/environ")" root "who owns the tool's memory"
wait "$runner"
say "passed as $(id -un)"
if ((EUID == 0)); then again_as_ordinary_user; fi
