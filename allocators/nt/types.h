/* SPDX-License-Identifier: MIT */
/* The NT names for plain types and the status codes that the executive's calls return here, for
 * 64-bit Linux. ULONG is 32 bits, as it is on 64-bit Windows.
 * Source: Windows Driver Kit, ntdef.h and ntstatus.h (names and values). */
#ifndef PB_NT_TYPES_H
#define PB_NT_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t UCHAR;
typedef uint8_t BOOLEAN;
typedef uint16_t USHORT;
typedef uint32_t ULONG;
typedef uint64_t ULONG64;
typedef uintptr_t ULONG_PTR;
typedef size_t SIZE_T;
typedef void *PVOID;
typedef int32_t NTSTATUS;

#define TRUE  ((BOOLEAN)1)
#define FALSE ((BOOLEAN)0)

#define STATUS_SUCCESS                ((NTSTATUS)0)
#define STATUS_UNSUCCESSFUL           ((NTSTATUS)0xC0000001)
#define STATUS_INVALID_PARAMETER      ((NTSTATUS)0xC000000D)
#define STATUS_INSUFFICIENT_RESOURCES ((NTSTATUS)0xC000009A)

#define NT_SUCCESS(status) ((NTSTATUS)(status) >= 0)

#endif
