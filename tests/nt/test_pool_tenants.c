/* SPDX-License-Identifier: MIT */
/* What stands on the executive's pool: descriptors that the MDLs cache, contiguous memory,
 * lookaside lists; and the tail of a big allocation that outlives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"

#include "nt/pages.h"
#include "nt/resident.h"

#include <poolbench/nt/lookaside.h>
#include <poolbench/nt/mdl.h>
#include <poolbench/nt/mm.h>

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

enum { BLOCKS = 8 };

static void reset_ends_cached_descriptors(void **state)
{
    (void)state;
    size_t leaked = 1;
    int buffer[4] = {0};
    for (unsigned life = 0; life < 2; life++) {
        IoFreeMdl(IoAllocateMdl(buffer, sizeof buffer, FALSE, FALSE, NULL));
        PbNtReset(&leaked);
        assert_int_equal(leaked, 0);
    }
    PMDL mdl = IoAllocateMdl(buffer, sizeof buffer, FALSE, FALSE, NULL); /* of the new pool */
    assert_true(ExQueryPoolBlockSize(mdl, NULL) >= sizeof *mdl);
    IoFreeMdl(mdl);
    PbNtReset(NULL);
}

static void reset_ends_contiguous_memory(void **state)
{
    (void)state;
    const PHYSICAL_ADDRESS anywhere = {.QuadPart = -1};
    size_t leaked = 0;
    assert_non_null(MmAllocateContiguousMemory(100, anywhere));
    PbNtReset(&leaked);
    assert_int_equal(leaked, 1);
    assert_int_equal(pb_resident_total(), 0);
}

static void entries_are_aligned_in_every_profile(void **state)
{
    (void)state;
    static const char *const profiles[] = {"nt4", "w2k", "xp", "x64", "vista86", "win8_86"};
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        NPAGED_LOOKASIDE_LIST npaged;
        LOOKASIDE_LIST_EX ex;
        void *at[2 * BLOCKS];
        char options[64];
        snprintf(options, sizeof options, "profile=%s", profiles[i]);
        configure(options);
        ExInitializeNPagedLookasideList(&npaged, NULL, NULL, 0, 24, TAG_FRED, 0);
        assert_int_equal(
            ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, 0, 40, TAG_FRED, 0), 0);
        for (unsigned n = 0; n < BLOCKS; n++) {
            at[n] = ExAllocateFromNPagedLookasideList(&npaged);
            at[n + BLOCKS] = ExAllocateFromLookasideListEx(&ex);
            assert_int_equal((uintptr_t)at[n] % 16 + (uintptr_t)at[n + BLOCKS] % 16, 0);
        }
        for (unsigned n = 0; n < BLOCKS; n++) {
            ExFreeToNPagedLookasideList(&npaged, at[n]);
            ExFreeToLookasideListEx(&ex, at[n + BLOCKS]);
        }
        ExDeleteNPagedLookasideList(&npaged);
        ExDeleteLookasideListEx(&ex);
        size_t leaked = 1;
        PbNtReset(&leaked);
        assert_int_equal(leaked, 0);
    }
}

/* Three threads: while the first is held up in the system, which it gives pages back to with the
 * page layer locked, the second frees a big allocation and the third all that lies in its tail: so
 * both have yet to tell the page layer, and either may be first. */
enum { TURNS = 20, RELEASED_PAGES = 16, WAIT_US = 2000 };

static struct {
    void *run, *big, *small;
    atomic_bool held;
} trio;

static int held_up(void *at, size_t bytes)
{
    atomic_store(&trio.held, true);
    usleep(3 * WAIT_US);
    return pb_pages_linux.release(at, bytes);
}

static void free_one(void *unused, unsigned index)
{
    void *const blocks[] = {trio.run, trio.big, trio.small};
    (void)unused;
    while (index != 0 && !atomic_load(&trio.held))
        sched_yield();
    if (index == 2)
        usleep(WAIT_US);
    ExFreePool(blocks[index]);
}

static void a_tail_is_freed_while_its_big_allocation_is(void **state)
{
    (void)state;
    char message[300] = "";
    const struct pb_pages_system *system = pb_pages_system;
    struct pb_pages_system slow = pb_pages_linux;
    slow.release = held_up;
    configure("tail_reuse=on,lists=off,shared_lists=off,resident=off,release=64k");
    pb_pages_system = &slow;
    for (unsigned turn = 0; turn < TURNS && message[0] == '\0'; turn++) {
        trio.run = ExAllocatePoolWithTag(NonPagedPool, RELEASED_PAGES * PAGE_SIZE, TAG_FRED);
        trio.big = ExAllocatePoolWithTag(NonPagedPool, PAGE_SIZE + 64, TAG_FRED);
        trio.small = ExAllocatePoolWithTag(NonPagedPool, 3000, TAG_FRED);
        assert_ptr_equal(PAGE_ALIGN(trio.small), (char *)trio.big + PAGE_SIZE);
        atomic_store(&trio.held, false);
        nt_run_threads(3, free_one, NULL);
        (void)PbNtCheck(message, sizeof message);
    }
    pb_pages_system = system;
    assert_string_equal(message, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("E: PbNtReset ends the descriptors that MDLs cache, and they are no leak",
                  reset_ends_cached_descriptors),
        pool_test("G: PbNtReset ends contiguous memory, which is a leak",
                  reset_ends_contiguous_memory),
        pool_test("C1: entries of lists on the pool are aligned to 16 in every profile",
                  entries_are_aligned_in_every_profile),
        pool_test("A7: a tail is freed by one thread while another frees what it is the tail of",
                  a_tail_is_freed_while_its_big_allocation_is),
    };
    return cmocka_run_group_tests_name("what stands on the pool", tests, NULL, NULL);
}
