#!/bin/sh
# SPDX-License-Identifier: MIT
# What a person at a terminal reads: the table keeps to COLUMNS, each malloc is started by doctor, one name a thing.
. "$(dirname "$0")/lib.sh"
pb=$BIN/poolbench
fixture=$ROOT/tests/golden/report

# tr: a character of more than one byte counts once
widest() {
    tr -d '\200-\277' <out | awk '{ if (length($0) > w) w = length($0) } END { print w + 0 }'
}
for width in 120 80 60 40; do
    expect 0 env COLUMNS=$width "$pb" report "$fixture"
    [ "$(widest)" -le $width ] || fail "COLUMNS=$width: a line of $(widest)"
    grep -q 'lookaside:scope=thread' out || fail "COLUMNS=$width: no row"
done
for width in '' 0 -5 wide 99999999999; do
    expect 0 env COLUMNS="$width" "$pb" report "$fixture"
    cmp -s out "$fixture/table.txt" || fail "COLUMNS='$width' is not ignored"
done

code=0
"$pb" doctor >out 2>err || code=$?
[ $code = 0 ] || [ $code = 4 ] || fail "doctor: exit $code"
if sanitized; then
    grep -q '^note      malloc .*sanitizer' out || fail "doctor is silent on the sanitizer: $(cat out)"
else
    for lib in glibc jemalloc mimalloc tcmalloc; do
        grep -Eq "^ok +$lib .*, [0-9][^ ]* \\(" out || fail "$lib did not answer: $(cat out)"
    done
    mkdir libs
    echo 'no library' >libs/libjemalloc.so.2
    expect 4 env LD_LIBRARY_PATH="$work/libs" "$pb" doctor
    grep -q '^missing   jemalloc .*does not load' out || fail "doctor believes a broken library: $(cat out)"
    grep -q 'apt-get install --reinstall libjemalloc2' out || fail "no package is named: $(cat out)"
fi

expect 0 "$pb" run --help
grep -q -- '--sample-gap=' out || fail "the help has another name for sample_gap"
expect 0 "$pb" list matrices
[ "$(grep -Ec '^  (quick|standard) +[^ ]' out)" = 2 ] || fail "a matrix without a summary: $(cat out)"
