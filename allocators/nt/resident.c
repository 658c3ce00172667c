/* SPDX-License-Identifier: MIT */
/* The counts of resident.h. mlock and munlock go by syscall(2): the sanitizers replace the C
 * library's by functions that do nothing. */
#include "nt/resident.h"

#include "nt/vatable.h"

#include <poolbench/nt/status.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum hold { HOLD_NONE, HOLD_OURS, HOLD_FOREIGN }; /* the table's second word */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pb_vatable table; /* system page -> count, enum hold */

/* Whole system pages. */
struct range {
    uintptr_t start, end;
};

static struct range pages_of(const void *at, size_t bytes)
{
    uintptr_t mask = pb_page_bytes() - 1, start = (uintptr_t)at & ~mask;
    return (struct range){start, bytes != 0 ? ((uintptr_t)at + bytes + mask) & ~mask : start};
}

static void *address(uintptr_t at)
{
    return (void *)at; /* NOLINT: pages are counted by number */
}

/* Writes a byte as it is. A compare-exchange writes on every processor unless another thread has
 * just written; of an atomic operation that changes nothing a compiler may leave only a load. */
static void rewrite(unsigned char *byte)
{
    unsigned char seen = __atomic_load_n(byte, __ATOMIC_RELAXED); /* relaxed: orders nothing */
    (void)__atomic_compare_exchange_n(byte, &seen, seen, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static int touch_each(void *at, size_t bytes, bool write)
{
    volatile int error = 0;
    PB_TRY
    {
        for (size_t i = 0; i < bytes; i += PAGE_SIZE - BYTE_OFFSET((uintptr_t)at + i)) {
            unsigned char *byte = (unsigned char *)at + i;
            if (write)
                rewrite(byte);
            else
                (void)*(volatile unsigned char *)byte;
        }
    }
    PB_EXCEPT
    {
        error = -EFAULT;
    }
    PB_END_TRY
    return error;
}

int pb_resident_populate(void *at, size_t bytes, bool write)
{
    struct range r = pages_of(at, bytes);
    if (r.start == r.end)
        return 0;
    /* refused where a right is missing, but also by systems before 5.14 and for odd mappings:
     * then touching decides */
    if (madvise(address(r.start), r.end - r.start,
                write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0)
        return 0;
    return touch_each(at, bytes, write);
}

bool pb_resident_now(const void *at, size_t bytes)
{
    struct range r = pages_of(at, bytes);
    for (uintptr_t page = r.start; page < r.end; page += pb_page_bytes()) {
        unsigned char in = 0;
        if (mincore(address(page), pb_page_bytes(), &in) != 0 || (in & 1) == 0)
            return false;
    }
    return true;
}

/* Whether a page of the range is locked already: the one thing that MS_INVALIDATE does on Linux is
 * to refuse that (msync(2), EBUSY). */
static bool locked_before(struct range r)
{
    return msync(address(r.start), r.end - r.start, MS_INVALIDATE) != 0 && errno == EBUSY;
}

static enum hold hold(struct range r)
{
    if (syscall(SYS_mlock, r.start, r.end - r.start) == 0)
        return HOLD_OURS;
    (void)syscall(SYS_munlock, r.start, r.end - r.start); /* if a part was */
    return HOLD_NONE;
}

/* Holds pages that were just counted for the first time. */
static void hold_run(struct range run)
{
    size_t page = pb_page_bytes();
    if (run.start == run.end)
        return;
    bool mixed = locked_before(run);
    enum hold all = mixed ? HOLD_NONE : hold(run);
    for (uintptr_t at = run.start; at < run.end; at += page) {
        struct range one = {at, at + page};
        enum hold how = !mixed ? all : locked_before(one) ? HOLD_FOREIGN : hold(one);
        pb_vatable_find(&table, at)->extra = how;
    }
}

int pb_resident_lock(const void *at, size_t bytes)
{
    struct range r = pages_of(at, bytes), run = {r.start, r.start};
    size_t page = pb_page_bytes();
    pthread_mutex_lock(&mutex);
    int error = pb_vatable_reserve(&table, (r.end - r.start) / page);
    for (uintptr_t p = r.start; error == 0 && p < r.end; p += page) {
        if (pb_vatable_insert(&table, p)->value++ == 0) {
            run.end = p + page;
            continue;
        }
        hold_run(run);
        run = (struct range){p + page, p + page};
    }
    if (error == 0)
        hold_run(run);
    pthread_mutex_unlock(&mutex);
    return error;
}

/* Takes 1 off a page's count; true if it was the last and the page is ours to let go. */
static bool count_off(uintptr_t at)
{
    struct pb_vatable_entry *entry = pb_vatable_find(&table, at);
    if (--entry->value != 0)
        return false;
    bool ours = entry->extra == HOLD_OURS;
    pb_vatable_remove(&table, entry);
    return ours;
}

static void let_go(struct range run)
{
    if (run.start != run.end)
        (void)syscall(SYS_munlock, run.start, run.end - run.start); /* fails if it is unmapped */
}

int pb_resident_unlock(const void *at, size_t bytes)
{
    struct range r = pages_of(at, bytes), run = {r.start, r.start};
    size_t page = pb_page_bytes();
    int error = 0;
    pthread_mutex_lock(&mutex);
    for (uintptr_t p = r.start; p < r.end; p += page)
        if (pb_vatable_find(&table, p) == NULL)
            error = -EINVAL;
    for (uintptr_t p = r.start; error == 0 && p < r.end; p += page) {
        if (count_off(p)) {
            run.end = p + page;
            continue;
        }
        let_go(run);
        run = (struct range){p + page, p + page};
    }
    let_go(run);
    pthread_mutex_unlock(&mutex);
    return error;
}

size_t pb_resident_held(const void *at, size_t bytes)
{
    size_t held = 0, pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(at, bytes);
    uintptr_t first = (uintptr_t)PAGE_ALIGN(at), mask = pb_page_bytes() - 1;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < pages; i++) {
        struct pb_vatable_entry *entry = pb_vatable_find(&table, (first + i * PAGE_SIZE) & ~mask);
        held += entry != NULL && entry->extra != HOLD_NONE;
    }
    pthread_mutex_unlock(&mutex);
    return held;
}

size_t pb_resident_total(void)
{
    pthread_mutex_lock(&mutex);
    size_t total = table.count;
    pthread_mutex_unlock(&mutex);
    return total;
}

/* A frame of PAGE_SIZE from the pagemap's word for the system page: bit 63 = in memory, bits 0 to
 * 54 the frame, 0 when hidden. */
static ULONG_PTR frame_in(uint64_t word, uintptr_t at)
{
    uint64_t frame = word & (((uint64_t)1 << 55) - 1);
    if (word >> 63 == 0 || frame == 0)
        return 0;
    uint64_t offset = at & (pb_page_bytes() - 1);
    return (ULONG_PTR)((frame * pb_page_bytes() + offset) >> PAGE_SHIFT);
}

enum { FRAMES_AT_ONCE = 64 };

/* Up to FRAMES_AT_ONCE frames, from the page at `first`; words that cannot be read count as 0. */
static size_t read_frames(int file, uintptr_t first, size_t count, ULONG_PTR *frames)
{
    uint64_t words[FRAMES_AT_ONCE] = {0};
    uintptr_t from = first / pb_page_bytes();
    size_t known = 0, n = (first + (count - 1) * PAGE_SIZE) / pb_page_bytes() - from + 1;
    ssize_t got =
        file < 0 ? 0 : pread(file, words, n * sizeof *words, (off_t)(from * sizeof *words));
    size_t have = got > 0 ? (size_t)got / sizeof *words : 0;
    for (size_t i = 0; i < count; i++) {
        size_t word = (first + i * PAGE_SIZE) / pb_page_bytes() - from;
        frames[i] = word < have ? frame_in(words[word], first + i * PAGE_SIZE) : 0;
        known += frames[i] != 0;
    }
    return known;
}

/* Source: Linux, Documentation/admin-guide/mm/pagemap.rst. The file is opened at each call: a
 * descriptor that was kept would show the parent's pages to a child of fork. */
size_t pb_frames(const void *at, size_t count, ULONG_PTR *frames)
{
    size_t known = 0, step;
    uintptr_t first = (uintptr_t)PAGE_ALIGN(at);
    int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < count; i += step) {
        step = count - i < FRAMES_AT_ONCE ? count - i : FRAMES_AT_ONCE;
        known += read_frames(file, first + i * PAGE_SIZE, step, frames + i);
    }
    if (file >= 0)
        (void)close(file);
    return known;
}
