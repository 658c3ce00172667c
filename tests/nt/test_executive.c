/* SPDX-License-Identifier: MIT */
/* The executive as a whole: how it is configured, begins and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pages.h"
#include "nt/pool_calls.h"
#include "nt/told.h"
#include "pool/executive.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS = 4, ROUNDS = 300, TAG_CARL = 0x6C726143 /* "Carl" */ };

static void every_error_is_one_clear_line(void **state)
{
    static const struct {
        const char *options;
        int error;
        const char *line;
    } cases[] = {
        {"nosuch=1", -ENOENT, "there is no option 'nosuch'"},
        {"profile", -EINVAL, "option 'profile' needs a value"},
        {"profile=nt5", -EINVAL, "option 'profile': 'nt5' is not a value of it; allowed: nt4, w2k"},
        {"lists=maybe", -EINVAL,
         "option 'lists': 'maybe' is not a value of it; allowed: auto, off"},
        {"paged_pools=17", -ERANGE, "option 'paged_pools': '17' is out of range; allowed: 1 to 16"},
        {"paged_pools=x", -EINVAL, "option 'paged_pools': 'x' is not a value of it"},
        {"tags=on,,quota=on", -EINVAL, "an option is missing before or after a comma"},
        {"quota=on", -EINVAL, "option 'quota' is for heaps: the executive has"},
        {"type=paged", -EINVAL, "option 'type' is for heaps: the executive has"},
        {NULL, -EINVAL, "the options are NULL"},
        {"profile=xp,profile=w2k", -EINVAL, "option 'profile' is given twice"},
        {"tags=on,paged_pools=2,tags=on", -EINVAL, "option 'tags' is given twice"},
        {"low_water=1,normal_water=5", -EINVAL,
         "option 'normal_water' must not be above low_water"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[2000] = "";
        assert_int_equal(PbNtConfigure(cases[i].options, message, sizeof message), cases[i].error);
        if (strncmp(message, cases[i].line, strlen(cases[i].line)) != 0)
            assert_string_equal(message, cases[i].line);
        assert_null(strchr(message, '\n'));
        assert_int_equal(PbNtConfigure(cases[i].options, NULL, 0), cases[i].error);
    }
    assert_null(pb_executive_begun());
}

static void what_is_refused_is_not_offered(void **state)
{
    char message[2000] = "";
    (void)state;
    assert_int_equal(PbNtConfigure("tag=off", message, sizeof message), -ENOENT);
    assert_non_null(strstr(message, " profile, lock, lists,"));
    assert_non_null(strstr(message, ", paged_dir, "));
    assert_non_null(strstr(message, ", big_entries, checked, "));
    assert_null(strstr(message, " type,"));
    assert_null(strstr(message, " quota,"));
}

static void defaults_are_tags_and_resident(void **state)
{
    (void)state;
    configure("paged_pools=2");
    const struct pool_options *options = &pb_executive()->options;
    assert_int_equal(options->tags, 1);
    assert_int_equal(options->resident, 1);
    assert_int_equal(options->paged_pools, 2);
    assert_int_equal(options->must_succeed, 4);
}

static void what_was_set_first_is_set_over(void **state)
{
    (void)state;
    configure("paged_pools=2,tags=off");
    configure("nonpaged_pools=3");
    const struct pool_options *options = &pb_executive()->options;
    assert_int_equal(options->paged_pools, 4);
    assert_int_equal(options->nonpaged_pools, 3);
    assert_int_equal(options->tags, 1);
}

static void it_cannot_be_configured_once_it_has_begun(void **state)
{
    char message[200] = "";
    (void)state;
    configure("");
    assert_null(pb_executive_begun());
    ExFreePool(ExAllocatePool(PagedPool, 1));
    assert_non_null(pb_executive_begun());
    assert_int_equal(PbNtConfigure("tags=off", message, sizeof message), -EBUSY);
    assert_non_null(strstr(message, "has begun"));
    PbNtReset(NULL);
    configure("tags=off");
    assert_int_equal(pb_executive()->options.tags, 0);
}

static void reset_counts_and_forgets(void **state)
{
    size_t leaked = 77;
    (void)state;
    PbNtReset(&leaked);
    assert_int_equal(leaked, 0);
    for (unsigned tags = 0; tags < 2; tags++) {
        configure(tags != 0 ? "" : "tags=off");
        for (unsigned i = 0; i < 50; i++) {
            void *block =
                ExAllocatePoolWithTag(i % 2 ? PagedPool : NonPagedPool, i * 200, TAG_FRED);
            if (i % 10 != 0)
                ExFreePool(block);
        }
        assert_non_null(ExAllocatePoolWithTagPriority(PagedPool, 9, TAG_FRED,
                                                      LowPoolPrioritySpecialPoolOverrun));
        PbNtReset(&leaked);
        assert_int_equal(leaked, 6);
        assert_int_equal(PbQueryPoolTags(NULL, 0), 0);
        assert_null(pb_executive_begun());
    }
}

static void an_address_from_before_a_reset_is_foreign(void **state)
{
    (void)state;
    configure("reserve=16M");
    void *block = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    PbNtReset(NULL);
    configure("reserve=16M");
    nt_forget();
    ExFreePool(block); /* nowhere, or where a free page is now */
    assert_int_equal(nt_seen.n, 1);
    assert_int_equal(nt_seen.code, BAD_POOL_CALLER);
    nt_forget();
}

static void check_finds_what_is_corrupt(void **state)
{
    char message[200] = "";
    (void)state;
    configure("lists=off,shared_lists=off");
    unsigned char *block = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    unsigned char *sizes = block - 16 + 2; /* BlockSize */
    unsigned char size = *sizes;
    assert_int_equal(PbNtCheck(message, sizeof message), 0);
    *sizes = (unsigned char)(size + 1);
    assert_int_equal(PbNtCheck(message, sizeof message), -EINVAL);
    assert_int_not_equal(message[0], '\0');
    *sizes = size;
    ExFreePool(block);
}

static void rows_are_cut_and_counted(void **state)
{
    SYSTEM_POOLTAG rows[2];
    (void)state;
    void *a = ExAllocatePoolWithTag(PagedPool, 1, TAG_FRED);
    void *b = ExAllocatePoolWithTag(PagedPool, 1, TAG_CARL);
    ULONG n = PbQueryPoolTags(NULL, 0);
    assert_int_equal(n, 2);
    memset(rows, 0, sizeof rows);
    assert_int_equal(PbQueryPoolTags(rows, 1), 2);
    assert_int_equal(rows[1].TagUlong, 0);
    ExFreePool(a);
    ExFreePool(b);
}

/* What was written to standard error while `call` ran; one test program, one file. */
static void *system_refuses(size_t bytes)
{
    (void)bytes;
    return NULL;
}

static void begin_twice_in_vain(void)
{
    NTSTATUS status;
    assert_null(ExAllocatePoolWithTag(PagedPool, 100, TAG_FRED));
    assert_null(ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED));
    status_raised_by(status, ExAllocatePoolWithQuota(PagedPool, 100));
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
}

