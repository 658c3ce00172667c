/* SPDX-License-Identifier: MIT */
/* Section D, SLIST by its public calls: layout, results, wrap, misaligned heads, memory that goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/nt_test.h"
#include <poolbench/nt/slist.h>
#include <poolbench/nt/status.h>

#include <stdlib.h>
#include <sys/mman.h>

enum { ENTRIES = 4, WRAP = 65536, THREADS = 4, ROUNDS = 3000, SHARE = 8, PAGE = 4096 };

static void skip_without_slist(void)
{
    if (!pb_slist_available())
        skip_because("no 16-byte compare-exchange");
}

static void layout_is_that_of_x64(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entries[2];
    (void)state;
    skip_without_slist();
    assert_int_equal(sizeof list, 16);
    assert_int_equal(_Alignof(SLIST_ENTRY), 16);
    ExInitializeSListHead(&list);
    assert_int_equal(list.Alignment, 0);
    assert_int_equal(list.Region, 0);
    (void)ExInterlockedPushEntrySList(&list, &entries[0], NULL);
    (void)ExInterlockedPushEntrySList(&list, &entries[1], NULL);
    (void)ExInterlockedPopEntrySList(&list, NULL);
    assert_int_equal(list.HeaderX64.Depth, 1);
    assert_int_equal(list.HeaderX64.Sequence, 2);
    assert_int_equal(list.HeaderX64.Reserved, 0);
    assert_int_equal(list.HeaderX64.NextEntry, (ULONG_PTR)&entries[0] >> 4);
    assert_int_equal(list.Alignment, 2u << 16 | 1);
    assert_int_equal(list.Region, (ULONG_PTR)&entries[0]);
}

static void an_empty_list_gives_null(void **state)
{
    SLIST_HEADER list;
    (void)state;
    skip_without_slist();
    InitializeSListHead(&list);
    assert_int_equal(ExQueryDepthSList(&list), 0);
    assert_null(FirstEntrySList(&list));
    assert_null(ExInterlockedPopEntrySList(&list, NULL));
    assert_null(ExInterlockedFlushSList(&list));
}

static void push_returns_the_previous_first(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entries[ENTRIES];
    (void)state;
    skip_without_slist();
    ExInitializeSListHead(&list);
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_ptr_equal(ExInterlockedPushEntrySList(&list, &entries[i], NULL),
                         i == 0 ? NULL : &entries[i - 1]);
        assert_ptr_equal(FirstEntrySList(&list), &entries[i]); /* looks, takes nothing */
        assert_int_equal(ExQueryDepthSList(&list), i + 1);
    }
    for (unsigned i = ENTRIES; i-- > 0;) {
        assert_ptr_equal(ExInterlockedPopEntrySList(&list, NULL), &entries[i]);
        assert_ptr_equal(entries[i].Next, i == 0 ? NULL : &entries[i - 1]); /* left as it was */
        assert_int_equal(ExQueryDepthSList(&list), i);
    }
    assert_int_equal(list.HeaderX64.Sequence, ENTRIES); /* pops do not count */
}

static void the_lock_is_ignored(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entry;
    KSPIN_LOCK lock;
    KIRQL before;
    (void)state;
    skip_without_slist();
    ExInitializeSListHead(&list);
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &before);
    assert_null(ExInterlockedPushEntrySList(&list, &entry, &lock));
    assert_ptr_equal(ExInterlockedPopEntrySList(&list, &lock), &entry);
    KeReleaseSpinLock(&lock, before);
}

static void flush_returns_the_chain_and_keeps_sequence(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entries[ENTRIES];
    unsigned n = ENTRIES;
    (void)state;
    skip_without_slist();
    ExInitializeSListHead(&list);
    for (unsigned i = 0; i < ENTRIES; i++)
        (void)ExInterlockedPushEntrySList(&list, &entries[i], NULL);
    for (PSLIST_ENTRY at = ExInterlockedFlushSList(&list); at != NULL; at = at->Next)
        assert_ptr_equal(at, &entries[--n]);
    assert_int_equal(n, 0);
    assert_int_equal(list.HeaderX64.Depth, 0);
    assert_int_equal(list.HeaderX64.Sequence, ENTRIES);
    assert_null(FirstEntrySList(&list));
}

static void depth_wraps(void **state)
{
    SLIST_HEADER list;
    PSLIST_ENTRY entries = aligned_alloc(_Alignof(SLIST_ENTRY), WRAP * sizeof *entries);
    (void)state;
    skip_without_slist();
    assert_non_null(entries);
    ExInitializeSListHead(&list);
    for (unsigned i = 0; i < WRAP - 1; i++)
        (void)ExInterlockedPushEntrySList(&list, &entries[i], NULL);
    assert_int_equal(ExQueryDepthSList(&list), WRAP - 1);
    (void)ExInterlockedPushEntrySList(&list, &entries[WRAP - 1], NULL);
    assert_int_equal(ExQueryDepthSList(&list), 0);
    assert_int_equal(list.HeaderX64.Sequence, WRAP); /* not carried into */
    assert_ptr_equal(ExInterlockedPopEntrySList(&list, NULL), &entries[WRAP - 1]);
    assert_int_equal(ExQueryDepthSList(&list), WRAP - 1);
    assert_int_equal(list.HeaderX64.Sequence, WRAP);
    free(entries);
}

