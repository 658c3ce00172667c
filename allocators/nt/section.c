/* SPDX-License-Identifier: MIT */
/* Locking and paging of image sections.
 * Source:  WDK, "Making Drivers Pageable"; dl_iterate_phdr(3).
 * Layout:  records in chunks that are never unmapped: a handle is a record's address
 * I1       a record holds one count of resident.h on its pages if count > 0, and one more if
 *          `resident`
 * Locks    one mutex guards the records; resident.h's is taken inside. No bugcheck with it held
 * Cost     by address a walk over the loaded images; by handle one over the records */
#include "nt/pages.h"
#include "nt/resident.h"

#include <poolbench/nt/section.h>
#undef MmPageEntireDriver /* the functions behind the macros */
#undef MmResetDriverPaging
#undef PbDiscardInitSection

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct section {
    uintptr_t start, end;   /* whole system pages that it touches; start 0: the record is free */
    uintptr_t own, own_end; /* those that nothing else lies on */
    enum pb_section_kind kind;
    LONG count;      /* locks by address and by handle */
    bool resident;   /* a LOCKED one, held as such */
    bool overridden; /* by MmPageEntireDriver */
};

enum { CHUNK = 40 };
struct chunk {
    struct chunk *next;
    struct section sections[CHUNK];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct chunk *chunks;

/* A loaded image and, of its segments, the one that an address lies in. */
struct image {
    uintptr_t at;        /* asked for */
    uintptr_t base, end; /* 0 if no image has it */
    uintptr_t segment, segment_end;
};

static uintptr_t page_down(uintptr_t at)
{
    return at & ~((uintptr_t)pb_page_bytes() - 1);
}

static uintptr_t page_up(uintptr_t at)
{
    return page_down(at + pb_page_bytes() - 1);
}

static void *address(uintptr_t at)
{
    return (void *)at; /* NOLINT: pages are counted by number */
}

static int match_image(struct dl_phdr_info *info, size_t size, void *context)
{
    struct image *image = context;
    uintptr_t base = UINTPTR_MAX, end = 0;
    bool here = false;
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = page_down(info->dlpi_addr + segment->p_vaddr);
        uintptr_t stop = page_up(info->dlpi_addr + segment->p_vaddr + segment->p_memsz);
        if (segment->p_type != PT_LOAD)
            continue;
        base = start < base ? start : base;
        end = stop > end ? stop : end;
        if (image->at >= start && image->at < stop) {
            here = true;
            image->segment = start;
            image->segment_end = stop;
        }
    }
    if (here) {
        image->base = base;
        image->end = end;
    }
    return here;
}

static bool find_image(const void *at, struct image *image)
{
    *image = (struct image){.at = (uintptr_t)at};
    return dl_iterate_phdr(match_image, image) != 0;
}

/* Calls `visit` for each record from `from` to below `to`; under the mutex. */
static void each_section(uintptr_t from, uintptr_t to,
                         void (*visit)(struct section *section, void *context), void *context)
{
    for (struct chunk *chunk = chunks; chunk != NULL; chunk = chunk->next)
        for (unsigned i = 0; i < CHUNK; i++) {
            struct section *section = &chunk->sections[i];
            if (section->start != 0 && section->start >= from && section->start < to)
                visit(section, context);
        }
}

