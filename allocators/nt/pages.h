/* SPDX-License-Identifier: MIT */
/* Pages for strategies: a range of address space reserved once and committed piece by piece.
 * Nothing that was committed is ever unmapped before the arena is closed, so an address once handed
 * out stays readable: that is the reclamation argument of the lock-free lists. Released pages are
 * given back to the system (anonymous memory: by MADV_DONTNEED) and read as zero. Whatever takes
 * memory from the system or gives it back notes so (path.h).
 * Threads: open and close one thread; commit and release are thread-safe among themselves only as
 * the caller's lock makes them. Errors: 0 or -errno. May include: libc and the system. */
#ifndef PB_PAGES_H
#define PB_PAGES_H

#include <stddef.h>
#include <stdint.h>

/* The calls made of the system, replaceable so that a test can refuse the n-th. Never NULL. */
struct pb_pages_system {
    void *(*reserve)(size_t bytes);         /* inaccessible address space, or NULL */
    int (*commit)(void *at, size_t bytes);  /* make it readable and writable: 0 or -errno */
    int (*release)(void *at, size_t bytes); /* give the pages back; they read as zero */
    void (*unreserve)(void *at, size_t bytes);
};
extern const struct pb_pages_system *pb_pages_system; /* set by tests, before any thread */
extern const struct pb_pages_system pb_pages_linux;

/* The further calls that the backings below make, replaceable in the same way. All return 0 or
 * -errno; `from` is where in the file the piece at `at` stands. */
struct pb_pages_backing_system {
    int (*lock)(void *at, size_t bytes);    /* make resident, for as long as it is mapped */
    int (*execute)(void *at, size_t bytes); /* let it be executed, as well as read and written */
    int (*drop)(void *at, size_t bytes); /* as release, of what is locked; what comes next is too */
    int (*file)(const char *dir);        /* a new file without a name: its descriptor */
    int (*map)(int file, void *at, size_t bytes); /* lay it, so long, over what reserve returned */
    int (*allocate)(int file, size_t from, size_t bytes);        /* have room for it on the disk */
    int (*clear)(int file, size_t from, void *at, size_t bytes); /* out of memory, and zero */
    int (*evict)(int file, size_t from, void *at, size_t bytes); /* out of memory, and kept */
};
extern const struct pb_pages_backing_system *pb_pages_backing_system;
extern const struct pb_pages_backing_system pb_pages_backing_linux;

size_t pb_page_bytes(void); /* the system's page size */

/* What stands behind an arena. */
enum pb_backing {
    PB_BACKING_ANONYMOUS, /* zero-filled on demand; without swap it never leaves memory */
    PB_BACKING_LOCKED, /* mlocked when committed, as far as RLIMIT_MEMLOCK lets it: nonpaged pool */
    PB_BACKING_LOCKED_EXEC, /* the same, and executable where the system allows */
    PB_BACKING_FILE /* a shared mapping of a file without a name: its pages can be written out
                       and read back, which is a hard fault: paged pool */
};

/* An arena. Its members are its own; read held_bytes and os_calls under the owner's lock. */
struct pb_pages {
    unsigned char *base;
    size_t reserved_bytes, committed_bytes;
    size_t taken_bytes; /* handed out so far: the arena's front edge */
    size_t held_bytes;  /* taken and not released; what is committed ahead is not resident yet */
    size_t held_peak_bytes;
    uint64_t os_calls;
    enum pb_backing backing;
    int file;            /* PB_BACKING_FILE: open, without a name; else -1 */
    size_t locked_bytes; /* PB_BACKING_LOCKED: the first so many of those committed are resident for
                            good; less than taken if the limit was met, then never more */
    int lock_error;      /* why the rest is not locked: -errno of the first refusal, 0 if none */
    int exec_error; /* PB_BACKING_LOCKED_EXEC: why some of it is not executable, in the same way */
};

/* Reserves address space (rounded up to pages); nothing is resident yet. */
int pb_pages_open(struct pb_pages *pages, size_t reserve_bytes);

/* As pb_pages_open, but takes what address space there is: at most one part in `share` of
 * RLIMIT_AS, halved until the system agrees, never below `least_bytes`. Returns 0 or -ENOMEM. */
int pb_pages_open_within(struct pb_pages *pages, size_t reserve_bytes, size_t least_bytes,
                         unsigned share);
void pb_pages_close(struct pb_pages *pages);

/* As pb_pages_open_within, on another backing. A file is as long as the reservation and without
 * content; each piece gets its room on the disk when it is taken, so that a full disk refuses the
 * take and not a store into it. A refusal to lock or to execute is remembered and not an error.
 * `dir`: where the file is made; NULL or "" for TMPDIR,
 * else /var/tmp. Returns 0, -ENOMEM, or -errno of the file (then `message` names the folder). */
int pb_pages_open_backed(struct pb_pages *pages, size_t reserve_bytes, size_t least_bytes,
                         unsigned share, enum pb_backing backing, const char *dir, char *message,
                         size_t message_size);

/* Writes a piece of a PB_BACKING_FILE arena out and drops it from memory, so that the next touch of
 * each page is a hard fault. Returns 0, -ENOTSUP on another backing or if the file lives in memory
 * (tmpfs), -EAGAIN if some pages stayed, or -errno. For experiments. */
int pb_pages_evict(struct pb_pages *pages, void *at, size_t bytes);

/* The next `bytes` > 0 (rounded up to pages) of the arena, right behind those taken before, zeroed,
 * page aligned; NULL when the reservation is used up or the system refuses. Memory is committed in
 * steps of at least 1 MiB to keep the calls few. */
void *pb_pages_take(struct pb_pages *pages, size_t bytes);

/* Gives the resident pages of a piece back to the system; the piece stays mapped and may be used
 * again, which counts as held again by pb_pages_reuse. Both return 0 or -errno, and then the piece
 * is as before. Reuse fails only on a file that had to give up its room on a disk that is now full;
 * a locked arena's piece comes back resident. */
int pb_pages_release(struct pb_pages *pages, void *at, size_t bytes);
int pb_pages_reuse(struct pb_pages *pages, void *at, size_t bytes);

/* One mapping of its own for a structure of a heap (its head, its threads' states): zeroed, page
 * aligned. NULL on failure. Unmapped by pb_pages_unmap with the same size. */
void *pb_pages_map(size_t bytes);
void pb_pages_unmap(void *at, size_t bytes);

/* A table as long as it may ever be, that reads as zero and is made writable from its front as it is
 * needed: what it may grow to counts neither as memory nor as a limit's. NULL on failure; unmapped by
 * pb_pages_unmap. */
void *pb_pages_map_zeros(size_t bytes);

/* Makes a table of pb_pages_map_zeros, of `all` bytes, writable up to `bytes`, in steps of 64 KiB;
 * `*writable` is how far it is. Under the owner's lock. Returns 0 or -errno. */
int pb_pages_widen(void *table, size_t all, size_t *writable, size_t bytes);

#endif
