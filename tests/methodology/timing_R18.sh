#!/bin/sh
# SPDX-License-Identifier: MIT
# R18 in real time: the instrument on twins, whose interval must hold 1, and on planted differences, which it
# must find. Usage: timing_R18.sh BIN ROOT
. "$2/tests/e2e/lib.sh"
expect 0 "$BIN/poolbench" selftest --quiet --comparisons 12 --out run
cat out
