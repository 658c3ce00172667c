#!/bin/sh
# SPDX-License-Identifier: MIT
# A machine that has no more of something: descriptors, memory, disk. The run ends with 4 and one line that
# says of what, where and what to do; what was measured stays, and resume does the rest. A damaged record is
# named with the command that takes it out.
. "$(dirname "$0")/lib.sh"
pb=$BIN/poolbench-doubles
tiny=$ROOT/tests/e2e/tiny.toml

# small OUT: the options of a small run
small() {
    echo "$tiny --alloc pool,zone --filter ^(pair|batch)/ --blocks 4 --quiet --out $1"
}

# says PATTERN: one line of err, beside those that say where the records are and what the run is worth
says() {
    grep -Ev '^(records  |figures  |this build |memory is |the code has one placement )' err >line || true
    [ "$(wc -l <line)" = 1 ] || fail "not one line: $(cat err)"
    grep -Eq "$1" line || fail "'$(cat line)' does not match '$1'"
}

# whole: every cell of run has every block once, and all are good
whole() {
    [ "$(reps '[.name, .block] | @tsv' | sort -u | wc -l)" = 32 ] || fail "cells are missing: $(reps .name | wc -l)"
    [ "$(reps 'select(.status != "ok") | .name' | wc -l)" = 0 ] || fail "not ok: $(reps 'select(.status != "ok")')"
    [ "$(reps '[.name, .block] | @tsv' | sort | uniq -d | wc -l)" = 0 ] || fail "measured twice"
}

# descriptors
code=0
# shellcheck disable=SC2046 # words on purpose
(ulimit -n 8 && exec "$pb" run $(small run)) >out 2>err </dev/null || code=$?
[ $code = 4 ] || fail "8 descriptors: exit $code: $(cat err)"
says 'Too many open files; raise .*ulimit -n.*poolbench resume run'
expect 0 "$pb" resume run
whole

# a damaged record in the middle: named, taken out as the message says, measured again
sed -i '5s/"status":"ok"/"status":"OK"/' run/records.jsonl
for verb in resume report; do
    expect_line 2 "^run/records\.jsonl:5: .*damaged.*sed -i 5d 'run/records\.jsonl', and resume" "$pb" $verb run
done
sed -i 5d 'run/records.jsonl'
expect 0 "$pb" resume run
whole

# a matrix that is gone
rm run/matrix.toml
expect 0 "$pb" resume run
grep -q 'matrix\.toml was gone' err || fail "not said: $(cat err)"
[ -s run/matrix.toml ] || fail "the matrix is not back"

# the last record too: it has its end, so it is not one that was cut off
sed -i '$s/"kind":"end"/"kind":"END"/' run/records.jsonl
cp run/records.jsonl damaged
expect_line 2 'run/records\.jsonl:[0-9]+: .*damaged.*sed -i [0-9]+d' "$pb" resume run
cmp -s run/records.jsonl damaged || fail "resume touched a damaged record"
sed -i '$d' run/records.jsonl
expect 0 "$pb" resume run
whole

# memory: the limit is on the strategy, not on what the harness takes beside it
if ! sanitized; then
    rm -rf run
    # shellcheck disable=SC2046
    expect 3 "$pb" run $(small run) --memory-limit 1
    [ "$(reps 'select(.reason | test("the memory limit is 1 B: raise --memory-limit") | not) | .reason' | wc -l)" = 0 ] ||
        fail "limit 1: $(reps .reason | sort -u)"
    rm -rf run
    # shellcheck disable=SC2046
    expect 0 "$pb" run $(small run) --memory-limit 4M --set ops=4M --blocks 1
    rm -rf run
    code=0
    # the user's own limit, where it is the lower one
    (ulimit -d 65536 && exec "$pb" run "$tiny" --alloc pool --filter '^larson/' --threads 1 --blocks 1 --quiet \
        --memory-limit 0 --set min=1000 --set max=1000 --set chunks=64K --out run) >out 2>err </dev/null || code=$?
    [ $code = 3 ] || fail "64 MiB of data: exit $code: $(cat err)"
    reps 'select(.status == "oom") | .reason' | grep -q '; the limit on data (ulimit -d) is 64.0 MiB: raise it$' ||
        fail "64 MiB of data: $(reps '.status + " " + .reason')"
    rm -rf run
fi

# disk: a file system of a few pages
mkdir disk
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=48k poolbench disk 2>/dev/null; then
    echo "skipped: only root can mount the small file system that is to be full"
    exit 77
fi
trap 'cd /; umount "$work/disk"; rm -rf "$work"' EXIT
# shellcheck disable=SC2046
expect 4 "$pb" run $(small disk/run)
says '^disk/run/records\.jsonl: No space left on device; free some space there; .*poolbench resume disk/run$'
ln -s disk/run run
kept=$(reps .name | wc -l)
[ "$kept" -gt 0 ] || fail "nothing was kept"
# shellcheck disable=SC2046
expect_line 4 '^disk/other/matrix\.toml: No space left on device; free .*--out' "$pb" run $(small disk/other)
[ ! -e disk/other ] || fail "a run that did not begin left a folder"
expect 4 "$pb" resume disk/run --quiet
mount -o remount,size=4m disk
expect 0 "$pb" resume disk/run
whole
