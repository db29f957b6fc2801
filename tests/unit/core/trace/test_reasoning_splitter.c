/* The splitter: all delimiters, under every chunking.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace/reasoning_splitter.h"

enum { TEXT_MAX = 2048 };

struct setup {
    const char *open, *close;
    bool opened;
};

/* The parts as text: R(..), A(..), T(..), neighbours of one kind together. */
struct split {
    char text[4 * TEXT_MAX];
    char kinds[TEXT_MAX]; /* of each byte, in order */
    size_t len;
    bool closed_unopened;
    size_t held_max;
};

static void note(struct split *split, const struct part *parts, size_t len)
{
    static const char kinds[] = "RAT";
    for (size_t i = 0; i < len; i++) {
        assert_true(parts[i].len > 0);
        memset(split->kinds + split->len, kinds[parts[i].kind], parts[i].len);
        split->len += parts[i].len;
    }
}

static void write_out(struct split *split, struct span input)
{
    size_t to = 0;
    for (size_t i = 0; i < split->len; i++) {
        bool begins = i == 0 || split->kinds[i] != split->kinds[i - 1];
        if (begins)
            to += (size_t)snprintf(split->text + to, sizeof(split->text) - to, "%s%c(", i > 0 ? ")" : "",
                                   split->kinds[i]);
        split->text[to++] = input.data[i];
    }
    if (split->len > 0)
        split->text[to++] = ')';
    split->text[to] = '\0';
}

/* The next piece: `seed` 0: all that is left, else at random up to `longest`. */
static struct span next_piece(struct span rest, unsigned *seed, size_t longest)
{
    if (*seed == 0)
        return rest;
    *seed = *seed * 1103515245u + 12345u;
    size_t len = 1 + (*seed >> 16) % longest;
    return (struct span){rest.data, len < rest.len ? len : rest.len};
}

/* Gives the input to the splitter in pieces; of every other seed as lanes do: what is plain at once. */
static void run(const struct setup *setup, struct span input, unsigned seed, size_t longest, struct split *split)
{
    const bool as_lanes = seed % 2 == 0;
    struct splitter s;
    struct part parts[SPLITTER_PARTS_MAX];
    memset(split, 0, sizeof(*split));
    splitter_init(&s, setup->open, setup->close, setup->opened);
    for (size_t at = 0; at < input.len;) {
        struct span piece = next_piece((struct span){input.data + at, input.len - at}, &seed, longest);
        struct part plain = as_lanes ? splitter_plain(&s, piece) : (struct part){.len = 0};
        if (plain.len > 0) {
            note(split, &plain, 1);
            at += plain.len;
            continue;
        }
        piece.len = piece.len < SPLITTER_SLICE_MAX ? piece.len : SPLITTER_SLICE_MAX;
        note(split, parts, splitter_feed(&s, piece, parts, SPLITTER_PARTS_MAX));
        at += piece.len;
        assert_int_equal(split->len + splitter_undecided(&s), at);
        if (splitter_undecided(&s) > split->held_max)
            split->held_max = splitter_undecided(&s);
    }
    note(split, parts, splitter_end(&s, parts, SPLITTER_PARTS_MAX));
    assert_int_equal(split->len, input.len);
    split->closed_unopened = s.closed_unopened;
    write_out(split, input);
}

static void check_chunkings(const struct setup *setup, struct span input)
{
    static struct split whole, cut;
    run(setup, input, 0, 0, &whole);
    for (unsigned seed = 1; seed <= 20; seed++) {
        run(setup, input, seed, seed == 1 ? 1 : 2 + seed % 11, &cut);
        assert_string_equal(cut.text, whole.text);
        assert_int_equal(cut.closed_unopened, whole.closed_unopened);
    }
}

struct row {
    const char *input, *expected;
};

static void check_rows(const struct setup *setup, const struct row *rows, size_t len)
{
    static struct split split;
    for (size_t i = 0; i < len; i++) {
        struct span input = {rows[i].input, strlen(rows[i].input)};
        run(setup, input, 0, 0, &split);
        assert_string_equal(split.text, rows[i].expected);
        check_chunkings(setup, input);
    }
}

#define CHECK(setup, rows) check_rows((setup), (rows), sizeof(rows) / sizeof((rows)[0]))

static const struct setup plain = {NULL, NULL, false}, inside = {NULL, NULL, true};

