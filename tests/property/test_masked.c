/* Property: whatever the prompt, what goes upstream has none of the values that rules mask; and whatever the pieces, an
 * answer gives back exactly those placeholders of this request that stand outside of links.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_masked [CASES [FIRST-SEED]]     default 2000 from 1; REIN_LONG=1: 20000
 *
 * A case has a prompt (text or JSON, in one part or several) with values in it, and an answer, reasoning and arguments
 * of a tool made of its placeholders, those of another request and of another key, beginnings and misspellings of them,
 * links around them, and other text; two partitions, into events and into reads. In a third of the cases the answer is
 * JSON; in another one, rules of the answer redact text that may overlap a placeholder. A failure prints its seed,
 * which plays it again. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "dice.h"
#include "tracekit.h"

enum { PROMPT_MAX = 400, TEXT_MAX = 1600, PARTS = 3, NAMES_MAX = 16, POLICIES = 2, CHANNELS = 3, KEYS = 5 };

static const char *const yamls[POLICIES] = {
    "version: 1\nname: a\nreasoning: { show: stream, release: stream }\nrules:\n"
    "  - { id: card-number, channels: [prompt], builtin: card_number, action: redact, restore: true }\n"
    "  - { id: null-word, channels: [prompt], regex: 'q[a-e]{2}[0-9]', action: redact, restore: true }\n"
    "  - { id: gone, channels: [prompt], regex: 'gone[0-9]{2}', action: redact, replacement: \"[[]]\" }\n",
    "version: 1\nname: b\nreasoning: { show: stream, release: stream }\nrules:\n"
    "  - { id: card-number, channels: [prompt], builtin: card_number, action: redact, restore: true }\n"
    "  - { id: null-word, channels: [prompt], regex: 'q[a-e]{2}[0-9]', action: redact, restore: true }\n"
    "  - { id: gone, channels: [prompt], regex: 'gone[0-9]{2}', action: redact, replacement: \"[[]]\" }\n"
    "  - { id: doubled, channels: [answer], literal: \"bb\", match: raw, action: redact, replacement: \"#\" }\n"
    "  - { id: behind, channels: [answer], literal: \"]a\", match: raw, action: redact, replacement: \"#\" }\n"
    "  - { id: before, channels: [answer], regex: 'ac?\\[', action: redact, replacement: \"#\" }\n"};
static const unsigned char own_key[REIN_MASK_KEY] = "one client", other_key[REIN_MASK_KEY] = "another client";
static struct rein_policy *policies[POLICIES];

/* A placeholder and its value. */
struct name {
    char text[64], value[64];
};

struct masked_case {
    uint64_t seed;
    struct dice dice;
    unsigned policy;
    bool is_json_prompt, is_json_answer;
    char prompt[PROMPT_MAX * 2];
    struct name own[NAMES_MAX], foreign[NAMES_MAX];
    size_t own_len, foreign_len;
    char text[CHANNELS][TEXT_MAX],
        wanted[TEXT_MAX * 2]; /* of reasoning, answer, arguments; the answer that is wanted */
};

static _Noreturn void give_up(const struct masked_case *c, const char *what, const char *wanted, const char *seen)
{
    fprintf(stderr, "seed %" PRIu64 ": %s\n  prompt: '%s'\n  answer: '%s'\n  wanted: '%s'\n  seen:   '%s'\n", c->seed,
            what, c->prompt, c->text[1], wanted, seen);
    exit(1);
}

/* ---- prompts ------------------------------------------------------------------------------------------------------
 */

static const char *const values[] = {
    "4111 1111 1111 1111", "4111111111111111", "5500005555555559", "qab1", "qee9", "qcd0", "gone12"};
enum { VALUES = sizeof values / sizeof *values, FIRST_WORD = 3 /* from here on they are found wherever they stand */ };

