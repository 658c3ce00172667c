#!/bin/sh
# SPDX-License-Identifier: MIT
# Every strategy on every workload: the records are what results/README.md says, the op streams agree,
# the operations add up.
. "$(dirname "$0")/lib.sh"
matrix=$ROOT/tests/e2e/tiny.toml

# a sanitizer build lacks the libraries: exit 4, the rest measured
if sanitized; then good=4; else good=0; fi
expect $good "$BIN/poolbench" run "$matrix" --out run
[ -s out ] || fail "run prints no table"

[ "$(jq -r .kind run/records.jsonl | head -n 1)" = run ] || fail "the first line is not the header"
[ "$(tail -n 1 run/records.jsonl | jq -r '.kind + " " + .status')" = "end done" ] || fail "no end line"

bad=$(reps 'select(.status != "ok" and .status != "unavailable") | .name + " " + .status + " " + .reason')
[ -z "$bad" ] || fail "not ok: $bad"
if ! sanitized; then
    [ -z "$(reps 'select(.status == "unavailable") | .name')" ] || fail "unavailable: $(reps 'select(.status == "unavailable") | .reason')"
    for lib in glibc jemalloc mimalloc tcmalloc; do
        reps "select(.alloc == \"$lib\") | .version" | grep -q . || fail "$lib did not answer"
    done
fi

# one stream a group: the hash is the same for every strategy and block
reps 'select(.status == "ok") | [(.name | sub("/alloc:[^/]*"; "")), .stream_hash] | @tsv' | sort -u >hashes
[ "$(cut -f 1 hashes | sort -u | wc -l)" = "$(wc -l <hashes)" ] || fail "streams differ: $(cat hashes)"
[ "$(cut -f 2 hashes | sort -u | wc -l)" = "$(wc -l <hashes)" ] || fail "different cells have one hash"

bad=$(reps 'select(.status == "ok" and (.ops.exhausted != 0 or .ops.damaged != 0 or .ops.steps == 0)) | .name')
[ -z "$bad" ] || fail "operations do not add up: $bad"
bad=$(reps 'select(.status == "ok" and (.workload == "pair" or .workload == "batch") and
            (.ops.allocs != .ops.frees or .ops.allocs != .ops.steps)) | .name')
[ -z "$bad" ] || fail "allocations, frees and steps differ: $bad"

# what a run that is kept lacks of it, as it is older, is in the README's table; and it is read as ever
sed -n '/^### Older records/,/^## /p' "$ROOT/results/README.md" >older
lines='select(.kind == "run"), (select(.kind == "run") | .machine + {kind: "machine"}, .machine.clock + {kind: "clock"}),
       select(.kind == "rep" and .status == "ok"), select(.kind == "end")'
for old in "$ROOT"/results/2*/records.jsonl; do
    [ -e "$old" ] || continue
    jq -r "$lines | .kind as \$kind | keys[] | \$kind + \" \" + ." run/records.jsonl | sort -u >now
    jq -r "$lines | .kind as \$kind | keys[] | \$kind + \" \" + ." "$old" | sort -u >then
    comm -23 now then | while read -r kind key; do
        grep -q "^| \`$kind\` .*\`$key\`" older || fail "$old has no $key in $kind: results/README.md does not say so"
    done
    "$BIN/poolbench" report "$old" >report 2>err </dev/null || fail "an older run is not read: $(cat err)"
done

# each metric in a record is declared, and every record has the figure it was run for
expect 0 jq -es '(.[0].metrics | keys) as $known | [.[] | select(.kind == "rep") | (.m // {}) | keys[]] - $known == []' run/records.jsonl
bad=$(reps 'select(.status == "ok" and (.m.ns_per_op == null or .m.ns_per_op <= 0)) | .name')
[ -z "$bad" ] || fail "no ns_per_op: $bad"
bad=$(reps 'select(.status == "ok" and (.hist.alloc.data | startswith("HISTF") | not)) | .name')
[ -z "$bad" ] || fail "no histogram: $bad"
[ "$(reps 'select(.pid) | .pid' | sort | uniq -d | wc -l)" = 0 ] || fail "two repetitions in one process"
[ "$(reps 'select(.alloc == "jemalloc@aa") | .name' | wc -l)" -gt 0 ] || fail "no A/A twin"

expect 0 "$BIN/poolbench" report run
grep -q larson out || fail "report has no larson"
