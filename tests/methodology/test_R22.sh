#!/bin/sh
# SPDX-License-Identifier: MIT
# R22: what a debug or a sanitizer's build measured is not compared unless told, by what our own build says
# of itself; what Google Benchmark's library says of its own does not matter. Usage: test_R22.sh BIN ROOT RUN
run=$3
. "$2/tests/e2e/lib.sh"
. "$ROOT/tests/methodology/seal.sh"
header='.kind == "run"'

# this build says what it is, and what it measured can be compared
head -n 1 "$run/records.jsonl" | jq -e '.suite | .check == 0 and .sanitizer == ""' >/dev/null || fail "the header's suite"
edit "$run" same "$header" '.library_build_type = "debug" | .suite.library_build_type = "debug"'
expect 0 "$BIN/poolbench" compare "$run" same

# planted: the same run by other builds
edit "$run" debug "$header" '.suite.check = 2'
edit "$run" sanitizer "$header" '.suite.sanitizer = "address"'
expect_line 4 'debug build.*--any-build' "$BIN/poolbench" compare "$run" debug
expect_line 4 "sanitizer's build \(address\).*--any-build" "$BIN/poolbench" compare sanitizer "$run"
expect 0 "$BIN/poolbench" compare "$run" debug --any-build
