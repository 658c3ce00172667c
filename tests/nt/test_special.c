/* SPDX-License-Identifier: MIT */
/* A14: special pool: where a block lies, what faults, what is found at free. Faults are a child's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/nt_test.h"
#include "nt/pages.h"
#include "pool/special.h"

#include <poolbench/nt/page.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DERF = 0x64657246, ROOM = 8, FAULTED = 42 };

static void end_by_fault(int signal)
{
    (void)signal;
    _exit(FAULTED);
}

/* Whether a child that stores there faults. */
static bool store_faults(unsigned char *at)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, end_by_fault);
        *(volatile unsigned char *)at = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == FAULTED;
}

static size_t in_page(const void *p)
{
    return (uintptr_t)p & (pb_page_bytes() - 1);
}

static struct pool_special *open_special(unsigned quarantine)
{
    struct pool_special *special = pb_pool_special_open(ROOM, quarantine);
    assert_non_null(special);
    return special;
}

static void a_block_ends_or_begins_its_page(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 4000, 4095};
    (void)state;
    struct pool_special *special = open_special(0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t whole = sizes[i] == 0 ? 16 : (sizes[i] + 15) / 16 * 16;
        unsigned char *over = pb_pool_special_allocate(special, PagedPool, sizes[i], DERF, false);
        unsigned char *under = pb_pool_special_allocate(special, PagedPool, sizes[i], DERF, true);
        assert_non_null(over);
        assert_non_null(under);
        assert_int_equal(in_page(over), pb_page_bytes() - whole);
        assert_int_equal(in_page(under), 0);
        memset(over, 1, sizes[i]);
        memset(under, 1, sizes[i]);
        pb_pool_special_free(special, over);
        pb_pool_special_free(special, under);
    }
    assert_null(pb_pool_special_allocate(special, PagedPool, PAGE_SIZE, DERF, false));
    assert_int_equal(pb_pool_special_count(special), 0);
    pb_pool_special_close(special);
}

static void what_lies_beyond_a_block_faults(void **state)
{
    (void)state;
    struct pool_special *special = open_special(0);
    unsigned char *over = pb_pool_special_allocate(special, NonPagedPool, 64, DERF, false);
    unsigned char *under = pb_pool_special_allocate(special, NonPagedPool, 64, DERF, true);
    assert_non_null(over);
    assert_non_null(under);
    assert_true(store_faults(over + 64));
    assert_true(store_faults(over + 64 + pb_page_bytes() - 1));
    assert_false(store_faults(over + 63));
    assert_true(store_faults(under - 1));
    assert_false(store_faults(under));
    pb_pool_special_free(special, over);
    pb_pool_special_free(special, under);
    pb_pool_special_close(special);
}

static void a_use_after_free_faults(void **state)
{
    (void)state;
    struct pool_special *special = open_special(4);
    unsigned char *block = pb_pool_special_allocate(special, NonPagedPool, 64, DERF, false);
    assert_non_null(block);
    assert_false(store_faults(block));
    pb_pool_special_free(special, block);
    assert_true(store_faults(block));
    pb_pool_special_close(special);
}

