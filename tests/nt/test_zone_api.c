/* SPDX-License-Identifier: MIT */
/* Section B, zones: carving vectors, arguments, return values, the first-segment rule, the calls
 * under a lock; sizing help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/system.h>
#include <poolbench/nt/zone.h>

#include <string.h>

enum { SEGMENT = 4096, HEADER = 16, THREADS = 4, ROUNDS = 2000, BLOCK = 64, HAND = 8 };

static _Alignas(4096) unsigned char segment[SEGMENT];
static _Alignas(4096) unsigned char more[SEGMENT];

static void structures_are_those_of_x64(void **state)
{
    (void)state;
    assert_int_equal(sizeof(ZONE_HEADER), 24);
    assert_int_equal(sizeof(ZONE_SEGMENT_HEADER), HEADER);
    assert_int_equal(offsetof(ZONE_HEADER, BlockSize), 16);
    assert_int_equal(offsetof(ZONE_HEADER, TotalSegmentSize), 20);
}

static void carving(void **state)
{
    static const struct {
        ULONG block, count, tail;
    } vectors[] = {{16, 255, 0}, {24, 170, 0}, {64, 63, 48}, {256, 15, 240}, {2048, 1, 2032}};
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        ZONE_HEADER zone;
        ULONG block = vectors[i].block;
        memset(&zone, 0xA5, sizeof zone);
        assert_int_equal(ExInitializeZone(&zone, block, segment, SEGMENT), STATUS_SUCCESS);
        assert_int_equal(zone.BlockSize, block);
        assert_int_equal(zone.TotalSegmentSize, HEADER + vectors[i].count * block);
        assert_int_equal(zone.TotalSegmentSize, SEGMENT - vectors[i].tail);
        assert_ptr_equal(zone.SegmentList.Next, segment);
        assert_null(((PZONE_SEGMENT_HEADER)(void *)segment)->SegmentList.Next);
        for (ULONG left = vectors[i].count; left > 0; left--)
            assert_ptr_equal(ExAllocateFromZone(&zone), segment + HEADER + (left - 1) * block);
        assert_null(ExAllocateFromZone(&zone));
    }
}

static void no_block_is_success(void **state)
{
    ZONE_HEADER zone;
    (void)state;
    assert_int_equal(ExInitializeZone(&zone, SEGMENT, segment, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(zone.TotalSegmentSize, HEADER);
    assert_int_equal(ExIsFullZone(&zone), TRUE);
    assert_null(ExAllocateFromZone(&zone));
    assert_int_equal(ExInitializeZone(&zone, SEGMENT - HEADER, segment, SEGMENT), STATUS_SUCCESS);
    assert_ptr_equal(ExAllocateFromZone(&zone), segment + HEADER); /* exactly one */
}

static void refused_arguments(void **state)
{
    static const struct {
        ULONG block;
        size_t offset;
        ULONG size;
    } bad[] = {{64, 4, 4000},   {64, 1, 4000},   {60, 0, SEGMENT},
               {0, 0, SEGMENT}, {4, 0, SEGMENT}, {SEGMENT + 8, 0, SEGMENT},
               {8, 0, 8},       {8, 0, 0}};
    ZONE_HEADER zone, before;
    (void)state;
    memset(&zone, 0x5A, sizeof zone);
    before = zone;
    memset(segment, 0x5A, sizeof segment);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            ExInitializeZone(&zone, bad[i].block, segment + bad[i].offset, bad[i].size),
            STATUS_INVALID_PARAMETER);
    assert_memory_equal(&zone, &before, sizeof zone);
    for (unsigned i = 0; i < SEGMENT; i++)
        assert_int_equal(segment[i], 0x5A);
}

