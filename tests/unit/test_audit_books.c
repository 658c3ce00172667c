/* SPDX-License-Identifier: MIT */
/* The audit's books: where blocks lie, which lines threads share, what is live and resident, and
 * the map and the set that keep it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "engine/audit_internal.h"
#include "engine/rng.h"
#include "engine/team.h"
#include "unit/audit_double.h"

/* --- where does it put things? --------------------------------------------------------------- */

static void places_are_counted_by_alignment_and_line(void **state)
{
    (void)state;
    struct pair p;
    uint64_t expected[PB_AUDIT_ALIGNMENTS] = {0};
    pair_open(&p, 1, 10);
    p.d.stride = 48; /* offsets 0, 48, 96, 144 from a page */
    for (unsigned i = 0; i < 4; i++)
        take(&p, 40);
    expected[12] = 1;                                 /* 0, as far as is counted */
    expected[4] = 2;                                  /* 48 = 3 * 16, 144 = 9 * 16 */
    expected[5] = 1;                                  /* 96 = 3 * 32 */
    assert_int_equal(pair_result(&p)->straddling, 2); /* 48..87 and 96..135; not 144..183 */
    assert_memory_equal(p.result.alignment, expected, sizeof expected);
    take(&p, 100); /* larger than a line: on two lines whatever it does */
    assert_int_equal(pair_result(&p)->straddling, 2);
    pair_close(&p);
}

/* One operation on one of two workers. */
struct turn {
    struct pair *p;
    unsigned who;
    size_t bytes;
    void *block; /* NULL: allocate */
};

static int turn_job(void *context, unsigned index)
{
    struct turn *turn = context;
    if (index != turn->who)
        return 0;
    if (turn->block == NULL)
        turn->block = take(turn->p, turn->bytes);
    else
        give(turn->p, turn->block, turn->bytes);
    return 0;
}

static void *take_on(struct pb_team *team, struct pair *p, unsigned who, size_t bytes)
{
    struct turn turn = {p, who, bytes, NULL};
    pb_team_run(team, turn_job, &turn);
    return turn.block;
}

static void give_on(struct pb_team *team, struct pair *p, unsigned who, void *block, size_t bytes)
{
    struct turn turn = {p, who, bytes, block};
    pb_team_run(team, turn_job, &turn);
}

static void shared_lines_are_found_where_blocks_are_packed(void **state)
{
    (void)state;
    /* worker 0, then worker 1, then 0 ... each taking `bytes`, `stride` apart, from a page's start
     */
    static const struct {
        size_t bytes, stride;
        unsigned shared_64, shared_128; /* of 4 blocks */
    } cases[] = {
        {32, 32, 2, 3},   /* lines {0 1} {2 3}: the second of each; 128: all but the first */
        {32, 64, 0, 2},   /* a line each, two on 128 */
        {32, 128, 0, 0},  /* padded */
        {64, 64, 0, 2},   /* fills its line */
        {128, 128, 0, 0}, /* fills both */
        {80, 80, 3, 3},   /* ends on the line where the next begins */
        {144, 144, 3, 3}, /* spans a whole line between its ends */
    };
    struct pb_team *team;
    assert_int_equal(pb_team_open(2, true, NULL, NULL, &team), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        void *blocks[4];
        pair_open(&p, 2, 100);
        p.d.stride = cases[i].stride;
        for (unsigned k = 0; k < 4; k++)
            blocks[k] = take_on(team, &p, k % 2, cases[i].bytes);
        assert_int_equal(pair_result(&p)->shared_64, cases[i].shared_64);
        assert_int_equal(p.result.shared_128, cases[i].shared_128);
        for (unsigned k = 0; k < 4; k++)
            give_on(team, &p, k / 2, blocks[k], cases[i].bytes); /* by whom does not matter */
        assert_int_equal(pair_result(&p)->faults, 0);
        assert_int_equal(p.result.shared_128, cases[i].shared_128); /* frees count for nothing */
        pair_close(&p);
    }
    pb_team_close(team);
}

static void a_line_is_shared_only_while_others_live_on_it(void **state)
{
    (void)state;
    struct pair p;
    struct pb_team *team;
    assert_int_equal(pb_team_open(2, true, NULL, NULL, &team), 0);
    pair_open(&p, 2, 100);
    void *first = take_on(team, &p, 0, 16), *second = take_on(team, &p, 1, 16);
    assert_int_equal(pair_result(&p)->shared_64, 1);
    give_on(team, &p, 0, first, 16);
    take_on(team, &p, 1, 16); /* only its own on the line now */
    assert_int_equal(pair_result(&p)->shared_64, 1);
    give_on(team, &p, 0, second, 16); /* freed by the other: it was 1's all the same */
    take_on(team, &p, 0, 16);
    assert_int_equal(pair_result(&p)->shared_64, 2);
    pair_close(&p);
    pb_team_close(team);
}

