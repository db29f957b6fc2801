/* Tests of documents: reading YAML, places, paths, values, checks against a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "document/doc.h"

static const char *const colours[] = {"red", "green", NULL};
static const char *const later_colours[] = {"violet", NULL};
static const struct rein_key keys[] = {
    {.path = "", .type = REIN_TYPE_MAP},
    {.path = "name", .type = REIN_TYPE_NAME, .flags = REIN_KEY_REQUIRED},
    {.path = "count", .type = REIN_TYPE_INT, .min = -5, .max = 10, .fallback = "3"},
    {.path = "share", .type = REIN_TYPE_NUMBER, .max = 1, .fallback = "0.25"},
    {.path = "on", .type = REIN_TYPE_BOOL, .fallback = "true"},
    {.path = "colour", .type = REIN_TYPE_WORD, .words = colours, .later_words = later_colours, .fallback = "green"},
    {.path = "colours", .type = REIN_TYPE_WORDS, .words = colours, .fallback = "[green]"},
    {.path = "texts", .type = REIN_TYPE_TEXTS, .flags = REIN_KEY_ONE_OR_MANY},
    {.path = "inner", .type = REIN_TYPE_MAP},
    {.path = "inner.depth", .type = REIN_TYPE_INT, .max = 100, .fallback = "7"},
    {.path = "items", .type = REIN_TYPE_LIST, .max = 3},
    {.path = "items[]", .type = REIN_TYPE_MAP},
    {.path = "items[].id", .type = REIN_TYPE_NAME, .flags = REIN_KEY_REQUIRED},
    {.path = "items[].text", .type = REIN_TYPE_TEXT, .min = 1, .max = 5, .fallback = "none"},
    {.path = "soon", .type = REIN_TYPE_MAP, .flags = REIN_KEY_LATER},
    {.path = "secret", .type = REIN_TYPE_TEXT, .instead = "use secret_file"},
    {.path = NULL},
};
static const struct rein_schema schema = {"test", "Test", "For tests.", keys};

/* A document and what is wrong with it, as "line:column: key: message" lines. */
struct fixture {
    struct rein_doc *doc;
    struct rein_problems *problems;
    char lines[4000];
    int rv;
};

static void list_problems(struct fixture *f)
{
    for (size_t i = 0; i < rein_problems_count(f->problems); i++) {
        const struct rein_problem *p = rein_problems_at(f->problems, i);
        size_t at = strlen(f->lines);
        snprintf(f->lines + at, sizeof(f->lines) - at, "%u:%u: %s: %s\n", p->line, p->column, p->key, p->message);
    }
}

static void read_sized(struct fixture *f, const char *text, size_t len)
{
    *f = (struct fixture){0};
    struct rein_source source = {"test.yaml", text, len};
    assert_int_equal(rein_problems_new(&f->problems), 0);
    f->rv = rein_doc_read(&f->doc, &source, f->problems);
    if (f->rv == 0)
        f->rv = rein_doc_check(f->doc, &schema, f->problems);
    list_problems(f);
}

static void read_text(struct fixture *f, const char *text)
{
    read_sized(f, text, strlen(text));
}

static void fini(struct fixture *f)
{
    rein_doc_free(f->doc);
    rein_problems_free(f->problems);
}

static void expect(const char *text, const char *lines)
{
    struct fixture f;
    read_text(&f, text);
    assert_string_equal(f.lines, lines);
    fini(&f);
}

