/* From events to texts: each string of an event finds its lane, and is judged before the next one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>

#include "base/heap.h"
#include "rein/json.h"
#include "trace/trace_state.h"
#include "json/number.h"

static struct channel_lane *find_lane(const struct rein_trace *t, const struct place *place)
{
    /* Mostly the same field as before, or the next one. */
    struct channel_lane *recent = t->recent_lane, *next = recent != NULL ? recent->next : NULL;
    if (recent != NULL && place_is_same_text(&recent->lane.place, place))
        return recent;
    if (next != NULL && place_is_same_text(&next->lane.place, place))
        return next;
    struct channel_lane *lane = t->lanes;
    while (lane != NULL && !place_is_same_text(&lane->lane.place, place))
        lane = lane->next;
    return lane;
}

static int init_text(struct rein_trace *t, struct text *text, enum rein_channel channel, uint16_t choice_index,
                     uint8_t series)
{
    struct choice *choice = &t->choice[choice_index];
    text_init(text, channel, choice_index, t->policy->ruleset, t->held_max);
    text->series = series;
    text->muted = t->muted;
    if (channel == REIN_REASONING && (!t->policy->settings.reasoning.show || choice->reasoning_cut))
        text->limit = 0;
    text->may_be_json = channel == REIN_TOOL || channel == REIN_ANSWER;
    bool is_judged = (t->policy->judged >> channel & 1) != 0;
    text->has_sentences = (t->pattern_active || is_judged) && (channel == REIN_REASONING || channel == REIN_ANSWER);
    if (t->gate.choice[choice_index].closed)
        text->limit = 0;
    if (channel == REIN_REASONING && choice_index == 0 && t->continues)
        text->origin = t->origin > 0 ? t->origin : bytes_len(&t->gate.shown) - t->gate.shown_lead;
    int rv = channel == REIN_ANSWER && t->masks != NULL && t->masks->len > 0 ? text_restore(text, t->masks) : 0;
    return rv == 0 ? trace_panels_begin(t, text) : rv;
}

static int init_lane(struct rein_trace *t, struct channel_lane *lane, struct place place)
{
    int rv = init_text(t, &lane->texts[0].text, (enum rein_channel)place.channel, place.choice, place.series);
    if (place.channel != REIN_ANSWER) {
        lane_init(&lane->lane, place, &lane->texts[0].text);
        return rv;
    }
    lane->has_reasoning_text = true;
    lane_init_split(&lane->lane, place, &lane->texts[1].text, &lane->texts[0].text, t->open, t->close, t->opened);
    if (t->is_apart)
        splitter_set_apart(&lane->lane.splitter, false);
    int inner = init_text(t, &lane->texts[1].text, REIN_REASONING, place.choice, 0);
    return rv != 0 ? rv : inner;
}

/* Adds a lane, zeroed. */
static int add_lane(struct rein_trace *t, struct channel_lane **out)
{
    if (t->lanes_len == LANES_MAX)
        return REIN_ELIMIT;
    struct channel_lane *lane = t->lanes == NULL ? &t->first_lane : heap_resize(NULL, sizeof *lane);
    if (lane == NULL)
        return REIN_ENOMEM;
    memset(lane, 0, sizeof *lane);
    *(t->lanes == NULL ? &t->lanes : &t->last_lane->next) = lane;
    t->last_lane = lane;
    t->lanes_len++;
    *out = lane;
    return 0;
}

static int lane_for(struct rein_trace *t, const struct place *place, struct channel_lane **out)
{
    *out = find_lane(t, place);
    if (*out == NULL) {
        int rv = add_lane(t, out);
        if (rv != 0)
            return rv;
        t->choice[place->choice].is_seen = true;
        rv = init_lane(t, *out, *place);
        if (rv != 0)
            return rv;
        if (t->dialect->echoes && t->streamed)
            lane_keep(&(*out)->lane, &t->keep_room);
        if (t->dialect->echoes || !t->streamed || t->goes_on || (place->text & PLACE_AGAIN) != 0)
            (*out)->lane.habit = LANE_HABIT_GOES_ON;
    }
    t->recent_lane = *out;
    return 0;
}