static void put_prompt_text(struct dice *d, char *out, size_t words)
{
    static const char *const others[] = {" ", "a ",   " x ", "\xC3\xA9", "\xF0\x9F\x99\x82", "[", "]", ":", "\n",
                                         "q", "gone", "\"",  "\\",       "[null-word:"};
    size_t len = 0;
    *out = '\0';
    for (size_t i = 0; i < words; i++) {
        bool is_value = dice_chance(d, 40);
        const char *word =
            is_value ? values[dice_below(d, VALUES)] : others[dice_below(d, sizeof others / sizeof *others)];
        len += (size_t)sprintf(out + len, is_value ? " %s " : "%s", word);
    }
}

static void put_prompt_json(struct dice *d, char *out)
{
    char text[3][PROMPT_MAX / 4];
    for (size_t i = 0; i < 3; i++)
        put_prompt_text(d, text[i], 1 + dice_below(d, 3));
    json_t *doc = json_pack("{ss s[sI] s{ss}}", "a", text[0], "n", text[1],
                            dice_chance(d, 50) ? (json_int_t)4111111111111111 : (json_int_t)7, "o", "b", text[2]);
    char *spelled = json_dumps(doc, dice_chance(d, 50) ? JSON_ENSURE_ASCII : JSON_COMPACT);
    strcpy(out, spelled);
    free(spelled);
    json_decref(doc);
}

static struct rein_trace *new_trace(struct rein_engine *engine, unsigned policy, const unsigned char *key)
{
    struct rein_trace *trace;
    struct rein_trace_options options = {.policy = policies[policy],
                                         .engine = engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .choices = 1,
                                         .mask_key = key};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    return trace;
}

/* What goes upstream of the parts. */
static void masked_parts(const struct rein_trace *trace, const struct rein_prompt_part *parts, size_t parts_len,
                         char out[PARTS][TEXT_MAX])
{
    size_t len;
    const struct rein_mask *masks = rein_trace_masks(trace, &len);
    for (size_t p = 0; p < parts_len; p++) {
        size_t at = 0, to = 0;
        for (size_t i = 0; i < len; i++) {
            if (masks[i].tag != &parts[p])
                continue;
            assert_true(masks[i].offset >= at && masks[i].offset + masks[i].len <= parts[p].len);
            to += (size_t)sprintf(out[p] + to, "%.*s%.*s", (int)(masks[i].offset - at), parts[p].text + at,
                                  (int)masks[i].text_len, masks[i].text);
            at = (size_t)(masks[i].offset + masks[i].len);
        }
        sprintf(out[p] + to, "%.*s", (int)(parts[p].len - at), parts[p].text + at);
    }
}

static void judge(struct rein_trace *trace, const struct rein_prompt_part *parts, size_t len)
{
    assert_int_equal(rein_trace_prompt_parts(trace, "user", parts, len, ""), 0);
}