static int twice_job(void *context, unsigned index)
{
    struct pair *p = context;
    for (size_t i = 0; i < 100; i++) {
        void *block = take(p, 16 + index);
        give(p, block, 16 + index);
        give(p, block, 16 + index);
    }
    return 0;
}

static int pairs_job(void *context, unsigned index)
{
    struct pair *p = context;
    for (size_t i = 0; i < 1000; i++)
        give(p, take(p, 16 + (i + index) % 100), 16 + (i + index) % 100);
    return 0;
}

static void threads_at_once_are_counted_exactly(void **state)
{
    (void)state;
    struct pair p;
    struct pb_team *team;
    assert_int_equal(pb_team_open(3, true, NULL, NULL, &team), 0);
    pair_open(&p, 3, 50);
    pb_team_run(team, pairs_job, &p);
    assert_int_equal(pair_result(&p)->faults, 0);
    assert_int_equal(p.result.allocs, 3000);
    assert_int_equal(p.result.frees, 3000);
    assert_int_equal(p.result.live_bytes, 0);
    assert_int_equal(p.result.checkpoints, 6000 / 50);
    pb_team_run(team, twice_job, &p);
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_UNKNOWN);
    assert_int_equal(p.result.faults, 300);
    assert_int_equal(p.d.frees, 3000 + 300);
    pb_team_close(team);
    pair_close(&p);
}

/* --- what does it hold? ---------------------------------------------------------------------- */

static void checkpoints_come_every_so_many_operations(void **state)
{
    (void)state;
    struct pair p;
    void *blocks[40];
    pair_open(&p, 1, 8);
    for (unsigned i = 0; i < 40; i++)
        blocks[i] = take(&p, 1024);
    assert_int_equal(pair_result(&p)->checkpoints, 5);
    assert_int_equal(p.result.at_live_peak.held_bytes, 40 * 1024);
    assert_int_equal(p.result.at_live_peak.requested_bytes, 40 * 1024); /* ours: it does not say */
    assert_int_equal(p.result.at_live_peak.granted_bytes, PB_STAT_UNKNOWN);
    for (unsigned i = 0; i < 40; i++)
        give(&p, blocks[i], 1024);
    assert_int_equal(pair_result(&p)->checkpoints, 10);
    assert_int_equal(p.result.live_peak_bytes, 40 * 1024);
    assert_int_equal(p.result.at_live_peak.requested_bytes, 40 * 1024);
    assert_int_equal(p.result.at_end.requested_bytes, 0);
    assert_int_equal(p.result.at_end.held_bytes, 40 * 1024);
    pair_close(&p);
}

static void a_short_run_has_one_checkpoint_at_its_end(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 1000000);
    take(&p, 100);
    assert_int_equal(pair_result(&p)->checkpoints, 1);
    assert_int_equal(p.result.at_live_peak.requested_bytes, 100);
    pair_close(&p);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SHADOWED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SHADOWED = 1 };
#else
enum { SHADOWED = 0 };
#endif
#else
enum { SHADOWED = 0 };
#endif

static void resident_bytes_are_those_of_the_heap_behind(void **state)
{
    (void)state;
    struct pair p;
    if (SHADOWED)
        skip_because("a sanitizer keeps memory and mappings of its own");
    pair_open(&p, 1, 64);
    for (unsigned i = 0; i < 1024; i++)
        assert_non_null(take(&p, 8192));
    uint64_t bytes = (uint64_t)1024 * 8192;
    assert_true(pair_result(&p)->rss_peak_bytes >= bytes - (256 << 10));
    assert_true(p.result.rss_peak_bytes <= bytes + (256 << 10));
    assert_int_equal(p.result.live_at_rss_peak_bytes, bytes);
    assert_true(p.result.rss_baseline_bytes > 0);
    pair_close(&p);
}

