/* SPDX-License-Identifier: MIT */
/* Section H, memory operations: the three conventions of comparing, argument orders, overlap, and
 * the copy past the caches over all alignments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/rtl.h>

enum { ROOM = 160, LENGTH_MOST = 80, ALIGNMENTS = 17, GUARD = 0xEE };

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 7 + 1);
}

static void compare_counts(void **state)
{
    unsigned char a[ROOM], b[ROOM];
    (void)state;
    for (size_t i = 0; i < ROOM; i++)
        a[i] = b[i] = pattern(i);
    for (size_t start = 0; start < 9; start++)
        for (size_t n = 0; n <= LENGTH_MOST; n++) {
            assert_int_equal(RtlCompareMemory(a + start, b + start, n), n);
            for (size_t differs = 0; differs < n; differs++) {
                b[start + differs] ^= 0x80;
                assert_int_equal(RtlCompareMemory(a + start, b + start, n), differs);
                b[start + differs] ^= 0x80;
            }
        }
    assert_int_equal(RtlCompareMemory(a + 1, b + 2, 8), 0); /* each at an alignment of its own */
}

static void equal_says_yes_or_no(void **state)
{
    (void)state;
    assert_int_equal(RtlEqualMemory("abcd", "abcd", 4), TRUE); /* and not 4 */
    assert_int_equal(RtlEqualMemory("abcd", "abce", 4), FALSE);
    assert_int_equal(RtlEqualMemory("abcd", "abce", 3), TRUE);
    assert_int_equal(RtlEqualMemory("a", "b", 0), TRUE);
    assert_int_equal(RtlEqualMemory("a", "a", 1),
                     1); /* the one length at which the count is alike */
    assert_int_equal(RtlCompareMemory("abcd", "abce", 4), 3);
    assert_true(memcmp("abcd", "abce", 4) < 0); /* the third convention */
}

static void copy_and_move(void **state)
{
    char text[] = "0123456789", other[sizeof text] = "";
    (void)state;
    RtlCopyMemory(other, text, sizeof text);
    assert_string_equal(other, text);
    RtlMoveMemory(text + 2, text, 8); /* upwards */
    assert_string_equal(text, "0101234567");
    RtlMoveMemory(other, other + 2, 8); /* downwards */
    assert_string_equal(other, "2345678989");
    RtlCopyBytes(text, "abc", 3);
    assert_string_equal(text, "abc1234567");
}

static void fill_takes_length_before_fill(void **state)
{
    unsigned char room[8] = {GUARD, GUARD, GUARD, GUARD, GUARD, GUARD, GUARD, GUARD};
    (void)state;
    RtlFillMemory(room + 1, 3, 5); /* three fives, not five threes */
    assert_memory_equal(room, ((unsigned char[]){GUARD, 5, 5, 5, GUARD, GUARD, GUARD, GUARD}), 8);
    RtlFillBytes(room + 4, 2, 6);
    assert_memory_equal(room, ((unsigned char[]){GUARD, 5, 5, 5, 6, 6, GUARD, GUARD}), 8);
    RtlZeroMemory(room + 1, 2);
    RtlZeroBytes(room + 4, 1);
    assert_memory_equal(room, ((unsigned char[]){GUARD, 0, 0, 5, 0, 6, GUARD, GUARD}), 8);
}

/* Fills a part of its stack and clears it, which nobody reads: a compiler may elide a memset there.
 */
static __attribute__((noinline)) void keep_a_secret(volatile unsigned char **where)
{
    unsigned char secret[64];
    memset(secret, 0x5E, sizeof secret);
    *where = secret;
    __asm__ volatile("" : : "r"(secret) : "memory"); /* somebody uses it */
    (void)RtlSecureZeroMemory(secret, sizeof secret);
}

/* What is left on the stack of a function that has returned. */
static __attribute__((no_sanitize("address", "thread"))) unsigned
count_left(const volatile unsigned char *where)
{
    unsigned left = 0;
    for (unsigned i = 0; i < 64; i++)
        left += where[i] == 0x5E;
    return left;
}

static void secrets_are_zeroed(void **state)
{
    unsigned char room[4] = {1, 2, 3, 4};
    volatile unsigned char *where = room;
    (void)state;
    assert_ptr_equal(RtlSecureZeroMemory(room + 1, 2), room + 1);
    assert_memory_equal(room, ((unsigned char[]){1, 0, 0, 4}), 4);
    keep_a_secret(&where);
    assert_true(count_left(where) < 8); /* the stack below may have been used since */
}

static void non_temporal_copies(void **state)
{
    _Alignas(16) unsigned char from[ROOM], to[ROOM];
    (void)state;
    for (size_t i = 0; i < ROOM; i++)
        from[i] = pattern(i);
    for (size_t source = 0; source < ALIGNMENTS; source++)
        for (size_t n = 0; n <= LENGTH_MOST; n++)
            for (size_t target = 1; target <= ALIGNMENTS; target++) {
                memset(to, GUARD, sizeof to);
                RtlCopyMemoryNonTemporal(to + target, from + source, n);
                assert_memory_equal(to + target, from + source, n);
                assert_int_equal(to[target - 1], GUARD);
                assert_int_equal(to[target + n], GUARD);
            }
}

static void any_level_will_do(void **state)
{
    unsigned char a[32] = {1}, b[32];
    KIRQL before;
    (void)state;
    KeRaiseIrql(HIGH_LEVEL, &before);
    RtlCopyMemory(b, a, sizeof a);
    RtlMoveMemory(b, a, sizeof a);
    RtlCopyMemoryNonTemporal(b, a, sizeof a);
    assert_int_equal(RtlCompareMemory(a, b, sizeof a), sizeof a);
    assert_int_equal(RtlEqualMemory(a, b, sizeof a), TRUE);
    RtlZeroMemory(b, sizeof b);
    (void)RtlSecureZeroMemory(a, sizeof a);
    KeLowerIrql(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("H: RtlCompareMemory counts the leading equal bytes", compare_counts),
        nt_test("H: RtlEqualMemory is TRUE or FALSE, not the count", equal_says_yes_or_no),
        nt_test("H: RtlCopyMemory copies, RtlMoveMemory takes overlaps", copy_and_move),
        nt_test("H: RtlFillMemory takes length before fill", fill_takes_length_before_fill),
        nt_test("H: RtlSecureZeroMemory is not elided", secrets_are_zeroed),
        nt_test("H: RtlCopyMemoryNonTemporal copies at every alignment and length",
                non_temporal_copies),
        nt_test("F: memory operations work at any IRQL", any_level_will_do),
    };
    return cmocka_run_group_tests_name("rtl", tests, NULL, NULL);
}
