#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of the runner at moments drawn at random, N times (the third argument; 6 without): whatever the
# moment, what was recorded stays byte for byte, resume does the rest, and in the end the run holds the
# same repetitions as one that nobody disturbed, with none lost or made twice.
. "$(dirname "$0")/lib.sh"
times=${3:-6}
plan="$ROOT/tests/e2e/tiny.toml --alloc pool,zone,glibc --filter ^pair/ --set ops=2000 --blocks 6 --retries 0 --reference pool"

# what: the repetitions of run, with what chance gave each
what() {
    reps '[.name, .block, .order, .layout, .setup.seed, .setup.env_bytes, .status, .attempt] | @tsv' | sort
}

began=$(date +%s%N)
# shellcheck disable=SC2086 # words on purpose
expect 0 "$BIN/poolbench" run $plan --quiet --out run
took=$((($(date +%s%N) - began) / 1000000))
what >undisturbed
[ "$(wc -l <undisturbed)" -ge 36 ] || fail "the run is too small: $(cat undisturbed)"
[ "$(uniq -d <undisturbed | wc -l)" = 0 ] || fail "a repetition was made twice"


# whole_lines: the lines of the records that have their end
whole_lines() {
    sed -n '/"crc":"[0-9a-f]\{8\}"}$/p' run/records.jsonl
}

rm -rf run
kills=0 resumed=0
while [ $kills -lt "$times" ]; do
    kills=$((kills + 1))
    if [ -f run/records.jsonl ] && [ "$(whole_lines | wc -l)" -gt 0 ]; then
        whole_lines >before
        "$BIN/poolbench" resume run --quiet >out 2>err </dev/null &
        resumed=$((resumed + 1))
    else
        rm -rf run
        : >before
        # shellcheck disable=SC2086
        "$BIN/poolbench" run $plan --quiet --out run >out 2>err </dev/null &
    fi
    runner=$!
    sleep "$(awk -v t="$took" -v n="$kills" 'BEGIN { srand(); srand(srand() + n * 7919); print rand() * t / 2000 }')"
    kill -9 $runner 2>/dev/null || true
    wait $runner 2>/dev/null || true
    [ -f run/records.jsonl ] || continue
    # what was there is there still, in its place
    head -n "$(wc -l <before)" run/records.jsonl | cmp -s - before || fail "kill $kills: a record changed"
    # now and then the run is let to its end, and another one begins
    if [ $((kills % 4)) = 0 ] && [ -f run/records.jsonl ] && [ "$(whole_lines | wc -l)" -gt 0 ]; then
        expect 0 "$BIN/poolbench" resume run --quiet
        what | cmp -s - undisturbed || fail "kill $kills: not the same run: $(what | diff - undisturbed)"
        rm -rf run
    fi
done
if [ -f run/records.jsonl ] && [ "$(whole_lines | wc -l)" -gt 0 ]; then
    expect 0 "$BIN/poolbench" resume run --quiet
    what | cmp -s - undisturbed || fail "at the end: not the same run: $(what | diff - undisturbed)"
fi
echo "$kills kills, $resumed of them while a run was taken up"
