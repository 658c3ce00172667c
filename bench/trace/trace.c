/* SPDX-License-Identifier: MIT */
/* Checks a trace and compiles it. One book keeps what is alive while lines are read; a scan only
 * reads the book at its end, a compilation also writes an event a line.
 * Source:  trace.h; ids, code a thread and waits between threads as in glibc's trace_run.
 * Layout:  two growing mappings: ids[id] = slot + 1, 0 never seen, ID_DEAD freed; slots[slot] =
 *          what the slot holds, and its links in the list of free slots of the thread that gave it
 *          back. Events lie in the arena, an array a thread, as long as a scan counted.
 * I1       a slot is held by one living id, or is in exactly one thread's list
 * I2       summary.slots == the most ids alive at once: a slot is made only when all are held
 * Locks    none; one thread
 * Cost     a scan and a compilation read the text once each; 4 bytes an id and 32 a slot of
 *          scratch, given back */
#include "trace/trace.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ID_DEAD UINT32_MAX
#define NO_SLOT UINT32_MAX

/* A mapping that grows by doubling; new bytes are zero. */
struct book_map {
    void *base;
    size_t bytes;
};

struct book_slot {
    uint32_t bytes;              /* of the object; 0 = none */
    uint32_t thread, order;      /* of its last event */
    uint32_t older, newer;       /* neighbours in the list of free slots */
    struct pb_trace_event *last; /* its last event, NULL while scanning */
};

/* Slots given back by a thread, in the order in which they were. */
struct book_list {
    uint32_t oldest, newest;
};

struct book {
    struct book_map ids, slots;
    struct book_list lists[PB_TRACE_THREADS_MAX];
    struct pb_trace_summary summary;
    struct pb_trace_event **events;         /* NULL while scanning */
    const struct pb_trace_summary *scanned; /* how long each array of events is */
};

static bool book_reserve(struct book_map *map, size_t bytes)
{
    size_t wanted = map->bytes != 0 ? map->bytes : 64 * 1024;
    void *base;

    if (bytes <= map->bytes)
        return true;
    while (wanted < bytes)
        wanted *= 2;
    base = map->base != NULL
               ? mremap(map->base, map->bytes, wanted, MREMAP_MAYMOVE)
               : mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return false;
    map->base = base;
    map->bytes = wanted;
    return true;
}

static struct book_slot *book_slots(const struct book *book)
{
    return (struct book_slot *)book->slots.base;
}

/* --- lists of free slots --------------------------------------------------------------------- */

static void book_give_back(struct book *book, uint32_t slot)
{
    struct book_slot *slots = book_slots(book);
    struct book_list *list = &book->lists[slots[slot].thread];

    slots[slot].older = list->newest;
    slots[slot].newer = NO_SLOT;
    if (list->newest != NO_SLOT)
        slots[list->newest].newer = slot;
    else
        list->oldest = slot;
    list->newest = slot;
}

static void book_unlink(struct book *book, uint32_t slot)
{
    struct book_slot *slots = book_slots(book), *s = &slots[slot];
    struct book_list *list = &book->lists[s->thread];

    if (s->older != NO_SLOT)
        slots[s->older].newer = s->newer;
    else
        list->oldest = s->newer;
    if (s->newer != NO_SLOT)
        slots[s->newer].older = s->older;
    else
        list->newest = s->older;
}

/* A slot for an object that `thread` allocates: its own newest, anyone's oldest, a new one. NO_SLOT
 * if there is no memory. */
static uint32_t book_take(struct book *book, uint32_t thread)
{
    struct pb_trace_summary *summary = &book->summary;
    uint32_t best = book->lists[thread].newest;
    const bool own = best != NO_SLOT;

    for (uint32_t t = 0; !own && t < summary->threads; t++) {
        const struct book_slot *slots = book_slots(book);
        const uint32_t slot = book->lists[t].oldest;
        if (slot != NO_SLOT && (best == NO_SLOT || slots[slot].order < slots[best].order))
            best = slot;
    }
    if (best != NO_SLOT) {
        book_unlink(book, best);
        return best;
    }
    if (summary->slots == PB_TRACE_SLOTS_MAX ||
        !book_reserve(&book->slots, (summary->slots + 1u) * sizeof(struct book_slot)))
        return NO_SLOT;
    return summary->slots++;
}

