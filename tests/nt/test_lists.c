/* SPDX-License-Identifier: MIT */
/* Section D, lists: what each call returns and leaves behind, the interlocked ones under their
 * lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/list.h>

enum { ENTRIES = 3, THREADS = 4, ROUNDS = 2000, SHARE = 8 };

struct record {
    int number;
    LIST_ENTRY link;
    SINGLE_LIST_ENTRY next;
};

/* The list's entries, forwards and backwards, are those of `expected`. */
static void assert_list(const LIST_ENTRY *head, PLIST_ENTRY const *expected, unsigned n)
{
    const LIST_ENTRY *forwards = head->Flink, *backwards = head->Blink;
    for (unsigned i = 0; i < n; i++) {
        assert_ptr_equal(forwards, expected[i]);
        assert_ptr_equal(backwards, expected[n - 1 - i]);
        forwards = forwards->Flink;
        backwards = backwards->Blink;
    }
    assert_ptr_equal(forwards, head);
    assert_ptr_equal(backwards, head);
}

static void initialize_makes_a_ring_of_one(void **state)
{
    LIST_ENTRY head = {NULL, NULL};
    (void)state;
    InitializeListHead(&head);
    assert_ptr_equal(head.Flink, &head);
    assert_ptr_equal(head.Blink, &head);
    assert_int_equal(IsListEmpty(&head), TRUE);
}

static void empty_asks_flink_alone(void **state)
{
    LIST_ENTRY head, other;
    (void)state;
    InitializeListHead(&head);
    head.Blink = &other;
    assert_int_equal(IsListEmpty(&head), TRUE);
    head.Flink = &other;
    head.Blink = &head;
    assert_int_equal(IsListEmpty(&head), FALSE);
}

static void insertion_keeps_order(void **state)
{
    LIST_ENTRY head, e[ENTRIES];
    (void)state;
    InitializeListHead(&head);
    InsertHeadList(&head, &e[1]);
    InsertTailList(&head, &e[2]);
    InsertHeadList(&head, &e[0]);
    assert_list(&head, (PLIST_ENTRY const[]){&e[0], &e[1], &e[2]}, 3);
    assert_int_equal(IsListEmpty(&head), FALSE);
}

static void removal_of_either_end_returns_the_entry_or_the_head(void **state)
{
    LIST_ENTRY head, e[ENTRIES];
    (void)state;
    InitializeListHead(&head);
    for (unsigned i = 0; i < ENTRIES; i++)
        InsertTailList(&head, &e[i]);
    assert_ptr_equal(RemoveHeadList(&head), &e[0]);
    assert_ptr_equal(RemoveTailList(&head), &e[2]);
    assert_list(&head, (PLIST_ENTRY const[]){&e[1]}, 1);
    assert_ptr_equal(RemoveTailList(&head), &e[1]);
    assert_ptr_equal(RemoveHeadList(&head), &head);
    assert_ptr_equal(RemoveTailList(&head), &head);
    assert_int_equal(IsListEmpty(&head), TRUE);
}

static void remove_entry_is_true_when_the_list_is_empty_now(void **state)
{
    LIST_ENTRY head, e[2];
    (void)state;
    InitializeListHead(&head);
    InsertTailList(&head, &e[0]);
    InsertTailList(&head, &e[1]);
    assert_int_equal(RemoveEntryList(&e[0]), FALSE);
    assert_ptr_equal(e[0].Flink, &e[1]); /* keeps its links */
    assert_ptr_equal(e[0].Blink, &head);
    assert_int_equal(RemoveEntryList(&e[1]), TRUE);
}

static void append_takes_a_ring_without_a_head(void **state)
{
    LIST_ENTRY head, e[ENTRIES];
    (void)state;
    InitializeListHead(&head);
    InsertTailList(&head, &e[0]);
    InitializeListHead(&e[1]);
    InsertTailList(&e[1], &e[2]);
    AppendTailList(&head, &e[1]);
    assert_list(&head, (PLIST_ENTRY const[]){&e[0], &e[1], &e[2]}, 3);
}

static void append_to_an_empty_list(void **state)
{
    LIST_ENTRY head, e[2];
    (void)state;
    InitializeListHead(&head);
    InitializeListHead(&e[0]);
    InsertTailList(&e[0], &e[1]);
    AppendTailList(&head, &e[0]);
    assert_list(&head, (PLIST_ENTRY const[]){&e[0], &e[1]}, 2);
}

