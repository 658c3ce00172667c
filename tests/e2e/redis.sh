#!/bin/sh
# SPDX-License-Identifier: MIT
# The redis trace on every strategy: the same op stream, and operations that add up to the trace's events.
. "$(dirname "$0")/lib.sh"
# a sanitizer build lacks the libraries: exit 4, the rest measured
if sanitized; then good=4; else good=0; fi
expect $good "$BIN/poolbench" run "$ROOT/bench/matrices/quick.toml" --filter '^trace/.*redis' --blocks 1 --retries 0 --out run
bad=$(reps 'select(.status != "ok" and .status != "unavailable") | .name + " " + .status + " " + .reason')
[ -z "$bad" ] || fail "$bad"
[ "$(reps 'select(.status == "ok") | .stream_hash' | sort -u | wc -l)" = 1 ] || fail "the streams differ"
bad=$(reps 'select(.status == "ok" and .ops.allocs + .ops.frees + .ops.reallocs != 1500000) | .name + (.ops | tostring)')
[ -z "$bad" ] || fail "the operations are not the trace's 1500000 events: $bad"
[ "$(reps 'select(.status == "ok") | .workers' | sort -u)" = 3 ] || fail "not on the trace's 3 threads"