static void memory_of_the_audit_does_not_count(void **state)
{
    (void)state;
    struct pair p;
    if (SHADOWED)
        skip_because("a sanitizer keeps memory and mappings of its own");
    double_open(&p.d, 16 << 20);
    memset(p.d.memory, 0, p.d.size); /* resident before the baseline is taken */
    assert_int_equal(pb_audit_open(&p.d.head, 2, 1000, &p.audit), 0);
    p.heap = pb_audit_heap(p.audit);
    uint64_t before = pb_resident_bytes();
    size_t books = p.audit->arena.used_bytes;
    for (unsigned i = 0; i < 100000; i++)
        take(&p, 32);
    assert_true(p.audit->arena.used_bytes - books > 8 << 20); /* they have grown */
    assert_true(pb_resident_bytes() <= before + (256 << 10));
    assert_true(pair_result(&p)->rss_peak_bytes <= 256 << 10);
    assert_true(p.result.rss_end_bytes <= 256 << 10);
    pair_close(&p);
}

/* --- the books' own structures --------------------------------------------------------------- */

static void the_map_finds_what_is_in_it_and_nothing_else(void **state)
{
    (void)state;
    enum { KEYS = 700 };
    struct pb_arena arena;
    struct pb_audit_map map = {0};
    struct pb_rng rng;
    uint64_t values[KEYS + 1] = {0};
    size_t used = 0;
    assert_int_equal(pb_arena_open(&arena, 16 << 20), 0);
    pb_rng_seed(&rng, 2, 0);
    assert_null(pb_audit_map_find(&map, 1));
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t key = 1 + pb_rng_below(&rng, KEYS);
        uint64_t *found = pb_audit_map_find(&map, key << 12);
        assert_true((found != NULL) == (values[key] != 0));
        if (found != NULL) {
            assert_int_equal(*found, values[key]);
            pb_audit_map_remove(&map, key << 12);
            values[key] = 0;
            used--;
        } else {
            assert_true(pb_audit_map_reserve(&map, &arena, 1));
            values[key] = i + 1;
            pb_audit_map_put(&map, key << 12, values[key]);
            used++;
        }
        assert_int_equal(map.used, used);
    }
    pb_arena_close(&arena);
}

static void a_full_arena_is_reported(void **state)
{
    (void)state;
    struct pb_arena arena;
    struct pb_audit_map map = {0};
    struct pb_audit_set set = {{0}};
    assert_int_equal(pb_arena_open(&arena, 40 << 10), 0);
    assert_true(pb_audit_map_reserve(&map, &arena, 100));
    assert_false(pb_audit_map_reserve(&map, &arena, 10000));
    assert_false(pb_audit_set_reserve(&set, &arena, 1 << 20, 16));
    pb_arena_close(&arena);
}

static void the_set_is_exact_to_the_byte(void **state)
{
    (void)state;
    struct pb_arena arena;
    struct pb_audit_set set = {{0}};
    uintptr_t border = (uintptr_t)5 << 18; /* between two chunks */
    assert_int_equal(pb_arena_open(&arena, 1 << 20), 0);
    assert_true(pb_audit_set_reserve(&set, &arena, border - 1000, 2000));
    pb_audit_set_add(&set, border - 100, 150);
    assert_int_equal(pb_audit_set_first(&set, border - 1000, 2000), border - 100);
    assert_int_equal(pb_audit_set_first(&set, border - 1000, 900), 0);
    assert_int_equal(pb_audit_set_first(&set, border - 1000, 901), border - 100);
    assert_int_equal(pb_audit_set_first(&set, border + 49, 1), border + 49);
    assert_int_equal(pb_audit_set_first(&set, border + 50, 950), 0);
    pb_audit_set_remove(&set, border - 100, 149);
    assert_int_equal(pb_audit_set_first(&set, border - 1000, 2000), border + 49);
    pb_audit_set_remove(&set, border + 49, 1);
    assert_int_equal(pb_audit_set_first(&set, border - 1000, 2000), 0);
    pb_arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_counted_by_alignment_and_line),
        cmocka_unit_test(shared_lines_are_found_where_blocks_are_packed),
        cmocka_unit_test(a_line_is_shared_only_while_others_live_on_it),
        cmocka_unit_test(threads_at_once_are_counted_exactly),
        cmocka_unit_test(checkpoints_come_every_so_many_operations),
        cmocka_unit_test(a_short_run_has_one_checkpoint_at_its_end),
        cmocka_unit_test(resident_bytes_are_those_of_the_heap_behind),
        cmocka_unit_test(memory_of_the_audit_does_not_count),
        cmocka_unit_test(the_map_finds_what_is_in_it_and_nothing_else),
        cmocka_unit_test(a_full_arena_is_reported),
        cmocka_unit_test(the_set_is_exact_to_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
