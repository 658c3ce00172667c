#!/bin/sh
# SPDX-License-Identifier: MIT
# The house check must find each planted breach, and must be silent on a clean tree.
set -eu
check=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/allocators/pool" "$tree/allocators/zone" "$tree/allocators/poolbench/nt" "$tree/bench/workloads" "$tree/bench/probes" \
    "$tree/bench/engine" "$tree/bench/stats" "$tree/bench/runner" "$tree/tests" "$tree/plots"
failed=0

# plant FILE INCLUDE WORDS: a file with that include must be reported with those words
plant() {
    printf '/* SPDX-License-Identifier: MIT */\n/* What it is. */\n#include "%s"\n' "$2" >"$tree/$1"
    if "$check" "$tree" >"$tree/out"; then
        echo "not found: $1 includes $2"
        failed=1
    elif ! grep -q "$3" "$tree/out"; then
        echo "found for another reason: $1 includes $2: $(cat "$tree/out")"
        failed=1
    fi
    rm "$tree/$1"
}

"$check" "$tree" || { echo "an empty tree is reported"; failed=1; }
plant allocators/poolbench/nt/pool.h nt/slist.h 'includes none of ours'
plant allocators/pool/pool.c engine/clock.h 'know nothing of measuring'
plant allocators/zone/zone.c pool/pool.h 'never names another'
plant bench/workloads/pair.c probes/probe.h 'never includes a probe'
plant bench/workloads/batch.c workloads/larson.h 'never includes another'
plant bench/probes/memory.c pool/pool.h 'knows no strategy'
plant bench/engine/window.c probes/probe.h 'engine is a leaf'
plant bench/stats/stats.c engine/rng.h 'are leaves'
plant bench/workloads/pair.c runner/cell.h 'only the runner'
plant bench/probes/memory.c gbench/gbench.h 'by the runner alone'
plant bench/runner/cell.c ../x.h 'include roots'

printf '/* SPDX-License-Identifier: MIT */\n/* What. */\n#include <string.h>\n#include <poolbench/nt/types.h>\n' \
    >"$tree/allocators/poolbench/nt/a.h"
"$check" "$tree" || { echo "a public header of a good kind is reported"; failed=1; }
echo '#include <nt/slist.h>' >>"$tree/allocators/poolbench/nt/a.h"
"$check" "$tree" | grep -q 'includes none of ours' || { echo "<nt/slist.h> in a public header is not found"; failed=1; }
rm "$tree/allocators/poolbench/nt/a.h"

printf 'int x;\nint y;\n' >"$tree/bench/runner/cell.c"
"$check" "$tree" | grep -q 'SPDX' || { echo "a missing SPDX line is not found"; failed=1; }
"$check" "$tree" | grep -q 'what it is' || { echo "a missing opening is not found"; failed=1; }
printf '/* SPDX-License-Identifier: MIT */\n/* What.\n * I1       one thing\n * Locks    none. See the Locks of x. */\n' \
    >"$tree/bench/runner/cell.c"
"$check" "$tree" || { echo "an opening in columns is reported"; failed=1; }
printf '/* SPDX-License-Identifier: MIT */\n/* What.\n * I1       one thing I2       another Locks    none */\n' >"$tree/bench/runner/cell.c"
"$check" "$tree" | grep -q 'run together' || { echo "an opening run together is not found"; failed=1; }
{ printf '/* SPDX-License-Identifier: MIT */\n/* What. */\nint f(void)\n{\n'; yes '    x();' | head -61; printf '}\n'; } >"$tree/bench/runner/cell.c"
"$check" "$tree" | grep -q '60 at most' || { echo "a long function is not found"; failed=1; }
exit $failed