static void test_values_and_defaults(void **state)
{
    (void)state;
    struct fixture f;
    read_text(&f,
              "name: a.b-c\ncount: -2\nshare: 5e-1\non: false\ncolour: red\ncolours: [red, green]\ninner: {depth: 9}\n"
              "items:\n- id: x\n- {id: y, text: 'q'}\n");
    assert_string_equal(f.lines, "");
    const struct rein_node *root = rein_doc_root(f.doc);
    assert_string_equal(rein_node_text(root, "name"), "a.b-c");
    assert_int_equal(rein_node_int(root, "count"), -2);
    assert_true(rein_node_number(root, "share") == 0.5);
    assert_false(rein_node_bool(root, "on"));
    assert_int_equal(rein_node_word(root, "colour"), 0);
    assert_int_equal(rein_node_words(root, "colours"), 3);
    assert_int_equal(rein_node_int(root, "inner.depth"), 9);
    const struct rein_node *item = rein_node_get(root, "items")->first;
    assert_string_equal(rein_node_text(item, "text"), "none");
    assert_string_equal(rein_node_text(item->next, "text"), "q");
    assert_int_equal(item->next->line, 10);
    assert_int_equal(item->next->column, 3);
    fini(&f);

    read_text(&f, "name: x\n");
    root = rein_doc_root(f.doc);
    assert_int_equal(rein_node_int(root, "count"), 3);
    assert_true(rein_node_number(root, "share") == 0.25);
    assert_true(rein_node_bool(root, "on"));
    assert_int_equal(rein_node_word(root, "colour"), 1);
    assert_int_equal(rein_node_words(root, "colours"), 2);
    assert_int_equal(rein_node_int(root, "inner.depth"), 7);
    assert_null(rein_node_get(root, "texts"));
    fini(&f);
}

/* As some editors write files: a byte order mark, and line ends of two bytes. Places are those that a reader sees. */
static void test_files_of_other_editors(void **state)
{
    (void)state;
    struct fixture f;
    read_text(&f, "\xEF\xBB\xBFname: x\r\ncount: 4\r\ntexts: \"a\\x41\"\r\n");
    assert_string_equal(f.lines, "");
    assert_int_equal(rein_node_int(rein_doc_root(f.doc), "count"), 4);
    assert_string_equal(rein_node_get(rein_doc_root(f.doc), "texts")->text, "aA");
    fini(&f);
    read_text(&f, "\xEF\xBB\xBFnam: x\r\ncount: 40\r\n");
    assert_non_null(strstr(f.lines, "1:1: nam: "));
    assert_non_null(strstr(f.lines, "2:8: count: must be from -5 to 10, not 40"));
    fini(&f);
    read_text(&f, "\xEF\xBB\xBF");
    assert_string_equal(f.lines, "1:1: : the file is empty\n");
    fini(&f);
}

/* Nobody computes with what was refused. */
static void test_out_of_range_reads_as_the_default(void **state)
{
    (void)state;
    struct fixture f;
    read_text(&f, "name: x\ncount: -6\nshare: 1.5\ninner: { depth: 101 }\n");
    assert_int_equal(f.rv, REIN_EPOLICY);
    assert_int_equal(rein_node_int(rein_doc_root(f.doc), "count"), 3);
    assert_true(rein_node_number(rein_doc_root(f.doc), "share") == 0.25);
    assert_int_equal(rein_node_int(rein_doc_root(f.doc), "inner.depth"), 7);
    fini(&f);
}

static void test_json_is_yaml(void **state)
{
    (void)state;
    struct fixture f;
    read_text(&f, "{\"name\": \"x\",\n\t\"count\": 4, \"items\": [{\"id\": \"a\\u00e9\", \"text\": \"\\/\"}]}");
    assert_string_equal(
        f.lines, "2:31: items[0].id: `a\xc3\xa9` is not a valid name: use up to 64 letters, digits, '.', '_' and '-', "
                 "beginning with a letter or digit\n");
    assert_int_equal(rein_node_int(rein_doc_root(f.doc), "count"), 4);
    fini(&f);
}

static void test_types(void **state)
{
    (void)state;
    expect("name: x\ncount: many\n", "2:8: count: expects a whole number, not `many`\n");
    expect("name: x\ncount: '3'\n", "2:8: count: expects a whole number, not the text `3`\n");
    expect("name: x\ncount: 0x10\n", "2:8: count: expects a whole number, not `0x10`\n");
    expect("name: x\ncount: 99999999999999999999\n",
           "2:8: count: expects a whole number, not `99999999999999999999`\n");
    expect("name: x\ncount: 11\n", "2:8: count: must be from -5 to 10, not 11\n");
    expect("name: x\nshare: 1.5\n", "2:8: share: must be from 0 to 1, not 1.5\n");
    expect("name: x\nshare: nan\n", "2:8: share: expects a number, not `nan`\n");
    expect("name: x\non: yes\n", "2:5: on: expects true or false, not `yes`\n");
    expect("name: x\ncolour: rod\n", "2:9: colour: `rod` is not one of red or green; did you mean `red`?\n");
    expect("name: x\ncolour: violet\n", "2:9: colour: `violet` is reserved for a later version; remove it\n");
    expect("name: x\ncolours: red\n", "2:10: colours: expects a list of words, not `red`: write `[red]`\n");
    expect("name: x\ntexts: {a: b}\n", "2:1: texts: expects text or a list of texts, not a map\n");
    expect("name: x\ninner:\n", "2:7: inner: expects a map, but there is no value\n");
    expect("name: x\nitems: [1]\n", "2:9: items[0]: expects a map, not `1`\n");
    expect("name: x\nitems: [{id: a}, {id: b}, {id: c}, {id: d}]\n", "2:1: items: must hold at most 3, not 4\n");
    expect("name: ' '\n", "1:7: name: ` ` is not a valid name: use up to 64 letters, digits, '.', '_' and '-', "
                          "beginning with a letter or digit\n");
}

