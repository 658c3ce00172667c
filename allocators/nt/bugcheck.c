/* SPDX-License-Identifier: MIT */
/* The bugcheck hook of poolbench/nt/bugcheck.h, and what its line says. The line goes out by
 * write(2) from a buffer on the stack: the heap that is broken may be the process's own. Source:
 * WDK, "Bug Check Code Reference". Threads: any. May touch: standard error. */
#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/mdl.h>
#include <poolbench/nt/section.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

pb_bugcheck_fn *pb_bugcheck_hook = pb_bugcheck_abort;

/* What a first parameter says. Ends with text NULL. */
struct meaning {
    uint64_t p1;
    const char *text;
};

static const struct meaning bad_pool_header[] = {
    {BAD_HEADER_LINKS, "free-list links disagree"},
    {BAD_HEADER_SIZES, "adjacent headers disagree on a size"},
    {BAD_HEADER_PREVIOUS_PAGE, "the previous block would lie in another page"},
    {BAD_HEADER_NOT_FIRST, "first of its page by its header, not by its place"},
    {BAD_HEADER_SIZE_ZERO, "block size 0"},
    {BAD_HEADER_NEXT_PAGE, "the next block would lie in another page"},
    {BAD_HEADER_WALK, "not met when its page is walked"},
    {BAD_HEADER_OVERRUN, "written past its end"},
    {BAD_HEADER_AFTER_FREE, "written to after it was freed"},
    {BAD_HEADER_UNTRACKED, "an address that is not tracked"},
    {0, NULL},
};

static const struct meaning bad_pool_caller[] = {
    {BAD_CALLER_ZERO_BYTES, "request of 0 bytes"},
    {BAD_CALLER_HEADER, "header corrupt at free"},
    {BAD_CALLER_DOUBLE_FREE, "double free"},
    {BAD_CALLER_ALLOC_IRQL, "allocation at too high an IRQL"},
    {BAD_CALLER_FREE_IRQL, "free at too high an IRQL"},
    {BAD_CALLER_TAG, "free with another tag"},
    {BAD_CALLER_QUOTA, "bad owner of quota"},
    {BAD_CALLER_NOT_POOL, "free of an address that no pool gave"},
    {BAD_CALLER_NOT_CONTIGUOUS, "free of an address that is not contiguous memory"},
    {BAD_CALLER_INSIDE_BLOCK, "free of an address inside a block"},
    {BAD_CALLER_MUST_SUCCEED, "must-succeed pool is no longer supported"},
    {BAD_CALLER_TAG_ZERO, "tag 0"},
    {BAD_CALLER_TAG_BIG, "tag \"BIG\""},
    {BAD_CALLER_TAG_NO_LETTER, "tag without a letter or digit"},
    {0, NULL},
};

#define CODE(code, meanings)                                                                       \
    {                                                                                              \
        code, #code, meanings                                                                      \
    }

static const struct code {
    uint32_t code;
    const char *name;
    const struct meaning *meanings; /* NULL: the first parameter is a value like the others */
} codes[] = {
    CODE(IRQL_NOT_GREATER_OR_EQUAL, NULL),
    CODE(IRQL_NOT_LESS_OR_EQUAL, NULL),
    CODE(SPIN_LOCK_ALREADY_OWNED, NULL),
    CODE(SPIN_LOCK_NOT_OWNED, NULL),
    CODE(BAD_POOL_HEADER, bad_pool_header),
    CODE(KMODE_EXCEPTION_NOT_HANDLED, NULL),
    CODE(QUOTA_UNDERFLOW, NULL),
    CODE(NO_MORE_SYSTEM_PTES, NULL),
    CODE(MUST_SUCCEED_POOL_EMPTY, NULL),
    CODE(PROCESS_HAS_LOCKED_PAGES, NULL),
    CODE(BAD_POOL_CALLER, bad_pool_caller),
    CODE(DRIVER_VERIFIER_DETECTED_VIOLATION, bad_pool_caller),
    CODE(MEMORY_MANAGEMENT, NULL),
    CODE(TARGET_MDL_TOO_SMALL, NULL),
    CODE(SYSTEM_PTE_MISUSE, NULL),
};

enum { CODES = sizeof codes / sizeof *codes, LINE_BYTES = 256 };

static const struct code *find_code(uint32_t code)
{
    for (size_t i = 0; i < CODES; i++)
        if (codes[i].code == code)
            return &codes[i];
    return NULL;
}

static const char *find_meaning(const struct meaning *meaning, uint64_t p1)
{
    for (; meaning != NULL && meaning->text != NULL; meaning++)
        if (meaning->p1 == p1)
            return meaning->text;
    return NULL;
}

const char *pb_bugcheck_name(uint32_t code)
{
    const struct code *found = find_code(code);
    return found != NULL ? found->name : NULL;
}

void KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4)
{
    pb_bugcheck_hook(BugCheckCode, P1, P2, P3, P4);
}

void KeBugCheck(ULONG BugCheckCode)
{
    KeBugCheckEx(BugCheckCode, 0, 0, 0, 0);
}

void pb_bugcheck_abort(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    char line[LINE_BYTES], what[LINE_BYTES / 2];
    const struct code *found = find_code(code);
    const char *text = find_meaning(found != NULL ? found->meanings : NULL, p1);
    if (text != NULL)
        (void)snprintf(what, sizeof what, " 0x%" PRIX64 " (%s):", p1, text);
    else
        (void)snprintf(what, sizeof what, ": 0x%" PRIX64 ",", p1);
    int length =
        snprintf(line, sizeof line,
                 "bugcheck 0x%" PRIX32 "%s%s%s 0x%" PRIX64 ", 0x%" PRIX64 ", 0x%" PRIX64 "\n", code,
                 found != NULL ? " " : "", found != NULL ? found->name : "", what, p2, p3, p4);
    ssize_t written = length > 0 ? write(STDERR_FILENO, line, (size_t)length) : 0;
    (void)written; /* if nobody can be told, the end is the same */
    abort();
}