/* What a child that uses `at` wrote; it must end by SIGSEGV. */
static void told_by_use(volatile unsigned char *at, bool write, char *text, size_t size)
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)pb_fixup_install();
        if (write)
            *at = 1;
        _exit(*at);
    }
    (void)close(ends[1]);
    ssize_t bytes = read(ends[0], text, size - 1); /* one line, one write */
    text[bytes > 0 ? bytes : 0] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void assert_told(unsigned char *at, bool write, const char *code)
{
    char text[512], expected[256];
    told_by_use(at, write, text, sizeof text);
    int length = snprintf(expected, sizeof expected, "bugcheck %s: 0x%llX, 0x%X, 0x", code,
                          (unsigned long long)(uintptr_t)at, write);
    assert_true(length > 0);
    if (strncmp(text, expected, (size_t)length) != 0)
        assert_string_equal(text, expected);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void a_fault_is_told_and_passed_on(void **state)
{
    static const char beyond[] = "0xCD PAGE_FAULT_BEYOND_END_OF_ALLOCATION (used beyond the bounds "
                                 "of a block of special pool)",
                      freed[] = "0xCC PAGE_FAULT_IN_FREED_SPECIAL_POOL (a freed block of special "
                                "pool is used)";
    char text[512];
    (void)state;
    if (!nt_catch_faults())
        skip_because("faults cannot be caught on this processor");
    struct pool_special *special = open_special(4), *other = open_special(4);
    unsigned char *over = pb_pool_special_allocate(special, NonPagedPool, 64, DERF, false);
    unsigned char *under = pb_pool_special_allocate(other, NonPagedPool, 64, DERF, true);
    assert_told(over + 64, true, beyond);
    assert_told(under - 1, false, beyond);
    assert_told(over + 2 * pb_page_bytes(), true, beyond); /* never anybody's */
    pb_pool_special_free(special, over);
    assert_told(over, false, freed);
    assert_told(over + 63, true, freed);
    pb_pool_special_free(other, under);
    assert_told(under, true, freed);
    pb_pool_special_close(other);
    told_by_use(NULL, false, text, sizeof text); /* another's fault is not told */
    assert_null(strstr(text, "bugcheck"));
    pb_pool_special_close(special);
}

static void a_changed_pattern_is_found_at_free(void **state)
{
    static const struct {
        bool underrun;
        ptrdiff_t at; /* of the byte that is written, from the block on */
    } rows[] = {{false, 61}, {false, 63}, {false, -1}, {true, 61}, {true, 100}, {true, 4095}};
    (void)state;
    struct pool_special *special = open_special(0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pool_special_block found;
        unsigned char *block =
            pb_pool_special_allocate(special, PagedPool, 61, DERF, rows[i].underrun);
        assert_non_null(block);
        unsigned char was = block[rows[i].at];
        block[rows[i].at] = 0x11;
        expect_bugcheck(pb_pool_special_free(special, block), BAD_POOL_HEADER, BAD_HEADER_OVERRUN);
        assert_int_equal(nt_seen.p[1], (uintptr_t)block);
        assert_int_equal(nt_seen.p[2], (uintptr_t)(block + rows[i].at));
        assert_int_equal(nt_seen.p[3], 0x11);
        assert_true(pb_pool_special_find(special, block, &found)); /* nothing was freed */
        assert_int_equal(pb_pool_special_count(special), 1);
        block[rows[i].at] = was;
        pb_pool_special_free(special, block);
        assert_int_equal(pb_pool_special_count(special), 0);
    }
    pb_pool_special_close(special);
}

static void find_tells_what_a_block_is_and_owns_where_it_lies(void **state)
{
    struct pool_special_block found = {.type = 77};
    int stranger;
    (void)state;
    struct pool_special *special = open_special(0);
    unsigned char *block = pb_pool_special_allocate(special, NonPagedPoolNx, 61, DERF, false);
    assert_non_null(block);
    assert_true(pb_pool_special_owns(special, block));
    assert_true(pb_pool_special_owns(special, block + 64));
    assert_false(pb_pool_special_owns(special, &stranger));
    assert_false(pb_pool_special_owns(special, NULL));
    assert_false(pb_pool_special_find(special, block + 16, &found));
    assert_false(pb_pool_special_find(special, block + 64, &found));
    assert_false(pb_pool_special_find(special, &stranger, &found));
    assert_int_equal(found.type, 77);
    assert_true(pb_pool_special_find(special, block, &found));
    assert_int_equal(found.type, NonPagedPoolNx);
    assert_int_equal(found.tag, DERF);
    assert_int_equal(found.bytes, 61);
    pb_pool_special_free(special, block);
    assert_false(pb_pool_special_find(special, block, &found));
    assert_true(pb_pool_special_owns(special, block));
    pb_pool_special_close(special);
}

static void frees_of_what_is_no_block_are_told_apart(void **state)
{
    (void)state;
    struct pool_special *special = open_special(4);
    unsigned char *first = pb_pool_special_allocate(special, PagedPool, 64, DERF, false);
    unsigned char *block = pb_pool_special_allocate(special, PagedPool, 64, DERF, false);
    assert_non_null(first);
    assert_non_null(block);
    pb_pool_special_free(special, first);
    expect_bugcheck(pb_pool_special_free(special, first), BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    assert_int_equal(nt_seen.p[2], DERF);
    assert_int_equal(nt_seen.p[3], (uintptr_t)first);
    expect_bugcheck(pb_pool_special_free(special, block + 16), BAD_POOL_CALLER,
                    BAD_CALLER_INSIDE_BLOCK);
    assert_int_equal(nt_seen.p[1], (uintptr_t)(block + 16));
    expect_bugcheck(pb_pool_special_free(special, block + 64), BAD_POOL_CALLER,
                    BAD_CALLER_NOT_POOL); /* a guard */
    expect_bugcheck(pb_pool_special_free(special, first + 16), BAD_POOL_CALLER,
                    BAD_CALLER_NOT_POOL); /* a freed page, but no block of it */
    expect_bugcheck(pb_pool_special_free(special, block + 2 * pb_page_bytes()), BAD_POOL_CALLER,
                    BAD_CALLER_NOT_POOL); /* a page never used */
    assert_int_equal(pb_pool_special_count(special), 1);
    pb_pool_special_free(special, block);
    pb_pool_special_close(special);
}

static void the_last_frees_are_not_reused_and_the_oldest_is_first(void **state)
{
    void *blocks[ROOM];
    (void)state;
    struct pool_special *special = open_special(3);
    for (unsigned i = 0; i < ROOM; i++) {
        blocks[i] = pb_pool_special_allocate(special, PagedPool, 64, DERF, true);
        assert_non_null(blocks[i]);
        for (unsigned j = 0; j < i; j++)
            assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    assert_null(pb_pool_special_allocate(special, PagedPool, 64, DERF, true));
    for (unsigned i = 0; i < 5; i++)
        pb_pool_special_free(special, blocks[i]);
    assert_ptr_equal(pb_pool_special_allocate(special, PagedPool, 64, DERF, true), blocks[0]);
    assert_ptr_equal(pb_pool_special_allocate(special, PagedPool, 64, DERF, true), blocks[1]);
    assert_null(pb_pool_special_allocate(special, PagedPool, 64, DERF, true));
    assert_int_equal(pb_pool_special_count(special), ROOM - 3);
    pb_pool_special_close(special);
}

static struct pb_pages_system refusing;

static int refuse_commit(void *at, size_t bytes)
{
    (void)at, (void)bytes;
    return -12;
}

static void *refuse_reserve(size_t bytes)
{
    return bytes > (size_t)ROOM * pb_page_bytes() ? NULL : pb_pages_linux.reserve(bytes);
}

static void a_system_that_refuses_gives_null_and_loses_no_page(void **state)
{
    (void)state;
    refusing = pb_pages_linux;
    refusing.reserve = refuse_reserve;
    pb_pages_system = &refusing;
    struct pool_special *none = pb_pool_special_open(ROOM, 0);
    pb_pages_system = &pb_pages_linux;
    assert_null(none);
    assert_null(pb_pool_special_open(0, 0));
    assert_null(pb_pool_special_open(SIZE_MAX / 4096, 0));
    struct pool_special *special = open_special(0);
    refusing = pb_pages_linux;
    refusing.commit = refuse_commit;
    pb_pages_system = &refusing;
    void *block = pb_pool_special_allocate(special, PagedPool, 64, DERF, false);
    pb_pages_system = &pb_pages_linux;
    assert_null(block);
    for (unsigned i = 0; i < ROOM; i++)
        assert_non_null(pb_pool_special_allocate(special, PagedPool, 64, DERF, false));
    pb_pool_special_close(special);
}

enum { THREADS = 4, ROUNDS = 300 };

struct shared {
    struct pool_special *special;
    void *common[ROUNDS]; /* freed by all at once; one of them may */
    _Atomic unsigned bad, none;
};

static void allocate_and_free(void *argument, unsigned index)
{
    struct shared *shared = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned char *block = pb_pool_special_allocate(shared->special, index, 40, DERF, i & 1);
        if (block == NULL) {
            shared->none++;
            continue;
        }
        struct pool_special_block found;
        memset(block, (int)index, 40);
        if (!pb_pool_special_find(shared->special, block, &found) || found.type != index ||
            block[39] != index)
            shared->bad++;
        pb_pool_special_free(shared->special, block);
    }
}

static void threads_get_pages_of_their_own(void **state)
{
    struct shared shared = {.special = open_special(1)};
    (void)state;
    nt_run_threads(THREADS, allocate_and_free, &shared);
    assert_int_equal(shared.bad, 0);
    assert_int_equal(shared.none, 0); /* room for 8, 4 in use and 1 kept back at a time */
    assert_int_equal(pb_pool_special_count(shared.special), 0);
    pb_pool_special_close(shared.special);
}

static void free_the_common(void *argument, unsigned index)
{
    struct shared *shared = argument;
    (void)index;
    for (unsigned i = 0; i < ROOM; i++)
        pb_pool_special_free(shared->special, shared->common[i]);
}

static void of_threads_that_free_one_block_one_does(void **state)
{
    struct shared shared = {.special = open_special(ROOM)};
    (void)state;
    for (unsigned i = 0; i < ROOM; i++)
        shared.common[i] = pb_pool_special_allocate(shared.special, PagedPool, 64, DERF, false);
    nt_run_threads(THREADS, free_the_common, &shared);
    assert_int_equal(nt_seen.n, (THREADS - 1) * ROOM);
    assert_int_equal(nt_seen.code, BAD_POOL_CALLER);
    assert_int_equal(nt_seen.p[0], BAD_CALLER_DOUBLE_FREE);
    nt_forget();
    assert_int_equal(pb_pool_special_count(shared.special), 0);
    pb_pool_special_close(shared.special);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("A14: a block ends at its page's end, or begins it",
                a_block_ends_or_begins_its_page),
        nt_test("A14: what lies beyond a block is inaccessible", what_lies_beyond_a_block_faults),
        nt_test("A14: a freed page is inaccessible", a_use_after_free_faults),
        nt_test("A14: a fault is told as 0xCD or 0xCC, and is still a SIGSEGV",
                a_fault_is_told_and_passed_on),
        nt_test("A14, A15: 0x19/20 at free when the pattern changed, and nothing is freed",
                a_changed_pattern_is_found_at_free),
        nt_test("A14: find and owns", find_tells_what_a_block_is_and_owns_where_it_lies),
        nt_test("A15: 0xC2/7, 0xC2/99 and 0xC2/46 at free",
                frees_of_what_is_no_block_are_told_apart),
        nt_test("A14: the last frees are kept back, the oldest is reused first",
                the_last_frees_are_not_reused_and_the_oldest_is_first),
        nt_test("A14: where the system refuses, ordinary pool is left",
                a_system_that_refuses_gives_null_and_loses_no_page),
        nt_test("A14: threads get pages of their own", threads_get_pages_of_their_own),
        nt_test("A15: of threads that free one block, one does",
                of_threads_that_free_one_block_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
