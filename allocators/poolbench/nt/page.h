/* SPDX-License-Identifier: MIT */
/* Page arithmetic under its NT names. The page is the executive's, 4 KiB, whatever the system's is.
 * Nothing here guards against overflow except BYTES_TO_PAGES, which cannot.
 * Source: Windows Driver Kit documentation, wdm.h macros. */
#ifndef POOLBENCH_NT_PAGE_H
#define POOLBENCH_NT_PAGE_H

#include <poolbench/nt/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((SIZE_T)1 << PAGE_SHIFT)

/* `size` rounded up to whole pages; a multiple of the page, 0 included, stays. */
#define ROUND_TO_PAGES(size) (((ULONG_PTR)(size) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))

/* Pages that hold `size` bytes, counted from a page's start. */
#define BYTES_TO_PAGES(size)                                                                       \
    (((SIZE_T)(size) >> PAGE_SHIFT) + (((SIZE_T)(size) & (PAGE_SIZE - 1)) != 0))

/* Where in its page an address lies. */
#define BYTE_OFFSET(va) ((ULONG_PTR)(va) & (PAGE_SIZE - 1))

/* The start of the page that an address lies in. */
#define PAGE_ALIGN(va) ((PVOID)((ULONG_PTR)(va) & ~(PAGE_SIZE - 1)))

/* Pages that `size` bytes from `va` touch. */
#define ADDRESS_AND_SIZE_TO_SPAN_PAGES(va, size)                                                   \
    ((BYTE_OFFSET(va) + (SIZE_T)(size) + PAGE_SIZE - 1) >> PAGE_SHIFT)

#define COMPUTE_PAGES_SPANNED(va, size) ADDRESS_AND_SIZE_TO_SPAN_PAGES(va, size)

#endif