static void a_beginning_that_fails_is_told_once(void **state)
{
    struct pb_pages_system refusing = *pb_pages_system;
    const struct pb_pages_system *before = pb_pages_system;
    char text[TEXT_BYTES], message[200];
    (void)state;
    refusing.reserve = system_refuses;
    pb_pages_system = &refusing;
    captured(begin_twice_in_vain, text);
    assert_int_equal(PbNtConfigure("", message, sizeof message), -EBUSY);
    pb_pages_system = before;
    const char *end = strchr(text, '\n');
    assert_non_null(strstr(text, "the executive's pool cannot be made"));
    assert_non_null(end);
    assert_int_equal(end[1], '\0');
    PbNtReset(NULL);
    void *block = ExAllocatePoolWithTag(PagedPool, 100, TAG_FRED);
    assert_non_null(block);
    ExFreePool(block);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    char text[TEXT_BYTES];
    (void)state;
    configure("paged_dir=/nosuch/folder");
    captured(begin_twice_in_vain, text);
    assert_non_null(strstr(text, "/nosuch/folder: no file for paged memory: No such file or "
                                 "directory (paged_dir)\n"));
}

static void a_temporary_folder_that_is_not_there_is_named(void **state)
{
    const char *set = getenv("TMPDIR");
    char text[TEXT_BYTES], *before = set != NULL ? strdup(set) : NULL;
    (void)state;
    setenv("TMPDIR", "/nosuch/folder", 1);
    configure("resident=off");
    captured(begin_twice_in_vain, text);
    if (before != NULL)
        setenv("TMPDIR", before, 1);
    else
        unsetenv("TMPDIR");
    free(before);
    assert_non_null(strstr(text, "/nosuch/folder: no file for paged memory: No such file or "
                                 "directory (TMPDIR; set it, or paged_dir=DIR)\n"));
}