static void test_every_family(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<think>why</think>so", "T(<think>)R(why)T(</think>)A(so)"},
        {"<think>\nwhy\n</think>\n\nso", "T(<think>)R(\nwhy\n)T(</think>)A(\n\nso)"},
        {"\xE2\x97\x81think\xE2\x96\xB7why\xE2\x97\x81/think\xE2\x96\xB7so",
         "T(\xE2\x97\x81think\xE2\x96\xB7)R(why)T(\xE2\x97\x81/think\xE2\x96\xB7)A(so)"},
        {"<|open|>think<|sep|>why<|close|>think<|sep|>so",
         "T(<|open|>think<|sep|>)R(why)T(<|close|>think<|sep|>)A(so)"},
        {"<seed:think>why</seed:think>so", "T(<seed:think>)R(why)T(</seed:think>)A(so)"},
        {"<mm:think>why</mm:think>so", "T(<mm:think>)R(why)T(</mm:think>)A(so)"},
        {"[THINK]why[/THINK]so", "T([THINK])R(why)T([/THINK])A(so)"},
        {"Here is my thought process: why Here is my response: so",
         "T(Here is my thought process:)R( why )T(Here is my response:)A( so)"},
        {"Here's my thought process:why\nHere's my response:so",
         "T(Here's my thought process:)R(why\n)T(Here's my response:)A(so)"},
        {"<think>\nwhy\n</think>\n<answer>\nso\n</answer>",
         "T(<think>)R(\nwhy\n)T(</think>)A(\n)T(<answer>)A(\nso\n)T(</answer>)"},
        {"<think:opensource>why</think:opensource>so", "T(<think:opensource>)R(why)T(</think:opensource>)A(so)"},
        {"<think>why</think>\n\n<response>\nso</response>\n",
         "T(<think>)R(why)T(</think>)A(\n\n)T(<response>)A(\nso)T(</response>)A(\n)"},
        {"<|START_THINKING|>why<|END_THINKING|><|START_RESPONSE|>so<|END_RESPONSE|>",
         "T(<|START_THINKING|>)R(why)T(<|END_THINKING|><|START_RESPONSE|>)A(so)T(<|END_RESPONSE|>)"},
        {"<|channel>thought\nwhy<channel|>so", "T(<|channel>thought\n)R(why)T(<channel|>)A(so)"},
        {"<thought>why</thought>so", "T(<thought>)R(why)T(</thought>)A(so)"},
        {"<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>so<|return|>",
         "T(<|channel|>analysis<|message|>)R(why)T(<|end|><|start|>assistant<|channel|>final<|message|>)A(so)"
         "T(<|return|>)"},
        {"<|channel|>analysis<|message|>why<|end|><|channel|>commentary to=f <|constrain|>json<|message|>{}<|call|>"
         "<|channel|>analysis<|message|>more",
         "T(<|channel|>analysis<|message|>)R(why)T(<|end|><|channel|>commentary)A( to=f )T(<|constrain|>)A(json)"
         "T(<|message|>)A({})T(<|call|><|channel|>analysis<|message|>)R(more)"},
    };
    CHECK(&plain, rows);
}

static void test_without_opener(void **state)
{
    (void)state;
    static const struct row opened[] = {
        {"why</think>so", "R(why)T(</think>)A(so)"},
        {"why[/THINK]so", "R(why)T([/THINK])A(so)"},
        {"<think>why</think>so", "T(<think>)R(why)T(</think>)A(so)"},
        {"why<|end|><|start|>assistant<|channel|>final<|message|>so",
         "R(why)T(<|end|><|start|>assistant<|channel|>final<|message|>)A(so)"},
        {"never closed", "R(never closed)"},
        {"Here is my response: no marker of this text", "R(Here is my response: no marker of this text)"},
    };
    CHECK(&inside, opened);
    static const struct row unknown[] = {{"why</think>so", "A(why)T(</think>)A(so)"}};
    CHECK(&plain, unknown);
    static struct split split;
    run(&plain, SPAN("why</think>so"), 0, 0, &split);
    assert_true(split.closed_unopened);
    run(&plain, SPAN("\n</think>so"), 0, 0, &split);
    assert_false(split.closed_unopened);
}

