/* SPDX-License-Identifier: MIT */
/* Lists under stress: SLISTs (push, pop, flush and what was flushed pushed again), and the three
 * kinds of interlocked lists. Entries go round between lists and workers, who hold some of them
 * over their turns; an entry that two have, or that has gone, is seen by the oracle and by the
 * walks. Threads: any. */
#include "nt/stress.h"

#include <poolbench/nt/list.h>
#include <poolbench/nt/slist.h>

enum { ENTRIES = 512, HEADS = 3, HELD_MOST = 16, PAYLOAD_WORDS = 4 };

/* The payload is whose the entry is; the link, whose the list is. */
struct entry {
    union {
        SLIST_ENTRY slist;
        LIST_ENTRY list;
        SINGLE_LIST_ENTRY single;
    };
    uint64_t payload[PAYLOAD_WORDS];
    bool met; /* by a check */
};

struct kind {
    const char *name;
    void (*push)(struct stress_worker *worker, unsigned head, struct entry *entry);
    struct entry *(*pop)(unsigned head);
    struct entry *(*first)(unsigned head);                     /* of a walk */
    struct entry *(*next)(unsigned head, struct entry *entry); /* NULL: the end */
    enum stress_plant plant;
    struct entry entries[ENTRIES];
    struct {
        struct entry *entries[HELD_MOST];
        unsigned n;
    } held[STRESS_THREADS_MOST];
};

static SLIST_HEADER slists[HEADS];
static LIST_ENTRY lists[HEADS];
static SINGLE_LIST_ENTRY singles[HEADS];
static KSPIN_LOCK list_locks[HEADS], single_locks[HEADS];

/* The entry whose link that is; every link is at the entry's start. */
static struct entry *entry_of(void *link)
{
    return link;
}
_Static_assert(offsetof(struct entry, slist) == 0 && offsetof(struct entry, list) == 0 &&
                   offsetof(struct entry, single) == 0,
               "entry_of");

static void push_slist(struct stress_worker *worker, unsigned head, struct entry *entry)
{
    (void)worker;
    (void)ExInterlockedPushEntrySList(&slists[head], &entry->slist, NULL);
}

static struct entry *pop_slist(unsigned head)
{
    return entry_of(ExInterlockedPopEntrySList(&slists[head], NULL));
}

static struct entry *first_slist(unsigned head)
{
    return entry_of(FirstEntrySList(&slists[head]));
}

static struct entry *next_slist(unsigned head, struct entry *entry)
{
    (void)head;
    return entry_of(entry->slist.Next);
}

static void push_list(struct stress_worker *worker, unsigned head, struct entry *entry)
{
    if (stress_below(worker, 2) == 0)
        (void)ExInterlockedInsertHeadList(&lists[head], &entry->list, &list_locks[head]);
    else
        (void)ExInterlockedInsertTailList(&lists[head], &entry->list, &list_locks[head]);
}

static struct entry *pop_list(unsigned head)
{
    return entry_of(ExInterlockedRemoveHeadList(&lists[head], &list_locks[head]));
}

/* NULL for the head; a link back that is not one is found here. */
static struct entry *step_list(unsigned head, PLIST_ENTRY from)
{
    PLIST_ENTRY to = from->Flink;
    if (to->Blink != from)
        stress_found(FOUND_STRUCTURE, "LIST_ENTRY: the links of two neighbours disagree");
    return to != &lists[head] ? CONTAINING_RECORD(to, struct entry, list) : NULL;
}

static struct entry *first_list(unsigned head)
{
    return step_list(head, &lists[head]);
}

static struct entry *next_list(unsigned head, struct entry *entry)
{
    return step_list(head, &entry->list);
}

static void push_single(struct stress_worker *worker, unsigned head, struct entry *entry)
{
    (void)worker;
    (void)ExInterlockedPushEntryList(&singles[head], &entry->single, &single_locks[head]);
}

static struct entry *pop_single(unsigned head)
{
    return entry_of(ExInterlockedPopEntryList(&singles[head], &single_locks[head]));
}

static struct entry *first_single(unsigned head)
{
    return entry_of(singles[head].Next);
}

static struct entry *next_single(unsigned head, struct entry *entry)
{
    (void)head;
    return entry_of(entry->single.Next);
}

enum { KIND_SLIST, KIND_LIST, KIND_SINGLE, KINDS };

static struct kind kinds[KINDS] = {
    [KIND_SLIST] = {.name = "SLIST", push_slist, pop_slist, first_slist, next_slist, PLANT_SLIST},
    [KIND_LIST] = {.name = "LIST_ENTRY", push_list, pop_list, first_list, next_list, PLANT_LIST},
    [KIND_SINGLE] = {.name = "SINGLE_LIST_ENTRY",
                     push_single,
                     pop_single,
                     first_single,
                     next_single,
                     PLANT_NONE}};

