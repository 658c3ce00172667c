/* SPDX-License-Identifier: MIT */
/* The floor of known cost: that every link of its chain is multiplied, by what the chain comes to,
 * and that the block does not depend on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "floor/hot.h"
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 64, CALLS = 25 };

static struct pb_opened opened;
static struct pb_floor_thread *thread;

static void open_chain(const char *text)
{
    struct pb_variant variant;
    const struct pb_heap_request request = {BLOCK, 1, 1};
    struct pb_thread *attached;
    char message[200] = "";
    assert_int_equal(pb_variant_parse(text, &variant, message, sizeof message), 0);
    assert_int_equal(pb_variant_open(&variant, &request, &opened, message, sizeof message), 0);
    assert_int_equal(opened.heap->ops->attach(opened.heap, 0, &attached), 0);
    thread = (struct pb_floor_thread *)(void *)attached;
}

static void close_chain(void)
{
    opened.heap->ops->detach(opened.heap, (struct pb_thread *)(void *)thread);
    pb_variant_close(&opened);
}

/* The factor's power, by squaring: another way than the chain's. */
static uint64_t power(uint64_t exponent)
{
    uint64_t result = 1, square = PB_FLOOR_FACTOR;
    for (; exponent > 0; exponent /= 2, square *= square)
        if (exponent % 2 != 0)
            result *= square;
    return result;
}

typedef void *alloc_fn(struct pb_heap *heap, struct pb_thread *thread, size_t bytes);

static void *inlined(struct pb_heap *heap, struct pb_thread *attached, size_t bytes)
{
    return floor_chain_alloc(heap, attached, bytes);
}

static void every_link_is_multiplied_in_every_dispatch(void **state)
{
    static const uint64_t links[] = {1, 2, 256, 1000, 1030, 1100, 1000000};
    static alloc_fn *const dispatches[] = {pb_floor_chain_alloc, inlined, NULL};
    (void)state;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        for (size_t d = 0; d < sizeof dispatches / sizeof *dispatches; d++) {
            char text[64];
            snprintf(text, sizeof text, "floor:kind=chain,links=%llu",
                     (unsigned long long)links[i]);
            open_chain(text);
            alloc_fn *alloc = dispatches[d] != NULL ? dispatches[d] : opened.heap->alloc;
            struct pb_thread *attached = (struct pb_thread *)(void *)thread;
            const uint64_t calls = links[i] > 2000 ? 2 : CALLS;
            for (uint64_t call = 0; call < calls; call++) {
                void *block = alloc(opened.heap, attached, BLOCK);
                assert_ptr_equal(block, thread->block);
                opened.heap->free(opened.heap, attached, block, BLOCK);
            }
            assert_true(thread->product == power(links[i] * calls));
            close_chain();
        }
}

static void a_chain_has_256_links_unless_told(void **state)
{
    (void)state;
    open_chain("floor:kind=chain");
    assert_string_equal(opened.heap->hot->name, "floor_chain");
    (void)opened.heap->alloc(opened.heap, (struct pb_thread *)(void *)thread, BLOCK);
    assert_true(thread->product == power(256));
    close_chain();
}

static void links_have_a_range(void **state)
{
    struct pb_variant variant;
    char message[200];
    (void)state;
    assert_int_equal(
        pb_variant_parse("floor:kind=chain,links=0", &variant, message, sizeof message), -ERANGE);
    assert_int_equal(
        pb_variant_parse("floor:kind=chain,links=1000001", &variant, message, sizeof message),
        -ERANGE);
    assert_non_null(strstr(message, "links"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_link_is_multiplied_in_every_dispatch),
        cmocka_unit_test(a_chain_has_256_links_unless_told),
        cmocka_unit_test(links_have_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