struct race {
    _Atomic unsigned failures;
};

static void allocate_and_free(void *argument, unsigned index)
{
    struct race *race = argument;
    void *blocks[8] = {NULL};
    for (unsigned i = 0; i < ROUNDS; i++) {
        void **block = &blocks[(i * 5) % 8];
        if (*block != NULL)
            ExFreePoolWithTag(*block, TAG_FRED);
        *block = ExAllocatePoolWithTag(i % 3 != 0 ? NonPagedPool : PagedPool,
                                       (i * 131 + index) % 6000, TAG_FRED);
        race->failures += *block == NULL;
    }
    for (unsigned i = 0; i < 8; i++)
        if (blocks[i] != NULL)
            ExFreePoolWithTag(blocks[i], TAG_FRED);
}

static void threads_begin_one_executive(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        struct race race = {0};
        size_t leaked = 1;
        nt_run_threads(WORKERS, allocate_and_free, &race);
        assert_int_equal(race.failures, 0);
        SYSTEM_POOLTAG row = row_of(TAG_FRED);
        assert_int_equal(row.NonPagedAllocs + row.PagedAllocs, WORKERS * ROUNDS);
        assert_int_equal(row.NonPagedUsed + row.PagedUsed, 0);
        PbNtReset(&leaked);
        assert_int_equal(leaked, 0);
    }
}

static void tuning_starts_and_stops_with_it(void **state)
{
    (void)state;
    configure("tune=on,tune_period=1");
    for (unsigned i = 0; i < 200; i++)
        ExFreePool(ExAllocatePoolWithTag(NonPagedPool, 40, TAG_FRED));
    PbNtReset(NULL);
    configure("tune=on,tune_period=1");
    ExFreePool(ExAllocatePoolWithTag(NonPagedPool, 40, TAG_FRED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("each error of PbNtConfigure is one clear line", every_error_is_one_clear_line),
        pool_test("PbNtConfigure offers no option that it refuses", what_is_refused_is_not_offered),
        pool_test("the executive's own defaults are tags=on and resident=on",
                  defaults_are_tags_and_resident),
        pool_test("PbNtConfigure sets options over the defaults, not over the last call's",
                  what_was_set_first_is_set_over),
        pool_test("PbNtConfigure is -EBUSY once the executive has begun, until PbNtReset",
                  it_cannot_be_configured_once_it_has_begun),
        pool_test("PbNtReset counts what was not freed, with tags and without, and forgets",
                  reset_counts_and_forgets),
        pool_test("an address from before a reset is refused",
                  an_address_from_before_a_reset_is_foreign),
        pool_test("PbNtCheck finds a corrupt header", check_finds_what_is_corrupt),
        pool_test("A9: PbQueryPoolTags writes what fits and returns how many there are",
                  rows_are_cut_and_counted),
        pool_test("a beginning that fails makes allocations fail and is told once",
                  a_beginning_that_fails_is_told_once),
        pool_test("a folder for paged pool that is not there is named",
                  a_folder_that_is_not_there_is_named),
        pool_test("a folder for paged pool that is not there is named with TMPDIR, which named it",
                  a_temporary_folder_that_is_not_there_is_named),
        pool_test("threads that begin at once begin one executive", threads_begin_one_executive),
        pool_test("C5: tune=on starts the tuner and a reset stops it",
                  tuning_starts_and_stops_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
