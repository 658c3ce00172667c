/* SPDX-License-Identifier: MIT */
/* The NT names for plain types and the status codes that the executive's calls return here, for
 * 64-bit Linux: a ULONG is 32 bits, as it is on 64-bit Windows.
 * Source: Windows Driver Kit, ntdef.h, wdm.h and ntstatus.h (names and values). */
#ifndef POOLBENCH_NT_TYPES_H
#define POOLBENCH_NT_TYPES_H

#if defined(__cplusplus)
#error "poolbench/ntmm.h is C11: include it from C"
#endif

#include <stddef.h>
#include <stdint.h>

typedef char CHAR;
typedef uint8_t UCHAR;
typedef uint8_t BOOLEAN, *PBOOLEAN;
typedef int16_t SHORT;
typedef uint16_t USHORT;
typedef int32_t LONG;
typedef uint32_t ULONG, *PULONG;
typedef int64_t LONG64, LONGLONG;
typedef uint64_t ULONG64, ULONGLONG;
typedef intptr_t LONG_PTR;
typedef uintptr_t ULONG_PTR;
typedef size_t SIZE_T, *PSIZE_T;
typedef void *PVOID, *HANDLE;
typedef int32_t NTSTATUS;
typedef int16_t CSHORT;

typedef union LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    };
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER, PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

#define TRUE  ((BOOLEAN)1)
#define FALSE ((BOOLEAN)0)

#define STATUS_SUCCESS                ((NTSTATUS)0x00000000)
#define STATUS_DATATYPE_MISALIGNMENT  ((NTSTATUS)0x80000002)
#define STATUS_UNSUCCESSFUL           ((NTSTATUS)0xC0000001)
#define STATUS_INFO_LENGTH_MISMATCH   ((NTSTATUS)0xC0000004)
#define STATUS_ACCESS_VIOLATION       ((NTSTATUS)0xC0000005)
#define STATUS_INVALID_PARAMETER      ((NTSTATUS)0xC000000D)
#define STATUS_QUOTA_EXCEEDED         ((NTSTATUS)0xC0000044)
#define STATUS_INSUFFICIENT_RESOURCES ((NTSTATUS)0xC000009A)
#define STATUS_NOT_SUPPORTED          ((NTSTATUS)0xC00000BB)
#define STATUS_INVALID_PARAMETER_4    ((NTSTATUS)0xC00000F2)
#define STATUS_INVALID_PARAMETER_5    ((NTSTATUS)0xC00000F3)

#define NT_SUCCESS(status) ((NTSTATUS)(status) >= 0)

#endif
