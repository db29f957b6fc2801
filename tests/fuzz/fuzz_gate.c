/* Fuzzes the gate alone, without the trace: however texts are cut into events, whenever it is asked to release and
 * whether events that wait are joined, what goes out is what the definition makes of the whole texts, in the order in
 * which it came.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses how it ends, how much waits before events are joined, whether events spell their text out and
 * whether there was an attempt before; the second is the seed of the cuts. The rest is a script of two choices:
 *
 *      letters   text of the present choice       @  the secret         ^  a character that is two escapes
 *      newline   the event ends                   tab  the other choice
 *      :  a comment   ;  a comment of our own   $  an event with a string to be replaced   !  a finish reason
 *
 * What goes out is written down as a transcript: each byte of text behind its choice's number, and a letter for each
 * other thing. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "dialect/dialect.h"
#include "dialect/openai_chat/field.h"
#include "dialect/sse.h"
#include "trace/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SECRET "zxviolet42"
#define EMOJI "\xF0\x9F\x98\x80"

enum { CHOICES = 2, SCRIPT_MAX = 400, TEXT_MAX = SCRIPT_MAX * 10 };
enum ending { WHOLE, CUT, CLOSED, ENDINGS };

static const char yaml[] = "version: 1\nname: g\nrules:\n"
                           "  - { id: s, literal: " SECRET ", match: raw, action: redact, replacement: '#' }\n"
                           "  - { id: b, regex: 'b{2,9}c', action: redact, replacement: '#' }\n"
                           "  - { id: w, regex: '\\b[ab]+c?d\\b', max_bytes: 12, action: redact, replacement: '#' }\n";

struct script {
    const char *at;
    size_t len;
    enum ending ending;
    size_t join_from;
    bool spells, restarts;
};

/* One way to play the script. */
struct play {
    const struct script *script;
    unsigned seed; /* of the cuts; 0: events as they are written, released one by one */
    struct gate gate;
    struct rein_flow flow[REIN_CHANNELS];
    struct event_reader *reader;
    struct match_list matches;
    struct lane lanes[CHOICES];
    struct text texts[CHOICES];
    uint64_t stopped_at[CHOICES]; /* what was cleared when it ended */
    struct bytes inside, out, transcript;
    unsigned choice;
};

static void must(int rv)
{
    if (rv == 0)
        return;
    fprintf(stderr, "%s\n", rein_strerror(rv));
    abort();
}

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static const struct rein_policy *policy_once(void)
{
    static struct rein_policy *policy;
    struct rein_source source = {"policy.yaml", yaml, sizeof(yaml) - 1};
    struct rein_library library = {0};
    struct rein_problems *problems = NULL;
    if (policy != NULL)
        return policy;
    must(rein_problems_new(&problems));
    must(rein_policy_load(&policy, &source, &library, problems));
    rein_problems_free(problems);
    return policy;
}

static void put(struct bytes *out, struct span s)
{
    must(bytes_append_span(out, s));
}

static unsigned draw(struct play *p, unsigned below)
{
    p->seed = p->seed * 1103515245u + 12345u;
    return (p->seed >> 16) % below;
}

/* ---- what the definition says ------------------------------------------------------------------------------------ */

/* A choice's whole text, and which of its bytes are gone or begin a replacement. */
struct whole {
    char text[TEXT_MAX];
    bool gone[TEXT_MAX], begins[TEXT_MAX], goes_on[TEXT_MAX];
    size_t len;
};

static struct span text_of(char c)
{
    static const char dots[] = ".";
    if (c == '@')
        return SPAN(SECRET);
    if (c == '^')
        return SPAN(EMOJI);
    return (struct span){dots, 1};
}

static bool is_text(char c)
{
    return strchr("\n\t:;$!", c) == NULL || c == '\0';
}

/* The text of one step of a script; good until the next call. */
static struct span step_text(const char *step)
{
    bool is_plain = (*step >= '0' && *step <= '9') || (*step >= 'a' && *step <= 'z') || *step == ' ';
    return is_plain ? (struct span){step, 1} : text_of(*step);
}