static struct section *free_record(void)
{
    for (struct chunk *chunk = chunks; chunk != NULL; chunk = chunk->next)
        for (unsigned i = 0; i < CHUNK; i++)
            if (chunk->sections[i].start == 0)
                return &chunk->sections[i];
    struct chunk *fresh = pb_pages_map(sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    fresh->next = chunks;
    chunks = fresh;
    return &fresh->sections[0];
}

/* The record at that address itself; NULL if it is none in use. */
static struct section *by_handle(const void *handle)
{
    for (struct chunk *chunk = chunks; chunk != NULL; chunk = chunk->next)
        for (unsigned i = 0; i < CHUNK; i++)
            if (&chunk->sections[i] == handle && chunk->sections[i].start != 0)
                return &chunk->sections[i];
    return NULL;
}

/* The smallest record that has the address: a section before its segment. */
static struct section *by_address(uintptr_t at)
{
    struct section *best = NULL;
    for (struct chunk *chunk = chunks; chunk != NULL; chunk = chunk->next)
        for (unsigned i = 0; i < CHUNK; i++) {
            struct section *s = &chunk->sections[i];
            if (s->start != 0 && at >= s->start && at < s->end &&
                (best == NULL || s->end - s->start < best->end - best->start))
                best = s;
        }
    return best;
}

static bool hold(struct section *section)
{
    size_t bytes = section->end - section->start;
    (void)pb_resident_populate(address(section->start), bytes, false);
    return pb_resident_lock(address(section->start), bytes) == 0;
}

static void let_go(struct section *section)
{
    (void)pb_resident_unlock(address(section->start), section->end - section->start);
}

/* Where a section ends that has its last page to itself: at a page's end, or another one of ours
 * begins at the next page. Else at the page before. */
static uintptr_t own_end(const struct pb_image_section *all, unsigned count, const char *stop)
{
    uintptr_t end = page_up((uintptr_t)stop);
    for (unsigned i = 0; i < count; i++)
        if ((uintptr_t)all[i].start == end)
            return end;
    return page_down((uintptr_t)stop);
}

void PbRegisterSections(const struct pb_image_section *Sections, unsigned Count)
{
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < Count; i++) {
        const struct pb_image_section *s = &Sections[i];
        struct section *record;
        if (s->kind == PB_SECTION_END || s->start == s->stop || (record = free_record()) == NULL)
            continue;
        *record = (struct section){.start = page_down((uintptr_t)s->start),
                                   .end = page_up((uintptr_t)s->stop),
                                   .own = page_up((uintptr_t)s->start),
                                   .own_end = own_end(Sections, Count, s->stop),
                                   .kind = s->kind};
        record->resident = s->kind == PB_SECTION_LOCKED && hold(record);
    }
    pthread_mutex_unlock(&mutex);
}

static void forget(struct section *section, void *context)
{
    (void)context;
    if (section->resident)
        let_go(section);
    if (section->count != 0)
        let_go(section);
    *section = (struct section){0};
}

void PbForgetSections(const struct pb_image_section *Sections, unsigned Count)
{
    struct image image;
    for (unsigned i = 0; i < Count; i++) {
        if (Sections[i].start == NULL || !find_image(Sections[i].start, &image))
            continue;
        pthread_mutex_lock(&mutex);
        each_section(image.base, image.end, forget, NULL); /* its segments too: the image goes */
        pthread_mutex_unlock(&mutex);
        return;
    }
}

/* Adds a lock; the first one holds the pages. False if they cannot be counted. */
static bool add_lock(struct section *section)
{
    if (section->count == 0 && !hold(section))
        return false;
    section->count++;
    return true;
}

/* The section of an address in that image, its segment's record if there is no other. */
static struct section *section_at(const struct image *image)
{
    struct section *section = by_address(image->at);
    if (section != NULL || (section = free_record()) == NULL)
        return section;
    *section = (struct section){.start = image->segment,
                                .end = image->segment_end,
                                .own = image->segment,
                                .own_end = image->segment_end,
                                .kind = PB_SECTION_PAGED};
    return section;
}

PVOID MmLockPagableDataSection(PVOID AddressWithinSection)
{
    struct image image;
    if (pb_irql_above(APC_LEVEL, AddressWithinSection))
        return NULL;
    if (!find_image(AddressWithinSection, &image)) {
        KeBugCheckEx(MEMORY_MANAGEMENT, SECTION_DOES_NOT_EXIST, (ULONG_PTR)AddressWithinSection, 0,
                     0);
        return NULL;
    }
    pthread_mutex_lock(&mutex);
    struct section *section = section_at(&image);
    if (section != NULL && !add_lock(section))
        section = NULL;
    pthread_mutex_unlock(&mutex);
    return section;
}

