/* SPDX-License-Identifier: MIT */
/* SLIST: results of each call, layout of the head, the pop hazard and its fix-up.
 * Threads: one, and four in the stress. May touch: SIGSEGV's action, mappings of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/slist.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ENTRIES = 5,
    STRESS_THREADS = 4,
    STRESS_STEPS = 5000,
    STRESS_ENTRIES = 3,
    PATIENCE = 2000,
    PAGE = 4096
};

static uint64_t sequence_of(const SLIST_HEADER *list)
{
    return list->Alignment >> 16;
}

static void skip_without_cas16(void)
{
    if (!pb_cas16_present())
        skip_because("no 16-byte compare-exchange");
}

static void an_empty_list_gives_null(void **state)
{
    SLIST_HEADER list;
    (void)state;
    skip_without_cas16();
    ExInitializeSListHead(&list);
    assert_int_equal(ExQueryDepthSList(&list), 0);
    assert_null(FirstEntrySList(&list));
    assert_null(ExInterlockedPopEntrySList(&list, NULL));
    assert_null(ExInterlockedFlushSList(&list));
}

static void push_returns_what_was_first_and_pop_is_last_in_first_out(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entries[ENTRIES];
    (void)state;
    skip_without_cas16();
    ExInitializeSListHead(&list);
    for (unsigned i = 0; i < ENTRIES; i++) {
        PSLIST_ENTRY was = ExInterlockedPushEntrySList(&list, &entries[i], NULL);
        assert_ptr_equal(was, i == 0 ? NULL : &entries[i - 1]);
        assert_int_equal(ExQueryDepthSList(&list), i + 1);
        assert_ptr_equal(FirstEntrySList(&list), &entries[i]);
    }
    for (unsigned i = ENTRIES; i-- > 0;)
        assert_ptr_equal(ExInterlockedPopEntrySList(&list, NULL), &entries[i]);
    assert_int_equal(ExQueryDepthSList(&list), 0);
}

static void sequence_counts_pushes_and_only_those(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entry;
    (void)state;
    skip_without_cas16();
    ExInitializeSListHead(&list);
    for (unsigned i = 1; i <= 3; i++) {
        (void)ExInterlockedPushEntrySList(&list, &entry, NULL);
        assert_int_equal(sequence_of(&list), i);
        (void)ExInterlockedPopEntrySList(&list, NULL);
        assert_int_equal(sequence_of(&list), i);
    }
    (void)ExInterlockedPushEntrySList(&list, &entry, NULL);
    (void)ExInterlockedFlushSList(&list);
    assert_int_equal(sequence_of(&list), 4);
}

static void a_popped_entry_keeps_its_link(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entries[2];
    (void)state;
    skip_without_cas16();
    ExInitializeSListHead(&list);
    (void)ExInterlockedPushEntrySList(&list, &entries[0], NULL);
    (void)ExInterlockedPushEntrySList(&list, &entries[1], NULL);
    assert_ptr_equal(ExInterlockedPopEntrySList(&list, NULL), &entries[1]);
    assert_ptr_equal(entries[1].Next, &entries[0]);
}

static void flush_returns_the_chain(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entries[ENTRIES];
    unsigned n = 0;
    (void)state;
    skip_without_cas16();
    ExInitializeSListHead(&list);
    for (unsigned i = 0; i < ENTRIES; i++)
        (void)ExInterlockedPushEntrySList(&list, &entries[i], NULL);
    for (PSLIST_ENTRY at = ExInterlockedFlushSList(&list); at != NULL; at = at->Next)
        assert_ptr_equal(at, &entries[ENTRIES - 1 - n++]);
    assert_int_equal(n, ENTRIES);
    assert_int_equal(ExQueryDepthSList(&list), 0);
    assert_null(FirstEntrySList(&list));
}

static void depth_wraps_at_65536_and_leaves_sequence_alone(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY entries[2];
    (void)state;
    skip_without_cas16();
    ExInitializeSListHead(&list);
    list.Alignment = 7u << 16 | 0xffffu;
    (void)ExInterlockedPushEntrySList(&list, &entries[0], NULL);
    assert_int_equal(ExQueryDepthSList(&list), 0);
    assert_int_equal(sequence_of(&list), 8);
    assert_ptr_equal(ExInterlockedPopEntrySList(&list, NULL), &entries[0]);
    assert_int_equal(ExQueryDepthSList(&list), 0xffff);
    assert_int_equal(sequence_of(&list), 8);
}

static void an_entry_pushed_again_makes_the_old_head_stale(void **state)
{
    SLIST_HEADER list;
    SLIST_ENTRY a, b;
    (void)state;
    skip_without_cas16();
    ExInitializeSListHead(&list);
    (void)ExInterlockedPushEntrySList(&list, &b, NULL);
    (void)ExInterlockedPushEntrySList(&list, &a, NULL);
    struct pb_value16 seen = pb_slist_read(&list); /* a popper stops here, about to put b first */
    struct pb_value16 next = {pb_slist_deeper(seen.low, 0xffff), (uintptr_t)&b};
    (void)ExInterlockedPopEntrySList(&list, NULL);
    (void)ExInterlockedPopEntrySList(&list, NULL);
    (void)ExInterlockedPushEntrySList(&list, &a, NULL);
    assert_ptr_equal(FirstEntrySList(&list), pb_slist_entry(seen.high)); /* a is first again */
    assert_false(pb_slist_exchange(&list, seen, next));
}