void trace_drop_lanes(struct rein_trace *t)
{
    for (struct channel_lane *lane = t->lanes, *next; lane != NULL; lane = next) {
        next = lane->next;
        lane_fini(&lane->lane);
        for (size_t k = 0; k < 2; k++) {
            trace_panels_fini(&lane->texts[k].text);
            kept_leave(&lane->texts[k].text);
            text_fini(&lane->texts[k].text);
        }
        if (lane != &t->first_lane)
            heap_free(lane);
    }
    t->lanes = t->last_lane = t->recent_lane = NULL;
    t->first_begun = t->last_begun = NULL;
    t->keep_room = t->event_max;
    t->lanes_len = 0;
    t->scores_due = true;
    for (size_t i = 0; i < t->choice_count; i++) {
        for (size_t slot = 0; slot < SLOTS_MAX; slot++)
            pattern_tracker_free(t->choice[i].trackers[slot]);
        t->choice[i] = (struct choice){0};
    }
}

/* The keys of one object must stay different. */
static int number_key(struct rein_trace *t)
{
    char number[16];
    if (t->hidden_keys++ == 0)
        return 0;
    int len = snprintf(number, sizeof number, " %u", t->hidden_keys);
    return bytes_append(&t->said, number, (size_t)len);
}

/* Removes from the event what was found in a stand-alone string, then carries out the rest of the action. The value
 * under a removed key stays. */
static int act_on_whole(struct rein_trace *t, const struct piece *piece, enum rein_action action)
{
    int rv = 0;
    if (action != REIN_REDACT)
        bytes_clear(&t->said);
    if (piece->place.is_key)
        rv = number_key(t);
    if (rv == 0) /* what stopped the trace may have taken the event away */
        rv = gate_add_patch(&t->gate, (struct range){piece->at, piece->len}, bytes_span(&t->said),
                            piece->place.is_number);
    bytes_clear(&t->said);
    bool is_over = trace_is_stopped(t) || trace_choice_is_closed(t, piece->place.choice);
    return rv == 0 && action > REIN_REDACT && !is_over ? trace_stop_in_turn(t, piece->place.choice, action) : rv;
}

/* The text of a piece: its own bytes if nothing is escaped, otherwise decoded in t->scratch. */
static int decode(struct rein_trace *t, uint16_t *half, const struct piece *piece, struct span payload,
                  struct span *text)
{
    struct span raw = {payload.data + piece->at, piece->len};
    *text = raw;
    if (piece->place.is_bare || (*half == 0 && memchr(raw.data, '\\', raw.len) == NULL))
        return 0;
    bytes_clear(&t->scratch);
    int rv = bytes_reserve(&t->scratch, raw.len + 3);
    if (rv != 0)
        return rv;
    *text = (struct span){t->scratch.data, json_unescape(raw, half, t->scratch.data)};
    return 0;
}

/* Events that Rein writes repeat the response's id, unless a rule acts on it. */
static int hide_id(struct rein_trace *t, struct span raw)
{
    struct bytes *id = &t->gate.id;
    struct span known = bytes_span(id);
    if (known.len != raw.len + 2 || memcmp(known.data + 1, raw.data, raw.len) != 0)
        return 0;
    bytes_clear(id);
    int rv = bytes_append_span(id, SPAN("\""));
    if (rv == 0)
        rv = json_escape(id, (struct span){t->fallback_id, strlen(t->fallback_id)});
    return rv == 0 ? bytes_append_span(id, SPAN("\"")) : rv;
}

/* A number as a program prints it after reading it, if that differs from the payload. */
static int judge_plain(struct rein_trace *t, const struct place *place, struct span number, enum rein_action *action)
{
    char plain[NUMBER_PLAIN_MAX];
    size_t len = number_is_real(number) ? number_plain(number, plain) : 0;
    struct span text = {plain, len};
    return len > 0 && !span_is(text, number) ? trace_judge_whole(t, place, text, action) : 0;
}

/* A string or number without a lane: judged on its own; then it is edited, or its event is dropped. */
static int take_whole(struct rein_trace *t, const struct piece *piece, struct span payload)
{
    if (piece->len == 0 || (piece->seen && !t->whole_matched))
        return 0;
    uint16_t half = 0;
    struct span text;
    enum rein_action action;
    int rv = decode(t, &half, piece, payload, &text);
    if (rv != 0)
        return rv;
    t->alone_refuser = NULL;
    t->alone_steers = false;
    rv = trace_judge_whole(t, &piece->place, text, &action);
    if (rv == 0 && action <= REIN_RECORD && piece->place.is_number)
        rv = judge_plain(t, &piece->place, text, &action);
    if (rv != 0 || action <= REIN_RECORD)
        return rv;
    rv = hide_id(t, (struct span){payload.data + piece->at, piece->len});
    return rv == 0 ? act_on_whole(t, piece, action) : rv;
}