void MmLockPagableSectionByHandle(PVOID ImageSectionHandle)
{
    if (pb_irql_above(APC_LEVEL, ImageSectionHandle))
        return;
    pthread_mutex_lock(&mutex);
    struct section *section = by_handle(ImageSectionHandle);
    if (section != NULL)
        (void)add_lock(section); /* if it is not: a page of memory for its counts is missing */
    pthread_mutex_unlock(&mutex);
    if (section == NULL)
        KeBugCheckEx(MEMORY_MANAGEMENT, SECTION_DOES_NOT_EXIST, (ULONG_PTR)ImageSectionHandle, 0,
                     0);
}

void MmUnlockPagableImageSection(PVOID ImageSectionHandle)
{
    if (pb_irql_above(APC_LEVEL, ImageSectionHandle))
        return;
    pthread_mutex_lock(&mutex);
    struct section *section = by_handle(ImageSectionHandle);
    bool locked = section != NULL && section->count > 0;
    if (locked && --section->count == 0)
        let_go(section);
    pthread_mutex_unlock(&mutex);
    if (!locked)
        KeBugCheckEx(MEMORY_MANAGEMENT,
                     section != NULL ? SECTION_UNLOCKED_TWICE : SECTION_DOES_NOT_EXIST,
                     (ULONG_PTR)ImageSectionHandle, 0, 0);
}

static void make_pageable(struct section *section, void *context)
{
    (void)context;
    if (!section->resident)
        return;
    let_go(section);
    section->resident = false;
    section->overridden = true;
}

/* Asks for the pages to leave; where one is locked the others are asked for one by one. */
static void page_out(uintptr_t from, uintptr_t to)
{
    if (madvise(address(from), to - from, MADV_PAGEOUT) == 0 || errno != EINVAL)
        return;
    for (uintptr_t at = from; at < to; at += pb_page_bytes())
        (void)madvise(address(at), pb_page_bytes(), MADV_PAGEOUT); /* a request; or not mapped */
}

PVOID MmPageEntireDriver(PVOID AddressWithinSection)
{
    struct image image;
    if (pb_irql_above(APC_LEVEL, AddressWithinSection) || !find_image(AddressWithinSection, &image))
        return NULL;
    pthread_mutex_lock(&mutex);
    each_section(image.base, image.end, make_pageable, NULL);
    pthread_mutex_unlock(&mutex);
    page_out(image.base, image.end);
    return address(image.base);
}

static void make_as_compiled(struct section *section, void *context)
{
    (void)context;
    if (!section->overridden)
        return;
    section->resident = hold(section);
    section->overridden = !section->resident;
}

void MmResetDriverPaging(PVOID AddressWithinSection)
{
    struct image image;
    if (pb_irql_above(APC_LEVEL, AddressWithinSection) || !find_image(AddressWithinSection, &image))
        return;
    pthread_mutex_lock(&mutex);
    each_section(image.base, image.end, make_as_compiled, NULL);
    pthread_mutex_unlock(&mutex);
}

/* Puts inaccessible address space over the pages: they are given back, and the addresses stay
 * taken, so that a late caller faults and never runs something else. By syscall(2):
 * ThreadSanitizer's mmap would write to the shadow of code, which is read-only. */
static void discard(struct section *section, void *context)
{
    SIZE_T *bytes = context;
    if (section->kind != PB_SECTION_INIT || section->count != 0 || section->own_end <= section->own)
        return;
    size_t own = section->own_end - section->own;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (syscall(SYS_mmap, section->own, own, PROT_NONE, flags, -1, 0) == -1)
        return;
    *bytes += own;
    *section = (struct section){0};
}

SIZE_T PbDiscardInitSection(PVOID AddressWithinImage)
{
    struct image image;
    SIZE_T bytes = 0;
    if (pb_irql_above(APC_LEVEL, AddressWithinImage) || !find_image(AddressWithinImage, &image))
        return 0;
    pthread_mutex_lock(&mutex);
    each_section(image.base, image.end, discard, &bytes);
    pthread_mutex_unlock(&mutex);
    return bytes;
}

LONG PbSectionLockCount(PVOID ImageSectionHandle)
{
    pthread_mutex_lock(&mutex);
    struct section *section = by_handle(ImageSectionHandle);
    LONG count = section != NULL ? section->count : -1;
    pthread_mutex_unlock(&mutex);
    return count;
}
