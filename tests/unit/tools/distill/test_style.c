/* Styles: what is sent, and which documents are none.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "distill/style.h"

static int read_text(struct style *style, const char *text)
{
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = style_read(style, &(struct rein_source){"style", text, strlen(text)}, problems);
    assert_int_equal(rein_problems_count(problems) > 0, rv == REIN_EPOLICY);
    rein_problems_free(problems);
    return rv;
}

static void test_the_prompt_is_put_in_its_place(void **state)
{
    (void)state;
    struct style style;
    assert_int_equal(read_text(&style, "version: 1\nname: s\ntext: \"Say {prompt} twice.\"\n"), 0);
    char *sent = style_apply(&style, "{prompt} %s");
    assert_string_equal(sent, "Say {prompt} %s twice.");
    assert_false(style.drops_reasoning);
    free(sent);
    style_fini(&style);
    assert_int_equal(read_text(&style, "version: 1\nname: s\nreasoning: none\ntext: \"{prompt}\"\n"), 0);
    assert_true(style.drops_reasoning);
    style_fini(&style);
}

static void test_what_is_no_style(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "version: 1\nname: s\ntext: \"no place\"\n",
        "version: 1\nname: s\ntext: \"{prompt} {prompt}\"\n",
        "version: 2\nname: s\ntext: \"{prompt}\"\n",
        "name: s\ntext: \"{prompt}\"\n",
        "version: 1\nname: s\n",
        "version: 1\nname: s\nreasoning: some\ntext: \"{prompt}\"\n",
    };
    struct style style;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(read_text(&style, texts[i]), REIN_EPOLICY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_prompt_is_put_in_its_place),
                                       cmocka_unit_test(test_what_is_no_style)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
