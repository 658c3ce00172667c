#!/bin/sh
# SPDX-License-Identifier: MIT
# R8: work is validated: every fault that the double `faulty` can do fails its cell, whose record has no
# figure; without one the double passes. Usage: test_R08.sh BIN ROOT
. "$2/tests/e2e/lib.sh"

modes=$("$BIN/poolbench-doubles" describe faulty | sed -n 's/^ *mode=sound  (choice; \(.*\))$/\1/p' | tr -d ,)
[ "$(echo "$modes" | wc -w)" -ge 15 ] || fail "the modes of faulty are not found: '$modes'"
sed 's/^timeout = .*/timeout = 2/; /^aa =/d; /^reference/d' "$ROOT/tests/methodology/run.toml" >short.toml

# A call that no workload makes cannot fail one: misaligned and huge requests are the conformance suite's,
# which must find each of them (conformance.planted_MODE).
list='' n=0
for mode in $modes; do
    case $mode in
    aligned_* | huge_*) grep -qw "$mode" "$ROOT/tests/CMakeLists.txt" || fail "nothing looks for $mode" ;;
    *) list="$list${list:+,}faulty:mode=$mode" n=$((n + 1)) ;;
    esac
done
expect 3 "$BIN/poolbench-doubles" run short.toml --alloc "$list" --dispatch table --filter '^batch/' \
    --start warm --set batch.ops=400k --blocks 1 --memory-limit 64M --quiet --out run
reps 'select(.workload == "batch") | [.alloc, .status, (.m | length)] | @tsv' | sort -u >found
[ "$(wc -l <found)" = "$n" ] || fail "not $n cells: $(cat found)"
while read -r alloc status figures; do
    case $alloc in
    faulty | faulty:mode=sound) [ "$status" = ok ] && [ "$figures" -gt 0 ] || fail "sound, and $status" ;;
    *) [ "$status" != ok ] && [ "$figures" = 0 ] || fail "$alloc is $status with $figures figures" ;;
    esac
done <found
cat found