static void *map_page(void)
{
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void an_unmapped_link_is_read_as_poison(void **state)
{
    void **page = map_page();
    (void)state;
    if (pb_fixup_install() != 0)
        skip_because("faulting loads have no fix-up on this processor");
    uint64_t before = pb_fixup_count();
    page[0] = page;
    assert_ptr_equal(pb_fixup_load(page), page);
    assert_int_equal(pb_fixup_count(), before);
    munmap(page, PAGE);
    assert_int_equal((uintptr_t)pb_fixup_load(page), PB_FIXUP_POISON);
    assert_int_equal(pb_fixup_count(), before + 1);
}

/* Another processor, played by a handler in front of ours: at the moment that the popper reads the
 * link of an unmapped entry it takes that entry off the list and pushes another. */
static struct {
    SLIST_HEADER list;
    SLIST_ENTRY other;
    struct sigaction ours;
    volatile sig_atomic_t faults;
} race;

static void other_processor(int number, siginfo_t *info, void *context)
{
    race.faults++;
    (void)ExInterlockedFlushSList(&race.list);
    (void)ExInterlockedPushEntrySList(&race.list, &race.other, NULL);
    race.ours.sa_sigaction(number, info, context);
}

static void a_pop_overtaken_by_pop_and_unmap_starts_again(void **state)
{
    struct sigaction action = {.sa_sigaction = other_processor, .sa_flags = SA_SIGINFO};
    PSLIST_ENTRY gone = map_page();
    (void)state;
    skip_without_cas16();
    if (pb_fixup_install() != 0)
        skip_because("faulting loads have no fix-up on this processor");
    uint64_t before = pb_fixup_count();
    ExInitializeSListHead(&race.list);
    (void)ExInterlockedPushEntrySList(&race.list, gone, NULL);
    munmap(gone, PAGE);
    sigaction(SIGSEGV, &action, &race.ours);
    PSLIST_ENTRY popped = ExInterlockedPopEntrySList(&race.list, NULL);
    sigaction(SIGSEGV, &race.ours, NULL);
    assert_int_equal(race.faults, 1);
    assert_int_equal(pb_fixup_count(), before + 1);
    assert_ptr_equal(popped, &race.other);
    assert_int_equal(ExQueryDepthSList(&race.list), 0);
    assert_null(FirstEntrySList(&race.list));
}

/* A page in the list, and whether it is there: a page popped twice is found by the second. */
struct page {
    SLIST_ENTRY entry;
    _Atomic int listed;
};

static struct {
    SLIST_HEADER list;
    _Atomic long pushed, popped, twice, refused;
} stress;

static void push_page(struct page *page)
{
    atomic_store(&page->listed, 1);
    (void)ExInterlockedPushEntrySList(&stress.list, &page->entry, NULL);
    stress.pushed++;
}

/* Lets another thread pop what was seen first and unmap it, if there is one that does. */
static void be_overtaken(const SLIST_HEADER *list, struct pb_value16 seen)
{
    for (unsigned i = 0; i < PATIENCE && pb_slist_read(list).low == seen.low; i++)
        ;
    sched_yield();
}

/* ExInterlockedPopEntrySList, step by step, but that others run between head and link. */
static PSLIST_ENTRY slow_pop(PSLIST_HEADER list)
{
    struct pb_value16 seen, next;
    do {
        seen = pb_slist_read(list);
        if (seen.high == 0)
            return NULL;
        be_overtaken(list, seen);
        next.low = pb_slist_deeper(seen.low, PB_SLIST_DEPTH_MASK);
        next.high = (uintptr_t)pb_fixup_load((void *const *)(uintptr_t)seen.high);
    } while (!pb_slist_exchange(list, seen, next));
    return pb_slist_entry(seen.high);
}

/* Pops a page, unmaps it at once, and pushes a new one, most likely at the same address. */
static void *pop_and_unmap(void *argument)
{
    bool slow = argument != NULL;
    for (unsigned i = 0; i < STRESS_STEPS; i++) {
        PSLIST_ENTRY popped =
            slow ? slow_pop(&stress.list) : ExInterlockedPopEntrySList(&stress.list, NULL);
        struct page *page = (struct page *)(void *)popped;
        if (page == NULL) {
            sched_yield();
            continue;
        }
        stress.popped++;
        stress.twice += atomic_exchange(&page->listed, 0) != 1;
        munmap(page, PAGE);
        sched_yield(); /* while nothing is mapped there */
        page = map_page();
        if (page == NULL)
            stress.refused++;
        else
            push_page(page);
    }
    return NULL;
}

/* Returns how many links were met unmapped. */
static uint64_t run_stress(void)
{
    pthread_t threads[STRESS_THREADS];
    PSLIST_ENTRY entry;
    long left = 0;
    uint64_t before = pb_fixup_count();
    stress.pushed = stress.popped = stress.refused = 0;
    ExInitializeSListHead(&stress.list);
    for (unsigned i = 0; i < STRESS_ENTRIES; i++)
        push_page(map_page());
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, pop_and_unmap, i % 2 == 0 ? NULL : &stress), 0);
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(stress.twice, 0);
    assert_int_equal(ExQueryDepthSList(&stress.list), stress.pushed - stress.popped);
    while ((entry = ExInterlockedPopEntrySList(&stress.list, NULL)) != NULL) {
        left++;
        munmap(entry, PAGE);
    }
    assert_int_equal(left, stress.pushed - stress.popped);
    assert_int_equal(left + stress.refused, STRESS_ENTRIES);
    return pb_fixup_count() - before;
}

