#!/bin/sh
# SPDX-License-Identifier: MIT
# The cells as a plain Google Benchmark binary: its flags work, its JSON is strict JSON.
. "$(dirname "$0")/lib.sh"
export PB_MATRIX="$ROOT/tests/e2e/tiny.toml"
expect 0 "$BIN/poolbench-gbench" --benchmark_list_tests
grep -q '^pair/alloc:pool/' out || fail "pair on pool is not listed: $(head -n 5 out)"
grep -q '^trace/' out || fail "no trace is listed"
# what is not preloaded is an error row, so the exit code is 3; the JSON is whole
expect 3 "$BIN/poolbench-gbench" --benchmark_filter='^pair/' --benchmark_format=json
cp out json
expect 0 jq -e '(.benchmarks | length) > 5' json
# a parser that refuses NaN, Infinity and repeated keys
cat >strict.py <<'P'
import json
def refuse(text):
    raise ValueError(text)
def pairs(items):
    keys = [key for key, _ in items]
    assert len(keys) == len(set(keys)), keys
    return dict(items)
json.load(open("json"), parse_constant=refuse, object_pairs_hook=pairs)
P
expect 0 /usr/bin/python3 strict.py
bad=$(jq -r '.benchmarks[] | select(.name | startswith("pair/") | not) | .name' json)
[ -z "$bad" ] || fail "the filter let through: $bad"
bad=$(jq -r '.benchmarks[] | select((.error_occurred // false) == false) | select(.real_time <= 0 or .items_per_second <= 0) | .name' json)
[ -z "$bad" ] || fail "no time or rate: $bad"
