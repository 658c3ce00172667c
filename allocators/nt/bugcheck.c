/* SPDX-License-Identifier: MIT */
/* The bugcheck hook of poolbench/nt/bugcheck.h, and what its line says. The line is put together in
 * a buffer on the stack without a call of the library and goes out by write(2): the heap that is
 * broken may be the process's own, and a handler of a fault writes such lines too.
 * Source: WDK, "Bug Check Code Reference". Threads: any. May touch: standard error. */
#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/mdl.h>
#include <poolbench/nt/section.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

pb_bugcheck_fn *pb_bugcheck_hook = pb_bugcheck_abort;

/* Which of the parameters behind the first are pool tags. */
enum { NO_TAGS = 0, P3_TAG = 1 << 2, P4_TAG = 1 << 3 };

/* What a first parameter says. Ends with text NULL. */
struct meaning {
    uint64_t p1;
    const char *text;
    unsigned tags;
};

static const struct meaning bad_pool_header[] = {
    {BAD_HEADER_LINKS, "free-list links disagree", NO_TAGS},
    {BAD_HEADER_SIZES, "adjacent headers disagree on a size", NO_TAGS},
    {BAD_HEADER_PREVIOUS_PAGE, "the previous block would lie in another page", NO_TAGS},
    {BAD_HEADER_NOT_FIRST, "first of its page by its header, not by its place", NO_TAGS},
    {BAD_HEADER_SIZE_ZERO, "block size 0", NO_TAGS},
    {BAD_HEADER_NEXT_PAGE, "the next block would lie in another page", NO_TAGS},
    {BAD_HEADER_WALK, "not met when its page is walked", NO_TAGS},
    {BAD_HEADER_OVERRUN, "written outside its bounds", NO_TAGS},
    {BAD_HEADER_AFTER_FREE, "written to after it was freed", NO_TAGS},
    {BAD_HEADER_UNTRACKED, "nothing big begins there: freed already, or inside a big block",
     NO_TAGS},
    {0, NULL, NO_TAGS},
};

static const struct meaning bad_pool_caller[] = {
    {BAD_CALLER_ZERO_BYTES, "request of 0 bytes", P4_TAG},
    {BAD_CALLER_HEADER, "header corrupt at free", NO_TAGS},
    {BAD_CALLER_DOUBLE_FREE, "double free", P3_TAG},
    {BAD_CALLER_ALLOC_IRQL, "allocation at too high an IRQL", NO_TAGS},
    {BAD_CALLER_FREE_IRQL, "free at too high an IRQL", NO_TAGS},
    {BAD_CALLER_TAG, "free with another tag", P3_TAG | P4_TAG},
    {BAD_CALLER_QUOTA, "bad owner of quota", P3_TAG},
    {BAD_CALLER_NOT_POOL, "free of an address that no pool gave", NO_TAGS},
    {BAD_CALLER_NOT_CONTIGUOUS, "free of an address that is not contiguous memory", NO_TAGS},
    {BAD_CALLER_INSIDE_BLOCK, "free of an address inside a block", NO_TAGS},
    {BAD_CALLER_MUST_SUCCEED, "must-succeed pool is no longer supported", P4_TAG},
    {BAD_CALLER_TAG_ZERO, "tag 0", P4_TAG},
    {BAD_CALLER_TAG_BIG, "tag \"BIG\"", P4_TAG},
    {BAD_CALLER_TAG_NO_LETTER, "tag without a letter or digit", P4_TAG},
    {0, NULL, NO_TAGS},
};

static const struct meaning violations[] = {
    {BAD_CALLER_DOUBLE_FREE, "an entry that the lookaside list has already", P3_TAG},
    {MDL_UNLOCKED_NOT_LOCKED, "an MDL is unlocked that is not locked", NO_TAGS},
    {MDL_UNLOCKED_NONPAGED, "an MDL of nonpaged pool is unlocked", NO_TAGS},
    {MDL_LOCKED_WRONG_FLAGS, "an MDL is locked that is locked, partial or nonpaged", NO_TAGS},
    {MDL_MAPPED_ALREADY, "an MDL is mapped that is mapped", NO_TAGS},
    {MDL_MAPPED_NOT_LOCKED, "an MDL is mapped that is not locked", NO_TAGS},
    {MDL_UNLOCKED_PARTIAL, "a partial MDL is unlocked", NO_TAGS},
    {MDL_FREED_MAPPED, "an MDL is freed that is mapped", NO_TAGS},
    {0, NULL, NO_TAGS},
};

static const struct meaning memory_management[] = {
    {SECTION_UNLOCKED_TWICE, "a section is unlocked that is not locked", NO_TAGS},
    {SECTION_DOES_NOT_EXIST, "no image is loaded there, or no such handle", NO_TAGS},
    {0, NULL, NO_TAGS},
};

#define RAISED(status)                                                                             \
    {                                                                                              \
        (uint32_t)(status), #status ", raised outside of every PB_TRY", NO_TAGS                    \
    }

static const struct meaning statuses[] = {
    RAISED(STATUS_DATATYPE_MISALIGNMENT),
    RAISED(STATUS_UNSUCCESSFUL),
    RAISED(STATUS_INFO_LENGTH_MISMATCH),
    RAISED(STATUS_ACCESS_VIOLATION),
    RAISED(STATUS_INVALID_PARAMETER),
    RAISED(STATUS_QUOTA_EXCEEDED),
    RAISED(STATUS_INSUFFICIENT_RESOURCES),
    RAISED(STATUS_NOT_SUPPORTED),
    RAISED(STATUS_INVALID_PARAMETER_4),
    RAISED(STATUS_INVALID_PARAMETER_5),
    {0, NULL, NO_TAGS},
};