static void push_and_pop_are_last_in_first_out(void **state)
{
    SINGLE_LIST_ENTRY head = {NULL}, e[2];
    (void)state;
    assert_null(PopEntryList(&head));
    PushEntryList(&head, &e[0]);
    PushEntryList(&head, &e[1]);
    assert_ptr_equal(PopEntryList(&head), &e[1]);
    assert_ptr_equal(e[1].Next, &e[0]); /* keeps its link */
    assert_ptr_equal(PopEntryList(&head), &e[0]);
    assert_null(PopEntryList(&head));
}

static void containing_record_takes_the_fields_name(void **state)
{
    struct record record = {.number = 7};
    (void)state;
    assert_ptr_equal(CONTAINING_RECORD(&record.link, struct record, link), &record);
    assert_ptr_equal(CONTAINING_RECORD(&record.next, struct record, next), &record);
    assert_int_equal(CONTAINING_RECORD(&record.next, struct record, next)->number, 7);
}

static void a_call_is_one_statement(void **state)
{
    LIST_ENTRY head, entry;
    PLIST_ENTRY got = NULL;
    (void)state;
    InitializeListHead(&head);
    InsertTailList(&head, &entry);
    if (IsListEmpty(&head)) /* without braces, as old headers' macros could not be used */
        got = RemoveHeadList(&head);
    else
        InsertTailList(&head, RemoveTailList(&head));
    assert_null(got);
    assert_list(&head, (PLIST_ENTRY const[]){&entry}, 1);
}

static void interlocked_head_returns_the_previous_first(void **state)
{
    LIST_ENTRY head, e[ENTRIES];
    KSPIN_LOCK lock;
    (void)state;
    InitializeListHead(&head);
    KeInitializeSpinLock(&lock);
    assert_null(ExInterlockedInsertHeadList(&head, &e[0], &lock));
    assert_ptr_equal(ExInterlockedInsertHeadList(&head, &e[1], &lock), &e[0]);
    assert_ptr_equal(ExInterlockedInsertHeadList(&head, &e[2], &lock), &e[1]);
    assert_list(&head, (PLIST_ENTRY const[]){&e[2], &e[1], &e[0]}, 3);
}

static void interlocked_tail_returns_the_previous_last(void **state)
{
    LIST_ENTRY head, e[ENTRIES];
    KSPIN_LOCK lock;
    (void)state;
    InitializeListHead(&head);
    KeInitializeSpinLock(&lock);
    assert_null(ExInterlockedInsertTailList(&head, &e[0], &lock));
    assert_ptr_equal(ExInterlockedInsertTailList(&head, &e[1], &lock), &e[0]);
    assert_ptr_equal(ExInterlockedInsertTailList(&head, &e[2], &lock), &e[1]);
    assert_list(&head, (PLIST_ENTRY const[]){&e[0], &e[1], &e[2]}, 3);
}

static void interlocked_removal_returns_the_entry_or_null(void **state)
{
    LIST_ENTRY head, e[2];
    KSPIN_LOCK lock;
    (void)state;
    InitializeListHead(&head);
    KeInitializeSpinLock(&lock);
    assert_null(ExInterlockedRemoveHeadList(&head, &lock));
    (void)ExInterlockedInsertTailList(&head, &e[0], &lock);
    (void)ExInterlockedInsertTailList(&head, &e[1], &lock);
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[0]);
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[1]);
    assert_null(ExInterlockedRemoveHeadList(&head, &lock));
    assert_list(&head, NULL, 0);
}

static void interlocked_push_and_pop(void **state)
{
    SINGLE_LIST_ENTRY head = {NULL}, e[2];
    KSPIN_LOCK lock;
    (void)state;
    KeInitializeSpinLock(&lock);
    assert_null(ExInterlockedPopEntryList(&head, &lock));
    assert_null(ExInterlockedPushEntryList(&head, &e[0], &lock));
    assert_ptr_equal(ExInterlockedPushEntryList(&head, &e[1], &lock), &e[0]);
    assert_ptr_equal(ExInterlockedPopEntryList(&head, &lock), &e[1]);
    assert_ptr_equal(ExInterlockedPopEntryList(&head, &lock), &e[0]);
    assert_null(ExInterlockedPopEntryList(&head, &lock));
}

