#!/bin/sh
# SPDX-License-Identifier: MIT
# What goes wrong around a run, with the programs as they are: a folder that cannot be written, a disk that is
# full, a strategy that eats memory, a second writer, Ctrl-C once and twice, a last line that was cut off,
# failures that are tried again, a machine without address randomisation. Nothing is lost, and what is to be
# done is said in one line.
. "$(dirname "$0")/lib.sh"
tiny=$ROOT/tests/e2e/tiny.toml
pb=$BIN/poolbench-doubles

# small OUT: the options of a run of 32 repetitions
small() {
    echo "$tiny --alloc pool,zone --filter ^(pair|batch)/ --blocks 4 --quiet --out $1"
}

# whole: every cell of run has every block once, all good, and nothing was measured twice
whole() {
    [ "$(reps '[.name, .block] | @tsv' | sort -u | wc -l)" = 32 ] || fail "cells are missing: $(reps .name | wc -l)"
    [ "$(reps 'select(.status != "ok") | .name' | wc -l)" = 0 ] || fail "not ok: $(reps 'select(.status != "ok")')"
    [ "$(reps '[.name, .block] | @tsv' | sort | uniq -d | wc -l)" = 0 ] || fail "measured twice"
}

# begun N: waits until the run has N repetitions on disk
begun() {
    for _ in $(seq 400); do
        [ -f run/records.jsonl ] && [ "$(grep -c '"kind":"rep"' run/records.jsonl)" -ge "$1" ] && return
        sleep 0.02
    done
    fail "the run does not get on"
}

# a folder that cannot be written
mkdir closed
if [ "$(id -u)" != 0 ]; then
    chmod 500 closed
    why='Permission denied'
elif mount -t tmpfs -o ro,size=16k poolbench closed 2>/dev/null; then
    trap 'cd /; umount "$work/closed"; rm -rf "$work"' EXIT
    why='Read-only file system'
else
    why=
    echo "skip: root can write everywhere, and cannot mount a file system that is read-only"
fi
# shellcheck disable=SC2046 # words on purpose
[ -z "$why" ] || expect_line 2 "^closed/run: $why; give another --out" "$pb" run $(small closed/run)

[ -z "$why" ] || expect_line 2 "^closed/self: $why; give another --out" "$pb" selftest --out closed/self

# a disk that is full: here, a file that may not grow
code=0
# shellcheck disable=SC2046
(ulimit -f 60 && exec "$pb" run $(small run)) >out 2>err </dev/null || code=$?
[ $code = 4 ] || fail "a full disk: exit $code: $(cat err)"
grep -q 'go on with: poolbench resume run$' err || fail "a full disk: $(cat err)"
[ "$(reps .name | wc -l)" -gt 0 ] || fail "nothing was kept"

# a last line that was cut off on top
printf '{"alloc":"zone","al' >>run/records.jsonl
expect 0 "$pb" resume run --quiet
grep -q 'the last line was cut off and is dropped' err || fail "not said: $(cat err)"
whole

# a second writer, while the first is at work
rm -rf run
# shellcheck disable=SC2046
"$pb" run $(small run) >first.out 2>first.err </dev/null &
runner=$!
begun 2
expect_line 2 '^run: another poolbench is writing this run' "$pb" resume run
# shellcheck disable=SC2046
expect_line 2 'holds a run already; go on with it by .*resume' "$pb" run $(small run)
wait $runner || fail "the first writer: $(cat first.err)"
whole

# Ctrl-C: the repetition at work is finished, and resume does the rest; a second one does not wait
for times in 1 2; do
    rm -rf run
    # shellcheck disable=SC2046
    "$pb" run $(small run) >out 2>err </dev/null &
    runner=$!
    begun 3
    kill -INT $runner
    [ $times = 1 ] || kill -TERM $runner
    code=0
    wait $runner || code=$?
    [ $code = 130 ] || fail "Ctrl-C x $times: exit $code: $(cat err)"
    grep -q '^interrupted; go on with: poolbench resume run$' err || fail "Ctrl-C x $times: $(cat err)"
    [ "$(tail -n 1 run/records.jsonl | jq -r .status)" = interrupted ] || fail "the last line says something else"
    [ "$(reps .name | wc -l)" -lt 32 ] || fail "it ran to its end"
    expect 0 "$pb" resume run --quiet
    whole
done

# the selftest is not taken up: nobody is told to
"$pb" selftest --comparisons 4 --quiet --out self/test >out 2>err </dev/null &
runner=$!
for _ in $(seq 400); do
    ! grep -qs '"kind":"rep"' self/test/twins-*/records.jsonl || break
    sleep 0.02
done
kill -INT $runner
code=0
wait $runner || code=$?
[ $code = 130 ] || fail "Ctrl-C of the selftest: exit $code: $(cat err)"
! grep -q resume err || fail "the selftest says resume: $(cat err)"
grep -q '^interrupted$' err && grep -q 'start it anew: poolbench selftest$' err || fail "not said: $(cat err)"

# failures: they stay as they are, and are made again only where asked
rm -rf run
expect 3 "$pb" run "$tiny" --alloc pool,faulty:mode=crash --filter '^pair/' --threads 1 --dispatch table --blocks 2 \
    --quiet --out run
before=$(reps .name | wc -l)
expect 3 "$pb" resume run --quiet
[ "$(reps .name | wc -l)" = "$before" ] || fail "a failure was made again unasked"
expect 3 "$pb" resume run --quiet --retry-failed
grep -q '^2 repetitions that went wrong are made again$' err || fail "not said: $(cat err)"
[ "$(reps .name | wc -l)" = $((before + 2)) ] || fail "a failure was lost or tried twice"
[ "$(jq -r 'select(.kind == "end") | .crashed' run/records.jsonl | tail -n 1)" = 2 ] || fail "superseded ones count"

# a strategy that eats memory
if ! sanitized; then
    rm -rf run
    expect 3 "$pb" run "$tiny" --alloc faulty:mode=leak,pool --filter '^pair/' --threads 1 --dispatch table --blocks 1 \
        --memory-limit 64M --set ops=4M --quiet --out run
    [ "$(reps 'select(.alloc == "faulty:mode=leak") | .status')" = oom ] || fail "it is not out of memory"
    [ "$(reps 'select(.alloc == "pool") | .status')" = ok ] || fail "the cell beside it failed"
fi

# what makes a run worth less is said: a build that checks itself, memory that always lies alike
rm -rf run
# shellcheck disable=SC2046
expect 0 "$pb" run $(small run) --blocks 1
if [ "$(jq -r 'select(.kind == "run") | .suite.check' run/records.jsonl)" = 0 ] && ! sanitized; then
    ! grep -q 'checks itself' err || fail "a plain build is said to check itself"
else
    grep -q '^this build checks itself (PB_CHECK=.*): its times are no results$' err || fail "not said: $(cat err)"
fi
if setarch -R true 2>/dev/null; then
    rm -rf run
    # shellcheck disable=SC2046
    expect 0 setarch -R "$pb" run $(small run) --blocks 1
    grep -q '^memory is not laid out at random' err || fail "no word of ASLR: $(cat err)"
    [ "$(jq -r 'select(.kind == "run") | .aslr' run/records.jsonl)" = false ] || fail "the record says it is on"
else
    echo "skip: this machine does not let a program turn address randomisation off"
fi