static void read_texts(const struct script *s, struct whole wholes[CHOICES])
{
    unsigned choice = 0;
    for (size_t i = 0; i < s->len; i++) {
        choice ^= s->at[i] == '\t';
        if (!is_text(s->at[i]))
            continue;
        struct span text = step_text(&s->at[i]);
        memcpy(wholes[choice].text + wholes[choice].len, text.data, text.len);
        wholes[choice].len += text.len;
    }
}

static void find_matches(struct whole *w)
{
    struct match_list list = {0};
    must(matcher_scan(policy_once()->ruleset, REIN_ANSWER, (struct span){w->text, w->len}, &list));
    for (size_t i = 0; i < list.len; i++) {
        w->begins[list.items[i].start] = true;
        for (uint64_t at = list.items[i].start; at < list.items[i].end; at++) {
            w->gone[at] = true;
            w->goes_on[at] |= at > list.items[i].start;
        }
    }
    match_list_fini(&list);
}

static void put_byte(struct bytes *out, unsigned choice, char c)
{
    put(out, (struct span){(char[]){(char)('0' + choice), c}, 2});
}

static void want_byte(struct bytes *out, unsigned choice, const struct whole *w, size_t at)
{
    if (!w->gone[at])
        put_byte(out, choice, w->text[at]);
    else if (w->begins[at] && !w->goes_on[at])
        put_byte(out, choice, '#');
}

/* What stands in the way of all behind it once it is blocked, and what is left out then. */
struct want {
    const struct script *script;
    const uint64_t *stopped_at;
    struct whole wholes[CHOICES];
    size_t at[CHOICES];
    bool finished[CHOICES], blocked;
    struct bytes out;
};

static void want_text(struct want *w, unsigned choice, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t at = w->at[choice]++;
        bool over = at >= w->stopped_at[choice];
        w->blocked |= over;
        bool left_out = w->script->ending == CUT ? w->blocked : w->script->ending == CLOSED && choice == 0 && over;
        if (!left_out)
            want_byte(&w->out, choice, &w->wholes[choice], at);
    }
}

static void want_finish(struct want *w, unsigned choice)
{
    bool late = w->script->ending == CLOSED && choice == 0 && w->blocked;
    if (!w->finished[choice] && !late)
        put(&w->out, choice == 0 ? SPAN("F0") : SPAN("F1"));
    w->finished[choice] |= !late;
}

static void want_thing(struct want *w, char step, unsigned choice)
{
    if (w->blocked && w->script->ending == CUT)
        return;
    if (step == '!')
        want_finish(w, choice);
    else if (step == ':' || step == ';' || step == '$')
        put(&w->out, (struct span){&step, 1});
}

/* `stopped_at`: where the texts were when the ending came. */
static struct bytes wanted(const struct script *s, const uint64_t *stopped_at)
{
    static struct want w;
    unsigned choice = 0;
    memset(&w, 0, sizeof(w));
    w.script = s;
    w.stopped_at = stopped_at;
    bytes_init(&w.out, SIZE_MAX / 2);
    read_texts(s, w.wholes);
    for (unsigned c = 0; c < CHOICES; c++)
        find_matches(&w.wholes[c]);
    for (size_t i = 0; i < s->len; i++) {
        choice ^= s->at[i] == '\t';
        if (is_text(s->at[i]))
            want_text(&w, choice, step_text(&s->at[i]).len);
        else
            want_thing(&w, s->at[i], choice);
    }
    if (s->ending == CLOSED && !w.finished[0])
        put(&w.out, SPAN("F0"));
    put(&w.out, SPAN("D"));
    return w.out;
}

/* ---- playing ----------------------------------------------------------------------------------------------------- */

static void redact_all(struct play *p, struct text *text)
{
    for (size_t i = 0; i < p->matches.len; i++)
        must(text_redact(text, p->matches.items[i].start, p->matches.items[i].end, p->matches.items[i].rule));
    p->matches.len = 0;
}

static int judge(void *ctx, struct text *text, struct span bytes)
{
    struct play *p = ctx;
    struct span sentence;
    uint64_t offset;
    must(text_append(text, bytes));
    while (text_advance(text, &p->matches, &sentence, &offset) == TEXT_MATCH)
        redact_all(p, text);
    text->cleared = text_unclaimed(text);
    text_trim(text);
    return 0;
}

