/* Files of objects: lines and arrays give the same objects; what is neither says where.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataset/element_reader.h"

static char path[] = "element_reader_XXXXXX";

struct seen {
    char texts[16][64];
    uint64_t offsets[16];
    size_t lines[16], len;
};

static int note_element(void *ctx, const struct element *element)
{
    struct seen *seen = ctx;
    assert_true(seen->len < 16);
    snprintf(seen->texts[seen->len], sizeof seen->texts[0], "%.*s", (int)element->len, element->text);
    seen->offsets[seen->len] = element->offset;
    seen->lines[seen->len++] = element->line;
    return 0;
}

static int read_text(const char *text, size_t len, struct seen *seen, size_t *line)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
    *seen = (struct seen){0};
    return element_read_all(path, note_element, seen, line);
}

static void test_lines_and_arrays(void **state)
{
    (void)state;
    static const char *const files[] = {
        "{\"a\":[1,{\"b\":\"}\\\"]\"}]}\n\n{ }\n{\"c\":\"\\\\\"}",
        "[{\"a\":[1,{\"b\":\"}\\\"]\"}]},\r\n\n{ } ,\n{\"c\":\"\\\\\"}\n]\n",
        "\xEF\xBB\xBF[{\"a\":[1,{\"b\":\"}\\\"]\"}]},{ },{\"c\":\"\\\\\"}]",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct seen seen;
        size_t line;
        assert_int_equal(read_text(files[i], strlen(files[i]), &seen, &line), 0);
        assert_int_equal(seen.len, 3);
        assert_string_equal(seen.texts[0], "{\"a\":[1,{\"b\":\"}\\\"]\"}]}");
        assert_string_equal(seen.texts[1], "{ }");
        assert_string_equal(seen.texts[2], "{\"c\":\"\\\\\"}");
        for (size_t k = 0; k < 3; k++)
            assert_memory_equal(files[i] + seen.offsets[k], seen.texts[k], strlen(seen.texts[k]));
        assert_int_equal(seen.lines[0], 1);
        assert_int_equal(seen.lines[1], i == 2 ? 1 : 3);
    }
}

static void test_empty_files_have_no_objects(void **state)
{
    (void)state;
    static const char *const files[] = {"", "\n \n", "[]", " [ ]\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct seen seen;
        size_t line;
        assert_int_equal(read_text(files[i], strlen(files[i]), &seen, &line), 0);
        assert_int_equal(seen.len, 0);
    }
}

static void test_what_is_no_sequence_of_objects(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
    } cases[] = {
        {"{}\n\"x\"", 2}, {"[{}\n{}]", 2}, {"[[]]", 1},  {"[{}] {}", 1},       {"[{}", 1},
        {"{\"a\":1", 1},  {"7", 1},        {"{}\n]", 2}, {"{\"a\":\"\n\n", 3}, {"{}\n[{}]", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen seen;
        size_t line;
        assert_int_equal(read_text(cases[i].text, strlen(cases[i].text), &seen, &line), REIN_EFORMAT);
        assert_int_equal(line, cases[i].line);
    }
    size_t line;
    assert_int_equal(element_read_all("there/is/none", note_element, NULL, &line), REIN_EIO);
}

static int count_element(void *ctx, const struct element *element)
{
    (void)element;
    ++*(size_t *)ctx;
    return 0;
}

static void test_an_object_has_a_ceiling(void **state)
{
    (void)state;
    size_t line, count = 0;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{}\n{\"a\":\"", file);
    for (size_t i = 0; i < ELEMENT_MAX; i++)
        putc('x', file);
    fputs("\"}\n", file);
    fclose(file);
    assert_int_equal(element_read_all(path, count_element, &count, &line), REIN_ELIMIT);
    assert_int_equal(count, 1);
    assert_int_equal(line, 2);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_arrays),
        cmocka_unit_test(test_empty_files_have_no_objects),
        cmocka_unit_test(test_what_is_no_sequence_of_objects),
        cmocka_unit_test(test_an_object_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
