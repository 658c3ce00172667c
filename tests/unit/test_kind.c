/* SPDX-License-Identifier: MIT */
/* The kinds of calls and the table of what is published of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/kind.h"
#include "path.h"

#include <stdio.h>
#include <string.h>

static void the_system_is_named_first_and_the_other_thread_last(void **state)
{
    (void)state;
    assert_int_equal(pb_kind_of_alloc(0), PB_KIND_ALLOC_HIT);
    assert_int_equal(pb_kind_of_alloc(PB_PATH_MISS), PB_KIND_ALLOC_MISS);
    assert_int_equal(pb_kind_of_alloc(PB_PATH_MISS | PB_PATH_OS), PB_KIND_ALLOC_OS);
    assert_int_equal(pb_kind_of_alloc(PB_PATH_OS), PB_KIND_ALLOC_OS);
    assert_int_equal(pb_kind_of_free(0), PB_KIND_FREE_LOCAL);
    assert_int_equal(pb_kind_of_free(PB_PATH_REMOTE), PB_KIND_FREE_REMOTE);
    assert_int_equal(pb_kind_of_free(PB_PATH_OVERFLOW | PB_PATH_REMOTE), PB_KIND_FREE_OVERFLOW);
    assert_int_equal(pb_kind_of_free(PB_PATH_OS | PB_PATH_OVERFLOW | PB_PATH_REMOTE),
                     PB_KIND_FREE_OS);
}

static void every_kind_is_in_its_side_and_in_a_view_of_its_own(void **state)
{
    unsigned own = 0;
    (void)state;
    assert_int_equal(pb_view_rows[PB_VIEW_ALLOC].kinds & pb_view_rows[PB_VIEW_FREE].kinds, 0);
    assert_int_equal(pb_view_rows[PB_VIEW_ALLOC].kinds | pb_view_rows[PB_VIEW_FREE].kinds,
                     (1 << PB_KINDS) - 1);
    for (int i = PB_VIEW_ALLOC_HIT; i < PB_VIEW_BODY; i++) {
        unsigned kinds = pb_view_rows[i].kinds;
        assert_true(kinds != 0 && (kinds & (kinds - 1)) == 0);
        own |= kinds;
    }
    assert_int_equal(own, (1 << PB_KINDS) - 1);
}

static void a_clean_view_follows_the_whole_that_it_is_part_of(void **state)
{
    char name[64];
    (void)state;
    for (int i = 0; i < PB_VIEW_N; i++) {
        const struct pb_view *view = &pb_view_rows[i];
        const struct pb_view *whole = i < PB_VIEW_ALLOC_HIT ? view - 2 : view - 1;
        if (!view->clean)
            continue;
        snprintf(name, sizeof name, "%s_clean", whole->name);
        assert_string_equal(view->name, name);
        assert_int_equal(view->kinds, whole->kinds);
        assert_int_equal(view->by_path, whole->by_path);
        assert_false(whole->clean);
    }
    assert_null(pb_view_rows[PB_VIEW_N].name);
    assert_string_equal(pb_view_rows[PB_VIEW_BODY].unit, "ps");
    assert_string_equal(pb_view_rows[PB_VIEW_OPEN].unit, "ns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_is_named_first_and_the_other_thread_last),
        cmocka_unit_test(every_kind_is_in_its_side_and_in_a_view_of_its_own),
        cmocka_unit_test(a_clean_view_follows_the_whole_that_it_is_part_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