static void judge_end(struct play *p, struct text *text)
{
    struct span sentence;
    uint64_t offset;
    while (text->received > 0 && text_end(text, &p->matches, &sentence, &offset) == TEXT_MATCH)
        redact_all(p, text);
    text->cleared = text->received;
}

/* Is anything left that may wait? */
static void check_minimal(const struct play *p)
{
    bool waits = false;
    for (unsigned c = 0; c < CHOICES; c++)
        waits |= p->texts[c].cleared < p->texts[c].received || p->lanes[c].half != 0;
    expect(waits || gate_held(&p->gate) == 0, "what nothing claims goes out");
}

static void release(struct play *p)
{
    must(gate_release(&p->gate, &p->out));
    expect(p->gate.unjudged == 0, "nothing goes out unjudged");
    check_minimal(p);
}

static void feed_piece(struct play *p, struct gate_piece *joined, const struct piece *piece, struct span payload)
{
    char decoded[TEXT_MAX * 4];
    struct lane *lane = joined != NULL ? joined->lane : &p->lanes[piece->place.choice];
    struct gate_piece own = {.lane = lane, .raw = {piece->at, piece->len}, .half_in = lane->half};
    size_t len = json_unescape((struct span){payload.data + piece->at, piece->len}, &lane->half, decoded);
    own.start = lane->received;
    own.end = own.start + len;
    own.ends_half = lane->half != 0;
    if (joined == NULL)
        must(gate_add_piece(&p->gate, &own));
    else
        joined->end += len;
    if (joined != NULL)
        joined->ends_half = own.ends_half;
    must(lane_feed(lane, (struct span){decoded, len}, judge, p));
}

static void push_pieces(struct play *p, const struct event *d, struct span payload)
{
    for (size_t i = 0; i < d->pieces_len; i++)
        if (d->pieces[i].place.kind != PIECE_WHOLE)
            feed_piece(p, NULL, &d->pieces[i], payload);
        else if (span_is((struct span){payload.data + d->pieces[i].at, d->pieces[i].len}, SPAN("note " SECRET)))
            must(gate_add_patch(&p->gate, (struct range){d->pieces[i].at, d->pieces[i].len}, SPAN("$"), false));
}

static void take_event(struct play *p, struct span event)
{
    struct framer framer;
    struct frame frame;
    const struct event *d = NULL;
    struct gate_piece *joined = NULL;
    const struct piece *piece;
    int rv = 0;
    framer_init(&framer, &framing_sse, SIZE_MAX / 2);
    expect(framer_next(&framer, event, false, &frame) == 1 && frame.raw.len == event.len, "one event is one frame");
    gate_leave(&p->gate);
    if (frame.kind != FRAME_COMMENT)
        must(event_read(p->reader, frame.payload, false, &d));
    if (d != NULL)
        must(gate_join(&p->gate, &frame, d, &joined, &piece));
    if (joined != NULL)
        feed_piece(p, joined, piece, frame.payload);
    else if (gate_push(&p->gate, &frame, d, 0, &rv) != NULL && d != NULL)
        push_pieces(p, d, frame.payload);
    must(rv);
    framer_fini(&framer);
    if (p->seed == 0 || draw(p, 3) == 0)
        release(p);
}

static void take_text(struct play *p)
{
    struct bytes event;
    char head[64];
    if (bytes_len(&p->inside) == 0)
        return;
    bytes_init(&event, SIZE_MAX / 2);
    snprintf(head, sizeof(head), "data: {\"choices\":[{\"index\":%u,\"delta\":{\"content\":\"", p->choice);
    put(&event, (struct span){head, strlen(head)});
    put(&event, bytes_span(&p->inside));
    put(&event, SPAN("\"},\"finish_reason\":null"));
    if (p->script->spells) {
        put(&event, SPAN(",\"logprobs\":{\"t\":\""));
        put(&event, bytes_span(&p->inside));
        put(&event, SPAN("\"},\"token_ids\":[1,2]"));
    }
    put(&event, SPAN("}],\"id\":\"i\"}\n\n"));
    bytes_clear(&p->inside);
    take_event(p, bytes_span(&event));
    bytes_fini(&event);
}

static void take_finish(struct play *p)
{
    char event[128];
    snprintf(event, sizeof(event),
             "data: {\"choices\":[{\"index\":%u,\"delta\":{},\"finish_reason\":\"stop\"}],\"id\":\"i\"}\n\n",
             p->choice);
    take_event(p, (struct span){event, strlen(event)});
}

