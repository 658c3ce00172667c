/* SPDX-License-Identifier: MIT */
/* The executive's lists: order, and the return values as they are documented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poolbench/nt/list.h>

struct record {
    int number;
    LIST_ENTRY link;
    SINGLE_LIST_ENTRY next;
};

static void head_and_tail_insertion_keep_their_order(void **state)
{
    (void)state;
    LIST_ENTRY head;
    struct record records[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    InitializeListHead(&head);
    assert_true(IsListEmpty(&head));
    InsertTailList(&head, &records[1].link);
    InsertTailList(&head, &records[2].link);
    InsertHeadList(&head, &records[0].link);
    assert_false(IsListEmpty(&head));
    int expected = 0;
    for (PLIST_ENTRY entry = head.Flink; entry != &head; entry = entry->Flink)
        assert_int_equal(CONTAINING_RECORD(entry, struct record, link)->number, expected++);
    for (PLIST_ENTRY entry = head.Blink; entry != &head; entry = entry->Blink)
        assert_int_equal(CONTAINING_RECORD(entry, struct record, link)->number, --expected);
}

static void removal_from_an_empty_list_returns_the_head(void **state)
{
    (void)state;
    LIST_ENTRY head;
    InitializeListHead(&head);
    assert_ptr_equal(RemoveHeadList(&head), &head);
    assert_ptr_equal(RemoveTailList(&head), &head);
    assert_true(IsListEmpty(&head));
}

static void removal_tells_whether_the_list_is_empty_now(void **state)
{
    (void)state;
    LIST_ENTRY head, entries[3];
    InitializeListHead(&head);
    for (int i = 0; i < 3; i++)
        InsertTailList(&head, &entries[i]);
    assert_int_equal(RemoveEntryList(&entries[1]), FALSE);
    assert_ptr_equal(entries[1].Flink, &entries[2]); /* a removed entry keeps its links */
    assert_ptr_equal(RemoveTailList(&head), &entries[2]);
    assert_int_equal(RemoveEntryList(&entries[0]), TRUE);
    assert_true(IsListEmpty(&head));
}

static void a_headless_ring_is_appended_whole(void **state)
{
    (void)state;
    LIST_ENTRY head, entries[3];
    InitializeListHead(&head);
    InsertTailList(&head, &entries[0]);
    InitializeListHead(&entries[1]); /* a ring of entries 1 and 2, without a head */
    InsertTailList(&entries[1], &entries[2]);
    AppendTailList(&head, &entries[1]);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(RemoveHeadList(&head), &entries[i]);
    assert_true(IsListEmpty(&head));
}

static void the_single_list_is_last_in_first_out(void **state)
{
    (void)state;
    SINGLE_LIST_ENTRY head = {NULL};
    struct record records[2];
    assert_null(PopEntryList(&head));
    PushEntryList(&head, &records[0].next);
    PushEntryList(&head, &records[1].next);
    PSINGLE_LIST_ENTRY first = PopEntryList(&head);
    assert_ptr_equal(CONTAINING_RECORD(first, struct record, next), &records[1]);
    assert_ptr_equal(PopEntryList(&head), &records[0].next);
    assert_null(PopEntryList(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_and_tail_insertion_keep_their_order),
        cmocka_unit_test(removal_from_an_empty_list_returns_the_head),
        cmocka_unit_test(removal_tells_whether_the_list_is_empty_now),
        cmocka_unit_test(a_headless_ring_is_appended_whole),
        cmocka_unit_test(the_single_list_is_last_in_first_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
