/* Property: whatever the pieces, the strictest client of Responses sees what the whole texts say, and each repetition
 * says what it was shown. SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_responses [CASES [FIRST-SEED]]     default 2000 from 1; REIN_LONG=1: 50000
 *
 * A case has items (reasoning as text or as a summary, messages, calls of tools whose arguments are JSON), a marker in
 * some of them, an upstream with its ways (events with or without names, numbers, noise; parts by another name), and
 * two partitions: of the texts into events and of the bytes into reads. In half the cases it is a story: the first
 * attempts go astray and are steered. A failure prints its seed, which plays it again. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include "view_responses.h"

enum { ITEMS = 4, PARTS = 2, TEXT_ROOM = 400, STREAM_ROOM = 1 << 20, ATTEMPTS = 3 };
enum kind { THOUGHT, SUMMARY, MESSAGE, CALL, KINDS };
enum act { NOTHING, REDACT, REFUSE, CUT_RESPONSE, CUT_REASONING, ACTS };

static const char *const act_names[ACTS] = {"", "redact", "refuse", "cut_response", "cut_reasoning"};
static const char *const releases[] = {"release: stream", "release: sentence", "release: end", "show: hide"};
#define MARK "swordfish"

struct item {
    enum kind kind;
    unsigned parts;
    char text[PARTS][TEXT_ROOM];
};

struct answer {
    unsigned items;
    struct item item[ITEMS];
    bool astray; /* its last text says the words that are steered */
};

/* How an upstream writes its events. */
struct ways {
    bool names, numbers, noise, other_parts, ascii;
    bool mixed;     /* the texts of all items interrupt one another */
    unsigned piece; /* the most characters of a delta */
};

struct test_case {
    uint64_t seed;
    struct dice dice;
    struct ways ways;
    enum act act;
    unsigned release, failures; /* attempts that go astray */
    size_t chunk;
};

static _Noreturn void give_up(const struct test_case *c, const char *what, const char *wanted, const char *seen)
{
    fprintf(stderr, "seed %" PRIu64 " (%s, %s, %u failures): %s\n  wanted: '%s'\n  seen:   '%s'\n", c->seed,
            act_names[c->act], releases[c->release], c->failures, what, wanted, seen);
    exit(1);
}

/* ---- making an answer ----------------------------------------------------------------------------------------------
 */

static void put_words(struct dice *d, char *out, size_t room, bool marked)
{
    static const char *const words[] = {"plain ",
                                        "gr\303\266\303\237er ",
                                        "\xE6\xBC\xA2\xE5\xAD\x97",
                                        "\xF0\x9F\x99\x82 ",
                                        "a \"quoted\" ",
                                        "back\\slash ",
                                        "line\nend. ",
                                        "tab\there ",
                                        "sword fish ",
                                        "ends! "};
    size_t len = 0, n = 1 + dice_below(d, 8), mark_at = marked ? dice_below(d, n) : n;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (i == mark_at)
            len += (size_t)snprintf(out + len, room - len, MARK);
        len += (size_t)snprintf(out + len, room - len, "%s", words[dice_below(d, sizeof words / sizeof *words)]);
    }
}

static void put_arguments(struct dice *d, char *out, bool marked)
{
    char words[TEXT_ROOM / 2];
    put_words(d, words, sizeof words, marked);
    json_t *arguments = json_pack("{sssi}", "say", words, "n", (int)dice_below(d, 100));
    char *text = json_dumps(arguments, dice_chance(d, 50) ? JSON_COMPACT : JSON_ENSURE_ASCII);
    snprintf(out, TEXT_ROOM, "%s", text);
    free(text);
    json_decref(arguments);
}

/* Without numbers, nothing tells the parts of an item apart. */
static void make_answer(struct dice *d, struct answer *a, unsigned marks_percent, bool numbers)
{
    a->items = 1 + (unsigned)dice_below(d, ITEMS);
    for (unsigned i = 0; i < a->items; i++) {
        struct item *item = &a->item[i];
        item->kind = (enum kind)dice_below(d, KINDS);
        item->parts = item->kind == CALL || !numbers ? 1 : 1 + (unsigned)dice_below(d, PARTS);
        for (unsigned k = 0; k < item->parts; k++) {
            bool marked = dice_chance(d, marks_percent);
            if (item->kind == CALL)
                put_arguments(d, item->text[k], marked);
            else
                put_words(d, item->text[k], TEXT_ROOM, marked);
        }
    }
}

