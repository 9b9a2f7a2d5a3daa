#!/usr/bin/env bash
# What must not be possible: an unmasked branch under a masked one's name, at any moment, by any command; and the key
# anywhere but in its file.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
customers=$(sized 1000 100000)
emails() { sql "$1" "SELECT md5(string_agg(email, ',' ORDER BY email)) FROM customers WHERE loyalty <> 'new'"; }

say "a sample of $customers customers"
sample "$customers"

say "while a branch is being masked it cannot be had, in any way"
openssl rand -hex 32 > "$work/key"
chmod 600 "$work/key"
sed "s,\"ephemeral\",\"file:$work/key\"," "$rules" > "$work/key.json"
derived=$({ printf 'branchfs masking key, version 1\n'; cat "$work/key"; } | sha256sum | cut -d ' ' -f 1)
printf '%s\n' "$(< "$work/key")" "$derived" "$(printf '%s' "$derived" | perl -ne 'print pack "H*", $_' | base64 -w 0 | cut -c 1-40)" > "$work/key.forms"
# Is the key in what other processes may see of a process?
watch_key() {
  while :; do
    for dir in /proc/[0-9]*; do
      cat "$dir/cmdline" "$dir/environ" 2> /dev/null | grep -aqF -f "$work/key.forms" && echo "$dir $(tr '\0' ' ' < "$dir/cmdline")" >> "$work/key.seen"
    done
    sleep 0.05
  done
}
watch_key & watcher=$!
at_end+=("kill $watcher 2> /dev/null")
begin=$(now_ms)
"$BRANCHFS" create staging --from main --anonymized "$work/key.json" --quiet > "$work/create.out" 2> "$work/create.err" & tool=$!
until b show staging > /dev/null 2>&1; do kill -0 $tool 2> /dev/null || fail "create ended at once: $(cat "$work/create.err")"; sleep 0.05; done
unready() { b list --json | grep -A 30 '"name": "staging"' | grep -qE '"state": "(sealed|masking|proving)"'; }
# attempt COMMAND...: refused, or done when it is ready, for which it may wait.
attempt() {
  local code=0 err=$work/err.$BASHPID
  "$@" > /dev/null 2> "$err" < /dev/null || code=$?
  if ((code == 0)); then
    ! unready || echo "$*: it is possible" >> "$work/early"
  elif grep -q '^branchfs: cannot' "$err"; then
    echo "$*: exit code $code" >> "$work/refusals"
  else
    echo "$*: exit code $code $(cat "$err")" >> "$work/early"
  fi
}
: > "$work/refusals"
waiting=()
for command in "mount staging" "start staging" "psql staging" "run --from staging -- true"; do
  # shellcheck disable=SC2086
  attempt b $command & waiting+=($!)
done
mkdir -p "$work/mnt"
while unready; do
  for command in "create y --from staging" "rename staging z"; do
    # shellcheck disable=SC2086
    attempt b $command
  done
  code=0
  "$MOUNT_BRANCHFS" "$BRANCHFS_STORE" "$work/mnt" -o branch=staging > "$work/out" 2>&1 || code=$?
  ! mountpoint -q "$work/mnt" || { ! unready || echo "mount.branchfs mounted it" >> "$work/early"; fusermount3 -u "$work/mnt" || umount "$work/mnt"; break; }
done
wait $tool || fail "create failed: $(cat "$work/create.err")"
took=$(($(now_ms) - begin))
kill $watcher && wait $watcher 2> /dev/null || true
wait "${waiting[@]}"
[[ ! -e $work/early ]] || fail "while masking: $(cat "$work/early")"
grep -q 'create y' "$work/refusals" || fail "it was never seen while it was masked: $(cat "$work/refusals")"
[[ ! -e $work/key.seen ]] || fail "the key was seen: $(sort -u "$work/key.seen" | head -n 3)"
say "  refused $(wc -l < "$work/refusals") times; masked in $took ms"
# An attempt that met the branch when it was ready has done what it says.
b delete y > /dev/null 2>&1 || true
! b show z > /dev/null 2>&1 || b rename z staging > /dev/null
b start staging > /dev/null
emails=$(emails staging)

say "the key is in no file"
dir=$(dirname "$(b status staging --json | sed -n 's/^ *"mountpoint": "\(.*\)",\{0,1\}$/\1/p')")
perl -ne 'chomp; print pack("H*", $_), "\n"' <<< "$derived" > "$work/key.raw"
if ! grep -q -c . "$work/key.raw" || (($(wc -l < "$work/key.raw") != 1)); then say "  (the raw key holds a line break, only its other forms are searched)"; : > "$work/key.raw"; fi
for place in "$BRANCHFS_STORE" ${dir:+"$dir"}; do
  ! LC_ALL=C grep -raqiF -f "$work/key.forms" "$place" || fail "the key is below $place: $(LC_ALL=C grep -raliF -f "$work/key.forms" "$place")"
  [[ ! -s $work/key.raw ]] || ! LC_ALL=C grep -raqF -f "$work/key.raw" "$place" || fail "the key is below $place"
