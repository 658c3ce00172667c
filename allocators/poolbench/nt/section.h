/* SPDX-License-Identifier: MIT */
/* Which parts of a program's image are pageable: code and data are put into sections by name, a
 * section can be locked in memory as a whole, and what only the start needs is thrown away.
 *
 *     PB_IMAGE_SECTIONS;                      once in an image (a program, a shared library)
 *     PAGEDCODE static void rarely(void) {}
 *     INITDATA static int table[512] = {1};   writable variables only
 *
 *     code         data         ELF sections           here
 *     PAGEDCODE    PAGEDDATA    PAGE, PAGEDATA         pageable, as every page of a program is
 *     INITCODE     INITDATA     INIT, INITDATA         pageable, until PbDiscardInitSection
 *     LOCKEDCODE   LOCKEDDATA   LOCKED, LOCKEDDATA     locked from the start, by PB_IMAGE_SECTIONS
 *
 * No linker script is needed: PB_IMAGE_SECTIONS gives each section the alignment of a page, names
 * all in one place, so that they follow each other in the image, and puts a section of its own
 * behind them; the names are C identifiers, so the linker knows where each begins and ends. Whether
 * its last page is really a section's own is looked at when it is registered.
 * What a user program can have of it: locking is mlock(2), counted as in mdl.h, and as far as
 * RLIMIT_MEMLOCK lets it; without swap only pages that a file backs leave memory.
 * Source: WDK, "Making Drivers Pageable" and the page of each routine; "Bug Check 0x1A".
 * IRQL: <= APC_LEVEL. Threads: any. */
#ifndef POOLBENCH_NT_SECTION_H
#define POOLBENCH_NT_SECTION_H

#include <poolbench/nt/bugcheck.h>

#define PB_PAGED_CODE_SECTION  "PAGE"
#define PB_INIT_CODE_SECTION   "INIT"
#define PB_LOCKED_CODE_SECTION "LOCKED"
#define PB_PAGED_DATA_SECTION  "PAGEDATA"
#define PB_INIT_DATA_SECTION   "INITDATA"
#define PB_LOCKED_DATA_SECTION "LOCKEDDATA"

/* Before a function's definition; it is never inlined into code that lies elsewhere. */
#define PAGEDCODE  __attribute__((section(PB_PAGED_CODE_SECTION), noinline))
#define INITCODE   __attribute__((section(PB_INIT_CODE_SECTION), noinline))
#define LOCKEDCODE __attribute__((section(PB_LOCKED_CODE_SECTION), noinline))

/* Before a variable's definition; not for constants. */
#define PAGEDDATA  __attribute__((section(PB_PAGED_DATA_SECTION)))
#define INITDATA   __attribute__((section(PB_INIT_DATA_SECTION)))
#define LOCKEDDATA __attribute__((section(PB_LOCKED_DATA_SECTION)))

enum {
    MEMORY_MANAGEMENT = 0x1A, /* a bugcheck; p1 one of the two below, p2 the handle or address */
    SECTION_UNLOCKED_TWICE = 0x1010, /* it is not locked */
    SECTION_DOES_NOT_EXIST = 0x1234  /* no image is loaded there; no such handle */
};

enum pb_section_kind { PB_SECTION_PAGED, PB_SECTION_INIT, PB_SECTION_LOCKED, PB_SECTION_END };

struct pb_image_section {
    char *start, *stop; /* NULL or equal: the image has none of it */
    enum pb_section_kind kind;
};

/* For PB_IMAGE_SECTIONS alone: when its image is loaded, and unloaded. */
void PbRegisterSections(const struct pb_image_section *Sections, unsigned Count);
void PbForgetSections(const struct pb_image_section *Sections, unsigned Count);

#if defined(__x86_64__)
#define PB_SECTION_ALIGN "4096"
#else
#define PB_SECTION_ALIGN "65536" /* the largest page there is */
#endif

#define PB_SECTION_MAKE(name, flags, content)                                                      \
    ".pushsection " name ",\"" flags "\",%progbits\n.balign " PB_SECTION_ALIGN "\n" content        \
    ".popsection\n"
#define PB_SECTION_ENDS(name)                                                                      \
    extern char __start_##name[] __attribute__((weak, visibility("hidden")));                      \
    extern char __stop_##name[] __attribute__((weak, visibility("hidden")));
#define PB_SECTION_ROW(name, kind)                                                                 \
    {                                                                                              \
        __start_##name, __stop_##name, kind                                                        \
    }

