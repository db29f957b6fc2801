/* Lanes whose text may be repeated: what came, what was shown of it, and what happens without room.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trace/lane.h"

static int swallow(void *ctx, struct text *text, struct span bytes)
{
    (void)ctx;
    (void)text;
    (void)bytes;
    return 0;
}

static void begin(struct lane *lane, size_t *room)
{
    lane_init(lane, (struct place){.text = 1, .channel = REIN_TOOL}, NULL);
    lane_keep(lane, room);
}

static void say(struct lane *lane, const char *text)
{
    assert_int_equal(lane_feed(lane, (struct span){text, strlen(text)}, swallow, NULL), 0);
    assert_true(lane_is_sound(lane, true));
}

static void is_shown(const struct lane *lane, const char *wanted)
{
    struct bytes out;
    bytes_init(&out, 1024);
    assert_int_equal(lane_shown(lane, &out), 0);
    assert_int_equal(bytes_len(&out), strlen(wanted));
    assert_memory_equal(bytes_span(&out).data, wanted, strlen(wanted));
    bytes_fini(&out);
}

static void what_was_released_is_shown(void **state)
{
    struct lane lane;
    size_t room = 100;
    (void)state;
    begin(&lane, &room);
    is_shown(&lane, "");
    say(&lane, "a \"quoted\" ");
    say(&lane, "word");
    assert_true(lane_repeats(&lane, SPAN("a \"quoted\" word")));
    assert_false(lane_repeats(&lane, SPAN("a \"quoted\"")));
    assert_false(lane_repeats(&lane, SPAN("a \"quoted\" word!")));
    lane_released(&lane, 10); /* whether it was shown or dropped */
    is_shown(&lane, "");
    lane.shown_to = 10;
    is_shown(&lane, "a \\\"quoted\\\"");
    lane.shown_to = 15;
    is_shown(&lane, "a \\\"quoted\\\" word");
    assert_int_equal(room, 85);
    lane_fini(&lane);
}

static void an_edit_is_shown_and_what_follows(void **state)
{
    struct lane lane;
    size_t room = 100;
    (void)state;
    begin(&lane, &room);
    say(&lane, "say \"secret\" now");
    assert_int_equal(lane_edit(&lane, 5), 0);
    assert_int_equal(lane_show(&lane, SPAN("[gone]")), 0);
    assert_int_equal(lane_edit(&lane, 12), 0); /* is edited already */
    assert_int_equal(lane_show(&lane, SPAN("\\\" now")), 0);
    is_shown(&lane, "say \\\"[gone]\\\" now");
    assert_true(lane_repeats(&lane, SPAN("say \"secret\" now")));
    assert_true(lane_is_sound(&lane, true));
    lane_fini(&lane);
}

static void without_room_it_is_lost(void **state)
{
    struct lane first, second;
    size_t room = 8;
    (void)state;
    begin(&first, &room);
    begin(&second, &room);
    say(&first, "six by");
    say(&second, "more"); /* no room */
    assert_true(second.is_lost && !first.is_lost);
    assert_false(lane_repeats(&second, SPAN("more")));
    say(&second, "!");
    assert_false(lane_repeats(&second, SPAN("more!")));
    assert_true(lane_repeats(&first, SPAN("six by")));
    second.shown_to = 5;
    is_shown(&second, ""); /* nothing of it was kept */
    assert_int_equal(lane_edit(&second, 2), 0);
    assert_int_equal(lane_show(&second, SPAN("x")), 0);
    is_shown(&second, "");
    lane_fini(&first);
    lane_fini(&second);
}

/* Faults that no input can cause. */
static void a_fault_is_seen(void **state)
{
    struct lane lane;
    size_t room = 100;
    (void)state;
    begin(&lane, &room);
    say(&lane, "text");
    lane.said.end--;
    assert_false(lane_is_sound(&lane, false));
    lane.said.end++;
    lane.shown.end = 1;
    assert_false(lane_is_sound(&lane, false));
    lane.shown.end = 0;
    assert_true(lane_is_sound(&lane, false));
    lane_fini(&lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_released_is_shown),
        cmocka_unit_test(an_edit_is_shown_and_what_follows),
        cmocka_unit_test(without_room_it_is_lost),
        cmocka_unit_test(a_fault_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