/* ---- an upstream ----------------------------------------------------------------------------------------------------
 */

struct upstream {
    struct test_case *c;
    struct bytes out;
    json_int_t number;
};

static void send_event(struct upstream *u, json_t *event)
{
    const struct ways *ways = &u->c->ways;
    const char *type = json_string_value(json_object_get(event, "type"));
    char head[128] = "";
    if (ways->numbers)
        json_object_set_new(event, "sequence_number", json_integer(u->number++));
    if (ways->noise)
        json_object_set_new(event, "obfuscation", json_sprintf("n%" PRIu64, dice_next(&u->c->dice)));
    if (ways->names)
        snprintf(head, sizeof head, "event: %s\n", type);
    /* Each event spells its strings in its own way. */
    char *text = json_dumps(event, ways->ascii || dice_chance(&u->c->dice, 20) ? JSON_ENSURE_ASCII | JSON_COMPACT
                                                                               : JSON_COMPACT);
    assert_int_equal(bytes_append(&u->out, head, strlen(head)), 0);
    assert_int_equal(bytes_append(&u->out, "data: ", 6), 0);
    assert_int_equal(bytes_append(&u->out, text, strlen(text)), 0);
    assert_int_equal(bytes_append(&u->out, "\n\n", 2), 0);
    free(text);
    json_decref(event);
}

static const char *id_of(unsigned i)
{
    static char id[8][16];
    snprintf(id[i], sizeof id[i], "it_%u", i);
    return id[i];
}

static const char *part_type(enum kind kind)
{
    return kind == THOUGHT ? "reasoning_text" : kind == SUMMARY ? "summary_text" : "output_text";
}

static json_t *part_of(const struct item *item, unsigned k, bool is_whole)
{
    return json_pack("{ssss}", "type", part_type(item->kind), "text", is_whole ? item->text[k] : "");
}

static json_t *item_object(const struct item *item, unsigned i, bool is_whole)
{
    json_t *parts = json_array();
    for (unsigned k = 0; k < item->parts && is_whole && item->kind != CALL; k++)
        json_array_append_new(parts, part_of(item, k, true));
    if (item->kind == MESSAGE)
        return json_pack("{ssssssss so}", "id", id_of(i), "type", "message", "status", "completed", "role", "assistant",
                         "content", parts);
    if (item->kind == SUMMARY)
        return json_pack("{sssssosss[]}", "id", id_of(i), "type", "reasoning", "summary", parts, "encrypted_content",
                         "", "content");
    if (item->kind == THOUGHT)
        return json_pack("{sssss[]so}", "id", id_of(i), "type", "reasoning", "summary", "content", parts);
    json_decref(parts);
    return json_pack("{ssssssssss}", "id", id_of(i), "type", "function_call", "call_id", "c", "name", "say",
                     "arguments", is_whole ? item->text[0] : "");
}

/* {"type":...,"output_index":i,"item_id":...,"content_index":k}; without numbers, only the id is there. */
static json_t *event_at(struct upstream *u, const char *type, const struct item *item, unsigned i, unsigned k)
{
    json_t *event = json_pack("{ssss}", "type", type, "item_id", id_of(i));
    if (u->c->ways.numbers) {
        json_object_set_new(event, "output_index", json_integer(i));
        if (item->kind != CALL)
            json_object_set_new(event, item->kind == SUMMARY ? "summary_index" : "content_index", json_integer(k));
    }
    return event;
}

static void send_part(struct upstream *u, const struct item *item, unsigned i, unsigned k, bool is_done)
{
    char type[64];
    const char *name = item->kind == SUMMARY                             ? "reasoning_summary_part"
                       : item->kind == THOUGHT && u->c->ways.other_parts ? "reasoning_part"
                                                                         : "content_part";
    snprintf(type, sizeof type, "response.%s.%s", name, is_done ? "done" : "added");
    json_t *event = event_at(u, type, item, i, k);
    json_object_set_new(event, "part", part_of(item, k, is_done));
    send_event(u, event);
}

static const char *text_event(enum kind kind, bool is_done)
{
    static const char *const types[KINDS][2] = {
        {"response.reasoning_text.delta", "response.reasoning_text.done"},
        {"response.reasoning_summary_text.delta", "response.reasoning_summary_text.done"},
        {"response.output_text.delta", "response.output_text.done"},
        {"response.function_call_arguments.delta", "response.function_call_arguments.done"}};
    return types[kind][is_done];
}