/* On all processors, where poppers truly overlap, then on one, where each is overtaken by the
 * others in the midst of its pop whenever it yields. */
static void pages_unmapped_under_poppers_never_end_or_confuse_them(void **state)
{
    cpu_set_t all, one;
    (void)state;
    skip_without_cas16();
    if (pb_fixup_install() != 0)
        skip_because("faulting loads have no fix-up on this processor");
    (void)run_stress();
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    if (sched_getaffinity(0, sizeof all, &all) != 0 || sched_setaffinity(0, sizeof one, &one) != 0)
        return;
    uint64_t met = run_stress();
    (void)sched_setaffinity(0, sizeof all, &all);
    assert_true(met > 0);
}

/* Ends a child by a fault that is none of ours; returns whether it ended so. */
static bool dies_of_a_fault(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        volatile uintptr_t nowhere = 16;
        (void)signal(SIGSEGV, SIG_DFL);
        (void)alarm(5);
        if (pb_fixup_install() == 0)
            *(volatile int *)nowhere = 1; /* NOLINT: a wild store is what is wanted */
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child &&
           ((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
            (WIFEXITED(status) && WEXITSTATUS(status) != 0));
}

static void any_other_fault_is_passed_on(void **state)
{
    (void)state;
    if (pb_fixup_install() != 0)
        skip_because("faulting loads have no fix-up on this processor");
    assert_true(dies_of_a_fault());
}

static sigjmp_buf back;

static void jump_back(int number)
{
    siglongjmp(back, number);
}

static void a_handler_that_was_there_is_called(void **state)
{
    volatile uintptr_t nowhere = 16;
    void (*was)(int) = signal(SIGSEGV, jump_back);
    (void)state;
    if (pb_fixup_install() != 0)
        skip_because("faulting loads have no fix-up on this processor");
    for (unsigned i = 0; i < 2; i++) {
        int number = sigsetjmp(back, 1);
        if (number == 0)
            *(volatile int *)nowhere = 1; /* NOLINT: a wild store is what is wanted */
        assert_int_equal(number, SIGSEGV);
    }
    (void)signal(SIGSEGV, was);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_gives_null),
        cmocka_unit_test(push_returns_what_was_first_and_pop_is_last_in_first_out),
        cmocka_unit_test(sequence_counts_pushes_and_only_those),
        cmocka_unit_test(a_popped_entry_keeps_its_link),
        cmocka_unit_test(flush_returns_the_chain),
        cmocka_unit_test(depth_wraps_at_65536_and_leaves_sequence_alone),
        cmocka_unit_test(an_entry_pushed_again_makes_the_old_head_stale),
        cmocka_unit_test(an_unmapped_link_is_read_as_poison),
        cmocka_unit_test(a_pop_overtaken_by_pop_and_unmap_starts_again),
        cmocka_unit_test(pages_unmapped_under_poppers_never_end_or_confuse_them),
        cmocka_unit_test(any_other_fault_is_passed_on),
        cmocka_unit_test(a_handler_that_was_there_is_called),
    };
    return cmocka_run_group_tests_name("slist", tests, NULL, NULL);
}
