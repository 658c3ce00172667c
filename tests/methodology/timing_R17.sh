#!/bin/sh
# SPDX-License-Identifier: MIT
# R17 in real time: beside a stall of 10 ms a second at 10,000 steps a second the open loop's p99.9 is 5 ms or
# more, the closed loop's is not. Usage: timing_R17.sh BIN ROOT
. "$2/tests/e2e/lib.sh"

cat >m.toml <<'TOML'
name = "stalls"
blocks = 1
seed = 1
retries = 0
reference = "stall:every=1000,length=10"
sample_gap = 16
[axes]
alloc = ["stall:every=1000,length=10"]
threads = [1]
dispatch = ["table"]
arrival = ["closed", "fixed:10000"]
[[workload]]
name = "pair"
TOML
expect 0 "$BIN/poolbench-doubles" run m.toml --scale 4 --audit off --quiet --out run
value() { reps "select(.arrival == \"$1\") | .m.$2 // 0 | floor" | head -n 1; }
open=$(value fixed:10000 open_p999) closed=$(value closed alloc_p999)
echo "p99.9: open $open ns, closed $closed ns"
[ "$open" -ge 5000000 ] || fail "the open loop does not see the stalls"
[ "$closed" -lt 5000000 ] || fail "the closed loop sees them"
