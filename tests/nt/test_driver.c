/* SPDX-License-Identifier: MIT */
/* A driver's allocation code, as one finds it in introductions to the pool: it asks the system how
 * long the list of loaded modules is, allocates a paged buffer for it, fills that, works with a
 * second buffer, and frees both. Right at PASSIVE_LEVEL; at DISPATCH_LEVEL the machine stops. The
 * list is the program's own loaded objects; the query behaves as ZwQuerySystemInformation does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"

#include <link.h>

enum { NAME_BYTES = 256, SystemModuleInformation = 11, TAG_MODS = 0x73646F4D /* "Mods" */ };

typedef struct SYSTEM_MODULE {
    PVOID ImageBase;
    ULONG ImageSize;
    CHAR ImageName[NAME_BYTES];
} SYSTEM_MODULE;

typedef struct SYSTEM_MODULE_INFORMATION {
    ULONG ModulesCount;
    SYSTEM_MODULE Modules[];
} SYSTEM_MODULE_INFORMATION;

/* The system's side. */

struct listing {
    SYSTEM_MODULE_INFORMATION *into; /* NULL: count alone */
    ULONG n;
};

static int list_module(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct listing *listing = argument;
    ElfW(Addr) end = 0;
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz > end)
            end = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    if (listing->into != NULL) {
        SYSTEM_MODULE *module = &listing->into->Modules[listing->n];
        *module = (SYSTEM_MODULE){.ImageBase = (PVOID)(uintptr_t)info->dlpi_addr,
                                  .ImageSize = (ULONG)end};
        snprintf(module->ImageName, NAME_BYTES, "%s",
                 info->dlpi_name[0] != '\0' ? info->dlpi_name : "ntoskrnl.exe");
    }
    listing->n++;
    return 0;
}

static NTSTATUS query_system_information(int class, PVOID information, ULONG bytes, PULONG needed)
{
    struct listing listing = {NULL, 0};
    if (class != SystemModuleInformation)
        return STATUS_INVALID_PARAMETER;
    (void)dl_iterate_phdr(list_module, &listing);
    *needed = (ULONG)(sizeof(SYSTEM_MODULE_INFORMATION) + listing.n * sizeof(SYSTEM_MODULE));
    if (bytes < *needed)
        return STATUS_INFO_LENGTH_MISMATCH;
    listing = (struct listing){information, 0};
    (void)dl_iterate_phdr(list_module, &listing);
    listing.into->ModulesCount = listing.n;
    return STATUS_SUCCESS;
}

/* The driver's. */

struct result {
    NTSTATUS status;
    ULONG modules;
    SIZE_T names; /* bytes of all the names, joined */
    bool kernel;  /* the first module's name was found */
};

/* Joins the modules' names in a second buffer, as a log would. */
static NTSTATUS join_names(const SYSTEM_MODULE_INFORMATION *information, struct result *result)
{
    SIZE_T bytes = 1, used = 0;
    for (ULONG i = 0; i < information->ModulesCount; i++)
        bytes += strlen(information->Modules[i].ImageName) + 1;
    char *text = ExAllocatePoolWithTag(PagedPool, bytes, TAG_MODS);
    if (text == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (ULONG i = 0; i < information->ModulesCount; i++)
        used +=
            (SIZE_T)snprintf(text + used, bytes - used, "%s;", information->Modules[i].ImageName);
    result->names = used;
    result->kernel = strstr(text, "ntoskrnl.exe;") != NULL;
    ExFreePoolWithTag(text, TAG_MODS);
    return STATUS_SUCCESS;
}

static struct result driver_entry(void)
{
    struct result result = {.status = STATUS_SUCCESS};
    ULONG needed = 0;
    result.status = query_system_information(SystemModuleInformation, NULL, 0, &needed);
    if (result.status != STATUS_INFO_LENGTH_MISMATCH)
        return result;
    SYSTEM_MODULE_INFORMATION *information = ExAllocatePoolWithTag(PagedPool, needed, TAG_MODS);
    if (information == NULL) {
        result.status = STATUS_INSUFFICIENT_RESOURCES;
        return result;
    }
    result.status = query_system_information(SystemModuleInformation, information, needed, &needed);
    if (NT_SUCCESS(result.status)) {
        result.modules = information->ModulesCount;
        result.status = join_names(information, &result);
    }
    ExFreePool(information);
    return result;
}

static void it_works_at_passive_level(void **state)
{
    struct listing listing = {NULL, 0};
    (void)state;
    (void)dl_iterate_phdr(list_module, &listing);
    struct result result = driver_entry();
    assert_int_equal(result.status, STATUS_SUCCESS);
    assert_int_equal(result.modules, listing.n);
    assert_true(result.modules >= 1);
    assert_true(result.names >= result.modules * 2);
    assert_true(result.kernel);
    assert_int_equal(row_of(TAG_MODS).PagedAllocs, 2);
    assert_int_equal(row_of(TAG_MODS).PagedFrees, 2);
    assert_int_equal(row_of(TAG_MODS).PagedUsed, 0);
    assert_int_equal(row_of(TAG_MODS).NonPagedAllocs, 0);
}

static void it_works_at_apc_level(void **state)
{
    KIRQL old;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &old);
    struct result result = driver_entry();
    KeLowerIrql(old);
    assert_int_equal(result.status, STATUS_SUCCESS);
}

static void it_stops_the_machine_at_dispatch_level(void **state)
{
    struct result result;
    (void)state;
    KIRQL old = KeRaiseIrqlToDpcLevel();
    expect_bugcheck(result = driver_entry(), BAD_POOL_CALLER, BAD_CALLER_ALLOC_IRQL);
    KeLowerIrql(old);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    assert_int_equal(nt_seen.p[2], PagedPool);
    assert_true(nt_seen.p[3] >= sizeof(SYSTEM_MODULE_INFORMATION) + sizeof(SYSTEM_MODULE));
    assert_int_equal(result.status, STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(row_of(TAG_MODS).PagedAllocs, 0);
}

/* The same fault in the other call: the buffer was allocated in time and is freed too late. */
static void a_free_at_dispatch_level_stops_it_too(void **state)
{
    (void)state;
    void *buffer = ExAllocatePoolWithTag(PagedPool, 6000, TAG_MODS);
    KIRQL old = KeRaiseIrqlToDpcLevel();
    expect_bugcheck(ExFreePool(buffer), BAD_POOL_CALLER, BAD_CALLER_FREE_IRQL);
    KeLowerIrql(old);
    ExFreePool(buffer);
}

static void a_driver_that_forgets_is_found_by_its_tag(void **state)
{
    size_t leaked = 0;
    (void)state;
    (void)ExAllocatePoolWithTag(PagedPool, 6000, TAG_MODS);
    SYSTEM_POOLTAG row = row_of(TAG_MODS);
    assert_int_equal(row.PagedAllocs - row.PagedFrees, 1);
    assert_int_equal(row.PagedUsed, 8192);
    PbNtReset(&leaked);
    assert_int_equal(leaked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A17: query the size, allocate paged, fill, work, free: right at PASSIVE_LEVEL",
                  it_works_at_passive_level),
        pool_test("A11: and at APC_LEVEL", it_works_at_apc_level),
        pool_test("A11: at DISPATCH_LEVEL the allocation is 0xC2/8",
                  it_stops_the_machine_at_dispatch_level),
        pool_test("A11: a free at DISPATCH_LEVEL is 0xC2/9", a_free_at_dispatch_level_stops_it_too),
        pool_test("A9: what it forgets to free is found by its tag",
                  a_driver_that_forgets_is_found_by_its_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