static void test_edges(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"plain answer", "A(plain answer)"},
        {"\n\n<think>a", "R(\n\n)T(<think>)R(a)"},
        {"\n\nplain", "A(\n\nplain)"},
        {" \n ", "A( \n )"},
        {"                      <think>a", "A(                )R(      )T(<think>)R(a)"},
        {"<think><think>a</think></think>b", "T(<think><think>)R(a)T(</think></think>)A(b)"},
        {"<think>\n<think>\na", "T(<think>)R(\n)T(<think>)R(\na)"},
        {"<think>a <think> b</think>c", "T(<think>)R(a <think> b)T(</think>)A(c)"},
        {"<think>\n\n</think>\n\n<think>late</think>c",
         "T(<think>)R(\n\n)T(</think>)A(\n\n)T(<think>)R(late)T(</think>)A(c)"},
        {"<think>say `</think>` then more</think>c", "T(<think>)R(say `)T(</think>)A(` then more</think>c)"},
        {"an answer, `<think>` quoted", "A(an answer, `<think>` quoted)"},
        {"the \"<think>\" and '<thinking>' tags", "A(the \"<think>\" and '<thinking>' tags)"},
        {"<think>a<tool_call>{}</tool_call>", "T(<think>)R(a)A(<tool_call>{}</tool_call>)"},
        {"<think>a</thinx>b<</think>c", "T(<think>)R(a</thinx>b<)T(</think>)A(c)"},
        {"<think>a</seed:think>b</think>c", "T(<think>)R(a</seed:think>b)T(</think>)A(c)"},
        {"<think>a</thi", "T(<think>)R(a</thi)"},
        {"<thi", "A(<thi)"},
        {"\n<thi", "A(\n<thi)"},
        {"<think:anything>a</think:anything>", "A(<think:anything>a</think:anything>)"}, /* to be judged */
        {"<think:a b>c", "A(<think:a b>c)"},
        {"Here is my thought. Here is my response: no", "A(Here is my thought. Here is my response: no)"},
        {"<answer>no reasoning</answer>", "A(<answer>no reasoning</answer>)"},
        {"<think>a</think>b</answer>", "T(<think>)R(a)T(</think>)A(b</answer>)"},
        {"a<|end|>b", "A(a<|end|>b)"},
    };
    CHECK(&plain, rows);
}

/* Reasoning that does not begin the text, or not only there. */
static void found_t12_reasoning_anywhere(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Well. <think>why</think>so", "A(Well. )T(<think>)R(why)T(</think>)A(so)"},
        {"a<think>b</think>c<think>d</think>e<think>f</think>g<think>h</think>i<think>j</think>k",
         "A(a)T(<think>)R(b)T(</think>)A(c)T(<think>)R(d)T(</think>)A(e)T(<think>)R(f)T(</think>)A(g)"
         "T(<think>)R(h)T(</think>)A(i)T(<think>)R(j)T(</think>)A(k)"},
        {"\xEF\xBB\xBF<think>why</think>so", "R(\xEF\xBB\xBF)T(<think>)R(why)T(</think>)A(so)"},
        {" \xE2\x80\x8B\n<think>why</think>so", "R( \xE2\x80\x8B\n)T(<think>)R(why)T(</think>)A(so)"},
        {"\xE2\x80\x8Bso", "A(\xE2\x80\x8Bso)"},
        {"\xE2\x80", "A(\xE2\x80)"},
        {"\xC2\xA0[THINK]why[/THINK]so", "R(\xC2\xA0)T([THINK])R(why)T([/THINK])A(so)"},
        {"<thinking>why</thinking>so", "T(<thinking>)R(why)T(</thinking>)A(so)"},
        {"so <thinking>why</think></thinking>so", "A(so )T(<thinking>)R(why</think>)T(</thinking>)A(so)"},
        {"<|begin_of_thought|>why<|end_of_thought|>so", "T(<|begin_of_thought|>)R(why)T(<|end_of_thought|>)A(so)"},
        {"<|start|>assistant<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>so",
         "T(<|start|>assistant<|channel|>analysis<|message|>)R(why)"
         "T(<|end|><|start|>assistant<|channel|>final<|message|>)A(so)"},
        {"so<|channel|>analysis<|message|>why<|end|>", "A(so)T(<|channel|>analysis<|message|>)R(why)T(<|end|>)"},
        {"so. Here is my thought process: no", "A(so. Here is my thought process: no)"},
        {"so <think>why", "A(so )T(<think>)R(why)"},
    };
    CHECK(&plain, rows);
    static const struct setup setup = {"<<in>>", "<<out>>", false};
    static const struct row pair[] = {{"a <<in>>why<<out>>so", "A(a )T(<<in>>)R(why)T(<<out>>)A(so)"}};
    CHECK(&setup, pair);
}