static size_t char_len(const char *at)
{
    size_t len = 1;
    while ((at[len] & 0xC0) == 0x80)
        len++;
    return len;
}

/* The next piece of a text. False: it is complete, and so the end was sent. */
static bool send_piece(struct upstream *u, const struct item *item, unsigned i, unsigned k, const char **at)
{
    if (**at == '\0') {
        json_t *event = event_at(u, text_event(item->kind, true), item, i, k);
        json_object_set_new(event, item->kind == CALL ? "arguments" : "text", json_string(item->text[k]));
        send_event(u, event);
        return false;
    }
    size_t len = 0;
    for (unsigned n = 1 + (unsigned)dice_below(&u->c->dice, u->c->ways.piece); n > 0 && (*at)[len] != '\0'; n--)
        len += char_len(*at + len);
    json_t *event = event_at(u, text_event(item->kind, false), item, i, k);
    json_object_set_new(event, "delta", json_stringn(*at, len));
    send_event(u, event);
    *at += len;
    return true;
}

static void send_item(struct upstream *u, const struct item *item, unsigned i, bool is_done)
{
    json_t *event = json_pack("{ssso}", "type", is_done ? "response.output_item.done" : "response.output_item.added",
                              "item", item_object(item, i, is_done));
    if (u->c->ways.numbers)
        json_object_set_new(event, "output_index", json_integer(i));
    send_event(u, event);
}

static void send_items(struct upstream *u, const struct answer *a)
{
    for (unsigned i = 0; i < a->items; i++) {
        const struct item *item = &a->item[i];
        send_item(u, item, i, false);
        for (unsigned k = 0; k < item->parts; k++) {
            const char *at = item->text[k];
            if (item->kind != CALL)
                send_part(u, item, i, k, false);
            while (send_piece(u, item, i, k, &at)) {
            }
            if (item->kind != CALL)
                send_part(u, item, i, k, true);
        }
        send_item(u, item, i, true);
    }
}

/* All begin, then their texts go on in turns, then all are done. */
static void send_mixed(struct upstream *u, const struct answer *a)
{
    const char *at[ITEMS][PARTS];
    unsigned open = 0;
    bool is_open[ITEMS][PARTS] = {{false}};
    for (unsigned i = 0; i < a->items; i++) {
        send_item(u, &a->item[i], i, false);
        for (unsigned k = 0; k < a->item[i].parts; k++, open++) {
            at[i][k] = a->item[i].text[k];
            is_open[i][k] = true;
            if (a->item[i].kind != CALL)
                send_part(u, &a->item[i], i, k, false);
        }
    }
    while (open > 0) {
        unsigned i = (unsigned)dice_below(&u->c->dice, a->items), k = (unsigned)dice_below(&u->c->dice, PARTS);
        if (!is_open[i][k] || send_piece(u, &a->item[i], i, k, &at[i][k]))
            continue;
        is_open[i][k] = false;
        open--;
        if (a->item[i].kind != CALL)
            send_part(u, &a->item[i], i, k, true);
    }
    for (unsigned i = 0; i < a->items; i++)
        send_item(u, &a->item[i], i, true);
}

static void send_response(struct upstream *u, const struct answer *a, const char *type, const char *status)
{
    json_t *output = json_array();
    for (unsigned i = 0; i < a->items && strcmp(status, "completed") == 0; i++)
        json_array_append_new(output, item_object(&a->item[i], i, true));
    json_t *response = json_pack("{ssssssss so}", "id", "resp_up", "object", "response", "status", status, "model", "m",
                                 "output", output);
    send_event(u, json_pack("{ssso}", "type", type, "response", response));
}

static struct bytes stream_of(struct test_case *c, const struct answer *a)
{
    struct upstream u = {.c = c};
    bytes_init(&u.out, STREAM_ROOM);
    send_response(&u, a, "response.created", "in_progress");
    send_response(&u, a, "response.in_progress", "in_progress");
    if (c->ways.mixed)
        send_mixed(&u, a);
    else
        send_items(&u, a);
    send_response(&u, a, "response.completed", "completed");
    return u.out;
}

/* ---- what has to be seen ------------------------------------------------------------------------------------------
 */

struct wanted {
    char text[3][ITEMS * PARTS * TEXT_ROOM * 2]; /* reasoning, content, arguments */
    bool is_cut, reasoning_is_cut;
};