static void take_thing(struct play *p, char step)
{
    if (step == '\n' && p->seed != 0) /* cut elsewhere */
        return;
    take_text(p);
    if (step == '\t')
        p->choice ^= 1;
    else if (step == ':')
        take_event(p, SPAN(": up\n\n"));
    else if (step == ';')
        must(gate_say(&p->gate, SPAN(": own\n\n"), 0));
    else if (step == '$')
        take_event(p, SPAN("data: {\"choices\":[],\"note\":\"note " SECRET "\"}\n\n"));
    else if (step == '!')
        take_finish(p);
}

static void take_unit(struct play *p, struct span unit)
{
    put(&p->inside, unit);
    if (p->seed != 0 && draw(p, 4) == 0)
        take_text(p);
}

static void take_step(struct play *p, const char *step)
{
    if (!is_text(*step)) {
        take_thing(p, *step);
        return;
    }
    struct span text = step_text(step);
    if (*step == '^') {
        take_unit(p, SPAN("\\ud83d"));
        take_unit(p, SPAN("\\ude00"));
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        take_unit(p, (struct span){text.data + i, 1});
}

/* ---- endings ----------------------------------------------------------------------------------------------------- */

static void stop(struct play *p, unsigned choice)
{
    p->lanes[choice].has_stopped = true;
    text_stop(&p->texts[choice]);
}

static void end(struct play *p)
{
    take_text(p);
    gate_leave(&p->gate);
    for (unsigned c = 0; c < CHOICES; c++)
        p->stopped_at[c] = p->script->ending == WHOLE ? UINT64_MAX : p->texts[c].cleared;
    if (p->script->ending == CUT)
        gate_cut(&p->gate);
    if (p->script->ending == CLOSED)
        gate_close(&p->gate, 0);
    for (unsigned c = 0; c < CHOICES; c++)
        if (p->script->ending == CUT || (p->script->ending == CLOSED && c == 0))
            stop(p, c);
        else
            judge_end(p, &p->texts[c]);
    if (p->script->ending == CLOSED && !gate_has_ended(&p->gate, 0))
        must(gate_say(&p->gate, SPAN("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"x\"}]}\n\n"),
                      0));
    must(gate_say(&p->gate, SPAN("data: [DONE]\n\n"), GATE_TERMINAL));
    must(gate_release(&p->gate, &p->out));
    expect(gate_held(&p->gate) == sizeof("data: [DONE]\n\n") - 1, "the end alone waits");
    p->gate.may_end = true;
    must(gate_release(&p->gate, &p->out));
    expect(gate_held(&p->gate) == 0, "nothing is left behind");
}

/* ---- what went out ----------------------------------------------------------------------------------------------- */

static void see_choice(struct bytes *out, const json_t *choice)
{
    unsigned index = (unsigned)json_integer_value(json_object_get(choice, "index"));
    const json_t *content = json_object_get(json_object_get(choice, "delta"), "content");
    for (size_t i = 0; i < json_string_length(content); i++)
        put_byte(out, index, json_string_value(content)[i]);
    if (json_is_string(json_object_get(choice, "finish_reason")))
        put(out, index == 0 ? SPAN("F0") : SPAN("F1"));
}

static void see_frame(struct play *p, const struct frame *frame)
{
    struct bytes *out = &p->transcript;
    if (frame->kind == FRAME_COMMENT) {
        put(out, span_is(frame->raw, SPAN(": up\n\n")) ? SPAN(":") : SPAN(";"));
        return;
    }
    if (span_is(frame->payload, SPAN("[DONE]"))) {
        put(out, SPAN("D"));
        return;
    }
    json_t *event = json_loadb(frame->payload.data, frame->payload.len, JSON_REJECT_DUPLICATES, NULL);
    expect(event != NULL, "an event is JSON");
    const char *id = json_string_value(json_object_get(event, "id"));
    expect(id == NULL || strcmp(id, p->script->restarts ? "first" : "i") == 0, "all events have the first one's id");
    const char *note = json_string_value(json_object_get(event, "note"));
    if (note != NULL)
        put(out, (struct span){note, strlen(note)});
    for (size_t i = 0; i < json_array_size(json_object_get(event, "choices")); i++)
        see_choice(out, json_array_get(json_object_get(event, "choices"), i));
    json_decref(event);
}

static void see(struct play *p)
{
    struct framer framer;
    struct frame frame;
    framer_init(&framer, &framing_sse, SIZE_MAX / 2);
    for (struct span rest = bytes_span(&p->out); framer_next(&framer, rest, true, &frame) == 1;) {
        see_frame(p, &frame);
        rest = (struct span){rest.data + frame.raw.len, rest.len - frame.raw.len};
    }
    framer_fini(&framer);
}

/* An attempt that was given up: what waited of it is forgotten, and the next one's events get its id. */
static void begin_before(struct play *p)
{
    take_event(p, SPAN("data: {\"choices\":[],\"id\":\"first\"}\n\n"));
    release(p);
    must(gate_say(&p->gate, SPAN(": forgotten\n\n"), 0));
    gate_reset(&p->gate);
    p->gate.rewrites_id = true;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static void play(struct play *p, const struct script *script, unsigned seed)
{
    *p = (struct play){.script = script, .seed = seed};
    const struct rein_policy *policy = policy_once();
    gate_init(&p->gate, dialect_find(REIN_OPENAI_CHAT), NULL, policy, p->flow, SIZE_MAX / 8);
    p->gate.join_from = script->join_from;
    must(event_reader_new(&p->reader, dialect_find(REIN_OPENAI_CHAT), NULL));
    bytes_init(&p->inside, SIZE_MAX / 2);
    bytes_init(&p->out, SIZE_MAX / 2);
    bytes_init(&p->transcript, SIZE_MAX / 2);
    for (uint16_t c = 0; c < CHOICES; c++) {
        struct place place = {
            .text = CHAT_CONTENT | (uint32_t)c << CHAT_CHOICE_BIT, .choice = c, .channel = REIN_ANSWER};
        text_init(&p->texts[c], REIN_ANSWER, c, policy->ruleset, SIZE_MAX / 2);
        lane_init(&p->lanes[c], place, &p->texts[c]);
    }
    if (script->restarts)
        begin_before(p);
    for (size_t i = 0; i < script->len; i++)
        take_step(p, &script->at[i]);
    end(p);
    see(p);
}

static void drop(struct play *p)
{
    gate_fini(&p->gate);
    event_reader_free(p->reader);
    match_list_fini(&p->matches);
    for (unsigned c = 0; c < CHOICES; c++) {
        lane_fini(&p->lanes[c]);
        text_fini(&p->texts[c]);
    }
    bytes_fini(&p->inside);
    bytes_fini(&p->out);
    bytes_fini(&p->transcript);
}

static void check(const struct play *p)
{
    struct bytes want = wanted(p->script, p->stopped_at);
    struct span seen = bytes_span(&p->transcript), out = bytes_span(&p->out);
    if (!span_is(seen, bytes_span(&want))) {
        fprintf(stderr, "seed %u, ending %d, joined from %zu\n-- wanted\n%.*s\n-- seen\n%.*s\n-- of\n%.*s\n", p->seed,
                (int)p->script->ending, p->script->join_from, (int)bytes_len(&want), bytes_span(&want).data,
                (int)seen.len, seen.data, (int)out.len, out.data);
        abort();
    }
    expect(memmem(out.data, out.len, SECRET, sizeof(SECRET) - 1) == NULL, "the secret stays here");
    bytes_fini(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const size_t join_from[] = {0, 200, 2000, SIZE_MAX};
    static struct play written, cut;
    if (len < 2 || len - 2 > SCRIPT_MAX)
        return 0;
    struct script script = {.at = (const char *)data + 2, .len = len - 2, .ending = data[0] % ENDINGS};
    script.join_from = join_from[data[0] >> 4 & 3];
    script.spells = (data[0] & 64) != 0;
    script.restarts = (data[0] & 128) != 0;
    play(&written, &script, 0);
    play(&cut, &script, data[1] + 1u);
    check(&written);
    check(&cut);
    expect(memcmp(written.stopped_at, cut.stopped_at, sizeof(cut.stopped_at)) == 0, "what is cleared is the text's");
    drop(&written);
    drop(&cut);
    return 0;
}
