#!/bin/sh
# SPDX-License-Identifier: MIT
# Two runs compared, named, indexed and exported, as a person or a build does it; what consumers of the exports
# make of them; and what is refused. Oracles (python3, compare.py, prometheus-client) are used where they are.
. "$(dirname "$0")/lib.sh"
pb=$BIN/poolbench
export PB_RESULTS_PATH="$work/results"
mkdir results
any=
if sanitized; then any=--any-build; fi

for run in a b; do
    expect 0 "$pb" run "$ROOT/tests/e2e/tiny.toml" --alloc pool,zone:lock=fas --reference pool --threads 1 \
        --filter '^(pair|batch)/' --blocks 6 --quiet --out results/$run
done

# oracle MODULE...: whether Debian's python has them
oracle() {
    /usr/bin/python3 - "$@" 2>reason <<'PY' || { echo "skip: no $*: $(tail -n 1 reason)"; return 1; }
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
PY
}

# edit FROM TO EXPRESSION: a copy of a run, each record `r` changed by a line of Python and given its crc
edit() {
    mkdir -p "results/$2"
    /usr/bin/python3 - "results/$1/records.jsonl" "$3" >"results/$2/records.jsonl" <<'PY'
import json, sys, zlib
for line in open(sys.argv[1], encoding="utf-8"):
    r = json.loads(line)
    del r["crc"]
    exec(sys.argv[2])
    body = json.dumps(r, separators=(",", ":"), sort_keys=True, ensure_ascii=False)[:-1]
    print('%s,"crc":"%08x"}' % (body, zlib.crc32(body.encode())))
PY
}
[ -x /usr/bin/python3 ] || { echo "skip: there is no /usr/bin/python3 to make records with"; exit 77; }

# two runs: a row a cell, and every format
expect 0 "$pb" compare a b $any
grep -q '^pair/alloc:pool/' out && grep -q '6+6' out && grep -q 'two sessions' out || fail "the table: $(cat out)"
expect 0 "$pb" compare a b $any --metric ns_per_op,rss_peak_bytes --format json
[ "$(jq '.rows | length' out)" = 8 ] || fail "rows: $(jq -c '.rows | map([.name, .metric])' out)"
jq -e '.paired == false and (.rows | map(.name | contains("@aa")) | any | not)' out >/dev/null || fail "json: $(cat out)"
expect 0 "$pb" compare a b $any --format csv
[ "$(wc -l <out)" = 5 ] || fail "csv: $(cat out)"
expect 0 "$pb" compare a b $any --format markdown
grep -q '^| pair/' out || fail "markdown: $(cat out)"

# a gate does not judge what was mostly disturbed: on a machine that others use, that is taken out here
calm='r["kind"] == "rep" and (r.update(disturbed=[]), r["m"].pop("overlap", None))'
edit a calm.a "$calm"
edit b calm.b "$calm"
rm -r results/a results/b
mv results/calm.a results/a
mv results/calm.b results/b
edit b taken 'r["kind"] == "rep" and r["workload"] == "pair" and r.update(disturbed=["steal"])'
expect 5 "$pb" compare b taken $any --fail-on '>5%'
grep -q '2 of 4 comparisons cannot be judged: 2 disturbed' err && grep -q 'not judged: disturbed' out || fail "disturbed: $(cat out err)"

# the gate: a planted slowdown is a regression; a run against itself under another name is none
edit b slow 'r["kind"] == "rep" and r["alloc"].startswith("pool") and r["workload"] == "pair" and r["m"].update(ns_per_op=1e6 * r["m"]["ns_per_op"])'
edit b same 'pass'
expect 1 "$pb" compare b slow $any --fail-on '>5%'
grep -q '1 regression in 4 comparisons' out || fail "the planted slowdown: $(cat out)"
[ "$(grep -c '  - regression$' out)" = 1 ] || fail "which: $(cat out)"
expect 0 "$pb" compare b same $any --fail-on '>0%'
grep -q 'no regression shown in 4 comparisons' out || fail "alike: $(cat out)"
expect 0 "$pb" compare slow b $any --fail-on '>5%'
expect 1 "$pb" compare b slow $any --fail-on 'ns_per_op>1.05x' --filter '^pair/alloc:pool/' --format json
[ "$(jq .regressions out)" = 1 ] || fail "json of the gate: $(cat out)"
edit b lost 'r["kind"] == "rep" and r["alloc"] == "pool" and r.update(status="crashed", reason="killed", m={}, hist={})'
expect 3 "$pb" compare b lost $any --fail-on '>5%'
grep -q 'crashed in NEW: killed' out || fail "lost cells: $(cat out)"

