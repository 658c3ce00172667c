# SPDX-License-Identifier: MIT
# Shared by the end-to-end tests: sh, jq and the built programs, nothing else. Sourced with
#   BIN    the folder of the built programs
#   ROOT   the source tree
# Each test works in a folder of its own that is removed at the end; the first failure ends it.
set -eu
BIN=$1
ROOT=$2
# a sanitizer leaves SIGSEGV to the test: a crash is to look like one
export ASAN_OPTIONS="handle_segv=0:${ASAN_OPTIONS:-}" TSAN_OPTIONS="handle_segv=0:${TSAN_OPTIONS:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# expect CODE COMMAND...: runs it; standard output in out, standard error in err
expect() {
    want=$1
    shift
    code=0
    "$@" >out 2>err </dev/null || code=$?
    [ "$code" = "$want" ] || fail "exit $code, not $want: $*
$(tail -n 20 out err)"
}

# expect_line CODE PATTERN COMMAND...: ends with CODE after exactly one line on stderr that matches
expect_line() {
    want=$1 pattern=$2
    shift 2
    expect "$want" "$@"
    [ "$(wc -l <err)" = 1 ] || fail "not one line on stderr: $*
$(cat err)"
    grep -Eq "$pattern" err || fail "'$(cat err)' does not match '$pattern': $*"
}

# reps FILTER: the jq filter over every repetition of run/records.jsonl
reps() {
    jq -cr "select(.kind == \"rep\") | $1" run/records.jsonl
}

# Whether the programs were built with a sanitizer: then malloc is the sanitizer's
sanitized() {
    "$BIN/poolbench" --version | grep -q sanitizer
}