/* Nothing that a rule masks is left, and JSON is still JSON. */
static void check_masked(const struct masked_case *c, struct rein_engine *engine, const char *whole)
{
    struct rein_trace *again = new_trace(engine, c->policy, own_key);
    struct rein_prompt_part part = {whole, strlen(whole), NULL};
    size_t len;
    judge(again, &part, 1);
    (void)rein_trace_masks(again, &len);
    if (len > 0)
        give_up(c, "something is left to mask", "", whole);
    rein_trace_free(again);
    json_t *doc = c->is_json_prompt ? json_loads(whole, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (c->is_json_prompt && doc == NULL)
        give_up(c, "no JSON any more", c->prompt, whole);
    json_decref(doc);
}

static void add_name(struct name *names, size_t *len, const struct rein_mask *mask, const char *value)
{
    const char *text = mask->text + (*mask->text == '"');
    size_t text_len = mask->text_len - (*mask->text == '"' ? 2 : 0);
    if (text_len < 3 || strchr(mask->text, ':') == NULL || *len == NAMES_MAX)
        return;
    for (size_t i = 0; i < *len; i++)
        if (strlen(names[i].text) == text_len && memcmp(names[i].text, text, text_len) == 0)
            return;
    struct name *name = &names[(*len)++];
    sprintf(name->text, "%.*s", (int)text_len, text);
    sprintf(name->value, "%.*s", (int)mask->len, value);
}

/* The placeholders of a prompt. Where JSON spells a value otherwise, none of these does. */
static void collect(const struct rein_trace *trace, const char *whole, struct name *names, size_t *len)
{
    size_t masks_len;
    const struct rein_mask *masks = rein_trace_masks(trace, &masks_len);
    for (size_t i = 0; i < masks_len; i++)
        add_name(names, len, &masks[i], whole + masks[i].offset);
}

static void mask_prompt(struct masked_case *c)
{
    struct rein_engine *engine;
    struct rein_prompt_part parts[PARTS], whole = {c->prompt, 0, NULL};
    char out[PARTS][TEXT_MAX], joined[PARTS * TEXT_MAX] = "";
    c->is_json_prompt = dice_chance(&c->dice, 30);
    if (c->is_json_prompt)
        put_prompt_json(&c->dice, c->prompt);
    else
        put_prompt_text(&c->dice, c->prompt, 1 + dice_below(&c->dice, 12));
    whole.len = strlen(c->prompt);
    assert_int_equal(rein_engine_new(&engine), 0);
    size_t n = 1 + dice_below(&c->dice, PARTS), at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = i + 1 == n ? whole.len - at : dice_below(&c->dice, whole.len - at + 1);
        parts[i] = (struct rein_prompt_part){c->prompt + at, len, &parts[i]};
        at += len;
    }
    struct rein_trace *trace = new_trace(engine, c->policy, own_key);
    judge(trace, parts, n);
    masked_parts(trace, parts, n, out);
    for (size_t i = 0; i < n; i++)
        strcat(joined, out[i]);
    check_masked(c, engine, joined);
    for (size_t i = FIRST_WORD; i < VALUES; i++)
        if (strstr(joined, values[i]) != NULL)
            give_up(c, "a value went upstream", values[i], joined);
    rein_trace_free(trace);
    trace = new_trace(engine, c->policy, own_key);
    judge(trace, &whole, 1);
    collect(trace, c->prompt, c->own, &c->own_len);
    rein_trace_free(trace);
    /* The same values of another client, and other values of the same one. */
    trace = new_trace(engine, c->policy, other_key);
    judge(trace, &whole, 1);
    collect(trace, c->prompt, c->foreign, &c->foreign_len);
    rein_trace_free(trace);
    trace = new_trace(engine, c->policy, own_key);
    struct rein_prompt_part elsewhere = {"qaa5 4242424242424242", 21, NULL};
    judge(trace, &elsewhere, 1);
    collect(trace, elsewhere.text, c->foreign, &c->foreign_len);
    rein_trace_free(trace);
    rein_engine_free(engine);
}

/* ---- answers ------------------------------------------------------------------------------------------------------
 */

/* Adds to a text and to what is wanted of it. */
struct answer_pen {
    char *text, *wanted;
    size_t len, wanted_len;
};

static void pen_put(struct answer_pen *pen, const char *text, const char *wanted)
{
    pen->len += (size_t)sprintf(pen->text + pen->len, "%s", text);
    pen->wanted_len += (size_t)sprintf(pen->wanted + pen->wanted_len, "%s", wanted);
}

static void put_link(struct dice *d, struct answer_pen *pen, const char *name)
{
    static const char *const forms[][2] = {
        {"![i](https://h.d/?q=", ")\n\n"}, {" https://h.d/", " "}, {"[t](", ")\n\n"},
        {"<img src=\"//h ", "\">\n\n"},    {" h.d/x?", " "},       {"\n[r]: ", " \n\n"},
        {"<a href='h", "'>\n\n"}};
    const char *const *form = forms[dice_below(d, sizeof forms / sizeof *forms)];
    char link[160];
    snprintf(link, sizeof link, "%s%s%s", form[0], name, form[1]);
    pen_put(pen, link, link);
}

