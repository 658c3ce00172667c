/* SPDX-License-Identifier: MIT */
/* The caller's rules, in front of a pool: what a call must be refused for, what fails early, what
 * is charged, what stands alone on a page, what must succeed. engine.h knows none of them.
 * Source:  WDK, ExAllocatePoolWithTag, ExAllocatePoolWithQuotaTag, ExAllocatePoolWithTagPriority,
 *          ExAllocatePool2, "Bug Check 0xC2: BAD_POOL_CALLER"; ReactOS, expool (order of checks).
 *          Differs: the watermarks of the priorities are ours, options; a limit counts bytes in use
 *          and may be passed by as many requests as there are threads; quota refuses, as its
 *          documents say, and is given back behind the block, so that a free which a corrupt
 *          block stops gives nothing back.
 * Order    allocate: IRQL, zero bytes and tag (checked), must-succeed; limits; special pool, pool,
 *          reserve; quota. Free: what it is, IRQL, tag, owner of quota; then it goes back
 * Cost     where a limit is set, a look at every guard and list of the kind, an allocation
 * Locks    none of its own but for the making of the special pool; none is held when it raises or
 *          bugchecks
 * Threads: any, but for open, close, check, trim. May include: nt/, pool/. */
#ifndef PB_POOL_FRONT_H
#define PB_POOL_FRONT_H

#include "hot.h"
#include "pool/engine.h"
#include "pool/profile.h"
#include "pool/reserve.h"
#include "pool/special.h"
#include "pool/tags.h"

#include <poolbench/nt/irql.h>

#include <pthread.h>
#include <stdatomic.h>

/* Bits of pool_ask.flags. */
enum {
    POOL_ASK_RAISE = 1,    /* a failure raises */
    POOL_ASK_ZERO = 2,     /* the bytes asked for are zeroed */
    POOL_ASK_QUOTA = 4,    /* charged to `owner` */
    POOL_ASK_SPECIAL = 8,  /* special pool if it has room, as an overrun's trap */
    POOL_ASK_UNDERRUN = 16 /* with it: as an underrun's */
};

enum pool_water { POOL_WATER_NONE, POOL_WATER_NORMAL, POOL_WATER_LOW };

struct pool_ask {
    size_t bytes;
    unsigned type; /* POOL_TYPE, without the caller's flags */
    uint32_t tag;
    unsigned alignment;    /* as in struct pool_request */
    unsigned flags;        /* POOL_ASK_ */
    enum pool_water water; /* fails below this watermark of the limit */
    PEPROCESS owner;       /* with POOL_ASK_QUOTA */
};

/* POOL_TYPE's bits; those of the caller's flags are not among them. */
enum {
    POOL_BIT_PAGED = 1,
    POOL_BIT_MUST_SUCCEED = 2,
    POOL_BIT_CACHE_ALIGNED = 4,
    POOL_BIT_CHARGED = 8,
    POOL_BIT_SESSION = 32,
    POOL_BIT_NX = 512,
    POOL_BITS = POOL_BIT_PAGED | POOL_BIT_MUST_SUCCEED | POOL_BIT_CACHE_ALIGNED | POOL_BIT_SESSION |
                POOL_BIT_NX
};

struct pool_front {
    struct pool *pool;
    struct pool_tags *tags; /* the pool's, or NULL */
    struct pool_options options;
    struct pool_shape shape;
    bool serves_must_succeed;
    unsigned special_flags; /* POOL_ASK_ bits that the option `special` adds to every request */
    struct pool_reserve *reserve;           /* NULL: none */
    _Atomic(struct pool_special *) special; /* made at first use; NULL: not yet */
    pthread_mutex_t making_special;
    /* written by calls, and read by few: on a line that none of those above shares */
    _Atomic size_t reserved PB_CACHE_ALIGNED; /* blocks of the reserve in use */
    _Atomic uint64_t above_page; /* nonpaged requests above a page, for the bugcheck that tells */
};

/* What in the options contradicts itself, as one line, or NULL. */
const char *pb_front_refuses(const struct pool_options *options);

/* `classes` as pb_pool_open. Returns 0 or -errno; one line where that is not -ENOMEM. */
int pb_front_open(const struct pool_options *options, unsigned classes, struct pool_front **front,
                  char *message, size_t message_size);
void pb_front_close(struct pool_front *front);

/* A block; or NULL, after a bugcheck too; or a status raised. */
void *pb_front_allocate(struct pool_front *front, const struct pool_ask *ask);

/* `tag` 0: not compared, unless the block is protected. False after a bugcheck: nothing is freed. */
bool pb_front_free(struct pool_front *front, void *block, uint32_t tag);

/* Bytes that the block holds for its owner; 0 after a bugcheck. `charged` may be NULL. */
size_t pb_front_usable(struct pool_front *front, const void *block, bool *charged);

size_t pb_front_live(struct pool_front *front); /* blocks in use */
size_t pb_front_special_count(struct pool_front *front);
int pb_front_check(struct pool_front *front, char *message, size_t message_size);

/* front_policy.c: what a request meets before it is served. */

/* False after a bugcheck: the level, zero bytes and tags in checked mode, the must-succeed types.
 */
bool pb_front_allows(const struct pool_front *front, const struct pool_ask *ask);

/* Whether the limit of the request's kind leaves room for it, and the water it asks for. */
bool pb_front_has_room(struct pool_front *front, const struct pool_ask *ask);

/* After the pool failed: a block of the reserve for the types that must succeed, else NULL, after
 * MUST_SUCCEED_POOL_EMPTY for those. */
void *pb_front_last_resort(struct pool_front *front, const struct pool_ask *ask);

static inline KIRQL pb_front_level(unsigned type)
{
    return (type & POOL_BIT_PAGED) != 0 ? APC_LEVEL : DISPATCH_LEVEL;
}

#endif