static NTSTATUS initialize(void *at)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    PB_TRY
    {
        ExInitializeSListHead(at);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    return status;
}

static void a_misaligned_head_raises(void **state)
{
    _Alignas(16) unsigned char room[2 * sizeof(SLIST_HEADER)] = {0};
    (void)state;
    for (unsigned offset = 1; offset < 16; offset++)
        assert_int_equal(initialize(room + offset), STATUS_DATATYPE_MISALIGNMENT);
    for (unsigned i = 0; i < sizeof room; i++)
        assert_int_equal(room[i], 0);
    if (pb_slist_available())
        assert_int_equal(initialize(room + 16), STATUS_SUCCESS);
}

static void any_level_will_do(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entry;
    KIRQL before;
    (void)state;
    skip_without_slist();
    ExInitializeSListHead(&list);
    KeRaiseIrql(HIGH_LEVEL, &before);
    assert_null(ExInterlockedPushEntrySList(&list, &entry, NULL));
    assert_ptr_equal(ExInterlockedPopEntrySList(&list, NULL), &entry);
    assert_null(ExInterlockedFlushSList(&list));
    KeLowerIrql(before);
}

/* A page that is an entry, or nothing. */
static PSLIST_ENTRY map_page(void)
{
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

struct load {
    SLIST_HEADER list;
    BOOLEAN unmap; /* each entry is a page that goes as soon as it was popped */
    _Atomic long refused;
};

static void pop_and_push(void *shared, unsigned index)
{
    struct load *load = shared;
    (void)index;
    for (unsigned round = 0; round < ROUNDS; round++) {
        PSLIST_ENTRY entry = ExInterlockedPopEntrySList(&load->list, NULL);
        if (entry == NULL)
            continue;
        if (load->unmap) {
            (void)munmap(entry, PAGE);
            entry = map_page();
        }
        if (entry != NULL)
            (void)ExInterlockedPushEntrySList(&load->list, entry, NULL);
        else
            load->refused++;
    }
}

static long count(PSLIST_HEADER list, PSLIST_ENTRY *last)
{
    long n = 0;
    for (PSLIST_ENTRY at = FirstEntrySList(list); at != NULL; at = at->Next, n++)
        *last = at;
    return n;
}

static void threads_lose_nothing(void **state)
{
    static SLIST_ENTRY entries[SHARE];
    struct load load = {.unmap = FALSE};
    PSLIST_ENTRY last;
    (void)state;
    skip_without_slist();
    ExInitializeSListHead(&load.list);
    for (unsigned i = 0; i < SHARE; i++)
        (void)ExInterlockedPushEntrySList(&load.list, &entries[i], NULL);
    nt_run_threads(THREADS, pop_and_push, &load);
    assert_int_equal(ExQueryDepthSList(&load.list), SHARE);
    assert_int_equal(count(&load.list, &last), SHARE);
}

static void popped_entries_may_be_unmapped(void **state)
{
    struct load load = {.unmap = TRUE};
    PSLIST_ENTRY entry;
    long left = 0;
    (void)state;
    skip_without_slist();
    if (!PB_FIXUP)
        skip_because("faulting loads have no fix-up on this processor");
    ExInitializeSListHead(&load.list);
    for (unsigned i = 0; i < 3; i++)
        (void)ExInterlockedPushEntrySList(&load.list, map_page(), NULL);
    nt_run_threads(THREADS, pop_and_push, &load);
    for (; (entry = ExInterlockedPopEntrySList(&load.list, NULL)) != NULL; left++)
        (void)munmap(entry, PAGE);
    assert_int_equal(left + load.refused, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test(
            "D: SLIST_HEADER is Depth 16, Sequence 48, NextEntry 60 above four flags, 16-aligned",
            layout_is_that_of_x64),
        nt_test("D: an empty SLIST gives NULL", an_empty_list_gives_null),
        nt_test("D: ExInterlockedPushEntrySList returns the previous first entry, Pop the entry",
                push_returns_the_previous_first),
        nt_test("D: the Lock argument is ignored", the_lock_is_ignored),
        nt_test("D: ExInterlockedFlushSList returns the old first entry, Sequence kept",
                flush_returns_the_chain_and_keeps_sequence),
        nt_test("D: ExQueryDepthSList wraps at 65536", depth_wraps),
        nt_test("D: a misaligned head raises STATUS_DATATYPE_MISALIGNMENT",
                a_misaligned_head_raises),
        nt_test("F: SLIST calls work at any IRQL", any_level_will_do),
        nt_test("D: threads lose no entry", threads_lose_nothing),
        nt_test("D: a popped entry may be unmapped under another popper",
                popped_entries_may_be_unmapped),
    };
    return cmocka_run_group_tests_name("slist_api", tests, NULL, NULL);
}