static void extending(void **state)
{
    ZONE_HEADER zone;
    (void)state;
    assert_int_equal(ExInitializeZone(&zone, BLOCK, segment, SEGMENT), STATUS_SUCCESS);
    const ZONE_HEADER before = zone;
    assert_int_equal(ExExtendZone(&zone, more + 4, SEGMENT - 8), STATUS_INVALID_PARAMETER);
    assert_int_equal(ExExtendZone(&zone, more, BLOCK - 8), STATUS_INVALID_PARAMETER);
    assert_memory_equal(&zone, &before, sizeof zone);
    assert_int_equal(ExExtendZone(&zone, more, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(zone.TotalSegmentSize, 2 * (HEADER + 63 * BLOCK));
    assert_ptr_equal(zone.SegmentList.Next, more);
    assert_ptr_equal(zone.SegmentList.Next->Next, segment);
    for (ULONG left = 63; left > 0; left--) /* the new segment's blocks first */
        assert_ptr_equal(ExAllocateFromZone(&zone), more + HEADER + (left - 1) * BLOCK);
    for (ULONG left = 63; left > 0; left--)
        assert_ptr_equal(ExAllocateFromZone(&zone), segment + HEADER + (left - 1) * BLOCK);
    assert_null(ExAllocateFromZone(&zone)); /* never grows by itself */
    assert_int_equal(zone.TotalSegmentSize, 2 * (HEADER + 63 * BLOCK));
}

static void freeing(void **state)
{
    ZONE_HEADER zone;
    (void)state;
    assert_int_equal(ExInitializeZone(&zone, 2032, segment, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(ExIsFullZone(&zone), FALSE);
    PVOID high = ExAllocateFromZone(&zone);
    PVOID low = ExAllocateFromZone(&zone);
    assert_int_equal(ExIsFullZone(&zone), TRUE);
    assert_null(ExFreeToZone(&zone, high)); /* was empty: somebody may be waked */
    assert_int_equal(ExIsFullZone(&zone), FALSE);
    assert_ptr_equal(ExFreeToZone(&zone, low), high);
    assert_ptr_equal(ExAllocateFromZone(&zone), low);
    assert_ptr_equal(ExAllocateFromZone(&zone), high);
}

/* Of the address so far behind `segment_start`, be it still in that array or not. */
static BOOLEAN is_in_first(const ZONE_HEADER *zone, const void *segment_start, LONG_PTR offset)
{
    return ExIsObjectInFirstZoneSegment(
        zone, (const void *)((ULONG_PTR)segment_start + (ULONG_PTR)offset));
}

static void first_segment(void **state)
{
    enum { CARVED = HEADER + 63 * BLOCK };
    ZONE_HEADER zone;
    (void)state;
    assert_int_equal(ExInitializeZone(&zone, BLOCK, segment, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(is_in_first(&zone, segment, -1), FALSE);
    assert_int_equal(is_in_first(&zone, segment, 0), TRUE);
    assert_int_equal(is_in_first(&zone, segment, CARVED - 1), TRUE);
    assert_int_equal(is_in_first(&zone, segment, CARVED), FALSE);
    /* after an extension it asks the newest segment, with the sum of all lengths */
    assert_int_equal(ExExtendZone(&zone, more, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(is_in_first(&zone, more, -1), FALSE);
    assert_int_equal(is_in_first(&zone, more, 0), TRUE);
    assert_int_equal(is_in_first(&zone, more, 2 * CARVED - 1), TRUE);
    assert_int_equal(is_in_first(&zone, more, 2 * CARVED), FALSE);
}

static void interlocked_calls(void **state)
{
    ZONE_HEADER zone;
    KSPIN_LOCK lock;
    (void)state;
    KeInitializeSpinLock(&lock);
    assert_int_equal(ExInitializeZone(&zone, 2032, segment, SEGMENT), STATUS_SUCCESS);
    PVOID high = ExInterlockedAllocateFromZone(&zone, &lock);
    PVOID low = ExInterlockedAllocateFromZone(&zone, &lock);
    assert_ptr_equal(high, segment + HEADER + 2032);
    assert_ptr_equal(low, segment + HEADER);
    assert_null(ExInterlockedAllocateFromZone(&zone, &lock));
    assert_null(ExInterlockedFreeToZone(&zone, high, &lock));
    assert_ptr_equal(ExInterlockedFreeToZone(&zone, low, &lock), high);
    assert_ptr_equal(ExInterlockedAllocateFromZone(&zone, &lock), low);
    assert_int_equal(ExInterlockedExtendZone(&zone, more + 4, SEGMENT - 8, &lock),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(ExInterlockedExtendZone(&zone, more, SEGMENT, &lock), STATUS_SUCCESS);
    assert_int_equal(zone.TotalSegmentSize, 2 * SEGMENT - 2 * HEADER);
    assert_ptr_equal(ExInterlockedAllocateFromZone(&zone, &lock), more + HEADER + 2032);
    assert_int_equal(KeTestSpinLock(&lock), TRUE);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void levels(void **state)
{
    ZONE_HEADER zone, unchanged;
    NTSTATUS status = STATUS_SUCCESS;
    KSPIN_LOCK lock;
    KIRQL before, inner;
    (void)state;
    KeInitializeSpinLock(&lock);
    assert_int_equal(ExInitializeZone(&zone, BLOCK, segment, SEGMENT), STATUS_SUCCESS);
    unchanged = zone;
    KeRaiseIrql(APC_LEVEL, &before);
    expect_bugcheck(status = ExInitializeZone(&zone, 128, segment, SEGMENT), IRQL_NOT_LESS_OR_EQUAL,
                    &zone);
    assert_int_equal(nt_seen.p[1], APC_LEVEL);
    assert_int_equal(status, STATUS_UNSUCCESSFUL);
    assert_memory_equal(&zone, &unchanged, sizeof zone);
    KeRaiseIrql(DISPATCH_LEVEL, &inner);
    assert_int_equal(ExExtendZone(&zone, more, 1024), STATUS_SUCCESS);
    unchanged = zone;
    KeRaiseIrql(CLOCK_LEVEL, &inner);
    expect_bugcheck(status = ExExtendZone(&zone, more + 1024, 1024), IRQL_NOT_LESS_OR_EQUAL, &zone);
    assert_int_equal(status, STATUS_UNSUCCESSFUL);
    assert_memory_equal(&zone, &unchanged, sizeof zone);
    /* a device's level is right for a lock that is used there alone */
    assert_int_equal(ExInterlockedExtendZone(&zone, more + 1024, 1024, &lock), STATUS_SUCCESS);
    assert_non_null(ExInterlockedAllocateFromZone(&zone, &lock));
    KeLowerIrql(before);
}

static void levels_free(void **state)
{
    ZONE_HEADER zone;
    KIRQL before;
    (void)state;
    KeRaiseIrql(CLOCK_LEVEL, &before);
    assert_int_equal(ExInitializeZone(&zone, BLOCK, segment, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(ExExtendZone(&zone, more, SEGMENT), STATUS_SUCCESS);
    KeLowerIrql(before);
}

static void under_its_own_lock(void **state)
{
    ZONE_HEADER zone, unchanged;
    KSPIN_LOCK lock;
    KIRQL before;
    NTSTATUS status = STATUS_SUCCESS;
    (void)state;
    KeInitializeSpinLock(&lock);
    assert_int_equal(ExInitializeZone(&zone, BLOCK, segment, SEGMENT), STATUS_SUCCESS);
    unchanged = zone;
    KeAcquireSpinLock(&lock, &before);
    expect_bugcheck(assert_null(ExInterlockedAllocateFromZone(&zone, &lock)),
                    SPIN_LOCK_ALREADY_OWNED, &lock);
    expect_bugcheck(status = ExInterlockedExtendZone(&zone, more, SEGMENT, &lock),
                    SPIN_LOCK_ALREADY_OWNED, &lock);
    assert_int_equal(status, STATUS_UNSUCCESSFUL);
    assert_memory_equal(&zone, &unchanged, sizeof zone);
    KeReleaseSpinLock(&lock, before);
}

/* Threads that take blocks, write them whole, and find them as they were when they give them back.
 */
static struct {
    ZONE_HEADER zone;
    KSPIN_LOCK lock;
    unsigned damaged[THREADS], exhausted[THREADS];
    unsigned extended;
} stress;

static void give_back(unsigned char *block, unsigned index)
{
    for (unsigned i = 0; i < BLOCK; i++)
        stress.damaged[index] += block[i] != index + 1;
    (void)ExInterlockedFreeToZone(&stress.zone, block, &stress.lock);
}

static void churn(void *shared, unsigned index)
{
    unsigned char *hand[HAND] = {NULL};
    (void)shared;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned char **at = &hand[round * 7 % HAND];
        if (*at != NULL)
            give_back(*at, index);
        *at = ExInterlockedAllocateFromZone(&stress.zone, &stress.lock);
        if (*at != NULL)
            memset(*at, (int)index + 1, BLOCK);
        else
            stress.exhausted[index]++;
        if (index == 0 && round == ROUNDS / 2)
            stress.extended =
                ExInterlockedExtendZone(&stress.zone, more, 1024, &stress.lock) == STATUS_SUCCESS;
    }
    for (unsigned i = 0; i < HAND; i++)
        if (hand[i] != NULL)
            give_back(hand[i], index);
}

static void threads_share_a_zone(void **state)
{
    unsigned left = 0;
    (void)state;
    KeInitializeSpinLock(&stress.lock);
    assert_int_equal(ExInitializeZone(&stress.zone, BLOCK, segment, 1024 + HEADER), STATUS_SUCCESS);
    nt_run_threads(THREADS, churn, NULL);
    assert_int_equal(stress.extended, 1);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(stress.damaged[i], 0);
    while (ExAllocateFromZone(&stress.zone) != NULL)
        left++;
    assert_int_equal(left, 1024 / BLOCK + (1024 - HEADER) / BLOCK);
}

static void sizes_of_systems(void **state)
{
    const ULONG64 mib = 1 << 20;
    (void)state;
    assert_int_equal(MmSmallSystem, 0);
    assert_int_equal(MmMediumSystem, 1);
    assert_int_equal(MmLargeSystem, 2);
    assert_int_equal(PbSystemSizeOf(512 * mib - 1), MmSmallSystem);
    assert_int_equal(PbSystemSizeOf(512 * mib), MmMediumSystem);
    assert_int_equal(PbSystemSizeOf(2048 * mib - 1), MmMediumSystem);
    assert_int_equal(PbSystemSizeOf(2048 * mib), MmLargeSystem);
    assert_in_range(MmQuerySystemSize(), MmSmallSystem, MmLargeSystem);
    assert_int_equal(MmIsThisAnNtAsSystem(), FALSE);
    PbNtServer = TRUE;
    assert_int_equal(MmIsThisAnNtAsSystem(), TRUE);
    PbNtServer = FALSE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("B: ZONE_HEADER is 24 bytes, ZONE_SEGMENT_HEADER 16", structures_are_those_of_x64),
        nt_test("B: a segment of 4096 gives 255, 170, 63, 15, 1 blocks, from the highest down",
                carving),
        nt_test("B: not one block is success", no_block_is_success),
        nt_test("B: wrong arguments are STATUS_INVALID_PARAMETER and change nothing",
                refused_arguments),
        nt_test("B: ExExtendZone pushes the segment and adds header + count * block", extending),
        nt_test("B: ExFreeToZone returns the previous head, NULL if there was none", freeing),
        nt_test("B: ExIsObjectInFirstZoneSegment, right only for a zone never extended",
                first_segment),
        nt_test("B: interlocked calls return what the plain ones do", interlocked_calls),
        nt_test_free("B: in free mode too", interlocked_calls),
        nt_test("B: init at PASSIVE, extend <= DISPATCH, interlocked at any level", levels),
        nt_test_free("B: levels are not looked at in free mode", levels_free),
        nt_test("B: an interlocked call under its own lock is SPIN_LOCK_ALREADY_OWNED",
                under_its_own_lock),
        nt_test("B: threads share a zone under its lock", threads_share_a_zone),
        nt_test_free("B: in free mode too", threads_share_a_zone),
        nt_test("B: sizing help: MmQuerySystemSize, MmIsThisAnNtAsSystem", sizes_of_systems),
    };
    return cmocka_run_group_tests_name("zone_api", tests, NULL, NULL);
}