# what is not there is never good: one repetition that crashed, cells that are gone, too few values
edit b crashed 'r["kind"] == "rep" and r["alloc"] == "pool" and r["block"] > 0 and r.update(status="crashed", reason="killed", m={}, hist={})'
expect 3 "$pb" compare b crashed $any --fail-on '>5%'
grep -q '5 of 6 crashed in NEW: killed' out && grep -q '2 cells of BASE lost' err || fail "lost repetitions: $(cat out err)"
mkdir results/gone
grep -v '"kind":"rep".*"alloc":"pool"\|"alloc":"pool".*"kind":"rep"' results/b/records.jsonl >results/gone/records.jsonl
expect 3 "$pb" compare b gone $any --fail-on '>5%'
[ "$(grep -c 'not in NEW at all' out)" = 2 ] || fail "cells that are gone: $(cat out)"
expect 0 "$pb" compare b gone $any --fail-on '>5%' --filter alloc:zone
edit slow few 'r.get("block", 0) == 0 or r.update(kind="none")'
sed -i '/"kind":"none"/d' results/few/records.jsonl
expect 5 "$pb" compare b few $any --fail-on '>5%'
grep -q 'regression' out && fail "few values are judged: $(cat out)"
grep -q '4 of 4 comparisons cannot be judged: 4 too few values; needs 6 blocks' err || fail "few values: $(cat err)"
expect 5 "$pb" compare b few $any --fail-on '>5%' --format json
[ "$(jq -c '[.unjudged, .gated, .needs_blocks]' out)" = '[4,4,6]' ] || fail "json of few values: $(cat out)"
expect 5 "$pb" compare a $any --variants pool,zone:lock=fas --fail-on '>5%'
grep -q 'needs 7 blocks' err || fail "two comparisons of six pairs: $(cat err)"

# variants of one run are paired; however they are written
expect 0 "$pb" compare a $any --variants pool,zone:lock=fas
cp out first
expect 0 "$pb" compare a:pool results/a:zone:lock=fas $any
cmp -s first out || fail "RUN:A RUN:B is not --variants A,B: $(diff first out)"
grep -q 'paired by block' out || fail "not paired: $(cat out)"

# what is refused, and how it is let pass
edit b machine 'r["kind"] == "run" and r["machine"].update(cpu="another")'
expect_line 4 'machine\.cpu is .* in BASE and "another" in NEW.*--any-machine' "$pb" compare a machine $any
expect 0 "$pb" compare a machine $any --any-machine
grep -q 'unlike  machine\.cpu' out || fail "let pass in silence: $(cat out)"
edit b sanitizer 'r["kind"] == "run" and r["suite"].update(sanitizer="address")'
[ -n "$any" ] || expect_line 4 "sanitizer's build \(address\).*--any-build" "$pb" compare a sanitizer
expect 0 "$pb" compare a sanitizer --any-build
edit b debug 'r["kind"] == "run" and r["suite"].update(check=2)'
[ -n "$any" ] || expect_line 4 'NEW was measured by a debug build' "$pb" compare a debug
edit b seed 'r["kind"] == "run" and r.update(seed=99)'
expect_line 2 'run\.seed is 7 in BASE and 99 in NEW' "$pb" compare a seed $any --any-machine --any-build
edit b scale 'r["kind"] == "rep" and r.update(scale=0.5)'
expect_line 2 'scale is .*unlike work is never compared' "$pb" compare a scale $any
edit b stream 'r["kind"] == "rep" and r.update(stream_hash="0" * 16)'
expect_line 2 'stream_hash is .*unlike work' "$pb" compare a stream $any
edit b schema 'r.update(v=2)'
expect_line 2 'schema/records\.jsonl:1: the schema is not 1' "$pb" compare a schema
edit b damaged 'pass'
sed -i '3s/"ok"/"OK"/' results/damaged/records.jsonl
expect_line 2 'damaged/records\.jsonl:3: the line is damaged' "$pb" compare a damaged
expect_line 2 'damaged/records\.jsonl:3: ' "$pb" export damaged --to csv
rm -r results/schema results/damaged