/* Once reasoning has come in a field of its own, a tag in the answer is text of the answer. */
static inline void tell_apart(struct rein_trace *t, struct lane *lane, struct span text)
{
    struct choice *choice = &t->choice[lane->place.choice];
    if (lane->place.channel == REIN_REASONING && !choice->is_apart)
        choice->is_apart = trace_is_text(text);
    else if (lane->splits && choice->is_apart && !lane->splitter.is_apart)
        splitter_set_apart(&lane->splitter, lane->decided > 0);
}

static inline int feed_lane(struct rein_trace *t, struct lane *lane, const struct piece *piece, struct span payload)
{
    struct gate_piece p = {
        .lane = lane, .raw = {piece->at, piece->len}, .half_in = lane->half, .is_bare = piece->place.is_bare};
    struct span text;
    uint16_t half = lane->half;
    int rv = decode(t, &half, piece, payload, &text);
    if (rv != 0)
        return rv;
    p.start = lane->received;
    p.end = p.start + text.len;
    p.ends_half = half != 0;
    tell_apart(t, lane, text);
    rv = gate_add_piece(&t->gate, &p);
    if (rv != 0)
        return rv;
    lane->half = half;
    if (text.len > 0 && t->gate.awaiting[lane->place.choice] > 0)
        gate_go_on(&t->gate, lane->place.choice, lane, p.start);
    return text.len > 0 ? lane_feed(lane, text, trace_judge_bytes, t) : 0;
}

static int feed_joined(struct rein_trace *t, struct gate_piece *joined, const struct piece *piece, struct span payload)
{
    struct span text;
    int rv = decode(t, &joined->lane->half, piece, payload, &text);
    if (rv != 0)
        return rv;
    if (text.len > 0)
        gate_go_on(&t->gate, joined->lane->place.choice, joined->lane, joined->end);
    joined->end += text.len;
    joined->ends_half = joined->lane->half != 0;
    return text.len > 0 ? lane_feed(joined->lane, text, trace_judge_bytes, t) : 0;
}

static int end_lane(struct rein_trace *t, struct channel_lane *lane)
{
    if (lane->lane.is_over)
        return 0;
    int rv = lane_end(&lane->lane, trace_judge_bytes, t);
    struct text *reasoning = trace_reasoning_text(lane);
    return rv == 0 && reasoning != NULL && !trace_is_stopped(t) ? trace_judge_end(t, reasoning) : rv;
}

/* The text of a piece is complete, though others may follow. */
static int end_text_here(struct rein_trace *t, struct channel_lane *lane)
{
    int rv = end_lane(t, lane);
    return rv == 0 && !trace_is_stopped(t) ? trace_judge_end(t, &lane->texts[0].text) : rv;
}

/* Nothing of the piece is shown. */
static int hide_piece(struct rein_trace *t, struct channel_lane *lane, const struct piece *piece)
{
    struct gate_piece unseen = {
        .lane = &lane->lane, .raw = {piece->at, piece->len}, .unseen = true, .is_bare = piece->place.is_bare};
    return gate_add_piece(&t->gate, &unseen);
}

static bool takes_no_text(const struct rein_trace *t, const struct channel_lane *lane)
{
    return trace_is_stopped(t) || lane->lane.has_stopped || trace_choice_is_closed(t, lane->lane.place.choice);
}

static int add_echo(struct rein_trace *t, struct channel_lane *lane, const struct piece *piece)
{
    struct gate_piece echo = {
        .lane = &lane->lane, .end = lane->lane.received, .raw = {piece->at, piece->len}, .is_echo = true};
    return gate_add_piece(&t->gate, &echo);
}

/* How many bytes of a string's raw JSON stand for the first `len` bytes of its text. */
static uint32_t raw_prefix(struct span raw, size_t len)
{
    size_t at = 0, unit;
    char room[16];
    for (size_t done = 0; done < len && at < raw.len; at += unit) {
        uint16_t half = 0;
        unit = raw.data[at] != '\\' ? 1 : raw.data[at + 1] != 'u' ? 2 : 6;
        size_t text_len = json_unescape((struct span){raw.data + at, unit}, &half, room);
        if (half != 0 && at + 12 <= raw.len && raw.data[at + 6] == '\\' && raw.data[at + 7] == 'u') {
            unit = 12;
            half = 0;
            text_len = json_unescape((struct span){raw.data + at, unit}, &half, room);
        }
        done += text_len;
    }
    return (uint32_t)at;
}