/* Not a placeholder: a beginning, or with one byte more, less or other than it should have. */
static void put_broken(struct dice *d, struct answer_pen *pen, const char *name)
{
    char broken[80];
    size_t len = strlen(name), at = 1 + dice_below(d, len - 2);
    switch (dice_below(d, 4)) {
    case 0:
        sprintf(broken, "%.*s", (int)at, name);
        break;
    case 1:
        sprintf(broken, "%.*s %s", (int)at, name, name + at);
        break;
    case 2:
        sprintf(broken, "%.*s%s", (int)at, name, name + at + 1);
        break;
    default:
        sprintf(broken, "%.*s%c%s", (int)at, name, name[at] == 'c' ? 'd' : 'c', name + at + 1);
    }
    pen_put(pen, broken, broken);
}

/* Text that makes no link. */
static void put_plain(struct dice *d, struct answer_pen *pen)
{
    static const char *const words[] = {"a",  "b",  "bb", "c ", " ", "[", "]", "[[", "\xC3\xA9", "\xF0\x9F\x99\x82 ",
                                        "\n", ". ", "7"};
    const char *word = words[dice_below(d, sizeof words / sizeof *words)];
    pen_put(pen, word, word);
}

static const struct name *any_of(struct dice *d, const struct name *names, size_t len)
{
    return len > 0 ? &names[dice_below(d, len)] : NULL;
}

/* `is_text`: no links and no broken ends, which would run into what follows. */
static void put_answer(struct masked_case *c, struct answer_pen *pen, size_t words, bool is_plain)
{
    for (size_t i = 0; i < words; i++) {
        const struct name *own = any_of(&c->dice, c->own, c->own_len);
        const struct name *foreign = any_of(&c->dice, c->foreign, c->foreign_len);
        size_t kind = dice_below(&c->dice, 10);
        if (kind < 3 && own != NULL)
            pen_put(pen, own->text, own->value);
        else if (kind == 3 && foreign != NULL)
            pen_put(pen, foreign->text, foreign->text);
        else if (kind == 4 && own != NULL && !is_plain)
            put_link(&c->dice, pen, own->text);
        else if (kind == 5 && own != NULL)
            put_broken(&c->dice, pen, own->text);
        else
            put_plain(&c->dice, pen);
    }
}

/* What the answer's rules and the placeholders make of a text: overlapping spans become one; where a rule has a part in
 * it, all of it goes. */
struct mark {
    size_t start, end;
    const char *value; /* NULL: a redaction */
};

static int by_start(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    return x->start != y->start ? (x->start < y->start ? -1 : 1) : 0;
}

static size_t find_literal(const char *text, const char *literal, struct mark *marks, size_t n, const char *value)
{
    for (const char *at = text; (at = strstr(at, literal)) != NULL; at += strlen(literal))
        marks[n++] = (struct mark){(size_t)(at - text), (size_t)(at - text) + strlen(literal), value};
    return n;
}

/* 'ac?\[' */
static size_t find_before(const char *text, struct mark *marks, size_t n)
{
    for (const char *at = text; *at != '\0'; at++) {
        size_t len = at[0] != 'a' ? 0 : at[1] == '[' ? 2 : at[1] == 'c' && at[2] == '[' ? 3 : 0;
        if (len > 0) {
            marks[n++] = (struct mark){(size_t)(at - text), (size_t)(at - text) + len, NULL};
            at += len - 1;
        }
    }
    return n;
}