/* --- one line -------------------------------------------------------------------------------- */

/* The slot of the line's object, taken or found. Returns NULL, or what is wrong. */
static const char *book_find(struct book *book, const struct pb_trace_line *line, uint32_t *slot)
{
    uint32_t *entry;

    if (!book_reserve(&book->ids, (line->id + 1u) * sizeof(uint32_t)))
        return "cannot be kept: no memory";
    entry = (uint32_t *)book->ids.base + line->id;
    if (line->op == PB_TRACE_REALLOC || line->op == PB_TRACE_FREE) {
        if (*entry == 0)
            return "was never allocated";
        if (*entry == ID_DEAD)
            return "was freed before";
        *slot = *entry - 1;
        if (line->op == PB_TRACE_FREE)
            *entry = ID_DEAD;
        return NULL;
    }
    if (*entry != 0)
        return "is allocated a second time";
    *slot = book_take(book, line->thread);
    if (*slot == NO_SLOT)
        return "cannot be kept: no memory, or too many objects alive";
    *entry = *slot + 1;
    return NULL;
}

/* Writes the line's event and links it to the slot's last one. */
static void book_write(struct book *book, const struct pb_trace_line *line, uint32_t slot,
                       uint32_t bytes)
{
    struct book_slot *s = &book_slots(book)[slot];
    const uint64_t at = book->summary.thread_events[line->thread];
    struct pb_trace_event *event = &book->events[line->thread][at];
    const bool crosses = s->last != NULL && s->thread != line->thread;

    *event = (struct pb_trace_event){
        .order = (uint32_t)(book->summary.events + 1) & INT32_MAX,
        .slot = slot & (PB_TRACE_SLOTS_MAX - 1),
        .op = (unsigned)line->op & 7u,
        .alignment_log2 = line->alignment_log2 & PB_TRACE_ALIGNMENT_LOG2_MAX,
        .bytes = bytes,
        .after = crosses ? s->order : 0,
    };
    if (crosses)
        s->last->posts = 1;
    s->last = event;
}

static void book_count(struct book *book, const struct pb_trace_line *line, struct book_slot *s,
                       uint32_t bytes)
{
    struct pb_trace_summary *summary = &book->summary;

    summary->events++;
    summary->thread_events[line->thread]++;
    if (line->op == PB_TRACE_FREE) {
        summary->frees++;
        summary->live--;
        summary->live_bytes -= bytes;
        bytes = 0;
    } else if (line->op == PB_TRACE_REALLOC) {
        summary->reallocs++;
        summary->live_bytes += bytes - (uint64_t)s->bytes;
    } else {
        summary->allocs++;
        summary->live++;
        summary->live_bytes += bytes;
    }
    if (summary->live_bytes > summary->live_peak_bytes)
        summary->live_peak_bytes = summary->live_bytes;
    s->bytes = bytes;
    s->thread = line->thread;
    s->order = (uint32_t)summary->events;
}

/* Whether the arrays, made from a scan, have room for the line: not if the file changed since. */
static bool book_has_room(const struct book *book, uint32_t thread)
{
    return thread < book->scanned->threads &&
           book->summary.thread_events[thread] < book->scanned->thread_events[thread];
}