/* Pieces that repeat all of their text are a text of their own: of each, what came before is an echo, and the rest goes
 * on. `text`: the piece's. */
static int take_repeated(struct rein_trace *t, const struct piece *piece, struct span payload, struct span text)
{
    struct piece rest = *piece, before = *piece;
    struct channel_lane *lane = NULL;
    rest.place.text |= PLACE_AGAIN;
    int rv = lane_for(t, &rest.place, &lane);
    if (rv == 0 && takes_no_text(t, lane))
        return hide_piece(t, lane, piece);
    if (rv == 0 && lane->lane.received == 0 && !lane->lane.is_kept)
        lane_keep(&lane->lane, &t->keep_room);
    if (rv == 0 && lane_begins(&lane->lane, text)) {
        before.len = raw_prefix((struct span){payload.data + piece->at, piece->len}, bytes_len(&lane->lane.said));
        rest.at += before.len;
        rest.len -= before.len;
        rv = add_echo(t, lane, &before);
    }
    return rv == 0 && rest.len > 0 ? feed_lane(t, &lane->lane, &rest, payload) : rv;
}

/* Does the lane's upstream repeat the text in each event? Then the piece is taken here. */
static int take_habit(struct rein_trace *t, struct channel_lane *lane, const struct piece *piece, struct span payload,
                      bool *is_taken)
{
    uint16_t half = lane->lane.half;
    struct span text;
    int rv = decode(t, &half, piece, payload, &text);
    if (rv == 0 && lane->lane.habit == LANE_HABIT_OPEN)
        rv = lane_watch(&lane->lane, text);
    *is_taken = rv == 0 && lane->lane.habit == LANE_HABIT_REPEATS;
    return *is_taken ? take_repeated(t, piece, payload, text) : rv;
}

/* A text that ends with the piece, has ended, is not shown any more, or may be repeated. One that goes on after its end
 * goes on as another text, and one time only: then it is not shown. */
__attribute__((noinline)) static int take_at_end(struct rein_trace *t, struct channel_lane *lane,
                                                 const struct piece *piece, struct span payload)
{
    struct place place = piece->place;
    int rv = 0;
    if (lane->lane.is_over && !takes_no_text(t, lane) && piece->len > 0) {
        place.text |= PLACE_AGAIN;
        rv = lane_for(t, &place, &lane);
        if (rv != 0)
            return rv;
    }
    bool is_hidden = takes_no_text(t, lane) || (lane->lane.is_over && piece->len > 0), is_taken = false;
    if (!is_hidden && lane->lane.habit != LANE_HABIT_GOES_ON)
        rv = take_habit(t, lane, piece, payload, &is_taken);
    if (rv != 0 || is_taken)
        return rv;
    rv = is_hidden ? hide_piece(t, lane, piece) : feed_lane(t, &lane->lane, piece, payload);
    return rv == 0 && place.ends && !takes_no_text(t, lane) ? end_text_here(t, lane) : rv;
}

static inline int take_streamed(struct rein_trace *t, const struct piece *piece, struct span payload)
{
    struct channel_lane *lane = t->recent_lane;
    bool is_recent = lane != NULL && place_is_same_text(&lane->lane.place, &piece->place);
    int rv = is_recent ? 0 : lane_for(t, &piece->place, &lane);
    if (rv != 0)
        return rv;
    bool is_usual = !lane->lane.is_over && !piece->place.ends && lane->lane.habit == LANE_HABIT_GOES_ON;
    if (!is_usual || takes_no_text(t, lane))
        return take_at_end(t, lane, piece, payload);
    return feed_lane(t, &lane->lane, piece, payload);
}

/* It is not known any more what the text was: the echo is judged alone. What the client was not shown it does not get.
 */
static int take_lost_echo(struct rein_trace *t, struct channel_lane *lane, const struct piece *piece,
                          struct span payload)
{
    bool is_cut = lane->texts[0].text.limit != UINT64_MAX ||
                  (lane->has_reasoning_text && lane->texts[1].text.limit != UINT64_MAX);
    int rv = is_cut ? hide_piece(t, lane, piece) : take_whole(t, piece, payload);
    return rv == 0 && piece->place.ends && !takes_no_text(t, lane) ? end_text_here(t, lane) : rv;
}