static void redact(struct masked_case *c)
{
    static struct mark marks[4096];
    const char *text = c->text[1];
    size_t n = find_literal(text, "bb", marks, 0, NULL), at = 0, len = 0;
    n = find_literal(text, "]a", marks, n, NULL);
    n = find_before(text, marks, n);
    for (size_t i = 0; i < c->own_len; i++)
        n = find_literal(text, c->own[i].text, marks, n, c->own[i].value);
    qsort(marks, n, sizeof *marks, by_start);
    for (size_t i = 0; i < n;) {
        size_t end = marks[i].end, k = i + 1;
        const char *value = marks[i].value;
        for (; k < n && marks[k].start < end; k++) {
            end = marks[k].end > end ? marks[k].end : end;
            value = NULL;
        }
        len += (size_t)sprintf(c->wanted + len, "%.*s%s", (int)(marks[i].start - at), text + at,
                               value != NULL ? value : "#");
        at = end;
        i = k;
    }
    strcpy(c->wanted + len, text + at);
}

/* If a value's first word becomes a link, so is the rest of the value. */
static void stay_linked(const char *text, char *wanted)
{
    static const char *const starts[] = {"//", "h.d/"};
    const char *first = text + strspn(text, " \n");
    size_t len = strcspn(first, " \n");
    for (size_t i = 0; i < 2; i++) {
        const char *at = memmem(first, len, starts[i], strlen(starts[i]));
        if (at == NULL)
            continue;
        strcpy(strstr(wanted, starts[i]), at);
        return;
    }
}

static void make_json_answer(struct masked_case *c)
{
    json_t *sent = json_object(), *wanted = json_object();
    for (size_t i = 0; i < KEYS; i++) {
        char text[TEXT_MAX / 4] = "", back[TEXT_MAX / 2] = "", key[80];
        struct answer_pen pen = {text, back, 0, 0};
        put_answer(c, &pen, dice_below(&c->dice, 3), false);
        stay_linked(text, back);
        const struct name *own = any_of(&c->dice, c->own, c->own_len);
        snprintf(key, sizeof key, "%zu%s", i, own != NULL && dice_chance(&c->dice, 20) ? own->text : "");
        json_object_set_new(sent, key, dice_chance(&c->dice, 30) ? json_pack("[s]", text) : json_string(text));
        json_object_set_new(wanted, key,
                            json_is_array(json_object_get(sent, key)) ? json_pack("[s]", back) : json_string(back));
    }
    char *text = json_dumps(sent, dice_chance(&c->dice, 50) ? JSON_ENSURE_ASCII : JSON_COMPACT);
    char *back = json_dumps(wanted, JSON_COMPACT);
    strcpy(c->text[1], text);
    strcpy(c->wanted, back);
    free(text);
    free(back);
    json_decref(sent);
    json_decref(wanted);
}

static void make_texts(struct masked_case *c)
{
    char unused[TEXT_MAX * 2];
    struct answer_pen reasoning = {c->text[0], unused, 0, 0}, answer = {c->text[1], c->wanted, 0, 0},
                      tool = {c->text[2], unused, 0, 0};
    put_answer(c, &reasoning, dice_below(&c->dice, 5), false);
    put_answer(c, &tool, dice_below(&c->dice, 5), false);
    c->is_json_answer = c->policy == 0 && dice_chance(&c->dice, 40);
    if (c->is_json_answer)
        make_json_answer(c);
    else
        put_answer(c, &answer, dice_below(&c->dice, 12), c->policy == 1);
    if (c->policy == 1)
        redact(c);
}

/* ---- the stream ---------------------------------------------------------------------------------------------------
 */

static void put_event(struct bytes *out, size_t channel, const char *text, size_t len)
{
    static const char *const fields[CHANNELS] = {"reasoning_content", "content", NULL};
    json_t *delta = channel < 2
                        ? json_pack("{ss%}", fields[channel], text, len)
                        : json_pack("{s[{sis{ss%}}]}", "tool_calls", "index", 0, "function", "arguments", text, len);
    json_t *event = json_pack("{s[{sisosn}]}", "choices", "index", 0, "delta", delta, "finish_reason");
    char *spelled = json_dumps(event, JSON_COMPACT);
    assert_int_equal(bytes_append(out, "data: ", 6), 0);
    assert_int_equal(bytes_append(out, spelled, strlen(spelled)), 0);
    assert_int_equal(bytes_append(out, "\n\n", 2), 0);
    free(spelled);
    json_decref(event);
}

