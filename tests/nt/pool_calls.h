/* SPDX-License-Identifier: MIT */
/* For tests of the executive's pool: each begins with one that has not begun, on a free build
 * unless it says `checked=on`, and ends with nothing allocated and all structures whole. Include
 * after cmocka and nt_test.h. */
#ifndef PB_TEST_POOL_CALLS_H
#define PB_TEST_POOL_CALLS_H

#include <poolbench/nt/page.h>
#include <poolbench/nt/pool.h>
#include <poolbench/nt/process.h>
#include <poolbench/nt/status.h>

#include <string.h>

enum { TAG_FRED = 0x64657246, TAG_NONE = 0x656E6F4E }; /* "Fred", "None" */

static inline void configure(const char *options)
{
    char message[300] = "";
    int error = PbNtConfigure(options, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(error, 0);
}

static inline int pool_setup(void **state)
{
    PbNtReset(NULL);
    return nt_setup_free(state);
}

static inline int pool_teardown(void **state)
{
    char message[300] = "";
    size_t leaked = 0;
    int error = PbNtCheck(message, sizeof message);
    PbNtReset(&leaked);
    if (error != 0 || leaked != 0)
        fprintf(stderr, "check: %s; %zu blocks leaked\n", message, leaked);
    return error != 0 || leaked != 0 ? -1 | nt_teardown(state) : nt_teardown(state);
}

#define pool_test(sentence, function)                                                              \
    {                                                                                              \
        sentence, function, pool_setup, pool_teardown, NULL                                        \
    }

/* The row of a tag; zeros if there is none. */
static inline SYSTEM_POOLTAG row_of(ULONG tag)
{
    static SYSTEM_POOLTAG rows[256];
    ULONG n = PbQueryPoolTags(rows, 256);
    for (ULONG i = 0; i < n && i < 256; i++)
        if (rows[i].TagUlong == tag)
            return rows[i];
    return (SYSTEM_POOLTAG){.TagUlong = tag};
}

/* Runs an expression; STATUS_SUCCESS if it raised nothing. */
#define status_raised_by(status, expression)                                                       \
    do {                                                                                           \
        volatile NTSTATUS raised = STATUS_SUCCESS;                                                 \
        PB_TRY                                                                                     \
        {                                                                                          \
            (void)(expression);                                                                    \
        }                                                                                          \
        PB_EXCEPT                                                                                  \
        {                                                                                          \
            raised = PbGetExceptionCode();                                                         \
        }                                                                                          \
        PB_END_TRY                                                                                 \
        status = raised;                                                                           \
    } while (0)

#endif