/* An echo is what the client was shown of the text that it repeats. If nothing came of that text, the echo is the text.
 * If it says something else, it is another text, which is judged; and a third version is not shown. */
static int take_echo(struct rein_trace *t, const struct piece *piece, struct span payload)
{
    struct piece said = *piece;
    struct channel_lane *lane = NULL;
    struct span text;
    uint16_t half = 0;
    int rv = decode(t, &half, piece, payload, &text);
    for (int again = 0; again < 2 && rv == 0; again++) {
        said.place.text |= again > 0 ? PLACE_AGAIN : 0;
        rv = lane_for(t, &said.place, &lane);
        if (rv != 0 || takes_no_text(t, lane))
            return rv != 0 ? rv : hide_piece(t, lane, piece);
        if (text.len == 0 || lane->lane.received == 0)
            return take_streamed(t, &said, payload);
        if (lane->lane.is_lost)
            return take_lost_echo(t, lane, piece, payload);
        if (!lane_repeats(&lane->lane, text))
            continue;
        rv = add_echo(t, lane, piece);
        return rv == 0 && said.place.ends ? end_text_here(t, lane) : rv;
    }
    return rv != 0 ? rv : hide_piece(t, lane, piece);
}

int trace_shown(void *ctx, uint32_t text, struct bytes *out)
{
    const struct rein_trace *t = ctx;
    struct place place = {.text = text};
    const struct channel_lane *lane = find_lane(t, &place);
    return lane != NULL ? lane_shown(&lane->lane, out) : 0;
}

/* A tool's arguments that came as an object. */
static bool is_argument(const struct piece *piece)
{
    return piece->place.kind == PIECE_WHOLE && piece->place.channel == REIN_TOOL;
}

/* Those of an answer that has ended: none of them is shown, so that no client runs the call. */
static int take_arguments(struct rein_trace *t, const struct event *event, struct span payload)
{
    int rv = 0;
    for (size_t i = 0; i < event->pieces_len && rv == 0; i++)
        if (is_argument(&event->pieces[i]))
            rv = take_whole(t, &event->pieces[i], payload);
    for (size_t i = 0; i < event->pieces_len && rv == 0; i++) {
        const struct piece *piece = &event->pieces[i];
        if (is_argument(piece) && !piece->place.is_key && t->gate.choice[piece->place.choice].closed)
            rv = gate_add_patch(&t->gate, (struct range){piece->at, piece->len}, SPAN(""), piece->place.is_number);
    }
    return rv;
}

/* Stand-alone strings first: they decide whether the event's texts are judged. Each of them is judged, also after one
 * that stopped the trace, because the event may still go out. Arguments of a tool are no such strings: as a text of
 * theirs would be, they are judged last. */
static int take_pieces(struct rein_trace *t, const struct event *event, struct span payload)
{
    int rv = 0;
    bool are_judged = event->wholes_seen && !t->whole_matched, has_arguments = false;
    for (size_t i = 0; i < event->pieces_len && rv == 0 && !are_judged; i++)
        if (is_argument(&event->pieces[i]))
            has_arguments = true;
        else if (event->pieces[i].place.kind == PIECE_WHOLE)
            rv = take_whole(t, &event->pieces[i], payload);
    const struct piece *p = event->pieces;
    for (size_t left = event->pieces_len; left > 0 && rv == 0; left--, p++)
        if (p->place.kind == PIECE_STREAM)
            rv = take_streamed(t, p, payload);
        else if (p->place.kind == PIECE_ECHO)
            rv = take_echo(t, p, payload);
    return rv == 0 && has_arguments ? take_arguments(t, event, payload) : rv;
}

/* Makes room for at least `len` choices; pointers into the array are good until then. */
static int know_choices(struct rein_trace *t, size_t len)
{
    if (len <= t->choice_count)
        return 0;
    size_t known = t->choice_count * sizeof(struct choice);
    struct choice *more = heap_outgrow(t->choice, t->asked_for, known, len * sizeof(*more));
    if (more == NULL)
        return REIN_ENOMEM;
    memset(more + t->choice_count, 0, (len - t->choice_count) * sizeof(*more));
    t->choice = more;
    t->choice_count = len;
    return 0;
}

/* What the upstream says of its failure is kept for the caller. Of a payload that is too long, only that there was one.
 */