static void test_keys(void **state)
{
    (void)state;
    expect("nam: x\n", "1:1: nam: unknown key; did you mean `name`?\n1:1: name: this key is missing\n");
    expect("name: x\nzzzzz: 1\n", "2:1: zzzzz: unknown key\n");
    expect("name: x\nitems:\n  - {id: a, texxt: b}\n", "3:13: items[0].texxt: unknown key; did you mean `text`?\n");
    expect("name: x\nitems: [{text: abc}]\n", "2:9: items[0].id: this key is missing\n");
    expect("name: x\nsoon: {}\n", "2:1: soon: `soon` is reserved for a later version; remove it\n");
    expect("name: x\nsecret: hunter\n", "2:9: secret: use secret_file\n");
    expect("name: x\n\"items[]\": 1\n", "2:1: items[]: unknown key; did you mean `items`?\n");
    expect("name: x\nname: y\n", "2:1: name: duplicate key; the first one is on line 1\n");
}

static void test_what_is_refused(void **state)
{
    (void)state;
    expect("", "1:1: : the file is empty\n");
    expect("# only a comment\n", "1:1: : the file is empty\n");
    expect("name: x\n---\nname: y\n", "2:1: : only one document per file is supported\n");
    expect("name: &a x\ntexts: *a\n", "1:7: name: anchors are not supported\n"
                                      "2:8: texts: aliases are not supported: repeat the value\n");
    expect("name: !!str x\n", "1:7: name: tags are not supported\n");
    expect("? [a]\n: b\n", "1:3: : a key must be text\n");
    expect("name: \"a\\0b\"\n", "1:7: name: NUL characters are not supported\n");
    expect("name: [a\n", "2:1: : not YAML: did not find expected ',' or ']', while parsing a flow sequence\n");
    expect("name: x\ncount: \xff\n", "2:0: : not YAML: not UTF-8 text (invalid leading UTF-8 octet)\n");
    expect("[]", "1:1: : expects a map, not a list\n");
}

/* Values that were not kept are missing where they are required: a reader that goes on would not find them. */
static void test_a_broken_document_is_not_accepted(void **state)
{
    (void)state;
    static const char *const texts[] = {"*a\n", "name: *a\n", "name: x\ninner: { depth: *a }\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct rein_problems *problems;
        struct rein_doc *doc;
        assert_int_equal(rein_problems_new(&problems), 0);
        assert_int_equal(rein_doc_read(&doc, &(struct rein_source){"a.yaml", texts[i], strlen(texts[i])}, problems), 0);
        assert_int_equal(rein_doc_check(doc, &schema, problems), REIN_EPOLICY);
        assert_int_equal(rein_problems_count(problems), 1);
        rein_doc_free(doc);
        rein_problems_free(problems);
    }
}

static void test_ceilings(void **state)
{
    (void)state;
    static char text[REIN_DOC_BYTES_MAX + 2];
    struct fixture f;
    memset(text, ' ', sizeof(text));
    read_sized(&f, text, sizeof(text));
    assert_string_equal(f.lines, "0:0: : too large: at most 1048576 bytes are allowed\n");
    fini(&f);
    memset(text, '[', 100);
    read_sized(&f, text, 100);
    assert_string_equal(f.lines,
                        "1:33: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"
                        "[0][0][0][0]: nested too deeply\n");
    fini(&f);
    text[0] = '[';
    for (size_t i = 1; i < 400000; i += 2)
        memcpy(text + i, "1,", 2);
    read_sized(&f, text, 400000);
    assert_string_equal(f.lines, "1:200000: : the document has too many parts\n");
    fini(&f);
}

