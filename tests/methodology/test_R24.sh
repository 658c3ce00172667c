#!/bin/sh
# SPDX-License-Identifier: MIT
# R24: what is far out is counted and stays in; what a later attempt takes the place of is counted and stays on
# disk. Usage: test_R24.sh BIN ROOT RUN
run=$3
. "$2/tests/e2e/lib.sh"
. "$ROOT/tests/methodology/seal.sh"
one='.kind == "rep" and .alloc == "pool" and .workload == "pair" and .block == 2'

# pool FOLDER: repetitions that count and outliers of pool in the first table
pool() {
    expect 0 "$BIN/poolbench" report "$1" --format json
    jq -r '[.groups[] | select(.workload == "pair") | .variants[] | select(.alloc == "pool")][0]
        | "\(.measures.ns_per_op.n) \(.counts.outliers // 0)"' out
}
edit "$run" far "$one" '.m.ns_per_op *= 1e6'
case $(pool far) in
11\ [1-9]*) ;;
*) fail "11 repetitions and an outlier are: $(pool far)" ;;
esac
expect 0 "$BIN/poolbench" report far
grep -q 'outliers .*pool in pair' out || fail "the table names no outlier"
grep -q 'no value is dropped for being far out' out || fail "the table does not say that it stays in"

# a repetition that was made again: both lines stay, the table counts the first one out
mkdir again
jq -c "select($one) | .attempt = 2" "$run/records.jsonl" | seal >second
{ grep -v '"kind":"end"' "$run/records.jsonl" && cat second && grep '"kind":"end"' "$run/records.jsonl"; } >again/records.jsonl
expect 0 "$BIN/poolbench" report again
grep -q '1 superseded by a later attempt' out || fail "what was superseded is not counted: $(grep 'left out' out)"
case $(pool again) in
11\ *) ;;
*) fail "11 repetitions count, not: $(pool again)" ;;
esac

# planted: the outlier dropped
mkdir dropped
jq -c "if $one then empty else . end | .crc" far/records.jsonl | tr -d '"' >kept
grep -F -f kept far/records.jsonl >dropped/records.jsonl
case $(pool dropped) in
11\ *) fail "a repetition that was dropped is not missed" ;;
esac