static int note_error(struct rein_trace *t, struct span payload)
{
    if (bytes_len(&t->error) > 0)
        return 0;
    return bytes_append_span(&t->error, payload.len <= ERROR_MAX ? payload : SPAN("{}"));
}

/* What the event says of the response and its choices. An upstream may send more choices than were asked for. */
static int note(struct rein_trace *t, const struct event *event, struct span payload)
{
    t->saw_error |= event->has_error;
    t->saw_last |= event->is_last;
    t->saw_inner_error |= event->has_inner_error;
    t->saw_part |= event->parts_len > 0;
    const struct event_part *part = event->parts;
    for (size_t left = event->parts_len; left > 0; left--, part++) {
        int rv = know_choices(t, part->choice + 1u);
        if (rv != 0)
            return rv;
        struct choice *choice = &t->choice[part->choice];
        choice->is_seen = true;
        choice->end_seen |= part->has_end;
    }
    if (event->prompt_tokens >= 0)
        t->decision.prompt_tokens = event->prompt_tokens;
    if (event->completion_tokens >= 0)
        t->decision.completion_tokens = event->completion_tokens;
    if (event->reasoning_tokens >= 0)
        t->decision.reasoning_tokens = event->reasoning_tokens;
    return event->has_error || event->has_inner_error ? note_error(t, payload) : 0;
}

/* An event that the dialect cannot read. Clients do not get what is no JSON, so it is dropped; what they read, and we
 * cannot judge, ends the response. */
static int refuse_event(struct rein_trace *t, struct span payload)
{
    struct rein_json *json = NULL;
    struct rein_json_problem problem = {.fault = REIN_JSON_KEY_TWICE};
    int rv = rein_json_read(&json, payload.data, payload.len, REIN_JSON_DEPTH_MAX, &problem);
    bool is_object = rv == 0 && rein_json_is(rein_json_root(json), REIN_JSON_OBJECT);
    rein_json_free(json);
    if (rv != 0 && rv != REIN_EFORMAT)
        return rv;
    if (!is_object && (rv == 0 || problem.fault == REIN_JSON_MALFORMED)) {
        t->decision.garbage_events++;
        return 0;
    }
    rv = trace_end_texts(t); /* what waits goes out before the error */
    if (rv == 0 && !trace_is_stopped(t))
        rv = trace_fail(t, REIN_UPSTREAM_BROKE, "The upstream sent an event that cannot be judged.");
    return rv;
}

/* May `more` bytes wait, too? An event that repeats all does not count, which is as long as the answer; the gate has
 * room for one. */
static bool may_hold(const struct rein_trace *t, const struct event *event, size_t more)
{
    bool is_ruled_elsewhere = t->event_max == t->held_max; /* by the gate's own limit */
    return is_ruled_elsewhere || event->repeats_all || gate_held(&t->gate) + more <= t->held_max;
}

static int take_json(struct rein_trace *t, const struct frame *frame, unsigned flags)
{
    const struct event *event = NULL;
    int rv = event_read(t->reader, frame->payload, (flags & GATE_BARE) != 0, &event);
    if (rv == REIN_EFORMAT && !(flags & GATE_BARE))
        return refuse_event(t, frame->payload);
    if (rv == 0)
        rv = note(t, event, frame->payload);
    if (rv != 0)
        return rv;
    flags |= event->is_last ? GATE_TERMINAL : 0;
    struct gate_piece *joined = NULL;
    const struct piece *piece;
    bytes_clear(&t->scratch);
    if (gate_held(&t->gate) >= t->gate.join_from) {
        rv = bytes_reserve(&t->scratch, frame->payload.len + 3); /* what is joined must be decoded */
        if (rv == 0)
            rv = gate_join(&t->gate, frame, event, &joined, &piece);
    }
    if (rv == 0 && !may_hold(t, event, joined != NULL ? 0 : frame->raw.len))
        rv = REIN_ELIMIT;
    if (rv != 0 || joined != NULL)
        return rv != 0 ? rv : feed_joined(t, joined, piece, frame->payload);
    if (gate_push(&t->gate, frame, event, flags, &rv) == NULL)
        return rv;
    if (t->strip_usage && t->streamed && event->is_usage_alone)
        gate_last(&t->gate)->flags |= GATE_DROP;
    t->hidden_keys = 0;
    if (event->spells_aside && t->withholds) /* it is not known which choice's text it spells */
        gate_last(&t->gate)->flags |= GATE_SPELLS;
    rv = event->spells && t->withholds ? trace_mark_spelled(t, event, frame->payload) : 0;
    return rv == 0 ? take_pieces(t, event, frame->payload) : rv;
}

