/* SPDX-License-Identifier: MIT */
/* Colours: the zones of a bank keep what their locks wait on apart, in cache lines and in cache
 * sets.
 * Threads: one, which plays several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bank.h"
#include "nt/colour.h"
#include "refuse.h"
#include "zone/hot.h"

#include <stdio.h>

enum { THREADS = 3, COLOUR_SHARED_MOST = 3, STEPS = PB_COLOUR_ROOM / PB_COLOUR_STEP };

/* The zones of a bank's classes, each with its threads' slots. */
struct fixture {
    struct pb_opened zones[PB_BANK_CLASSES];
    struct pb_thread *slots[PB_BANK_CLASSES][THREADS];
};

static void open_zones(struct fixture *f, const char *variant_text)
{
    struct pb_variant variant;
    char message[200] = "";
    assert_int_equal(pb_variant_parse(variant_text, &variant, message, sizeof message), 0);
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++) {
        struct pb_heap_request request = {pb_bank_class_bytes(i), THREADS, 0};
        assert_int_equal(pb_variant_open(&variant, &request, &f->zones[i], message, sizeof message),
                         0);
        struct pb_heap *heap = f->zones[i].heap;
        for (unsigned k = 0; k < THREADS; k++)
            assert_int_equal(heap->ops->attach(heap, k, &f->slots[i][k]), 0);
    }
}

static void close_zones(struct fixture *f)
{
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++) {
        struct pb_heap *heap = f->zones[i].heap;
        for (unsigned k = 0; k < THREADS; k++)
            heap->ops->detach(heap, f->slots[i][k]);
        pb_variant_close(&f->zones[i]);
    }
}

static struct pb_lock *lock_of(const struct fixture *f, unsigned zone)
{
    return &((struct zone_heap *)(void *)f->zones[zone].heap)->lock;
}

static uintptr_t line_of(const void *at)
{
    return (uintptr_t)at / PB_COLOUR_STEP;
}

/* No two slots share a line pair, and one thread's are spread over the cache sets. */
static void check_slots(const struct fixture *f)
{
    for (unsigned k = 0; k < THREADS; k++) {
        unsigned used[STEPS] = {0};
        for (unsigned i = 0; i < PB_BANK_CLASSES; i++) {
            assert_int_equal((uintptr_t)f->slots[i][k] % PB_COLOUR_STEP, 0);
            assert_true(++used[line_of(f->slots[i][k]) % STEPS] <= COLOUR_SHARED_MOST);
            for (unsigned other = 0; other < PB_BANK_CLASSES * THREADS; other++)
                if (other != i * THREADS + k)
                    assert_int_not_equal(line_of(f->slots[i][k]),
                                         line_of(f->slots[other / THREADS][other % THREADS]));
        }
    }
}

/* A queue's shared words are spread as well: `word` of each lock. */
static void check_words(const struct fixture *f, const void *(*word)(const struct pb_lock *))
{
    unsigned used[STEPS] = {0};
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++)
        assert_true(++used[line_of(word(lock_of(f, i))) % STEPS] <= COLOUR_SHARED_MOST);
}

static const void *clh_first_node(const struct pb_lock *lock)
{
    return lock->word.clh;
}

static const void *anderson_arrivals(const struct pb_lock *lock)
{
    return &lock->word.anderson->next;
}

static const void *anderson_waits(const struct pb_lock *lock)
{
    return lock->word.anderson->slots;
}

static void mcs_slots_of_a_bank_lie_apart(void **state)
{
    struct fixture f;
    (void)state;
    open_zones(&f, "zone:lock=mcs");
    check_slots(&f);
    close_zones(&f);
}

static void clh_slots_of_a_bank_lie_apart(void **state)
{
    struct fixture f;
    (void)state;
    open_zones(&f, "zone:lock=clh");
    check_slots(&f);
    check_words(&f, clh_first_node);
    close_zones(&f);
}

static void anderson_slots_of_a_bank_lie_apart(void **state)
{
    struct fixture f;
    (void)state;
    open_zones(&f, "zone:lock=anderson");
    check_slots(&f);
    check_words(&f, anderson_arrivals);
    check_words(&f, anderson_waits);
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++)
        assert_int_not_equal(line_of(anderson_arrivals(lock_of(&f, i))),
                             line_of(anderson_waits(lock_of(&f, i))));
    close_zones(&f);
}

static void a_lock_gives_back_the_whole_mapping_at_any_colour(void **state)
{
    static struct pb_lock locks[2 * STEPS] PB_CACHE_ALIGNED; /* some not at a colour's start */
    (void)state;
    for (unsigned i = 0; i < 2 * STEPS; i++) {
        assert_int_equal(pb_lock_init(PB_LOCK_mcs, &locks[i], THREADS), 0);
        assert_int_equal(pb_colour_of(locks[i].slots), pb_colour_of(&locks[i]));
        assert_int_equal((uintptr_t)locks[i].slots % PB_COLOUR_STEP, 0);
    }
    for (unsigned i = 0; i < 2 * STEPS; i++)
        pb_lock_fini(&locks[i]);
    assert_int_equal(refuse_state.reserved, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mcs_slots_of_a_bank_lie_apart),
        cmocka_unit_test(clh_slots_of_a_bank_lie_apart),
        cmocka_unit_test(anderson_slots_of_a_bank_lie_apart),
        cmocka_unit_test_setup_teardown(a_lock_gives_back_the_whole_mapping_at_any_colour,
                                        refuse_install, refuse_remove),
    };
    return cmocka_run_group_tests_name("colour", tests, NULL, NULL);
}
