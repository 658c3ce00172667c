/* SPDX-License-Identifier: MIT */
/* The process's malloc: the library's own call, compiled into the loop. Heap and thread are
 * ignored; which library answers is the dynamic linker's doing (baselines.h).
 * Threads: any. May touch: libc. */
#ifndef PB_MALLOC_HOT_H
#define PB_MALLOC_HOT_H

#include <hot.h> /* the contract's: in quotes it would be this file */
#include <stdlib.h>

PB_INLINE void *malloc_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    (void)heap, (void)thread;
    return malloc(bytes);
}

PB_INLINE void malloc_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                           size_t bytes)
{
    (void)heap, (void)thread, (void)bytes;
    free(block);
}

PB_HOT_DECLARE(malloc)
#define PB_HOT_malloc(FIXED, ANY, NATIVE) NATIVE(malloc)

#endif