# bad words
expect_line 2 'one run; name two variants' "$pb" compare a a
expect_line 2 'one variant' "$pb" compare a:pool a:pool
expect_line 2 'a variant on one side' "$pb" compare a:pool b
expect_line 2 'there is no run' "$pb" compare a nosuch
expect_line 2 'there is no run' "$pb" compare a:pool nosuch:pool
expect_line 2 'two of them' "$pb" compare a --variants pool
expect_line 2 'metric: an empty name' "$pb" compare a b $any --metric ''
expect_line 2 'metric: an empty name' "$pb" compare a b $any --metric ns_per_op,,rss_peak_bytes
expect_line 2 'RUN is empty' "$pb" compare a ''
expect_line 2 'no metric .nosuch' "$pb" compare a b $any --metric nosuch
expect_line 2 "fail-on: '5%' is no threshold" "$pb" compare a b --fail-on 5%
expect_line 2 'neither more nor less' "$pb" compare a b $any --fail-on 'live_peak_bytes>5%'
expect_line 5 'no cell is in both' "$pb" compare a b $any --filter nosuch
expect_line 5 "no variant 'glibc'" "$pb" compare a $any --variants pool,glibc
expect_line 2 'xml.*table, json' "$pb" compare a b --format xml

# names
expect 0 "$pb" baseline set main a
expect 0 "$pb" baseline list
grep -q '^main  ' out || fail "the list: $(cat out)"
expect 0 "$pb" compare @main b $any
expect 0 "$pb" compare @main:pool @main:zone:lock=fas $any
expect 0 "$pb" report @main
expect 0 "$pb" resume @main --quiet
expect_line 2 "there is no baseline 'other'" "$pb" resume @other
expect_line 2 "there is no baseline 'other'" "$pb" poolmon @other
"$pb" poolmon @main >out 2>err </dev/null || true
grep -q '@main' err && fail "poolmon took the name for a folder: $(cat err)"
expect_line 2 'RUN is empty' "$pb" baseline set empty ''
expect_line 2 'RUN is empty' "$pb" index ''
mv results/a results/elsewhere
expect_line 2 "the baseline 'main' is run .* not there any more" "$pb" compare @main b
mv results/elsewhere results/a
expect 0 "$pb" baseline remove main
expect_line 2 "there is no baseline 'main'" "$pb" compare @main b
expect_line 2 'is no name' "$pb" baseline set ../x a
expect_line 2 'set NAME RUN, list' "$pb" baseline rename main other

