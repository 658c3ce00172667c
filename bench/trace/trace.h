/* SPDX-License-Identifier: MIT */
/* Recorded programs: reading a trace and compiling it for replay. bench/traces/README.md has the
 * format.
 *
 *     text, maybe zstd  ->  pb_trace_next, one line at a time, constant memory
 *                       ->  pb_trace_scan, counts and peaks; the first fault as FILE:LINE
 *                       ->  pb_trace_compile, an array of 16-byte events a thread
 *
 * Objects become slots: a place in a table that the replay keeps. A slot is taken when an object is
 * allocated and given back when it is freed, so the table is as long as the most objects that were
 * alive at once. A thread takes the slot that it gave back last; if it has none, the one that any
 * other thread gave back first; if there is none either, a new one.
 *
 * Order: events carry their number in the recorded order (1, 2, ...). The events of one slot form a
 * chain; where its next link is another thread's, the earlier event `posts` and the later one has
 * the earlier's number in `after`: the replay waits for it. All other events follow their
 * predecessor in their own thread's array.
 *
 * Memory comes from mmap and the given arena, never from malloc. Threads: any, one reader each;
 * pb_trace_set_folder before any thread. May include: engine/arena.h, zstd. */
#ifndef PB_TRACE_H
#define PB_TRACE_H

#include "engine/arena.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PB_TRACE_THREADS_MAX = 256,
    PB_TRACE_PATH_MAX = 4096,
    PB_TRACE_ID_MAX = 1 << 28,
    PB_TRACE_SLOTS_MAX = 1 << 24,
    PB_TRACE_ALIGNMENT_LOG2_MAX = 31
};

enum pb_trace_op {
    PB_TRACE_ALLOC,   /* a: malloc */
    PB_TRACE_ZEROED,  /* z: calloc */
    PB_TRACE_ALIGNED, /* m: aligned allocation */
    PB_TRACE_REALLOC, /* r */
    PB_TRACE_FREE     /* f */
};

/* --- text ------------------------------------------------------------------------------------ */

struct pb_trace_line {
    enum pb_trace_op op;
    uint32_t thread;
    uint32_t id;
    uint32_t bytes;          /* as recorded; 0 for a free */
    uint32_t alignment_log2; /* of an aligned allocation, else 0 */
    uint64_t number;         /* of the line, from 1 */
};

struct pb_trace_reader;

/* Opens a file, plain or compressed (told apart by the first bytes). Returns 0; -ENOENT or another
 * errno of open; -ENOMEM; with one line in `message`. */
int pb_trace_open(const char *path, struct pb_trace_reader **reader, char *message,
                  size_t message_size);

/* The next event. Returns 1; 0 at the end; -EINVAL "FILE:LINE: what" for a malformed line, or for
 * the first that is cut off or that zstd found damaged; -EIO. */
int pb_trace_next(struct pb_trace_reader *reader, struct pb_trace_line *line, char *message,
                  size_t message_size);
void pb_trace_close(struct pb_trace_reader *reader);

/* --- what is in it --------------------------------------------------------------------------- */

struct pb_trace_summary {
    uint64_t events;
    uint64_t allocs, frees, reallocs; /* allocs: a, z and m */
    uint64_t thread_events[PB_TRACE_THREADS_MAX];
    uint32_t threads;
    uint32_t slots;            /* = the most objects alive at once */
    uint64_t live_peak_bytes;  /* requested; a size of 0 counts as 1 */
    uint64_t live, live_bytes; /* at the end */
};

/* Reads the first `limit` events (UINT64_MAX: all, with every check to the end of the file).
 * Returns 0; as open and next; -EINVAL for a free or realloc of what is not alive, an id allocated
 * twice, threads not numbered in order of appearance, a file without events. */
int pb_trace_scan(const char *path, uint64_t limit, struct pb_trace_summary *summary, char *message,
                  size_t message_size);

/* --- compiled -------------------------------------------------------------------------------- */

struct pb_trace_event {
    uint32_t order : 31; /* number in the recorded order, from 1 */
    uint32_t posts : 1;  /* the slot's next event is another thread's */
    uint32_t slot : 24;
    uint32_t op : 3;             /* enum pb_trace_op */
    uint32_t alignment_log2 : 5; /* PB_TRACE_ALIGNED */
    uint32_t bytes;              /* >= 1; the new size of a realloc, the last size of a free */
    uint32_t after;              /* the event of another thread to wait for, 0 = none */
};

struct pb_trace {
    struct pb_trace_summary summary; /* of the events compiled */
    struct pb_trace_event **events;  /* [thread], thread_events each */
};

/* Compiles the events that `scanned` was made from (those within its limit); the arena keeps them.
 * Returns 0; as scan; -ENOMEM. */
int pb_trace_compile(const char *path, const struct pb_trace_summary *scanned,
                     struct pb_arena *arena, struct pb_trace *trace, char *message,
                     size_t message_size);

/* --- where it is ----------------------------------------------------------------------------- */

/* Where the shipped traces lie; the caller keeps `folder`. Until then: bench/traces. */
void pb_trace_set_folder(const char *folder);

/* The file of a trace. A name with a '/' or an extension is a path. A bare name (sqlite) is
 * NAME.txt.zst or NAME.txt in the folders of PB_TRACE_PATH (separated by colons), then in the
 * folder set. Returns 0, or -ENOENT and one line that says where it was sought. */
int pb_trace_find(const char *name, char *path, size_t path_size, char *message,
                  size_t message_size);

#endif