static void test_messages_hold_no_control_characters(void **state)
{
    (void)state;
    expect("name: x\n\"\\e[31mred\": 1\n", "2:1: ?[31mred: unknown key\n");
    expect("name: x\ncount: \"\\e[31m\"\n", "2:8: count: expects a whole number, not the text `?[31m`\n");
}

static void test_canon_is_about_meaning(void **state)
{
    (void)state;
    static const char *const same[] = {"name: x\ncount: 3\ntexts: [a]\n", "# hello\n{texts: a, \"name\": 'x'}",
                                       "share: 0.250\ninner: {}\non: true\ntexts:\n  - a\nname: x\n"};
    static const char *const different[] = {"name: y\ntexts: [a]\n", "name: x\ntexts: [a, b]\n",
                                            "name: x\ntexts: [a]\ninner: {depth: 1}\n",
                                            "name: x\ntexts: [a]\non: false\n"};
    struct fixture f;
    struct bytes first, other;
    bytes_init(&first, 4096);
    bytes_init(&other, 4096);
    for (size_t i = 0; i < 7; i++) {
        struct bytes *out = i == 0 ? &first : &other;
        read_text(&f, i < 3 ? same[i] : different[i - 3]);
        assert_string_equal(f.lines, "");
        bytes_clear(out);
        assert_int_equal(doc_canon(rein_doc_root(f.doc), out), 0);
        fini(&f);
        if (i > 0 && span_is(bytes_span(&first), bytes_span(&other)) != (i < 3))
            fail_msg("%zu:\n%.*s\n%.*s", i, (int)bytes_len(&first), bytes_at(&first, 0), (int)bytes_len(&other),
                     bytes_at(&other, 0));
    }
    bytes_fini(&first);
    bytes_fini(&other);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"release", "reasoning", "rules", NULL};
    assert_string_equal(rein_nearest("relase", names), "release");
    assert_string_equal(rein_nearest("reasonning", names), "reasoning");
    assert_string_equal(rein_nearest("rule", names), "rules");
    assert_null(rein_nearest("patterns", names));
}

static bool is_text(const char *text)
{
    json_t *string = json_string(text); /* NULL: no UTF-8 */
    json_decref(string);
    return string != NULL;
}

/* Wherever a text is cut, and whatever a message quotes of a document: no character ends in its middle. */
static void test_found_s4_what_is_quoted_is_text(void **state)
{
    static const char *const letters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static const char *const keys_of[] = {"count", "colour", "name", "on", "items"};
    (void)state;
    for (size_t letter = 0; letter < 3; letter++)
        for (size_t shift = 0; shift < 4; shift++) {
            char word[1024] = "";
            memset(word, 'x', shift);
            for (size_t i = 0; i < 200; i++) {
                strcat(word, letters[letter]);
                for (size_t k = 0; k < sizeof keys_of / sizeof *keys_of; k++) {
                    char text[2200];
                    struct fixture f;
                    snprintf(text, sizeof text, "version: 1\n%s: %s\n%s: 1\n", keys_of[k], word, word);
                    read_sized(&f, text, strlen(text));
                    for (size_t p = 0; p < rein_problems_count(f.problems); p++)
                        assert_true(is_text(rein_problems_at(f.problems, p)->message) &&
                                    is_text(rein_problems_at(f.problems, p)->key));
                    rein_doc_free(f.doc);
                    rein_problems_free(f.problems);
                }
            }
            for (size_t cut = 0; cut <= strlen(word); cut++) {
                char text[1024];
                size_t len = rein_text_whole(word, cut);
                snprintf(text, sizeof text, "%.*s", (int)len, word);
                assert_true(len <= cut && cut - len <= 3 && is_text(text));
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_document_is_not_accepted),
        cmocka_unit_test(test_values_and_defaults),
        cmocka_unit_test(test_json_is_yaml),
        cmocka_unit_test(test_files_of_other_editors),
        cmocka_unit_test(test_out_of_range_reads_as_the_default),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_messages_hold_no_control_characters),
        cmocka_unit_test(test_canon_is_about_meaning),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_found_s4_what_is_quoted_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
