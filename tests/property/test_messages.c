/* Property: whatever the pieces, a strict client of Anthropic's Messages sees what the whole texts say.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_messages [CASES [FIRST-SEED]]     default 2000 from 1; REIN_LONG=1: 50000
 *
 * A case has blocks (thinking with a signature, text, calls of tools whose arguments are JSON), a marker in some of
 * them or over two of them, an upstream with its ways (padding, pings, a block that begins before the one before it
 * ends), and two partitions: of the texts into deltas and of the bytes into reads. It is played as a stream and as a
 * body. Half the cases are stories: the first attempts go astray and are steered. A failure prints its seed, which
 * plays it again.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include "tracekit.h"

enum { BLOCKS = 5, TEXT_ROOM = 300, ALL_ROOM = BLOCKS * TEXT_ROOM, STREAM_ROOM = 1 << 20, ATTEMPTS = 3 };
enum kind { THINK, SAY, CALL, KINDS };
enum act { NOTHING, REDACT, REFUSE, CUT_RESPONSE, CUT_REASONING, ACTS };

static const char *const act_names[ACTS] = {"", "redact", "refuse", "cut_response", "cut_reasoning"};
static const char *const releases[] = {"release: stream", "release: sentence", "release: end", "show: hide"};
enum { STREAM, SENTENCE, END, HIDE };
#define MARK "swordfish"

struct block {
    enum kind kind;
    char text[TEXT_ROOM];
};

struct answer {
    unsigned len;
    struct block block[BLOCKS];
};

struct test_case {
    uint64_t seed;
    struct dice dice;
    bool names, padding, pings, early, ascii; /* the upstream's ways */
    unsigned piece;                           /* the most characters of a delta */
    enum act act;
    unsigned release, failures;
    size_t chunk;
};

static _Noreturn void give_up(const struct test_case *c, const char *what, const char *wanted, const char *seen)
{
    fprintf(stderr, "seed %" PRIu64 " (%s, %s, %u failures): %s\n  wanted: '%s'\n  seen:   '%s'\n", c->seed,
            act_names[c->act], releases[c->release], c->failures, what, wanted, seen);
    exit(1);
}

static void same_text(const struct test_case *c, const char *what, const char *wanted, const char *seen)
{
    if (strcmp(wanted, seen) != 0)
        give_up(c, what, wanted, seen);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

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
    size_t len = 0, n = dice_below(d, 7), at = dice_below(d, n + 1);
    for (size_t i = 0; i <= n && len + 40 < room; i++) {
        if (marked && i == at)
            len += (size_t)snprintf(out + len, room - len, "%s", MARK " ");
        if (i < n)
            len += (size_t)snprintf(out + len, room - len, "%s", words[dice_below(d, sizeof words / sizeof *words)]);
    }
    out[len] = '\0';
}

static void make_block(struct dice *d, struct block *b, unsigned marked)
{
    char words[TEXT_ROOM / 3];
    b->kind = (enum kind)dice_below(d, KINDS);
    put_words(d, words, sizeof words, dice_chance(d, marked));
    if (b->kind != CALL) {
        snprintf(b->text, sizeof b->text, "%s", words);
        return;
    }
    json_t *arguments = json_pack("{sss[i]}", "q", words, "n", 7);
    char *text = json_dumps(arguments, JSON_COMPACT);
    snprintf(b->text, sizeof b->text, "%s", text);
    free(text);
    json_decref(arguments);
}