static void test_configured_pair(void **state)
{
    (void)state;
    static const struct setup setup = {"<<in>>", "<<out>>", false};
    static const struct row rows[] = {
        {"<<in>>why<<out>>so", "T(<<in>>)R(why)T(<<out>>)A(so)"},
        {"<<in>>why</think><<out>>so", "T(<<in>>)R(why</think>)T(<<out>>)A(so)"},
        {"<<in>>why<<<out>>so", "T(<<in>>)R(why<)T(<<out>>)A(so)"},
        {"<think>no</think>", "A(<think>no</think>)"},
    };
    CHECK(&setup, rows);
    static const struct setup only_close = {NULL, "##", true};
    static const struct row closed[] = {{"why##so", "R(why)T(##)A(so)"}, {"why#so", "R(why#so)"}};
    CHECK(&only_close, closed);
    static char too_long[80];
    memset(too_long, '<', sizeof(too_long) - 1);
    const struct setup never = {too_long, too_long, false};
    check_chunkings(&never, SPAN("<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"));
}

/* Texts made of whole and broken tags. */
static void test_random_texts(void **state)
{
    (void)state;
    static const char *const words[] = {"<think>",
                                        "</think>",
                                        "<think:opensource>",
                                        "[THINK]",
                                        "[/THINK]",
                                        "<",
                                        "</th",
                                        "a",
                                        " ",
                                        "\n",
                                        "<|channel|>analysis",
                                        "<|channel|>final",
                                        "<|message|>",
                                        "<|end|>",
                                        "<|sta",
                                        "<tool_call>",
                                        "<answer>",
                                        "</answer>",
                                        "Here is my thought process:",
                                        "Here's my response:",
                                        "Here",
                                        "\xE2\x97\x81think\xE2\x96\xB7",
                                        "\xE2\x97",
                                        "\xEF\xBB\xBF",
                                        "\xE2\x80\x8B",
                                        "<thinking>",
                                        "`",
                                        "<|start|>assistant"};
    static const struct setup setups[] = {
        {NULL, NULL, false}, {NULL, NULL, true}, {"<", ">", false}, {"a", " ", false}, {"<|", "<|", true}};
    for (unsigned seed = 1; seed <= 4000; seed++) {
        char text[TEXT_MAX / 2];
        size_t len = 0;
        unsigned x = seed;
        for (int i = 0; i < 24; i++) {
            x = x * 1103515245u + 12345u;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s",
                                    words[(x >> 16) % (sizeof(words) / sizeof(words[0]))]);
        }
        check_chunkings(&setups[seed % 5], (struct span){text, len});
    }
}

/* Plain text is never held. */
static void test_plain_text_is_not_held(void **state)
{
    (void)state;
    static struct split split;
    run(&plain, SPAN("It is 3 o'clock (in [most] places); 2 > 1."), 1, 1, &split);
    assert_true(split.held_max <= 1);
    run(&inside, SPAN("It is 3 o'clock; a < b, c > d."), 1, 1, &split);
    assert_true(split.held_max <= 1);
}

/* Where reasoning comes elsewhere no opener counts, so nothing waits for one, not even blanks at the beginning. */
static void test_where_no_opener_counts_nothing_waits(void **state)
{
    (void)state;
    static const char text[] = " \n\xC2\xA0<think>a</think>";
    struct part parts[SPLITTER_PARTS_MAX];
    struct splitter s;
    splitter_init(&s, NULL, NULL, false);
    splitter_set_apart(&s, false);
    for (size_t at = 0; at + 1 < sizeof text; at++) {
        size_t len = splitter_feed(&s, (struct span){text + at, 1}, parts, SPLITTER_PARTS_MAX);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(parts[i].kind, PART_ANSWER);
        assert_int_equal(splitter_undecided(&s), text[at] == '\xC2');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_family),
        cmocka_unit_test(test_without_opener),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_configured_pair),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_plain_text_is_not_held),
        cmocka_unit_test(test_where_no_opener_counts_nothing_waits),
        cmocka_unit_test(found_t12_reasoning_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