/* Removes one entry of two from a list of each kind. */
static void remove_first(PLIST_ENTRY e, PSINGLE_LIST_ENTRY s)
{
    static LIST_ENTRY head;
    static SINGLE_LIST_ENTRY single;
    KSPIN_LOCK lock, single_lock;
    InitializeListHead(&head);
    single.Next = NULL;
    KeInitializeSpinLock(&lock);
    KeInitializeSpinLock(&single_lock);
    for (unsigned i = 0; i < 2; i++) {
        (void)ExInterlockedInsertTailList(&head, &e[i], &lock);
        (void)ExInterlockedPushEntryList(&single, &s[1 - i], &single_lock);
    }
    assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &e[0]);
    assert_ptr_equal(ExInterlockedPopEntryList(&single, &single_lock), &s[0]);
    assert_list(&head, (PLIST_ENTRY const[]){&e[1]}, 1);
}

static void checked_poisons_links(void **state)
{
    LIST_ENTRY e[2];
    SINGLE_LIST_ENTRY s[2];
    (void)state;
    remove_first(e, s);
    assert_int_equal((ULONG_PTR)e[0].Flink, PB_LIST_POISON);
    assert_int_equal((ULONG_PTR)e[0].Blink, PB_LIST_POISON);
    assert_int_equal((ULONG_PTR)s[0].Next, PB_LIST_POISON);
}

static void free_leaves_links(void **state)
{
    LIST_ENTRY e[2];
    SINGLE_LIST_ENTRY s[2];
    (void)state;
    remove_first(e, s);
    assert_ptr_equal(e[0].Flink, &e[1]);
    assert_ptr_equal(e[0].Blink, e[1].Blink); /* the head */
    assert_ptr_equal(s[0].Next, &s[1]);
}

static void interlocked_at_any_level(void **state)
{
    static const KIRQL levels[] = {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL, 5, HIGH_LEVEL};
    LIST_ENTRY head, entry;
    SINGLE_LIST_ENTRY single = {NULL}, one;
    KSPIN_LOCK lock;
    (void)state;
    InitializeListHead(&head);
    KeInitializeSpinLock(&lock);
    for (size_t i = 0; i < sizeof levels; i++) {
        KIRQL before;
        KeRaiseIrql(levels[i], &before);
        assert_null(ExInterlockedInsertHeadList(&head, &entry, &lock));
        assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &entry);
        assert_null(ExInterlockedInsertTailList(&head, &entry, &lock));
        assert_ptr_equal(ExInterlockedRemoveHeadList(&head, &lock), &entry);
        assert_null(ExInterlockedPushEntryList(&single, &one, &lock));
        assert_ptr_equal(ExInterlockedPopEntryList(&single, &lock), &one);
        assert_int_equal(KeGetCurrentIrql(), levels[i]);
        KeLowerIrql(before);
    }
    assert_int_equal(KeTestSpinLock(&lock), TRUE);
}

static void the_lock_held_is_a_bugcheck(void **state)
{
    LIST_ENTRY head, entry = {NULL, NULL};
    SINGLE_LIST_ENTRY single = {NULL}, one;
    KSPIN_LOCK lock;
    KIRQL before;
    PVOID got = &head;
    (void)state;
    InitializeListHead(&head);
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &before);
    expect_bugcheck(got = ExInterlockedInsertHeadList(&head, &entry, &lock),
                    SPIN_LOCK_ALREADY_OWNED, &lock);
    assert_null(got);
    expect_bugcheck(got = ExInterlockedInsertTailList(&head, &entry, &lock),
                    SPIN_LOCK_ALREADY_OWNED, &lock);
    assert_null(got);
    expect_bugcheck(got = ExInterlockedPushEntryList(&single, &one, &lock), SPIN_LOCK_ALREADY_OWNED,
                    &lock);
    assert_null(got);
    InsertTailList(&head, &entry);
    PushEntryList(&single, &one);
    expect_bugcheck(got = ExInterlockedRemoveHeadList(&head, &lock), SPIN_LOCK_ALREADY_OWNED,
                    &lock);
    assert_null(got);
    expect_bugcheck(got = ExInterlockedPopEntryList(&single, &lock), SPIN_LOCK_ALREADY_OWNED,
                    &lock);
    assert_null(got);
    assert_list(&head, (PLIST_ENTRY const[]){&entry}, 1);
    assert_ptr_equal(single.Next, &one);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeReleaseSpinLock(&lock, before);
}

/* Entries that threads move from one list to another: none is lost, none is in two hands. */
struct moved {
    LIST_ENTRY link;
    SINGLE_LIST_ENTRY next;
    int in_hand; /* plain: whoever holds the entry writes it, and ThreadSanitizer watches */
};