static void make_answer(struct dice *d, struct answer *a, unsigned marked)
{
    bool has_call = false;
    *a = (struct answer){0};
    for (unsigned n = 1 + (unsigned)dice_below(d, BLOCKS); a->len < n;) {
        struct block *b = &a->block[a->len];
        make_block(d, b, marked);
        if (b->kind == CALL && has_call)
            continue;
        has_call |= b->kind == CALL;
        if (a->len > 0 && b->kind == b[-1].kind && b->kind != CALL && marked > 0 && dice_chance(d, 30)) {
            strcat(b[-1].text, "sword"); /* over two blocks */
            memmove(b->text + 4, b->text, strlen(b->text) + 1);
            memcpy(b->text, "fish", 4);
        }
        a->len++;
    }
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

static void put_event(struct test_case *c, struct bytes *out, const char *type, const char *members)
{
    char event[2 * TEXT_ROOM];
    static const char pads[] = "            ";
    const char *pad = c->padding ? pads + dice_below(&c->dice, sizeof pads) : "";
    int len = snprintf(event, sizeof event, "%s%s%sdata: {\"type\":\"%s\"%s%s}\n\n", c->names ? "event: " : "",
                       c->names ? type : "", c->names ? "\n" : "", type, members, pad);
    assert_int_equal(bytes_append(out, event, (size_t)len), 0);
    if (c->pings && dice_chance(&c->dice, 20))
        assert_int_equal(bytes_append(out, "event: ping\ndata: {\"type\": \"ping\"}\n\n", 36), 0);
}

static void put_start(struct test_case *c, struct bytes *out, unsigned index, enum kind kind)
{
    static const char *const kinds[KINDS] = {
        "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}", "{\"type\":\"text\",\"text\":\"\"}",
        "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look\",\"input\":{}}"};
    char members[200];
    snprintf(members, sizeof members, ",\"index\":%u,\"content_block\":%s", index, kinds[kind]);
    put_event(c, out, "content_block_start", members);
}

static void put_delta(struct test_case *c, struct bytes *out, unsigned index, enum kind kind, const char *text,
                      size_t len)
{
    static const char *const types[KINDS] = {"thinking", "text", "input_json"};
    static const char *const names[KINDS] = {"thinking", "text", "partial_json"};
    char members[2 * TEXT_ROOM];
    json_t *string = json_stringn(text, len);
    char *raw = json_dumps(string, JSON_ENCODE_ANY | (c->ascii ? JSON_ENSURE_ASCII : 0));
    snprintf(members, sizeof members, ",\"index\":%u,\"delta\":{\"type\":\"%s_delta\",\"%s\":%s}", index, types[kind],
             names[kind], raw);
    put_event(c, out, "content_block_delta", members);
    free(raw);
    json_decref(string);
}

static void put_stop(struct test_case *c, struct bytes *out, unsigned index, enum kind kind)
{
    char members[120];
    snprintf(members, sizeof members, ",\"index\":%u,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}",
             index);
    if (kind == THINK)
        put_event(c, out, "content_block_delta", members);
    snprintf(members, sizeof members, ",\"index\":%u", index);
    put_event(c, out, "content_block_stop", members);
}

/* The next few characters. */
static size_t piece_of(struct test_case *c, const char *text)
{
    size_t len = 0;
    for (size_t n = 1 + dice_below(&c->dice, c->piece); n > 0 && text[len] != '\0'; n--)
        do
            len++;
        while (((unsigned char)text[len] & 0xC0) == 0x80);
    return len;
}

static struct bytes stream_of(struct test_case *c, const struct answer *a)
{
    struct bytes out;
    bytes_init(&out, STREAM_ROOM);
    put_event(c, &out, "message_start",
              ",\"message\":{\"id\":\"msg_up\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":"
              "{\"input_tokens\":3,\"output_tokens\":1}}");
    for (unsigned i = 0; i < a->len; i++) {
        const struct block *b = &a->block[i];
        put_start(c, &out, i, b->kind);
        if (i > 0 && c->early) /* only now ends the one before */
            put_stop(c, &out, i - 1, b[-1].kind);
        for (const char *at = b->text; *at != '\0';) {
            size_t len = piece_of(c, at);
            put_delta(c, &out, i, b->kind, at, len);
            at += len;
        }
        if (!c->early || i + 1 == a->len)
            put_stop(c, &out, i, b->kind);
    }
    put_event(c, &out, "message_delta",
              ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}");
    put_event(c, &out, "message_stop", "");
    return out;
}

static struct bytes body_of(const struct answer *a)
{
    json_t *content = json_array();
    for (unsigned i = 0; i < a->len; i++) {
        const struct block *b = &a->block[i];
        json_array_append_new(content,
                              b->kind == THINK
                                  ? json_pack("{ssssss}", "type", "thinking", "thinking", b->text, "signature", "c2ln")
                              : b->kind == SAY ? json_pack("{ssss}", "type", "text", "text", b->text)
                                               : json_pack("{ssssssso}", "type", "tool_use", "id", "toolu_1", "name",
                                                           "look", "input", json_loads(b->text, 0, NULL)));
    }
    json_t *body = json_pack("{sssssssosss{sisi}}", "id", "msg_up", "type", "message", "role", "assistant", "content",
                             content, "stop_reason", "end_turn", "usage", "input_tokens", 3, "output_tokens", 5);
    char *text = json_dumps(body, JSON_COMPACT);
    struct bytes out;
    bytes_init(&out, STREAM_ROOM);
    assert_int_equal(bytes_append(&out, text, strlen(text)), 0);
    free(text);
    json_decref(body);
    return out;
}

/* ---- what the whole texts say ------------------------------------------------------------------------------------ */

struct wanted {
    char text[KINDS][ALL_ROOM];
    unsigned signatures;
};

/* Where the marker first begins, by block and byte of it; block a->len: nowhere. */
struct spot {
    unsigned block;
    size_t at;
};

/* The texts of a kind joined, and where each block begins in them. */
static void join(const struct answer *a, enum kind kind, char *all, size_t starts[BLOCKS + 1])
{
    size_t len = 0;
    for (unsigned i = 0; i < a->len; i++) {
        starts[i] = len;
        if (a->block[i].kind == kind)
            len += (size_t)snprintf(all + len, ALL_ROOM - len, "%s", a->block[i].text);
    }
    starts[a->len] = len;
    all[len] = '\0';
}

static bool is_seen_by(const struct test_case *c, enum kind kind)
{
    return c->act != NOTHING && (c->act != CUT_REASONING || kind == THINK);
}

/* The marker whose last byte comes first in the stream decides. */
static struct spot first_mark(const struct test_case *c, const struct answer *a)
{
    struct spot first = {a->len, 0}, ends = {a->len, 0};
    for (int kind = 0; kind < KINDS; kind++) {
        static char all[ALL_ROOM];
        size_t starts[BLOCKS + 1];
        join(a, (enum kind)kind, all, starts);
        const char *found = is_seen_by(c, (enum kind)kind) ? strstr(all, MARK) : NULL;
        if (found == NULL)
            continue;
        size_t at = (size_t)(found - all), last = at + strlen(MARK) - 1;
        struct spot begin = {0}, end = {0};
        for (unsigned i = 0; i < a->len; i++) {
            if (a->block[i].kind != (enum kind)kind)
                continue;
            size_t len = strlen(a->block[i].text);
            if (at >= starts[i] && at < starts[i] + len)
                begin = (struct spot){i, at - starts[i]};
            if (last >= starts[i] && last < starts[i] + len)
                end = (struct spot){i, last - starts[i]};
        }
        if (end.block < ends.block || (end.block == ends.block && end.at < ends.at)) {
            ends = end;
            first = begin;
        }
    }
    return first;
}

static void redact(char *text)
{
    for (char *at = text; (at = strstr(at, MARK)) != NULL; at += 3) {
        memmove(at + 3, at + strlen(MARK), strlen(at + strlen(MARK)) + 1);
        memcpy(at, "[r]", 3);
    }
}

/* Thinking that is shown as it came keeps its signature. */
static unsigned count_signatures(const struct test_case *c, const struct answer *a)
{
    static char all[ALL_ROOM];
    size_t starts[BLOCKS + 1];
    unsigned kept = 0;
    join(a, THINK, all, starts);
    const char *cut = c->act == CUT_REASONING ? strstr(all, MARK) : NULL;
    for (unsigned i = 0; i < a->len; i++) {
        if (a->block[i].kind != THINK)
            continue;
        size_t from = starts[i], to = from + strlen(a->block[i].text);
        bool is_whole = cut == NULL || to <= (size_t)(cut - all);
        for (const char *at = all; c->act == REDACT && (at = strstr(at, MARK)) != NULL; at++)
            is_whole &= (size_t)(at - all) >= to || (size_t)(at - all) + strlen(MARK) <= from;
        kept += from == to || (is_whole && c->release != HIDE); /* nothing is removed from nothing */
    }
    return kept;
}

static const struct wanted *want(const struct test_case *c, const struct answer *a, bool is_body)
{
    static struct wanted w;
    struct spot cut = {a->len, 0};
    size_t starts[BLOCKS + 1];
    w.signatures = count_signatures(c, a);
    if (c->act == REFUSE || c->act == CUT_RESPONSE)
        cut = first_mark(c, a);
    for (int kind = 0; kind < KINDS; kind++) {
        join(a, (enum kind)kind, w.text[kind], starts);
        size_t from = cut.block < a->len ? starts[cut.block] : 0;
        if (cut.block < a->len)
            w.text[kind][from + (a->block[cut.block].kind == (enum kind)kind ? cut.at : 0)] = '\0';
        if (c->act == REDACT)
            redact(w.text[kind]);
    }
    char *mark = c->act == CUT_REASONING ? strstr(w.text[THINK], MARK) : NULL;
    if (mark != NULL)
        *mark = '\0';
    if (c->release == HIDE)
        w.text[THINK][0] = '\0';
    if (c->act == REFUSE && cut.block < a->len)
        strcat(w.text[SAY], w.text[SAY][0] != '\0' ? "\nNo." : "No."); /* on a line of its own */
    if (c->act == REFUSE && cut.block < a->len && is_body)
        snprintf(w.text[SAY], 8, "No."), w.text[THINK][0] = w.text[CALL][0] = '\0';
    return &w;
}

/* ---- playing ----------------------------------------------------------------------------------------------------- */

static struct rein_policy *policy_of(const struct test_case *c)
{
    static const char *const templates[] = {"version: 1\nname: check\nkind: corrective\ntext: Safe.\n"};
    char yaml[1200];
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
    return kit_policy_with(yaml, templates, 1);
}

static void check_client(const struct test_case *c, const struct kit_seen *seen)
{
    if (seen->broken > 0)
        give_up(c, seen->why, "", bytes_span(&seen->out).data);
    if (seen->decision.bytes_unjudged > 0 || seen->decision.garbage_events > 0 || seen->unreadable > 0 ||
        seen->errors > 0)
        give_up(c, "something was not judged or not read", "", bytes_span(&seen->out).data);
}

static void check_texts(const struct test_case *c, const struct wanted *w, struct kit_seen *seen)
{
    same_text(c, "reasoning", w->text[THINK], kit_reasoning(seen, 0));
    same_text(c, "answer", w->text[SAY], kit_content(seen, 0));
    if (c->act <= REDACT || c->act == CUT_REASONING) {
        json_t *arguments = json_loads(*w->text[CALL] != '\0' ? kit_arguments(seen, 0) : "{}", 0, NULL);
        if (arguments == NULL)
            give_up(c, "arguments are no JSON any more", w->text[CALL], bytes_span(&seen->out).data);
        json_decref(arguments);
        if (seen->signatures != w->signatures)
            give_up(c, "signatures", w->signatures > seen->signatures ? "more" : "fewer", bytes_span(&seen->out).data);
    }
    if (c->act != NOTHING && c->act != CUT_REASONING && kit_has(seen, MARK))
        give_up(c, "the marker is shown", "", MARK);
}

static void play_partition(struct test_case *c)
{
    struct answer a;
    struct kit_seen seen;
    make_answer(&c->dice, &a, 25);
    struct bytes stream = stream_of(c, &a), body = body_of(&a);
    struct rein_policy *policy = policy_of(c);
    struct kit_run run = {
        .view = &kit_view_messages, .policy = policy, .upstream = bytes_span(&stream), .chunk = c->chunk};
    kit_run(&run, &seen);
    check_client(c, &seen);
    check_texts(c, want(c, &a, false), &seen);
    same_text(c, "arguments", want(c, &a, false)->text[CALL], kit_arguments(&seen, 0));
    if (seen.done != 1 || seen.after_done > 0 || seen.choices[0].finishes != 1)
        give_up(c, "not one end", "", bytes_span(&seen.out).data);
    kit_seen_fini(&seen);
    run.upstream = bytes_span(&body);
    run.is_body = true;
    kit_run(&run, &seen);
    check_client(c, &seen);
    if (c->act != CUT_RESPONSE) /* how far a body is cut, other tests say */
        check_texts(c, want(c, &a, true), &seen);
    kit_seen_fini(&seen);
    bytes_fini(&stream);
    bytes_fini(&body);
    rein_policy_unref(policy);
}

/* An attempt that goes astray: in its reasoning, which may not be shown before it has ended, or in its answer, at once.
 */
static void make_failure(struct test_case *c, struct answer *a, unsigned which)
{
    *a = (struct answer){.len = 1};
    bool in_answer = dice_chance(&c->dice, 30);
    a->block[0].kind = in_answer ? SAY : THINK;
    /* Of the last one, what was judged before may be shown: nothing comes after it. */
    const char *name = which + 1 < ATTEMPTS ? "FAILED" : "Last.";
    snprintf(a->block[0].text, TEXT_ROOM, "%s%sgoes astray and more.", in_answer ? "" : name,
             in_answer ? "" : " It is so. It ");
    if (!in_answer && dice_chance(&c->dice, 50)) {
        a->len = 2;
        a->block[1] = (struct block){.kind = SAY, .text = "FAILED answer."};
    }
}

static void play_story(struct test_case *c)
{
    struct answer a;
    struct kit_seen seen;
    struct bytes streams[ATTEMPTS + 1];
    struct span later[ATTEMPTS];
    c->act = NOTHING;
    c->release = c->release == STREAM ? END : c->release; /* what was shown cannot be taken back */
    for (unsigned i = 0; i <= c->failures; i++) {
        if (i < c->failures)
            make_failure(c, &a, i);
        else
            make_answer(&c->dice, &a, 0);
        streams[i] = stream_of(c, &a);
        if (i > 0)
            later[i - 1] = bytes_span(&streams[i]);
    }
    struct rein_policy *policy = policy_of(c);
    struct kit_run run = {.view = &kit_view_messages,
                          .policy = policy,
                          .upstream = bytes_span(&streams[0]),
                          .chunk = c->chunk,
                          .prefix = "Safe?",
                          .restarts = later,
                          .restarts_len = c->failures};
    kit_run(&run, &seen);
    check_client(c, &seen);
    bool is_lost = c->failures >= ATTEMPTS;
    const struct wanted *w = want(c, &a, false);
    if (!is_lost || strncmp(kit_reasoning(&seen, 0), "Last. It is so. It ", strlen(kit_reasoning(&seen, 0))) != 0)
        same_text(c, "reasoning", is_lost ? "" : w->text[THINK], kit_reasoning(&seen, 0));
    same_text(c, "answer", is_lost ? "No." : w->text[SAY], kit_content(&seen, 0));
    same_text(c, "arguments", is_lost ? "" : w->text[CALL], kit_arguments(&seen, 0));
    same_text(c, "stop_reason", is_lost ? "refusal" : "end_turn", seen.choices[0].finish);
    if (kit_has(&seen, "FAILED"))
        give_up(c, "a failed attempt is shown", "", bytes_span(&seen.out).data);
    if (seen.done != 1 || seen.after_done > 0 || seen.choices[0].roles != 1 || seen.choices[0].finishes != 1)
        give_up(c, "not one beginning and one end", "", bytes_span(&seen.out).data);
    kit_seen_fini(&seen);
    for (unsigned i = 0; i <= c->failures; i++)
        bytes_fini(&streams[i]);
    rein_policy_unref(policy);
}

static void play(uint64_t seed)
{
    static const size_t chunks[] = {0, 1, 3, 17, 100, 1000};
    struct test_case c = {.seed = seed, .dice = dice_of(seed)};
    c.names = dice_chance(&c.dice, 80);
    c.padding = dice_chance(&c.dice, 40);
    c.pings = dice_chance(&c.dice, 40);
    c.early = dice_chance(&c.dice, 30);
    c.ascii = dice_chance(&c.dice, 20);
    c.piece = 1 + (unsigned)dice_below(&c.dice, 12);
    c.act = (enum act)dice_below(&c.dice, ACTS);
    c.release = (unsigned)dice_below(&c.dice, 4);
    if (c.act > REDACT) /* how much of a sentence is shown before a cut, other tests say */
        c.release = c.release % 2 == 0 ? STREAM : HIDE;
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
