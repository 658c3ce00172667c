#!/bin/sh
# SPDX-License-Identifier: MIT
# The placements of the code: every loop lies at six offsets into a line over the six programs, a run of six
# blocks uses each of them once and its records prove it by the loops' addresses. What chance decides is
# printed beforehand, byte for byte the same for one seed, and it is what the run then does.
. "$(dirname "$0")/lib.sh"
tiny=$ROOT/tests/e2e/tiny.toml
small="$tiny --alloc pool,zone --filter ^(pair|batch)/ --set ops=2000 --blocks 6"

# offsets of the loops, the n-th of each program in line n
for layout in 0 1 2 3 4 5; do
    program=$BIN/poolbench
    [ $layout = 0 ] || program=$BIN/layouts/poolbench-$layout
    # the last two digits, as the lines are of 64 bytes, and the loops of all workloads in their order
    nm "$program" | sort | sed -n 's/^.*\(..\) t \(call_run_pool\|table_run\)$/\1/p' >offsets$layout
    while read -r hex; do echo $((0x$hex % 64)); done <offsets$layout >decimal$layout
    [ "$(wc -l <decimal$layout)" -ge 10 ] || fail "layout $layout: no symbols"
    [ "$(sort -u decimal$layout | wc -l)" = 1 ] || fail "layout $layout: the loops lie at $(sort -u decimal$layout)"
done
paste decimal? | awk '{ n = split($0, at); for (i in at) seen[NR, at[i]]++
    for (i = 1; i <= n; i++) if (seen[NR, at[i]] != 1) exit 1 } END { if (NR < 10) exit 1 }' ||
    fail "a loop lies at the same offset twice: $(paste decimal?)"

# one seed, one plan; another, another
# shellcheck disable=SC2086 # words on purpose
{
    expect 0 "$BIN/poolbench" plan $small --json
    mv out plan1
    expect 0 "$BIN/poolbench" plan $small --json
    cmp -s plan1 out || fail "one seed gave two plans"
    expect 0 "$BIN/poolbench" plan $small --json --seed 8
    cmp -s plan1 out && fail "two seeds gave one plan"
    jq -e . plan1 >jq.out || fail "the plan is not JSON Lines"
    expect 0 "$BIN/poolbench" run $small --quiet --out run
}

# the run did what the plan said
fields='[.order, .block, .name, .layout, .setup.seed, .setup.env_bytes] | @tsv'
jq -r "select(.kind == \"rep\") | $fields" plan1 >planned
reps "select(.attempt == 1 or .attempt == null) | $fields" | sort -n >done
sort -n planned | cmp -s - done || fail "the run is not what was planned: $(diff planned done)"
[ "$(reps .layout | sort -u | tr -d '\n')" = 012345 ] || fail "layouts: $(reps .layout | sort -u)"
[ "$(reps '[.block, .layout] | @tsv' | sort -u | wc -l)" = 6 ] || fail "a block has two layouts"
[ "$(jq -r 'select(.kind == "run") | .layouts' run/records.jsonl)" = 6 ] || fail "the header does not say six"

# the addresses say so too
reps '[.layout, .loop_offset] | @tsv' | sort -u >proof
for layout in 0 1 2 3 4 5; do printf '%s\t%s\n' $layout "$(head -n 1 decimal$layout)"; done >nm
cmp -s proof nm || fail "the loops ran elsewhere: $(cat proof)"

# the replicate is a process: each has its own, and its setup
[ "$(reps .pid | sort -u | wc -l)" = "$(reps .pid | wc -l)" ] || fail "two repetitions in one process"
[ "$(reps .setup.seed | sort -u | wc -l)" = "$(wc -l <planned)" ] || fail "two repetitions with one setup"

# a program with one placement says so
# shellcheck disable=SC2086
{
    rm -rf run
    expect 0 "$BIN/poolbench-doubles" run $small --quiet --out run --blocks 2
}
[ "$(jq -r 'select(.kind == "run") | .layouts' run/records.jsonl)" = 1 ] || fail "doubles has more than one layout"
[ "$(reps .layout | sort -u)" = 0 ] || fail "doubles ran in another layout"