/* Enters a line. Returns NULL, or what is wrong with its id. */
static const char *book_enter(struct book *book, const struct pb_trace_line *line)
{
    uint32_t slot = 0;
    const char *what = book_find(book, line, &slot);

    if (what != NULL)
        return what;
    struct book_slot *s = &book_slots(book)[slot];
    const uint32_t recorded = line->bytes != 0 ? line->bytes : 1;
    const uint32_t bytes = line->op == PB_TRACE_FREE ? s->bytes : recorded;
    if (book->events != NULL && !book_has_room(book, line->thread))
        return "comes unexpectedly: the file changed while it was read";
    if (book->events != NULL)
        book_write(book, line, slot, bytes);
    book_count(book, line, s, bytes);
    if (line->op == PB_TRACE_FREE)
        book_give_back(book, slot);
    return NULL;
}

/* --- a file ---------------------------------------------------------------------------------- */

/* Enters the reader's lines up to `limit`. */
static int book_read(struct book *book, struct pb_trace_reader *reader, const char *path,
                     uint64_t limit, char *message, size_t message_size)
{
    struct pb_trace_summary *summary = &book->summary;
    struct pb_trace_line line;
    const char *what;
    int got = 0;

    while (summary->events < limit &&
           (got = pb_trace_next(reader, &line, message, message_size)) == 1) {
        if (line.thread > summary->threads || summary->events == INT32_MAX - 1) {
            snprintf(message, message_size, "%s:%llu: %s", path, (unsigned long long)line.number,
                     line.thread > summary->threads
                         ? "threads are numbered in order of their first appearance"
                         : "too many events");
            return -EINVAL;
        }
        summary->threads += line.thread == summary->threads;
        what = book_enter(book, &line);
        if (what != NULL) {
            snprintf(message, message_size, "%s:%llu: id %lu %s", path,
                     (unsigned long long)line.number, (unsigned long)line.id, what);
            return -EINVAL;
        }
    }
    if (got >= 0 && summary->events == 0) {
        snprintf(message, message_size, "%s: no event in it", path);
        return -EINVAL;
    }
    return got < 0 ? got : 0;
}

/* Reads a file into an empty book. */
static int book_open(struct book *book, const char *path, uint64_t limit, char *message,
                     size_t message_size)
{
    struct pb_trace_reader *reader;
    int error = pb_trace_open(path, &reader, message, message_size);

    if (error != 0)
        return error;
    for (unsigned t = 0; t < PB_TRACE_THREADS_MAX; t++)
        book->lists[t] = (struct book_list){NO_SLOT, NO_SLOT};
    error = book_read(book, reader, path, limit, message, message_size);
    if (book->ids.base != NULL)
        munmap(book->ids.base, book->ids.bytes);
    if (book->slots.base != NULL)
        munmap(book->slots.base, book->slots.bytes);
    pb_trace_close(reader);
    return error;
}

int pb_trace_scan(const char *path, uint64_t limit, struct pb_trace_summary *summary, char *message,
                  size_t message_size)
{
    struct book book = {.events = NULL};
    const int error = book_open(&book, path, limit, message, message_size);

    if (error == 0)
        *summary = book.summary;
    return error;
}

int pb_trace_compile(const char *path, const struct pb_trace_summary *scanned,
                     struct pb_arena *arena, struct pb_trace *trace, char *message,
                     size_t message_size)
{
    struct book book = {.scanned = scanned};
    int error;

    book.events = pb_arena_take(arena, scanned->threads * sizeof(*book.events), 128);
    for (uint32_t t = 0; book.events != NULL && t < scanned->threads; t++) {
        const size_t bytes = (size_t)scanned->thread_events[t] * sizeof(**book.events);
        /* a thread may have no event in a trace that was cut short */
        book.events[t] = pb_arena_take(arena, bytes != 0 ? bytes : 1, 128);
        if (book.events[t] == NULL)
            book.events = NULL;
    }
    if (book.events == NULL) {
        snprintf(message, message_size, "%s: %llu events do not fit the harness's memory", path,
                 (unsigned long long)scanned->events);
        return -ENOMEM;
    }
    error = book_open(&book, path, scanned->events, message, message_size);
    if (error == 0) {
        trace->summary = book.summary;
        trace->events = book.events;
    }
    return error;
}