done

say "another branch of the same data, rules and key: at once, and for nothing"
begin=$(now_ms)
b create staging2 --from main --anonymized "$work/key.json" > /dev/null
say "  in $(($(now_ms) - begin)) ms"
own=$(b du staging2 --json | sed -n 's/^ *"own_bytes": \([0-9]*\).*/\1/p; s/^ *"own": \([0-9]*\).*/\1/p' | head -n 1)
[[ -n $own ]] || fail "du says nothing of its own bytes: $(b du staging2 --json)"
((own < 65536)) || fail "it owns $own bytes"
b start staging2 > /dev/null
equal "$(emails staging2)" "$emails" "masks of the same key"
b delete staging2 > /dev/null

say "the same key on other data gives the same masks, an ephemeral one never does"
b create later --from main --start > /dev/null
sql later "INSERT INTO customers (public_id, email, first_name, last_name, national_id, loyalty, remark)
  VALUES (gen_random_uuid(), 'zelda.originalperson@corvel.example', 'Zelda', 'Originalperson', '999-99-9999', 'new', 'plain text of later')"
b stop later > /dev/null
b create third --from later --anonymized "$work/key.json" --start > /dev/null
equal "$(emails third)" "$emails" "masks in another branch"
equal "$(sql third "SELECT count(*) FROM customers WHERE email ~ 'originalperson'")" 0 "the new customer"
b create fourth --from later --anonymized "$rules" --start > /dev/null
b create fifth --from later --anonymized "$rules" --start > /dev/null
[[ $(emails fourth) != "$emails" && $(emails fourth) != "$(emails fifth)" ]] || fail "an ephemeral key gave the same masks"
b delete fourth > /dev/null
b delete fifth > /dev/null

say "children inherit the certificate; nobody is masked twice, and no rules lift the lock"
b create child --from staging > /dev/null
b show child --json > "$work/child.json"
for key in rules_hash key_id proven; do
  equal "$(grep "\"$key\"" "$work/child.json")" "$(b show staging --json | grep "\"$key\"")" "$key of the child"
done
grep -q '"rules_hash"' "$work/child.json" || fail "show has no certificate: $(cat "$work/child.json")"
grep -q '"inherited": true' "$work/child.json" || fail "the child's certificate is not inherited"
b mask verify child > /dev/null 2> "$work/err" || fail "mask verify child: $(cat "$work/err")"
b mask verify staging > /dev/null 2> "$work/err" || fail "mask verify staging: $(cat "$work/err")"
refused 6 "anonymized already" "$x" b create "$x" --from staging --anonymized "$work/key.json"
rules_with "$work/empty.json"
before=$(store_objects)
expect 4 "exists" "$BRANCHFS" create staging --from main --anonymized "$work/empty.json"
expect 4 "" "$BRANCHFS" create staging --from main --anonymized "$work/empty.json" --if-not-exists
expect 4 "" "$BRANCHFS" create staging --from main --if-not-exists
b create staging --from main --anonymized "$work/key.json" --if-not-exists > /dev/null || fail "--if-not-exists with the same rules"
equal "$(store_objects)" "$before" "the store"

say "reset masks the parent's present data, with the rules of the branch"
b start main > /dev/null
sql main "INSERT INTO customers (public_id, email, first_name, last_name, national_id, loyalty, remark)
  VALUES (gen_random_uuid(), 'yorick.originalperson@corvel.example', 'Yorick', 'Originalperson', '998-99-9999', 'new', 'plain text of yorick')"
b stop main > /dev/null
printf '{"version": 1, "defaults": {"unmapped_columns": "keep"}, "masking_rules": []}' > "$work/key.json"
b delete child > /dev/null
b reset staging > /dev/null 2> "$work/err" || fail "reset: $(cat "$work/err")"
equal "$(state staging)" running "a running branch runs again after reset"
equal "$(emails staging)" "$emails" "masks after reset"
equal "$(sql staging "SELECT count(*), count(*) FILTER (WHERE email ~ 'originalperson' OR remark ~ 'yorick' OR last_name = 'Originalperson') FROM customers WHERE loyalty = 'new'")" "1|0" "the parent's new row"
b stop staging > /dev/null
dir=$(b mount staging)
! LC_ALL=C grep -raqE 'yorick.originalperson|plain text of yorick' "$dir" || fail "reset left the new row's originals in files"
b umount staging > /dev/null
b delete staging > /dev/null
b delete later --recursive > /dev/null

b verify --all > /dev/null
say "passed"
