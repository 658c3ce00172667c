/* SPDX-License-Identifier: MIT */
/* The executive's instance (executive.h): its options, its beginning and end.
 * Environment, read when it begins: PB_POOLMON=FILE has the table of tags made in FILE, for another
 * process to read (`poolbench poolmon`); PB_NT_LEAKS=1 (anything but nothing and 0) has what is
 * still allocated at the program's exit written to standard error, by tag.
 * Locks    `lock` guards all but `begun`, which is read without it
 * Threads: any, but for PbNtReset and PbNtCheck, as poolbench/nt/pool.h says. */
#include "pool/executive.h"

#include "nt/entry.h"
#include "nt/mdl.h"
#include "nt/mm.h"
#include "nt/pages.h"
#include "nt/tuner.h"
#include "pool/tags_file.h"

#include <poolbench/nt/lookaside.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXECUTIVE_DEFAULTS "tags=on,resident=on"

enum { MESSAGE_BYTES = 512, OPTIONS_MOST = 64, ALL_CLASSES = (1 << POOL_CLASSES) - 1 };

static _Atomic(struct pool_front *) begun;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* guarded by lock */
static struct pool_options configured;
static bool is_configured, has_failed, reports_leaks, tunes;

static int default_options(struct pool_options *options, char *message, size_t message_size)
{
    memset(options, 0, sizeof *options);
    int error = pb_option_defaults(pb_pool_option_table, options);
    return error != 0 ? error
                      : pb_option_parse(pb_pool_option_table, options, EXECUTIVE_DEFAULTS, message,
                                        message_size);
}

/* What only a heap of the strategy has. */
static const char *refuses(const struct pool_options *options)
{
    if (options->type != POOL_TYPE_OPTION_NONPAGED)
        return "option 'type' is for heaps: the executive has every kind, by POOL_TYPE";
    if (options->quota != 0)
        return "option 'quota' is for heaps: the executive has ExAllocatePoolWithQuotaTag";
    return pb_front_refuses(options);
}

/* Says which options there are, without those that are refused. */
static int refuse_unknown(const char *text, struct pool_options *scratch, char *message,
                          size_t message_size)
{
    struct pb_option own[OPTIONS_MOST];
    size_t n = 0;
    for (const struct pb_option *row = pb_pool_option_table;
         row->type != PB_OPTION_END && n < OPTIONS_MOST - 1; row++)
        if (strcmp(row->name, "type") != 0 && strcmp(row->name, "quota") != 0)
            own[n++] = *row;
    own[n] = (struct pb_option){.type = PB_OPTION_END};
    return pb_option_parse(own, scratch, text, message, message_size);
}

static int parse(const char *text, struct pool_options *options, char *message, size_t message_size)
{
    if (text == NULL) {
        snprintf(message, message_size, "the options are NULL: \"\" stands for the defaults");
        return -EINVAL;
    }
    int error = default_options(options, message, message_size);
    if (error == 0)
        error = pb_option_parse(pb_pool_option_table, options, text, message, message_size);
    if (error == -ENOENT)
        return refuse_unknown(text, options, message, message_size);
    const char *refused = error == 0 ? refuses(options) : NULL;
    if (refused == NULL)
        return error;
    snprintf(message, message_size, "%s", refused);
    return -EINVAL;
}

struct pool_front *pb_executive_begun(void)
{
    /* acquire: what the thread that began it wrote */
    return atomic_load_explicit(&begun, memory_order_acquire);
}

int PbNtConfigure(const char *options, char *message, size_t message_size)
{
    struct pool_options parsed;
    int error = parse(options, &parsed, message, message_size);
    if (error != 0)
        return error;
    (void)pthread_mutex_lock(&lock);
    if (pb_executive_begun() != NULL || has_failed) {
        snprintf(message, message_size,
                 "the executive has begun: options are set before its first use, or after "
                 "PbNtReset");
        error = -EBUSY;
    } else {
        configured = parsed;
        is_configured = true;
    }
    (void)pthread_mutex_unlock(&lock);
    return error;
}

BOOLEAN pb_pool_lists_are_locked(void)
{
    (void)pthread_mutex_lock(&lock);
    bool known = is_configured || pb_executive_begun() != NULL;
    bool locked = known && pb_pool_profiles[configured.profile].list_locks;
    (void)pthread_mutex_unlock(&lock);
    return (BOOLEAN)locked;
}

/* One line, from a buffer on the stack: the program's heap may stand on this one. */
static void tell(const char *what, const char *why)
{
    char line[POOL_TAGS_PATH_MAX + MESSAGE_BYTES];
    int length = snprintf(line, sizeof line, "poolbench: %s: %s\n", what, why);
    size_t bytes = length < (int)sizeof line ? (size_t)length : sizeof line - 1;
    line[bytes - 1] = '\n';
    ssize_t written = write(STDERR_FILENO, line, bytes);
    (void)written; /* there is nobody else to tell */
}