# the index: every run; nothing is read twice; two at once; deleted, it is there again
expect 0 "$pb" index
n=$(ls results/*/records.jsonl | wc -l)
[ "$(wc -l <out)" = "$n" ] || fail "not $n runs: $(cat out err)"
cp out first
expect 0 "$pb" index
grep -q "; 0 read, $n as before" err || fail "read again: $(cat err)"
rm results/index.sqlite
"$pb" index >out.1 2>err.1 &
other=$!
"$pb" index --rebuild >out.2 2>err.2 || fail "the second: $(cat err.2)"
wait $other || fail "the first: $(cat err.1)"
cmp -s first out.1 && cmp -s first out.2 || fail "two at once: $(cat out.1 out.2 err.1 err.2)"
sed -i '3s/"ok"/"OK"/' results/slow/records.jsonl
expect 2 "$pb" index
grep -q 'slow/records\.jsonl:3: ' err && [ "$(wc -l <out)" = $((n - 1)) ] || fail "a damaged run: $(cat out err)"
head -c -5 results/same/records.jsonl >cut && mv cut results/same/records.jsonl
rm -r results/slow
expect 0 "$pb" index same
grep -q 'results/same: the last line was cut off' err || fail "a torn run: $(cat err)"

# exports, and what reads them
for run in a b; do
    expect 0 "$pb" export $run --to gb $any -o $run.json
done
jq -e '.benchmarks | length == 36 and all(.items_per_second > 0)' a.json >/dev/null || fail "gb: $(head -c 600 a.json)"
if oracle scipy numpy && [ -r /usr/share/benchmark/compare.py ]; then
    expect 0 /usr/bin/python3 /usr/share/benchmark/compare.py --no-color benchmarks a.json b.json
    grep -q '^pair/alloc:pool/.*_pvalue .*U Test, Repetitions: 6 vs 6' out || fail "compare.py: $(cat out)"
    grep -q '^OVERALL_GEOMEAN' out || fail "compare.py has no mean: $(cat out)"
    expect 0 /usr/bin/python3 /usr/share/benchmark/compare.py --no-color filters a.json alloc:pool/ alloc:zone/
    grep -q 'alloc:pool/ vs\. alloc:zone/' out || fail "compare.py filters: $(cat out)"
elif [ ! -r /usr/share/benchmark/compare.py ]; then
    echo "skip: no compare.py: libbenchmark-tools is not installed"
fi
expect 0 "$pb" export a --to gb-medians $any
jq -e '.benchmarks | length == 6' out >/dev/null || fail "gb-medians: $(cat out)"
expect 0 "$pb" export a --to bmf $any
jq -e 'all(.[]; .ns_per_op | .lower_value <= .value and .value <= .upper_value)' out >/dev/null || fail "bmf: $(cat out)"
expect 0 "$pb" export a --to openmetrics $any -o metrics.txt
if oracle prometheus_client; then
    /usr/bin/python3 - metrics.txt >families <<'PY' || fail "openmetrics is refused"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    print(family.name, len(family.samples))
PY
    grep -q '^poolbench_ns_per_op 18$' families || fail "openmetrics: $(cat families)"
fi
expect 0 "$pb" export a --to hlog $any
grep '^Tag=' out | tail -n 1 | cut -d, -f5 >last
expect 0 /usr/bin/python3 "$ROOT/tests/golden/hdr_decode.py" "$(cat last)"
grep -q '^n [1-9]' out || fail "a row of the log: $(cat out)"
expect 0 "$pb" export a --to hgrm $any -o curves
[ "$(ls curves | grep -c '\.hgrm$')" -ge 12 ] || fail "hgrm: $(ls curves)"
expect 0 "$pb" export a --to csv $any
[ "$(tail -n +2 out | cut -d, -f2,9 | sort -u | wc -l)" = 36 ] || fail "csv: $(head -n 3 out)"
expect 0 "$pb" export --to md $any
grep -q '^| ' out || fail "md: $(cat out)"
expect_line 2 "unknown format 'xml'; there are gb, .*openmetrics" "$pb" export a --to xml
expect_line 2 'which format' "$pb" export a
expect_line 5 'nothing to export' "$pb" export a $any --to csv --filter nosuch
[ ! -s out ] || fail "a header of nothing: $(cat out)"
expect_line 2 'nosuch/file: No such file.*; give another --out' "$pb" export a $any --to csv -o nosuch/file
expect_line 2 'out is empty' "$pb" export a $any --to csv -o ''
PB_RESULTS_PATH=nosuch expect_line 2 'nosuch: No such file.*PB_RESULTS_PATH' "$pb" index
[ -n "$any" ] || expect_line 4 'build with checks \(address\).*--any-build' "$pb" export sanitizer --to gb
expect 0 "$pb" export sanitizer --to gb --any-build
[ "$(jq -r '[.context.library_build_type, (.benchmarks[0].name | split("/")[-1])] | join(" ")' out)" = 'debug build:address' ] ||
    fail "not marked: $(head -c 900 out)"

for verb in compare baseline export index; do
    expect 0 "$pb" help $verb
    cp out page
    expect 0 "$pb" $verb --help
    cmp -s page out || fail "help $verb is not $verb --help"
    [ -s out ] && [ ! -s err ] || fail "$verb --help"
done
expect 0 "$pb" export --help
for to in gb gb-medians csv md hgrm hlog bmf openmetrics; do
    grep -q "^ *$to " out || fail "the help has no $to"
done
