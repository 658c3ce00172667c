/* SPDX-License-Identifier: MIT */
/* The list of strategies (registry.h): the only file that expands allocators.def. Test doubles are
 * added behind the built-in ones.
 * Threads: pb_registry_extend before any other thread; the rest any thread.
 * May touch: the strategies' const tables. */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PB_ALLOCATOR(name) extern const struct pb_allocator pb_allocator_##name;
#include "allocators.def"
#undef PB_ALLOCATOR

#define PB_ALLOCATOR(name) &pb_allocator_##name,
static const struct pb_allocator *const built_in[] = {
#include "allocators.def"
};
#undef PB_ALLOCATOR

enum { BUILT_IN = sizeof built_in / sizeof *built_in };

static const struct pb_allocator *const nothing_more[] = {NULL};
static const struct pb_allocator *const *added = nothing_more;

void pb_registry_extend(const struct pb_allocator *const *more)
{
    added = more;
}

const struct pb_allocator *pb_registry_at(size_t index)
{
    if (index < BUILT_IN)
        return built_in[index];
    for (size_t i = BUILT_IN; added[i - BUILT_IN] != NULL; i++)
        if (i == index)
            return added[i - BUILT_IN];
    return NULL;
}

const struct pb_allocator *pb_registry_find(const char *name)
{
    const struct pb_allocator *ops;
    for (size_t i = 0; (ops = pb_registry_at(i)) != NULL; i++)
        if (strcmp(ops->name, name) == 0)
            return ops;
    return NULL;
}

/* Capabilities that contradict each other, and those that need another. */
static const struct {
    unsigned has, must, must_not;
    const char *why;
} capability_rules[] = {
    {PB_CAP_LIBRARY, 0, PB_CAP_FIXED_SIZE | PB_CAP_ONE_BLOCK, "a library serves any size"},
    {PB_CAP_ONE_BLOCK, PB_CAP_FIXED_SIZE, PB_CAP_REMOTE_FREE | PB_CAP_BACKING,
     "a floor has one fixed block a thread, which is nobody else's"},
    {PB_CAP_BACKING, PB_CAP_REMOTE_FREE, PB_CAP_FIXED_SIZE,
     "a backing serves any size and takes blocks back from any thread"},
};

static const char *check_capabilities(unsigned has)
{
    for (size_t i = 0; i < sizeof capability_rules / sizeof *capability_rules; i++) {
        bool applies = (has & capability_rules[i].has) != 0;
        bool kept = (has & capability_rules[i].must) == capability_rules[i].must &&
                    (has & capability_rules[i].must_not) == 0;
        if (applies && !kept)
            return capability_rules[i].why;
    }
    return NULL;
}

static const char *check_slots(const struct pb_allocator *ops)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    if (ops->name == NULL || *ops->name == '\0' || strspn(ops->name, letters) != strlen(ops->name))
        return "its name is not lower-case letters, digits and _";
    if (ops->summary == NULL || ops->source == NULL)
        return "its summary or source is missing";
    if (ops->options == NULL)
        return "its options are NULL; a table ends with PB_OPTION_END";
    if (ops->open == NULL || ops->close == NULL || ops->attach == NULL || ops->detach == NULL ||
        ops->stats == NULL)
        return "one of open, close, attach, detach, stats is missing";
    return check_capabilities(ops->capabilities);
}

static size_t value_bytes(const struct pb_option *row)
{
    return row->type == PB_OPTION_TEXT ? PB_OPTION_TEXT_MAX : sizeof(uint64_t);
}

static const char *check_options(const struct pb_allocator *ops)
{
    _Alignas(16) unsigned char values[PB_VARIANT_OPTIONS_MAX] = {0};
    if (ops->option_bytes > sizeof values)
        return "its option struct is larger than PB_VARIANT_OPTIONS_MAX";
    for (const struct pb_option *row = ops->options; row->type != PB_OPTION_END; row++) {
        if (row->name == NULL || row->standard == NULL || row->help == NULL)
            return "an option lacks its name, default or help";
        if (pb_option_find(ops->options, row->name) != row)
            return "two options have one name";
        if (row->offset + value_bytes(row) > ops->option_bytes)
            return "an option lies outside its struct";
        if (strcmp(row->name, "backing") == 0 && row->type != PB_OPTION_TEXT)
            return "the option named backing is not a text";
    }
    return pb_option_defaults(ops->options, values) != 0 ? "the default of an option does not parse"
                                                         : NULL;
}

int pb_registry_check(char *message, size_t message_size)
{
    const struct pb_allocator *ops;
    for (size_t i = 0; (ops = pb_registry_at(i)) != NULL; i++) {
        const char *wrong = check_slots(ops);
        if (wrong == NULL)
            wrong = check_options(ops);
        if (wrong == NULL && pb_registry_find(ops->name) != ops)
            wrong = "two strategies have this name";
        if (wrong == NULL)
            continue;
        snprintf(message, message_size, "strategy %zu (%s): %s", i,
                 ops->name != NULL ? ops->name : "?", wrong);
        return -EINVAL;
    }
    return 0;
}