static void put_stream(struct masked_case *c, struct bytes *out)
{
    static const char last[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    size_t most = 1 + dice_below(&c->dice, 30);
    for (size_t k = 0; k < CHANNELS; k++)
        for (const char *at = c->text[k]; *at != '\0';) {
            size_t left = strlen(at), len = 1 + dice_below(&c->dice, most);
            len = len < left ? len : left;
            while (len < left && ((unsigned char)at[len] & 0xC0) == 0x80)
                len++;
            put_event(out, k, at, len);
            at += len;
        }
    assert_int_equal(bytes_append(out, last, sizeof last - 1), 0);
}

static void check_answer(const struct masked_case *c, const char *seen)
{
    if (!c->is_json_answer) {
        if (strcmp(seen, c->wanted) != 0)
            give_up(c, "the answer", c->wanted, seen);
        return;
    }
    json_t *wanted = json_loads(c->wanted, 0, NULL), *got = json_loads(seen, JSON_REJECT_DUPLICATES, NULL);
    if (got == NULL || !json_equal(wanted, got))
        give_up(c, "the answer's JSON", c->wanted, seen);
    json_decref(wanted);
    json_decref(got);
}

static void check_flow(const struct masked_case *c, const struct kit_seen *seen)
{
    const struct rein_flow *flow = &seen->decision.flow[REIN_ANSWER];
    if (flow->received != strlen(c->text[1]) || flow->released + flow->redacted != flow->received ||
        (c->policy == 0 && flow->redacted != 0) || seen->decision.bytes_unjudged != 0)
        give_up(c, "the counts of the answer", "", "");
}

static void play(uint64_t seed)
{
    struct masked_case *c = calloc(1, sizeof *c);
    struct bytes stream;
    struct kit_seen seen;
    c->seed = seed;
    c->dice = dice_of(seed);
    c->policy = (unsigned)dice_below(&c->dice, POLICIES);
    mask_prompt(c);
    make_texts(c);
    bytes_init(&stream, 1 << 20);
    put_stream(c, &stream);
    struct kit_run run = {.policy = policies[c->policy],
                          .prompt = c->prompt,
                          .mask_key = own_key,
                          .is_apart = true,
                          .upstream = bytes_span(&stream),
                          .chunk = dice_below(&c->dice, 200)};
    kit_run(&run, &seen);
    check_answer(c, kit_content(&seen, 0));
    if (strcmp(kit_reasoning(&seen, 0), c->text[0]) != 0)
        give_up(c, "the reasoning", c->text[0], kit_reasoning(&seen, 0));
    if (strcmp(kit_arguments(&seen, 0), c->text[2]) != 0)
        give_up(c, "the arguments", c->text[2], kit_arguments(&seen, 0));
    check_flow(c, &seen);
    kit_seen_fini(&seen);
    bytes_fini(&stream);
    free(c);
}

int main(int argc, char **argv)
{
    const char *is_long = getenv("REIN_LONG");
    uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : is_long != NULL && *is_long == '1' ? 20000 : 2000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (unsigned i = 0; i < POLICIES; i++)
        policies[i] = kit_policy(yamls[i]);
    for (uint64_t seed = first; seed < first + cases; seed++)
        play(seed);
    for (unsigned i = 0; i < POLICIES; i++)
        rein_policy_unref(policies[i]);
    printf("%" PRIu64 " cases from seed %" PRIu64 ": 0 mismatches\n", cases, first);
    return 0;
}