static struct {
    KSPIN_LOCK lock, single_lock;
    LIST_ENTRY list;
    SINGLE_LIST_ENTRY single;
    struct moved entries[THREADS * SHARE];
    unsigned twice[THREADS];
} stress;

static void hold(struct moved *entry, unsigned index)
{
    stress.twice[index] += entry->in_hand != 0;
    entry->in_hand = 1;
}

static void move(void *shared, unsigned index)
{
    (void)shared;
    for (unsigned round = 0; round < ROUNDS; round++) {
        PLIST_ENTRY link = ExInterlockedRemoveHeadList(&stress.list, &stress.lock);
        if (link != NULL) {
            struct moved *entry = CONTAINING_RECORD(link, struct moved, link);
            hold(entry, index);
            entry->in_hand = 0;
            (void)ExInterlockedPushEntryList(&stress.single, &entry->next, &stress.single_lock);
        }
        PSINGLE_LIST_ENTRY next = ExInterlockedPopEntryList(&stress.single, &stress.single_lock);
        if (next != NULL) {
            struct moved *entry = CONTAINING_RECORD(next, struct moved, next);
            hold(entry, index);
            entry->in_hand = 0;
            if (round % 2 == 0)
                (void)ExInterlockedInsertTailList(&stress.list, &entry->link, &stress.lock);
            else
                (void)ExInterlockedInsertHeadList(&stress.list, &entry->link, &stress.lock);
        }
    }
}

static void threads_lose_and_double_nothing(void **state)
{
    unsigned left = 0;
    (void)state;
    KeInitializeSpinLock(&stress.lock);
    KeInitializeSpinLock(&stress.single_lock);
    InitializeListHead(&stress.list);
    for (unsigned i = 0; i < THREADS * SHARE; i++)
        InsertTailList(&stress.list, &stress.entries[i].link);
    nt_run_threads(THREADS, move, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(stress.twice[i], 0);
    for (PLIST_ENTRY at = stress.list.Flink; at != &stress.list; at = at->Flink)
        left++;
    for (PSINGLE_LIST_ENTRY at = stress.single.Next; at != NULL; at = at->Next)
        left++;
    assert_int_equal(left, THREADS * SHARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("D: InitializeListHead points both links at the head",
                initialize_makes_a_ring_of_one),
        nt_test("D: IsListEmpty tests Flink alone", empty_asks_flink_alone),
        nt_test("D: InsertHeadList and InsertTailList keep order", insertion_keeps_order),
        nt_test("D: RemoveHeadList and RemoveTailList return the entry, or the head, never NULL",
                removal_of_either_end_returns_the_entry_or_the_head),
        nt_test("D: RemoveEntryList is TRUE if the list is empty now",
                remove_entry_is_true_when_the_list_is_empty_now),
        nt_test("D: AppendTailList takes the first entry of a headless ring",
                append_takes_a_ring_without_a_head),
        nt_test("D: AppendTailList works on an empty list", append_to_an_empty_list),
        nt_test("D: PushEntryList and PopEntryList are last in, first out",
                push_and_pop_are_last_in_first_out),
        nt_test("D: CONTAINING_RECORD takes the field's name",
                containing_record_takes_the_fields_name),
        nt_test("D: list calls are single statements", a_call_is_one_statement),
        nt_test("D: ExInterlockedInsertHeadList returns the previous first entry, NULL if none",
                interlocked_head_returns_the_previous_first),
        nt_test("D: ExInterlockedInsertTailList returns the previous last entry, NULL if none",
                interlocked_tail_returns_the_previous_last),
        nt_test("D: ExInterlockedRemoveHeadList returns the entry or NULL",
                interlocked_removal_returns_the_entry_or_null),
        nt_test("D: ExInterlockedPushEntryList returns the previous first, Pop the entry or NULL",
                interlocked_push_and_pop),
        nt_test("D: a removed entry's links are poisoned in checked mode", checked_poisons_links),
        nt_test_free("D: a removed entry's links stay in free mode", free_leaves_links),
        nt_test("D: interlocked list calls work at any IRQL and leave it",
                interlocked_at_any_level),
        nt_test("D: an interlocked call under its own lock is SPIN_LOCK_ALREADY_OWNED",
                the_lock_held_is_a_bugcheck),
        nt_test("D: interlocked lists lose no entry and give none twice",
                threads_lose_and_double_nothing),
        nt_test_free("D: nor in free mode", threads_lose_and_double_nothing),
    };
    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
