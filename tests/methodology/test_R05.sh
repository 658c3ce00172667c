#!/bin/sh
# SPDX-License-Identifier: MIT
# R5, R9: one seed gives one manifest, which is what is run: cells, order, placements of the code, setups and
# streams of operations; another seed gives another. Usage: test_R05.sh BIN ROOT
. "$2/tests/e2e/lib.sh"
matrix="$ROOT/tests/methodology/run.toml --blocks 3 --workload larson --set ops=5000"

# measure FOLDER SEED: what a run says of its manifest, but for the streams; and these
measure() {
    expect 0 "$BIN/poolbench" run $matrix --seed "$2" --quiet --out "$1"
    jq -cS 'select(.kind == "rep") | {block, order, cell, layout, setup}' "$1/records.jsonl" >"$1.manifest"
    jq -c 'select(.kind == "rep") | [.order, .stream_hash]' "$1/records.jsonl" >"$1.streams"
}
plan() { expect 0 "$BIN/poolbench" plan $matrix --seed "$1" --json && cp out "plan.$2"; }

plan 7 a
plan 7 b
plan 8 other
cmp -s plan.a plan.b || fail "one seed, two plans"
! cmp -s plan.a plan.other || fail "two seeds, one plan"
measure a 7
measure b 7
measure other 8
[ "$(wc -l <a.manifest)" = 9 ] || fail "not 9 repetitions: $(cat a.manifest)"
cmp -s a.manifest b.manifest || fail "one seed, two manifests: $(diff a.manifest b.manifest)"
cmp -s a.streams b.streams || fail "one seed, two streams"

# what was planned is what was run
jq -cS 'select(.order != null) | [.block, .order, .cell, .layout, .setup.seed, .setup.env_bytes]' plan.a >planned
jq -c '[.block, .order, .cell, .layout, .setup.seed, .setup.env_bytes]' a.manifest >done
cmp -s planned done || fail "the run is not the plan: $(diff planned done | head)"

# planted: another seed, in the order, in the setups and in the streams
for what in .cell .setup.seed .setup.mmap_pad; do
    jq -c "$what" a.manifest >one
    jq -c "$what" other.manifest >two
    ! cmp -s one two || fail "another seed, the same $what"
done
! cmp -s a.streams other.streams || fail "another seed, the same streams"
