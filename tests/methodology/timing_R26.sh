#!/bin/sh
# SPDX-License-Identifier: MIT
# R26 in real time: what a step of each strategy loses over a delay planted in its locks: nothing for null, about
# two waits of the delay for a zone's allocation and free. Usage: timing_R26.sh BIN ROOT
. "$2/tests/e2e/lib.sh"

cat >m.toml <<'TOML'
name = "slopes"
blocks = 3
seed = 1
retries = 0
aa = false
sample_gap = 0
[axes]
alloc = ["null", "zone:lock=fas", "pool:lists=off,shared_lists=off", "lookaside"]
threads = [1]
delay = ["none", "lock:100", "lock:500", "lock:2000"]
[[workload]]
name = "pair"
ops = 20000
TOML
expect 0 "$BIN/poolbench" run m.toml --quiet --out run
# the slope of the line through the medians of each delay; of processor time, where it is counted, as a worker that
# waits for its turn is not the delay's doing
reps '{alloc, ns: (if .m.perf_task_clock_ns then .m.perf_task_clock_ns / .ops.steps else .m.ns_per_op end), delay: (.delay | sub("none"; "lock:0") | sub("lock:"; "") | tonumber)}' | jq -rs '
    group_by(.alloc)[] | .[0].alloc as $alloc
    | (group_by(.delay) | map({x: .[0].delay, y: (map(.ns) | sort | .[length / 2 | floor])})) as $points
    | ($points | map(.x) | add / length) as $x | ($points | map(.y) | add / length) as $y
    | [$alloc, ([$points[] | (.x - $x) * (.y - $y)] | add) / ([$points[] | (.x - $x) * (.x - $x)] | add)] | @tsv' >slopes
cat slopes
[ "$(wc -l <slopes)" = 4 ] || fail "not four slopes"
awk -F '\t' '$1 == "null" && ($2 > 0.01 || $2 < -0.01) { bad = 1 } $1 ~ /^zone/ && ($2 < 1.8 || $2 > 2.5) { bad = 1 } END { exit bad }' slopes ||
    fail "a slope is not what the strategy's locks say"
