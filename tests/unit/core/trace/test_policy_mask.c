/* rein_policy_mask: what rules mark as secret or personal is masked in a text on its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failing_heap.h"
#include "rein/rein.h"
#include "tracekit.h"

static void check_mask(const struct rein_policy *policy, enum rein_channel channel, const char *text,
                       const char *expected, size_t expected_spans)
{
    char room[256];
    size_t spans = 99;
    snprintf(room, sizeof room, "%s", text);
    assert_int_equal(rein_policy_mask(policy, channel, room, strlen(text), &spans), 0);
    assert_string_equal(room, expected);
    assert_int_equal(spans, expected_spans);
}

static void test_secrets_alone_are_masked(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy("version: 1\nname: p\npatterns: {}\nrules:\n"
                   "  - { id: card, channels: [answer], builtin: card_number, action: record }\n"
                   "  - { id: word, channels: [answer], literal: gadget, action: refuse }\n");
    check_mask(policy, REIN_ANSWER, "gadget 4111 1111 1111 1111.", "gadget *******************.", 1);
    check_mask(policy, REIN_PROMPT, "4111111111111111, 5500000000000004", "****************, ****************", 2);
    check_mask(policy, REIN_REASONING, "nothing here", "nothing here", 0);
    check_mask(policy, REIN_ANSWER, "", "", 0);
    size_t spans;
    char room[] = "x";
    assert_int_equal(rein_policy_mask(policy, REIN_OTHER, room, 1, &spans), REIN_EINVAL);
    rein_policy_unref(policy);
}

/* Without memory the text stays as it is, and nothing is left behind. */
static void test_no_memory(void **state)
{
    (void)state;
    static const char text[] = "Pay with 4111 1111 1111 1111.";
    struct rein_policy *policy =
        kit_policy("version: 1\nname: p\npatterns: {}\nrules:\n"
                   "  - { id: card, channels: [answer], builtin: card_number, action: record }\n");
    bool is_over = false;
    for (size_t k = 1; !is_over; k++) {
        struct failing_heap heap = {.fails_at = k};
        char room[sizeof text];
        size_t spans;
        memcpy(room, text, sizeof text);
        failing_heap_use(&heap);
        int rv = rein_policy_mask(policy, REIN_ANSWER, room, sizeof text - 1, &spans);
        rein_heap_set(NULL);
        is_over = heap.calls < k;
        assert_int_equal(rv, is_over ? 0 : REIN_ENOMEM);
        assert_string_equal(room, is_over ? "Pay with *******************." : text);
        assert_int_equal(heap.blocks, 0);
        assert_true(k < 1000);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_secrets_alone_are_masked),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