/* The entry is the worker's from here on. */
static void take(struct stress_worker *worker, struct entry *entry)
{
    stress_hold(entry->payload, sizeof entry->payload, UINT32_MAX - worker->index - 1);
    for (unsigned i = 0; i < PAYLOAD_WORDS; i++)
        entry->payload[i] = worker->index;
}

static void give(struct stress_worker *worker, struct kind *kind, struct entry *entry)
{
    for (unsigned i = 0; i < PAYLOAD_WORDS; i++)
        if (entry->payload[i] != worker->index)
            stress_found(FOUND_CORRUPT, "%s: an entry changed under its owner", kind->name);
    stress_unhold(entry->payload, sizeof entry->payload, UINT32_MAX - worker->index - 1);
    if (kind->plant == PLANT_NONE || !stress_plant(worker, kind->plant))
        kind->push(worker, (unsigned)stress_below(worker, HEADS), entry);
}

/* Empties an SLIST and pushes what was in it, elsewhere. */
static void flush(struct stress_worker *worker)
{
    PSLIST_ENTRY at = ExInterlockedFlushSList(&slists[stress_below(worker, HEADS)]);
    while (at != NULL) {
        struct entry *entry = CONTAINING_RECORD(at, struct entry, slist);
        at = at->Next;
        take(worker, entry);
        give(worker, &kinds[KIND_SLIST], entry);
    }
}

static void turn(struct stress_worker *worker, const struct stress_actor *actor)
{
    struct kind *kind = &kinds[stress_below(worker, KINDS)];
    unsigned *n = &kind->held[worker->index].n;
    struct entry **entries = kind->held[worker->index].entries;
    (void)actor;
    if (kind == &kinds[KIND_SLIST] && stress_below(worker, 64) == 0)
        flush(worker);
    if (stress_below(worker, HELD_MOST) < *n) {
        struct entry *entry = entries[--*n];
        give(worker, kind, entry);
        return;
    }
    struct entry *entry = kind->pop((unsigned)stress_below(worker, HEADS));
    if (entry == NULL) {
        stress_refused(worker);
        return;
    }
    take(worker, entry);
    entries[(*n)++] = entry;
}

static const struct stress_actor actors[] = {{"lists", 120, turn, NULL, NULL}};

/* Once: the entries stay in their lists over epochs. */
static void open(void)
{
    static bool made;
    if (made)
        return;
    made = true;
    for (unsigned head = 0; head < HEADS; head++) {
        ExInitializeSListHead(&slists[head]);
        InitializeListHead(&lists[head]);
        KeInitializeSpinLock(&list_locks[head]);
        KeInitializeSpinLock(&single_locks[head]);
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned i = 0; i < ENTRIES; i++)
            kinds[kind].push(&stress_run.workers[0], i % HEADS, &kinds[kind].entries[i]);
}

static void meet(const struct kind *kind, struct entry *entry)
{
    if (entry < kind->entries || entry >= kind->entries + ENTRIES)
        stress_found(FOUND_STRUCTURE, "%s: a list leads to no entry", kind->name);
    if (entry->met)
        stress_found(FOUND_DOUBLE, "%s: an entry is in two places", kind->name);
    entry->met = true;
}

static unsigned walk(const struct kind *kind, unsigned head)
{
    unsigned n = 0;
    for (struct entry *at = kind->first(head); at != NULL; at = kind->next(head, at), n++)
        meet(kind, at);
    if (kind == &kinds[KIND_SLIST] && n != ExQueryDepthSList(&slists[head]))
        stress_found(FOUND_STRUCTURE, "SLIST: %u entries, and a depth of %u", n,
                     ExQueryDepthSList(&slists[head]));
    return n;
}

static void check(void)
{
    for (unsigned i = 0; i < KINDS; i++) {
        struct kind *kind = &kinds[i];
        unsigned n = 0;
        for (unsigned e = 0; e < ENTRIES; e++)
            kind->entries[e].met = false;
        for (unsigned head = 0; head < HEADS; head++)
            n += walk(kind, head);
        for (unsigned w = 0; w < stress_run.threads; w++)
            for (unsigned e = 0; e < kind->held[w].n; e++, n++)
                meet(kind, kind->held[w].entries[e]);
        if (n != ENTRIES)
            stress_found(FOUND_LOST, "%s: %u of %u entries are there", kind->name, n, ENTRIES);
    }
}

const struct stress_part stress_lists = {open, check, NULL, actors, 1};