/* A code, what its first parameters say or NULL, what it says where they do not or NULL. */
#define CODE(code, meanings, text)                                                                 \
    {                                                                                              \
        code, #code, meanings, text                                                                \
    }

static const struct code {
    uint32_t code;
    const char *name;
    const struct meaning *meanings;
    const char *text;
} codes[] = {
    CODE(IRQL_NOT_GREATER_OR_EQUAL, NULL, "raised to a lower IRQL, or called at too low a one"),
    CODE(IRQL_NOT_LESS_OR_EQUAL, NULL,
         "called, or memory touched, at too high an IRQL, or lowered to a higher one"),
    CODE(SPIN_LOCK_ALREADY_OWNED, NULL, "the thread has that spin lock already"),
    CODE(SPIN_LOCK_NOT_OWNED, NULL, "a spin lock is released that the thread does not have"),
    CODE(BAD_POOL_HEADER, bad_pool_header, NULL),
    CODE(KMODE_EXCEPTION_NOT_HANDLED, statuses, "a status raised outside of every PB_TRY"),
    CODE(QUOTA_UNDERFLOW, NULL, "more quota is given back than was charged"),
    CODE(NO_MORE_SYSTEM_PTES, NULL, "an MDL cannot be mapped a second time"),
    CODE(MUST_SUCCEED_POOL_EMPTY, NULL, "the reserve of must-succeed pool is used up"),
    CODE(PROCESS_HAS_LOCKED_PAGES, NULL, "an MDL is unlocked that is not locked"),
    CODE(BAD_POOL_CALLER, bad_pool_caller, NULL),
    CODE(DRIVER_VERIFIER_DETECTED_VIOLATION, violations, NULL),
    CODE(PAGE_FAULT_IN_FREED_SPECIAL_POOL, NULL, "a freed block of special pool is used"),
    CODE(PAGE_FAULT_BEYOND_END_OF_ALLOCATION, NULL,
         "used beyond the bounds of a block of special pool"),
    CODE(MEMORY_MANAGEMENT, memory_management, NULL),
    CODE(TARGET_MDL_TOO_SMALL, NULL, "the target MDL has no room for so many pages"),
    CODE(SYSTEM_PTE_MISUSE, NULL, "an address is unmapped that is not the MDL's mapping"),
};

enum { CODES = sizeof codes / sizeof *codes, LINE_BYTES = 384, PARAMETERS = 4, TAG_BYTES = 4 };

struct line {
    char text[LINE_BYTES];
    size_t used;
};

static const struct code *find_code(uint32_t code)
{
    for (size_t i = 0; i < CODES; i++)
        if (codes[i].code == code)
            return &codes[i];
    return NULL;
}

static const struct meaning *find_meaning(const struct meaning *meaning, uint64_t p1)
{
    for (; meaning != NULL && meaning->text != NULL; meaning++)
        if (meaning->p1 == p1)
            return meaning;
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

static void put_char(struct line *line, char c)
{
    if (line->used < sizeof line->text)
        line->text[line->used++] = c;
}

static void put(struct line *line, const char *text)
{
    while (*text != '\0')
        put_char(line, *text++);
}

static void put_hex(struct line *line, uint64_t value)
{
    unsigned shift = 60;
    while (shift != 0 && value >> shift == 0)
        shift -= 4;
    put(line, "0x");
    for (unsigned digits = shift / 4 + 1; digits > 0; digits--)
        put_char(line, "0123456789ABCDEF"[(value >> (4 * (digits - 1))) & 0xF]);
}

static void put_phrase(struct line *line, const char *text)
{
    put(line, " (");
    put(line, text);
    put_char(line, ')');
}

/* The characters of a tag, without the bit that says that it is protected. */
static void put_tag(struct line *line, uint64_t tag)
{
    char shown[] = "'....'";
    for (unsigned i = 0; i < TAG_BYTES; i++) {
        unsigned c = (unsigned)(tag >> (8 * i)) & (i == TAG_BYTES - 1 ? 0x7F : 0xFF);
        if (c >= 0x20 && c < 0x7F)
            shown[i + 1] = (char)c;
    }
    put_phrase(line, shown);
}

static void put_line(struct line *line, const struct code *code, const uint64_t *parameters)
{
    const struct meaning *meaning = code != NULL ? find_meaning(code->meanings, *parameters) : NULL;
    unsigned first = meaning != NULL ? 1 : 0; /* of what is listed behind the colon */
    if (code != NULL) {
        put_char(line, ' ');
        put(line, code->name);
    }
    if (meaning != NULL) {
        put_char(line, ' ');
        put_hex(line, *parameters);
        put_phrase(line, meaning->text);
    } else if (code != NULL && code->text != NULL) {
        put_phrase(line, code->text);
    }
    for (unsigned i = first; i < PARAMETERS; i++) {
        put(line, i == first ? ": " : ", ");
        put_hex(line, parameters[i]);
        if (meaning != NULL && (meaning->tags >> i & 1) != 0 && parameters[i] != 0)
            put_tag(line, parameters[i]);
    }
}

void pb_bugcheck_tell(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    const uint64_t parameters[PARAMETERS] = {p1, p2, p3, p4};
    struct line line;
    int before = errno;
    line.used = 0;
    put(&line, "bugcheck ");
    put_hex(&line, code);
    put_line(&line, find_code(code), parameters);
    put_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.text, line.used);
    (void)written; /* if nobody can be told, the end is the same */
    errno = before;
}

void pb_bugcheck_abort(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    pb_bugcheck_tell(code, p1, p2, p3, p4);
    abort();
}