/* clang-format off */
#define PB_IMAGE_SECTIONS                                                                          \
    __asm__(PB_SECTION_MAKE(PB_PAGED_CODE_SECTION, "ax", "")                                       \
            PB_SECTION_MAKE(PB_INIT_CODE_SECTION, "ax", "")                                        \
            PB_SECTION_MAKE(PB_LOCKED_CODE_SECTION, "ax", "")                                      \
            PB_SECTION_MAKE("pb_code_end", "ax", ".long 0\n")                                      \
            PB_SECTION_MAKE(PB_PAGED_DATA_SECTION, "aw", "")                                       \
            PB_SECTION_MAKE(PB_INIT_DATA_SECTION, "aw", "")                                        \
            PB_SECTION_MAKE(PB_LOCKED_DATA_SECTION, "aw", "")                                      \
            PB_SECTION_MAKE("pb_data_end", "aw", ".long 0\n"));                                    \
    PB_SECTION_ENDS(PAGE)                                                                          \
    PB_SECTION_ENDS(INIT)                                                                          \
    PB_SECTION_ENDS(LOCKED)                                                                        \
    PB_SECTION_ENDS(pb_code_end)                                                                   \
    PB_SECTION_ENDS(PAGEDATA)                                                                      \
    PB_SECTION_ENDS(INITDATA)                                                                      \
    PB_SECTION_ENDS(LOCKEDDATA)                                                                    \
    PB_SECTION_ENDS(pb_data_end)                                                                   \
    static const struct pb_image_section pb_image_sections[] =                                     \
        {PB_SECTION_ROW(PAGE, PB_SECTION_PAGED),                                                   \
         PB_SECTION_ROW(INIT, PB_SECTION_INIT),                                                    \
         PB_SECTION_ROW(LOCKED, PB_SECTION_LOCKED),                                                \
         PB_SECTION_ROW(pb_code_end, PB_SECTION_END),                                              \
         PB_SECTION_ROW(PAGEDATA, PB_SECTION_PAGED),                                               \
         PB_SECTION_ROW(INITDATA, PB_SECTION_INIT),                                                \
         PB_SECTION_ROW(LOCKEDDATA, PB_SECTION_LOCKED),                                            \
         PB_SECTION_ROW(pb_data_end, PB_SECTION_END)};                                             \
    __attribute__((constructor)) static void pb_image_loaded(void)                                 \
    {                                                                                              \
        PbRegisterSections(pb_image_sections, 8);                                                  \
    }                                                                                              \
    __attribute__((destructor)) static void pb_image_unloaded(void)                                \
    {                                                                                              \
        PbForgetSections(pb_image_sections, 8);                                                    \
    }                                                                                              \
    _Static_assert(sizeof pb_image_sections / sizeof *pb_image_sections == 8, "all are given")
/* clang-format on */

/* Brings in and locks the section that the address lies in, or, where the image has registered none
 * there, the whole segment. Returns a handle for the two calls below, which stays good until the
 * image is unloaded. Searches the loaded images: the dear form. An address outside of every image:
 * MEMORY_MANAGEMENT 0x1234, and NULL. The code form takes a function's name. */
PVOID MmLockPagableDataSection(PVOID AddressWithinSection);
#define MmLockPagableCodeSection(AddressWithinSection)                                             \
    MmLockPagableDataSection((PVOID)(ULONG_PTR)(AddressWithinSection))

/* Locks once more, or anew after the last unlock: locks are counted. The cheap form. */
void MmLockPagableSectionByHandle(PVOID ImageSectionHandle);

/* Takes one lock off; at none the section is pageable. MEMORY_MANAGEMENT 0x1010 if it is not
 * locked. */
void MmUnlockPagableImageSection(PVOID ImageSectionHandle);

/* Makes the whole image of the address pageable, its LOCKED sections too but for what was locked by
 * the calls above, and asks the system to page it out. Returns the image's first address; NULL if
 * no image lies there. The second locks LOCKED sections again; nothing if the first was not called.
 * Both, and the one below, also take a function's name. */
PVOID MmPageEntireDriver(PVOID AddressWithinSection);
void MmResetDriverPaging(PVOID AddressWithinSection);
#define MmPageEntireDriver(AddressWithinSection)                                                   \
    MmPageEntireDriver((PVOID)(ULONG_PTR)(AddressWithinSection))
#define MmResetDriverPaging(AddressWithinSection)                                                  \
    MmResetDriverPaging((PVOID)(ULONG_PTR)(AddressWithinSection))

/* Gives back the whole pages of the INIT sections of the address's image and returns their bytes;
 * who calls or reads them afterwards faults. Sections that are locked stay. */
SIZE_T PbDiscardInitSection(PVOID AddressWithinImage);
#define PbDiscardInitSection(AddressWithinImage)                                                   \
    PbDiscardInitSection((PVOID)(ULONG_PTR)(AddressWithinImage))

/* How often a section is locked by handle; -1: no such handle. */
LONG PbSectionLockCount(PVOID ImageSectionHandle);

#endif