/* What is outside the payload (comments, event names) is text as well. */
static int judge_outside(struct rein_trace *t, struct span outside, enum rein_action *worst)
{
    static const struct place nowhere = {.channel = REIN_OTHER};
    enum rein_action action = REIN_ALLOW;
    int rv = outside.len > 2 ? trace_judge_whole(t, &nowhere, outside, &action) : 0;
    bytes_clear(&t->said);
    *worst = action > *worst ? action : *worst;
    return rv;
}

static int judge_extras(struct rein_trace *t, const struct frame *frame, enum rein_action *worst)
{
    if (frame->kind != FRAME_DATA)
        return judge_outside(t, frame->raw, worst);
    size_t at = (size_t)(frame->payload.data - frame->raw.data), behind = at + frame->payload.len;
    bool is_judged = frame->head_repeats && !t->whole_matched;
    int rv = is_judged ? 0 : judge_outside(t, (struct span){frame->raw.data, at}, worst);
    if (rv == 0)
        rv = judge_outside(t, (struct span){frame->raw.data + behind, frame->raw.len - behind}, worst);
    return rv;
}

int trace_take_frame(struct rein_trace *t, const struct frame *frame)
{
    unsigned flags = frame->unterminated ? GATE_UNTERMINATED : 0;
    enum rein_action outside = REIN_ALLOW;
    t->decision.events++;
    gate_leave(&t->gate);
    if (frame->has_extras || frame->kind == FRAME_COMMENT) {
        int rv = judge_extras(t, frame, &outside);
        if (rv == 0 && outside > REIN_REDACT)
            rv = trace_stop_in_turn(t, 0, outside);
        if (rv != 0 || trace_is_stopped(t))
            return rv;
    }
    bool is_dirty = outside > REIN_RECORD;
    if (frame->kind == FRAME_COMMENT) {
        int rv = 0;
        (void)gate_push(&t->gate, frame, NULL, flags | (is_dirty ? GATE_DROP : 0), &rv);
        return rv;
    }
    flags |= is_dirty ? GATE_REWRITE : 0;
    if (t->dialect->is_terminal(frame->payload))
        return trace_complete(t, frame, flags);
    int rv = take_json(t, frame, flags);
    return rv == 0 && t->saw_last && !trace_is_stopped(t) ? trace_complete(t, NULL, 0) : rv;
}

int trace_take_body(struct rein_trace *t)
{
    gate_take_body(&t->gate, &t->in);
    struct span body = bytes_span(&t->gate.body);
    struct frame frame = {.kind = FRAME_DATA, .raw = body, .payload = body};
    return take_json(t, &frame, GATE_BARE | GATE_TERMINAL);
}

/* What a splitter still held back goes to its text. */
static int end_lanes(struct rein_trace *t)
{
    int rv = 0;
    for (struct channel_lane *lane = t->lanes; lane != NULL && rv == 0 && !trace_is_stopped(t); lane = lane->next)
        if (!lane->lane.is_over)
            rv = lane_end(&lane->lane, trace_judge_bytes, t);
    return rv;
}

/* In the order in which the texts began, which is that of the record: a lane may begin with what becomes no text. */
int trace_end_texts(struct rein_trace *t)
{
    gate_leave(&t->gate);
    int rv = end_lanes(t);
    struct channel_text *ct;
    for (ct = t->first_begun; ct != NULL && rv == 0 && !trace_is_stopped(t); ct = ct->next_begun)
        if (ct->text.channel == REIN_REASONING)
            rv = trace_judge_end(t, &ct->text);
    for (uint16_t c = 0; c < t->choice_count && rv == 0 && !trace_is_stopped(t); c++)
        if (t->choice[c].is_seen && !trace_choice_is_closed(t, c))
            rv = trace_end_reasoning(t, c);
    for (ct = t->first_begun; ct != NULL && rv == 0 && !trace_is_stopped(t); ct = ct->next_begun)
        rv = trace_judge_end(t, &ct->text);
    for (uint16_t c = 0; c < t->choice_count && rv == 0 && !trace_is_stopped(t); c++)
        trace_end_choice(t, c);
    if (rv == 0)
        gate_stop_waiting(&t->gate);
    return rv;
}
