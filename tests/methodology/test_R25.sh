#!/bin/sh
# SPDX-License-Identifier: MIT
# R25: what is tested by default is counted, not timed: scripts/test leaves out the labels timing and long
# unless told, and no test outside of label timing asserts that something took no longer than so.
# Usage: test_R25.sh BIN ROOT
set -eu
root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# chosen SCRIPT [--all]: the labels that it leaves out, a line a preset, as it tells a ctest that runs nothing
chosen() {
    script=$1
    shift
    mkdir -p "$work/scripts" "$work/bin"
    cp "$script" "$work/scripts/test"
    printf '#!/bin/sh\nmkdir -p "%s/build/$1"\n' "$work" >"$work/scripts/build"
    printf '#!/bin/sh\n' >"$work/scripts/setup"
    printf '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" != -LE ] || echo "$2" >>"%s/chosen"; shift; done\n' "$work" >"$work/bin/ctest"
    chmod +x "$work/scripts/test" "$work/scripts/build" "$work/scripts/setup" "$work/bin/ctest"
    : >"$work/chosen"
    PATH="$work/bin:$PATH" "$work/scripts/test" "$@" >"$work/out" 2>&1 || true # no test ran: it says so
    cat "$work/chosen"
}
# timed LINES: presets that would run what takes real time or long
timed() {
    while IFS= read -r exclude; do
        for label in "$@"; do echo "$label" | grep -Eq "$exclude" || echo "$exclude: $label runs"; done
    done
}

[ "$(chosen "$root/scripts/test" | wc -l)" -ge 3 ] || fail "scripts/test runs no ctest: $(cat "$work/out")"
[ -z "$(chosen "$root/scripts/test" | timed long timing)" ] || fail "by default: $(chosen "$root/scripts/test" | timed long timing)"
[ -n "$(chosen "$root/scripts/test" --all | timed long timing)" ] || fail "--all leaves them out too"
# planted
sed 's/|timing//' "$root/scripts/test" >"$work/planted"
[ -n "$(chosen "$work/planted" | timed long timing)" ] || fail "a script that runs label timing is not found"

# Two clocks against each other is no matter of the machine's pace.
allowed='tests/unit/test_clock[.]c:[0-9]*: *assert_true[(]pb_clock_ns[(]inner_end - inner[)] <= ns [+] slack'
lint() { find "$@" \( -name '*.c' -o -name '*.h' \) -exec awk -f "$root/tests/methodology/timed-assert.awk" {} +; }
for folder in "$root"/tests/*/; do
    case $folder in */timing/) ;; *) lint "$folder" ;; esac
done | grep -v "$allowed" >"$work/found" || true
[ ! -s "$work/found" ] || fail "asserts on a time: $(cat "$work/found")"
# planted: each of these, and none of those
cat >"$work/planted.c" <<'C'
static void a(void)
{
    uint64_t start = pb_ticks_begin();
    work();
    double took = pb_clock_ns(pb_ticks_end() - start);
    assert_true(took < 1e6);
    assert_true(steps == 5 && 1000 >= pb_ticks_end() - start);
    assert_in_range(took, 0, 100);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - 5 < 10);
    assert_true(took > 10.0);
    assert_true(start <= pb_ticks_end());
}
static void b(void)
{
    assert_true(took < 1e6);
}
C
[ "$(lint "$work" | sed 's/.*planted[.]c:\([0-9]*\):.*/\1/' | tr '\n' ' ')" = "6 7 8 10 " ] || fail "planted, and found: $(lint "$work")"