/* One text as it is shown; the rest is dropped where it is cut. */
static void want_text(struct wanted *w, const struct test_case *c, enum kind kind, const char *text)
{
    bool is_reasoning = kind == THOUGHT || kind == SUMMARY;
    char *out = w->text[is_reasoning ? 0 : kind == MESSAGE ? 1 : 2];
    size_t len = strlen(out);
    bool is_hidden = is_reasoning && (c->release == 3 || w->reasoning_is_cut);
    for (const char *mark; !w->is_cut; text = mark + strlen(MARK)) {
        mark = c->act == NOTHING || (c->act == CUT_REASONING && !is_reasoning) ? NULL : strstr(text, MARK);
        size_t n = mark != NULL ? (size_t)(mark - text) : strlen(text);
        if (!is_hidden)
            len += (size_t)sprintf(out + len, "%.*s%s", (int)n, text, mark != NULL && c->act == REDACT ? "[r]" : "");
        if (mark == NULL)
            return;
        w->is_cut = c->act == REFUSE || c->act == CUT_RESPONSE;
        w->reasoning_is_cut |= c->act == CUT_REASONING;
        if (c->act == CUT_REASONING)
            return;
    }
}

static struct wanted *want(const struct test_case *c, const struct answer *a)
{
    static struct wanted w;
    memset(&w, 0, sizeof w);
    for (unsigned i = 0; i < a->items; i++)
        for (unsigned k = 0; k < a->item[i].parts; k++)
            want_text(&w, c, a->item[i].kind, a->item[i].text[k]);
    if (w.is_cut && c->act == REFUSE)
        strcat(w.text[1], w.text[1][0] != '\0' ? "\nNo." : "No."); /* on a line of its own */
    return &w;
}

static struct rein_policy *policy_of(const struct test_case *c)
{
    char yaml[1024];
    int len =
        snprintf(yaml, sizeof yaml,
                 "version: 1\nname: p\nreasoning: {%s}\npatterns: {weak_vacillation: {action: record}}\nlexicons: []\n"
                 "refusal: {message: \"No.\"}\nsteer: {template: check, max_attempts: %d, fallback: refuse}\n"
                 "rules:\n  - {id: never, literal: never-said, match: raw, action: redact}\n"
                 "  - {id: astray, literal: goes astray, match: raw, channels: [reasoning, answer], action: steer}\n",
                 releases[c->release], ATTEMPTS);
    if (c->act != NOTHING)
        snprintf(yaml + len, sizeof yaml - (size_t)len,
                 "  - {id: mark, literal: %s, match: raw, channels: [%s], action: %s%s}\n", MARK,
                 c->act == CUT_REASONING ? "reasoning" : "reasoning, answer, tool", act_names[c->act],
                 c->act == REDACT ? ", replacement: \"[r]\"" : "");
    static const char *const templates[] = {"version: 1\nname: check\nkind: corrective\ntext: Safe.\n"};
    return kit_policy_with(yaml, templates, 1);
}

static void same_text(const struct test_case *c, const char *what, const char *wanted, const char *seen)
{
    if (strcmp(wanted, seen) != 0)
        give_up(c, what, wanted, seen);
}

/* Arguments that were JSON are JSON, unless they were cut. */
static void arguments_are_json(const struct test_case *c, struct span out)
{
    static const char key[] = "\"type\":\"response.function_call_arguments.done\"";
    const char *at = out.data;
    while ((at = memmem(at, (size_t)(out.data + out.len - at), key, sizeof key - 1)) != NULL) {
        const char *start = at, *end = at;
        while (start > out.data && start[-1] != '\n')
            start--;
        while (*end != '\n')
            end++;
        start += strlen("data: ");
        json_t *event = json_loadb(start, (size_t)(end - start), 0, NULL);
        const char *text = json_string_value(json_object_get(event, "arguments"));
        json_t *arguments = json_loads(text != NULL ? text : "", 0, NULL);
        if (arguments == NULL)
            give_up(c, "arguments are no JSON any more", "", text);
        json_decref(arguments);
        json_decref(event);
        at = end;
    }
}

/* ---- partitions
 * ------------------------------------------------------------------------------------------------------ */

