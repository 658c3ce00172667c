#!/bin/sh
# SPDX-License-Identifier: MIT
# The check of allocators/nt/README.md must find each planted fault, and must be silent without one.
# Usage: nt_table_planted.sh CHECK SOURCE
# shellcheck disable=SC2016 # backquotes are the table's
set -eu
check=$1 source=$2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/tests"
cp -R "$source/allocators" "$tree/"
cp -R "$source/tests/nt" "$tree/tests/"
readme=allocators/nt/README.md
public=allocators/poolbench/nt
failed=0

# plant WORDS FILE SED: the tree with FILE changed so must be reported with those words
plant() {
    cp "$tree/$2" "$tree/kept"
    sed "$3" "$tree/kept" >"$tree/$2"
    if cmp -s "$tree/kept" "$tree/$2"; then
        echo "nothing was planted: $3 in $2"
        failed=1
    elif "$check" "$tree" >"$tree/out" 2>&1; then
        echo "not found: $3 in $2"
        failed=1
    elif ! grep -qF -- "$1" "$tree/out"; then
        echo "found for another reason: $3 in $2: $(cat "$tree/out")"
        failed=1
    fi
    mv "$tree/kept" "$tree/$2"
}

"$check" "$tree" || { echo "the tree as it is is reported"; failed=1; }

# functions: not declared, declared in a comment alone, not defined, declared again instead, in another file
plant 'ExNoSuchPool is not in pool.h' $readme 's/`ExQueryPoolBlockSize`/&, `ExNoSuchPool`/'
plant 'ExExtendZone is not in zone.h' $public/zone.h 's,^NTSTATUS ExExtendZone(.*,/* & */,'
plant 'ExExtendZone is not defined in zone/zone.c' allocators/zone/zone.c 's/^NTSTATUS ExExtendZone(/NTSTATUS ExExtendZones(/'
plant 'KeLowerIrql is not defined in nt/irql.c' allocators/nt/irql.c \
    '/^void KeLowerIrql(/s/.*/void KeLowerIrql(KIRQL NewIrql);\nstatic void lower(KIRQL NewIrql)/'
plant 'CONTAINING_RECORD is not in list.h' $public/list.h 's/define CONTAINING_RECORD(/define CONTAINS_RECORD(/'
plant 'ExFreePool is not defined in nt/mm.c' $readme '/`ExFreePool`, /s,`pool/ex_pool.c`,`nt/mm.c`,'
plant 'pool_carve is not defined in pool/links.h' $readme 's,`pool_carve` (`pool/block.h`),`pool_carve` (`pool/links.h`),'
plant 'there is no allocators/pool/none.c' $readme '/`ExAllocatePool2`/s,`pool/ex_pool.c`,`pool/none.c`,'
plant 'ExAllocatePool2 is not in zone.h' $readme '/^| `ExAllocatePool2`/s/`pool.h`, `pool_type.h`/`zone.h`/'
plant 'there is no poolbench/nt/none.h' $readme '/^| `ExAllocatePool2`/s/`pool.h`/`none.h`/'

# tests: no such name, no such file, written but not registered, none at all
plant 'test_lists.c has no test "D: CONTAINING' tests/nt/test_lists.c 's/D: CONTAINING_RECORD takes/D: CONTAINING_RECORD wants/'
plant 'has no test "fred_begins_at_slot_904_of_2048"' tests/nt/test_tags.c 's/cmocka_unit_test(fred_begins.*//'
plant 'test_rtl.c has no test "H: RtlEqualMemory' tests/nt/test_rtl.c 's,nt_test("H: RtlEqualMemory.*,/* & */,'
plant 'there is no tests/nt/test_none.c' $readme 's/`test_irql.c`/`test_none.c`/'
plant 'there is no tests/nt/nt_test.h' $readme 's/`test_irql.c`/`nt_test.h`/'
plant 'no test is named' $readme '/^| `RemoveEntryList`/s/`test_lists.c`.*|$/|/'
plant 'no test is named' $readme '/^| H | `RtlSecureZeroMemory`/s/`test_rtl.c`.*|$/|/'
plant 'no file of its tests uses MmInitializeMdl' tests/nt/test_mdl_map.c 's/MmInitializeMdl(/MmMakeMdl(/'

# public functions and macros that the table lacks; ours need no line
plant 'ExNew of pool.h is not in the table of names' $public/pool.h 's/^void ExFreePool(/PVOID ExNew(SIZE_T Bytes);\n&/'
plant 'MmNew of page.h is not in the table of names' $public/page.h 's/^#define COMPUTE_PAGES/#define MmNew(size) (size)\n&/'
plant 'RemoveTail of list.h is not in the table of names' $public/list.h \
    's/^static inline void PushEntryList(/static inline PLIST_ENTRY RemoveTail(PLIST_ENTRY Head)\n{\n    return Head;\n}\n&/'
echo 'void RtlNew(void);' >"$tree/$public/new.h"
"$check" "$tree" | grep -qF 'RtlNew of new.h is not in the table of names' || { echo "a new header is not found"; failed=1; }
rm "$tree/$public/new.h"
sed 's/^void ExFreePool(/void PbNew(void);\n&/' "$source/$public/pool.h" >"$tree/$public/pool.h"
"$check" "$tree" || { echo "a function of ours is reported"; failed=1; }

# rows
plant 'ExIsFullZone of zone.h is not in the table of names' $readme '/^| `ExIsFullZone`/d'
plant 'row A7 is not in the table of rows' $readme '/^| A7 |/d'
plant 'row E is not in the table of rows' $readme '/^| E |/d'
plant 'cells instead of 5' $readme 's/^| `ExIsFullZone` | also |/| `ExIsFullZone` |/'
exit $failed
