#!/usr/bin/env bash
# A disk that is full before, or gets full during a masking run: an error, no branch, nothing left; with space again the
# same command works. Makes a small tmpfs, so it needs root.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ((EUID != 0)); then say "skipped: only root can make a small filesystem"; exit 0; fi

# In a mount namespace of its own, so that nothing is left whatever happens.
if [[ -z ${DISK:-} ]]; then
  mkdir "$work/disk"
  DISK=$work/disk unshare -m --propagation slave "$0"
  exit
fi
disk=$DISK
mount -t tmpfs -o size=700m tmpfs "$disk"
export BRANCHFS_STORE=$disk/store
free_bytes() { df --output=avail -B1 "$disk" | tail -n 1; }
# fill LEAVE: all but LEAVE bytes.
fill() { head -c "$(($(free_bytes) - $1))" /dev/zero > "$disk/filler" 2> /dev/null || true; }

customers=$(sized 5000 50000)
say "a sample of $customers customers"
sample "$customers"
before=$(store_objects)

say "no room from the start: refused, with what is missing"
fill 20000000
refused "1|6" "free" "$x" b create "$x" --from main --anonymized "$rules"
say "  $(tail -n 1 "$work/err")"
rm "$disk/filler"

say "the disk gets full while tables are rewritten"
for share in 1 3 6 10; do
  "$BRANCHFS" create "$x" --from main --anonymized "$rules" --quiet > "$work/out" 2> "$work/err" & tool=$!
  until [[ $(b list --json 2> /dev/null) == *"\"$x\""* ]] || ! kill -0 $tool 2> /dev/null; do sleep 0.02; done
  sleep "0.$share"
  while kill -0 $tool 2> /dev/null; do
    head -c "$(free_bytes)" /dev/zero >> "$disk/filler" 2> /dev/null || true
    sleep 0.02
  done
  code=0
  wait $tool || code=$?
  rm -f "$disk/filler"
  if ((code == 0)); then
    b mask verify "$x" > /dev/null
    b delete "$x" > /dev/null
    say "  done before it was full"
    continue
  fi
  grep -q '^branchfs: cannot create' "$work/err" || fail "exit code $code: $(cat "$work/err")"
  say "  $(tail -n 1 "$work/err" | cut -c 1-160)"
  no_trace "$x" "$before"
done

say "with space again"
masked "$x"
b mask verify "$x" > /dev/null
b delete "$x" > /dev/null
b verify --all > /dev/null
say "passed"