/* Why there is no table of tags to read, in a line that names its file and what to do. */
static void tell_of_table(const char *path, int error)
{
    char what[POOL_TAGS_PATH_MAX], why[MESSAGE_BYTES];
    (void)snprintf(what, sizeof what, "PB_POOLMON=%s", path);
    if (error == -EEXIST)
        (void)snprintf(why, sizeof why, "not a table of tags, left as it is; name a new file");
    else
        (void)snprintf(why, sizeof why,
                       "no table of tags is made: %s; name a file in a folder that can be written "
                       "and has room",
                       strerror(-error));
    tell(what, why);
}

/* Opens the front with its tags in a file, if the environment asks for one and it can be made.
 * Returns 0 or -errno: then there is none, and whoever wanted it was told why. */
static int open_watched(const struct pool_options *options, struct pool_front **front,
                        char *message, size_t message_size)
{
    struct pool_tags_file table;
    struct pool_options watched = *options;
    int error = pb_pool_tags_file_open(&table);
    if (error == -ENODATA) /* nobody asks */
        return error;
    if (error == 0) {
        watched.tags = 1;
        watched.tags_file = table.file + 1;
        error = pb_front_open(&watched, ALL_CLASSES, front, message, message_size);
        int unnamed = pb_pool_tags_file_close(&table, error == 0);
        if (unnamed != 0) /* counted all the same */
            tell_of_table(table.path, unnamed);
    }
    if (error != 0)
        tell_of_table(table.path, error);
    return error;
}

static struct pool_front *open_front(const struct pool_options *options, char *message,
                                     size_t message_size)
{
    struct pool_front *front = NULL;
    if (open_watched(options, &front, message, message_size) == 0)
        return front;
    message[0] = '\0';
    int error = pb_front_open(options, ALL_CLASSES, &front, message, message_size);
    if (error != 0 && message[0] == '\0')
        snprintf(message, message_size, "%s", strerror(-error));
    return front;
}

static void at_exit(void)
{
    (void)pb_executive_leaks(STDERR_FILENO);
}

static void adjust(void *context, const struct pb_tuning *tuning)
{
    pb_pool_tune(context, tuning);
}

static void begin_tuning(struct pool_front *front)
{
    pb_tuner_set(&front->options.tuning);
    if (pb_tuner_register(adjust, front->pool) != 0)
        tell("the pool's lists are not tuned", "too many pools are");
    tunes = front->options.tune != 0 && PbStartLookasideTuner() == 0;
}

/* `lock` is held. */
static struct pool_front *begin(void)
{
    char message[MESSAGE_BYTES] = "";
    const char *leaks = getenv("PB_NT_LEAKS");
    int error = is_configured ? 0 : default_options(&configured, message, sizeof message);
    struct pool_front *front = NULL;
    configured.checked_build = PbNtChecked != 0;
    if (error == 0)
        front = open_front(&configured, message, sizeof message);
    if (front == NULL) {
        has_failed = true;
        tell("the executive's pool cannot be made, and every allocation fails", message);
        return NULL;
    }
    begin_tuning(front);
    if (leaks != NULL && *leaks != '\0' && strcmp(leaks, "0") != 0 && !reports_leaks)
        reports_leaks = atexit(at_exit) == 0;
    /* release: pairs with pb_executive_begun */
    atomic_store_explicit(&begun, front, memory_order_release);
    return front;
}

static struct pool_front *begin_once(void)
{
    (void)pthread_mutex_lock(&lock);
    struct pool_front *front = pb_executive_begun();
    if (front == NULL && !has_failed)
        front = begin();
    (void)pthread_mutex_unlock(&lock);
    return front;
}

struct pool_front *pb_executive(void)
{
    struct pool_front *front = pb_executive_begun();
    return __builtin_expect(front != NULL, 1) ? front : begin_once();
}

/* What stands on the pool goes first, with no lock held. Descriptors that are cached are nobody's;
 * contiguous memory that was never freed is, and counts. */
void PbNtReset(size_t *leaked)
{
    struct pool_front *front = pb_executive_begun();
    pb_mdl_reset();
    if (leaked != NULL)
        *leaked = front != NULL ? pb_front_live(front) : 0;
    pb_mm_reset();
    (void)pthread_mutex_lock(&lock);
    if (front != NULL) {
        if (tunes)
            PbStopLookasideTuner();
        pb_tuner_unregister(adjust, front->pool);
        /* release: as all stores of it */
        atomic_store_explicit(&begun, NULL, memory_order_release);
        pb_front_close(front);
    }
    is_configured = has_failed = tunes = false;
    (void)pthread_mutex_unlock(&lock);
}

int PbNtCheck(char *message, size_t message_size)
{
    struct pool_front *front = pb_executive_begun();
    return front != NULL ? pb_front_check(front, message, message_size) : 0;
}

ULONG PbQueryPoolTags(PSYSTEM_POOLTAG Rows, ULONG Count)
{
    struct pool_front *front = pb_executive_begun();
    return front != NULL && front->tags != NULL ? pb_pool_tags_read(front->tags, Rows, Count) : 0;
}