static void see_last(struct kit_seen *seen, struct span stream)
{
    for (size_t i = 0; i < KIT_CHOICES; i++) {
        bytes_init(&seen->choices[i].content, STREAM_ROOM);
        bytes_init(&seen->choices[i].reasoning, STREAM_ROOM);
        bytes_init(&seen->choices[i].arguments, STREAM_ROOM);
    }
    static const char key[] = "data: ";
    const char *start = stream.data, *at = start;
    while ((at = memmem(at, (size_t)(stream.data + stream.len - at), key, sizeof key - 1)) != NULL)
        start = at += sizeof key - 1;
    json_t *event = json_loadb(start, (size_t)(stream.data + stream.len - start), JSON_DISABLE_EOF_CHECK, NULL);
    char *body = json_dumps(json_object_get(event, "response"), 0);
    if (body != NULL)
        kit_view_responses.see(seen, (struct span){body, strlen(body)}, true);
    free(body);
    json_decref(event);
}

static void play_partition(struct test_case *c)
{
    struct answer a = {0};
    struct kit_seen seen;
    make_answer(&c->dice, &a, 25, c->ways.numbers);
    struct bytes stream = stream_of(c, &a);
    struct rein_policy *policy = policy_of(c);
    struct kit_run run = {
        .view = &kit_view_responses, .policy = policy, .upstream = bytes_span(&stream), .chunk = c->chunk};
    kit_run(&run, &seen);
    const struct wanted *w = want(c, &a);
    (void)strict_responses(bytes_span(&seen.out), false);
    struct kit_seen last = {0}; /* what the last event repeats, in the order of the items */
    see_last(&last, bytes_span(&seen.out));
    struct kit_seen *shown = c->ways.mixed ? &last : &seen;
    if (!c->ways.mixed || c->act <= REDACT) { /* what came before a cut depends on the turns */
        same_text(c, "reasoning", w->text[0], kit_reasoning(shown, 0));
        same_text(c, "content", w->text[1], kit_content(shown, 0));
        same_text(c, "arguments", w->text[2], kit_arguments(shown, 0));
    }
    kit_seen_fini(&last);
    if (seen.decision.bytes_unjudged > 0 || seen.decision.garbage_events > 0 || seen.unreadable > 0)
        give_up(c, "something was not judged or not read", "", "");
    if (c->act == REDACT || c->act == NOTHING)
        arguments_are_json(c, bytes_span(&seen.out));
    if (c->act != NOTHING && c->act != CUT_REASONING && kit_has(&seen, MARK))
        give_up(c, "the marker is shown", "", MARK);
    kit_seen_fini(&seen);
    bytes_fini(&stream);
    rein_policy_unref(policy);
}

/* ---- stories
 * --------------------------------------------------------------------------------------------------------- */

struct telling {
    struct rein_trace *trace;
    struct bytes out;
    unsigned asks;
};

static void take_step(struct telling *t, int rv, struct rein_update *u)
{
    assert_int_equal(rv, 0);
    for (;;) {
        unsigned asks = u->asks;
        assert_int_equal(bytes_append(&t->out, u->out, u->out_len), 0);
        t->asks |= asks;
        if (!(asks & REIN_ASK_COMMIT))
            return;
        assert_int_equal(rein_trace_committed(t->trace, u), 0);
    }
}

/* One attempt: nothing of one that goes astray may be shown. */
static void tell_attempt(struct test_case *c, struct telling *t, const struct answer *a, unsigned which)
{
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_INSTRUCT, .prefix = "Safe?"};
    struct rein_update u;
    struct bytes stream = stream_of(c, a);
    struct span all = bytes_span(&stream);
    t->asks = 0;
    assert_int_equal(rein_trace_attempt(t->trace, &attempt), 0);
    for (size_t at = 0; at < all.len && !(t->asks & (REIN_ASK_STOP | REIN_ASK_END));) {
        size_t len = c->chunk > 0 && c->chunk < all.len - at ? c->chunk : all.len - at;
        int rv = rein_trace_feed(t->trace, all.data + at, len, &u);
        take_step(t, rv, &u);
        at += len;
    }
    if (!(t->asks & (REIN_ASK_STOP | REIN_ASK_END))) {
        int rv = rein_trace_finish(t->trace, true, NULL, &u);
        take_step(t, rv, &u);
    }
    if (((t->asks & REIN_ASK_RESTART) != 0) != (which < c->failures && which + 1 < ATTEMPTS))
        give_up(c, "a restart is asked for or not", "", "");
    bytes_fini(&stream);
}

static size_t count_of(struct span all, const char *part)
{
    size_t n = 0, len = strlen(part);
    for (const char *at = all.data; (at = memmem(at, (size_t)(all.data + all.len - at), part, len)) != NULL; at += len)
        n++;
    return n;
}

static void play_story(struct test_case *c)
{
    struct rein_engine *engine = NULL;
    struct telling t = {0};
    struct rein_update u;
    struct rein_policy *policy;
    struct answer a = {0};
    c->act = NOTHING;
    c->release = c->release == 0 ? 2 : c->release; /* what was shown cannot be taken back: then nothing is steered */
    policy = policy_of(c);
    bytes_init(&t.out, STREAM_ROOM);
    assert_int_equal(rein_engine_new(&engine), 0);
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = REIN_OPENAI_RESPONSES,
                                         .streamed = true,
                                         .choices = 1,
                                         .model = "m",
                                         .id = "resp_own",
                                         .created_s = 1};
    assert_int_equal(rein_trace_new(&t.trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(t.trace, &u), 0);
    for (unsigned i = 0; i <= c->failures && i < ATTEMPTS; i++) {
        make_answer(&c->dice, &a, 0, c->ways.numbers);
        if (i < c->failures) { /* one item of reasoning, in which it goes astray */
            a.items = 1;
            a.item[0] = (struct item){.kind = dice_chance(&c->dice, 50) ? THOUGHT : SUMMARY, .parts = 1};
            snprintf(a.item[0].text[0], TEXT_ROOM, "FAILED%u It%s goes astray and more.", i,
                     dice_chance(&c->dice, 50) ? "" : " is so. It");
        }
        tell_attempt(c, &t, &a, i);
    }
    bool is_lost = c->failures >= ATTEMPTS;
    struct span out = bytes_span(&t.out);
    const char *last = strict_responses(out, false);
    same_text(c, "the last event", is_lost ? "response.incomplete" : "response.completed", last);
    for (unsigned i = 0; i < c->failures && i + 1 < ATTEMPTS; i++) {
        char failed[16];
        snprintf(failed, sizeof failed, "FAILED%u", i);
        if (memmem(out.data, out.len, failed, strlen(failed)) != NULL)
            give_up(c, "a failed attempt is shown", "", failed);
    }
    if (count_of(out, "\"resp_up\"") < 2 || count_of(out, "\"type\":\"response.created\"") != 1)
        give_up(c, "not one id, one beginning", "", "");
    const struct wanted *w = want(c, &a);
    struct kit_seen seen = {0};
    see_last(&seen, out);
    if (!is_lost)
        same_text(c, "the good attempt", w->text[1], kit_content(&seen, 0));
    kit_seen_fini(&seen);
    rein_trace_free(t.trace);
    rein_engine_free(engine);
    bytes_fini(&t.out);
    rein_policy_unref(policy);
}

/* ---- all
 * ------------------------------------------------------------------------------------------------------------- */

static void play(uint64_t seed)
{
    struct test_case c = {.seed = seed, .dice = dice_of(seed)};
    static const size_t chunks[] = {0, 1, 3, 17, 100, 1000};
    c.ways = (struct ways){.names = dice_chance(&c.dice, 70),
                           .numbers = dice_chance(&c.dice, 80),
                           .noise = dice_chance(&c.dice, 30),
                           .other_parts = dice_chance(&c.dice, 20),
                           .ascii = dice_chance(&c.dice, 20),
                           .mixed = dice_chance(&c.dice, 25),
                           .piece = 1 + (unsigned)dice_below(&c.dice, 12)};
    c.act = (enum act)dice_below(&c.dice, ACTS);
    c.release = (unsigned)dice_below(&c.dice, 4);
    if (c.act > REDACT) /* how much of a sentence is shown before a cut, other tests say */
        c.release = c.release % 2 == 0 ? 0 : 3;
    c.chunk = chunks[dice_below(&c.dice, sizeof chunks / sizeof *chunks)];
    c.failures = 1 + (unsigned)dice_below(&c.dice, ATTEMPTS);
    if (seed % 2 == 0)
        play_partition(&c);
    else
        play_story(&c);
}

int main(int argc, char **argv)
{
    uint64_t cases = getenv("REIN_LONG") != NULL ? 50000 : 2000, first = 1;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    for (uint64_t seed = first; seed < first + cases; seed++)
        play(seed);
    printf("%" PRIu64 " cases from seed %" PRIu64 "\n", cases, first);
    return 0;
}
