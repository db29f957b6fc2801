/* Reads one payload of Anthropic's Messages.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Members may come in any order, so what depends on `type` and `index` is settled at the event's end. A message in
 * `message_start` has the form of a whole body, and a block in `content_block_start` that of a block in it. */
#include "dialect/anthropic_messages/read.h"

#include "dialect/anthropic_messages/state.h"

/* The object that is being read, and what is known of the event. */
struct message_scan {
    struct json_list list;
    struct message_facts *facts; /* of the event */
    uint32_t block;              /* the number of the block that this is in */
    bool numeric;                /* numbers in here count, measure or identify */
    struct range signature;      /* a member that is not empty */
    bool is_thought;             /* its type says that its texts are reasoning */
};

struct message_facts {
    struct range type;            /* the inside of the event's type */
    struct range index;           /* the value */
    int64_t block;                /* -1: not said */
    bool has_signature, has_more; /* a delta's */
    struct event_part *end;       /* NULL: nothing is said of the answer's end */
};

struct scan_member {
    struct span key;
    int (*read)(struct event_fill *fill, struct message_scan *scan);
};

#define SCAN_COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* clang-format off */
#define SCAN_WORD(word) {(word), sizeof(word) - 1}
#define SCAN_MEMBER(name, read) {SCAN_WORD(name), (read)}
/* clang-format on */

static struct place scan_place(enum messages_field field, const struct message_scan *scan)
{
    static const uint8_t channels[] = {
        [MESSAGES_OTHER] = REIN_OTHER, [MESSAGES_TEXT] = REIN_ANSWER, [MESSAGES_THINKING] = REIN_REASONING,
        [MESSAGES_INPUT] = REIN_TOOL,  [MESSAGES_NAME] = REIN_OTHER,  [MESSAGES_THOUGHT] = REIN_REASONING};
    bool is_tools = field == MESSAGES_INPUT || field == MESSAGES_NAME;
    return (struct place){.text = field | (is_tools ? scan->block << MESSAGES_BLOCK_BIT : 0),
                          .channel = channels[field],
                          .numeric = scan->numeric};
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static int scan_any(struct event_fill *fill, struct message_scan *scan)
{
    return event_add_all(fill, scan_place(MESSAGES_OTHER, scan));
}

static int scan_text_of(struct event_fill *fill, struct message_scan *scan, enum messages_field field)
{
    struct place place = scan_place(field, scan);
    return walk_peek(&fill->walk) == '"' ? event_add_string(fill, place) : event_add_all(fill, place);
}

static bool begins_with_word(struct span name, struct span word)
{
    return name.len >= word.len && memcmp(name.data, word.data, word.len) == 0;
}

/* Names and types that servers give to reasoning. */
static bool is_thoughts_name(struct span name)
{
    return begins_with_word(name, SPAN("reasoning")) || begins_with_word(name, SPAN("think")) ||
           begins_with_word(name, SPAN("thought")) || begins_with_word(name, SPAN("summary"));
}

/* A member that no table has: reasoning, if its name says so and it is a string; else text of its own. */
static int scan_unknown(struct event_fill *fill, struct message_scan *scan, struct range key)
{
    static const char *const others[] = {"token",     "effort", "budget", "signature",
                                         "encrypted", "format", "type",   "_id"};
    char room[EVENT_KEY_MAX];
    struct span name = event_key(fill, key, room);
    bool is_text = is_thoughts_name(name) && walk_peek(&fill->walk) == '"';
    for (size_t i = 0; i < SCAN_COUNT(others) && is_text; i++)
        is_text = memmem(name.data, name.len, others[i], strlen(others[i])) == NULL;
    struct place place = scan_place(MESSAGES_OTHER, scan);
    if (!is_text)
        return event_add_member(fill, place, key);
    int rv = event_add_key(fill, place, key);
    return rv == 0 ? scan_text_of(fill, scan, MESSAGES_THOUGHT) : rv;
}

static int scan_member(struct event_fill *fill, const struct scan_member *members, size_t len,
                       struct message_scan *scan, uint32_t *read)
{
    struct range key;
    char room[EVENT_KEY_MAX];
    int rv = walk_key(&fill->walk, &scan->list, &key);
    if (rv != 0)
        return rv;
    struct span said = event_key(fill, key, room);
    for (size_t i = 0; i < len; i++) {
        if (!span_is(members[i].key, said))
            continue;
        bool is_twice = (*read & UINT32_C(1) << i) != 0;
        *read |= UINT32_C(1) << i;
        return is_twice ? REIN_EFORMAT : members[i].read(fill, scan);
    }
    return scan_unknown(fill, scan, key);
}

/* Reads an object. Members that are not in the table are read for their strings and numbers; none that is may come
 * twice. What is no object is read for its strings, too. */
static int scan_object(struct event_fill *fill, const struct scan_member *members, size_t len,
                       struct message_scan *scan)
{
    uint32_t read = 0;
    int rv;
    if (walk_peek(&fill->walk) != '{')
        return scan_any(fill, scan);
    while ((rv = walk_next(&fill->walk, &scan->list, '{')) > 0) {
        rv = scan_member(fill, members, len, scan, &read);
        if (rv != 0)
            return rv;
    }
    return rv;
}

static struct message_scan scan_inside(const struct message_scan *scan)
{
    return (struct message_scan){.facts = scan->facts, .block = scan->block, .numeric = scan->numeric};
}

/* ---- single values ----------------------------------------------------------------------------------------------- */

static int scan_numeric(struct event_fill *fill, struct message_scan *scan)
{
    struct place place = scan_place(MESSAGES_OTHER, scan);
    place.numeric = true;
    return event_add_all(fill, place);
}

static int scan_text(struct event_fill *fill, struct message_scan *scan)
{
    return scan_text_of(fill, scan, MESSAGES_TEXT);
}

static int scan_thinking(struct event_fill *fill, struct message_scan *scan)
{
    return scan_text_of(fill, scan, MESSAGES_THINKING);
}

/* In a body, the input is an object: its JSON is what pieces of `partial_json` would have been. Some servers write that
 * JSON into a string; it is all of it, too. */
static int scan_input(struct event_fill *fill, struct message_scan *scan)
{
    struct place place = scan_place(MESSAGES_INPUT, scan);
    if (fill->body && walk_peek(&fill->walk) == '{')
        return event_add_object(fill, place);
    place.ends = fill->body && walk_peek(&fill->walk) == '"';
    return place.ends ? event_add_string(fill, place) : scan_text_of(fill, scan, MESSAGES_INPUT);
}

/* It is complete, so nothing waits for more of it. */
static int scan_name(struct event_fill *fill, struct message_scan *scan)
{
    struct place place = scan_place(MESSAGES_NAME, scan);
    place.ends = true;
    return walk_peek(&fill->walk) == '"' ? event_add_string(fill, place) : event_add_all(fill, place);
}

/* A string that is not text if it is one of the words that belong there; *inside: at 0 if it is no string. */
static int scan_word(struct event_fill *fill, struct message_scan *scan, const struct span *words, size_t len,
                     struct range *inside)
{
    char room[EVENT_KEY_MAX];
    *inside = (struct range){0};
    if (walk_peek(&fill->walk) != '"')
        return scan_any(fill, scan);
    int rv = walk_string(&fill->walk, inside);
    if (rv != 0)
        return rv;
    struct span said = event_key(fill, *inside, room);
    for (size_t i = 0; i < len; i++)
        if (span_is(words[i], said))
            return 0;
    struct place place = scan_place(MESSAGES_OTHER, scan);
    place.kind = PIECE_WHOLE;
    return event_add(fill, place, *inside);
}

/* A number that counts; `*value` stays if there is none. */
static int scan_count(struct event_fill *fill, struct message_scan *scan, int64_t *value)
{
    char c = walk_peek(&fill->walk);
    if (c == '-' || (c >= '0' && c <= '9'))
        return walk_number(&fill->walk, value);
    return scan_any(fill, scan);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static int scan_kind(struct event_fill *fill, struct message_scan *scan)
{
    static const struct span words[] = {SCAN_WORD("text"),
                                        SCAN_WORD("thinking"),
                                        SCAN_WORD("redacted_thinking"),
                                        SCAN_WORD("tool_use"),
                                        SCAN_WORD("text_delta"),
                                        SCAN_WORD("thinking_delta"),
                                        SCAN_WORD("signature_delta"),
                                        SCAN_WORD("input_json_delta"),
                                        SCAN_WORD("citations_delta"),
                                        SCAN_WORD("server_tool_use"),
                                        SCAN_WORD("message")};
    struct range inside;
    char room[EVENT_KEY_MAX];
    int rv = scan_word(fill, scan, words, SCAN_COUNT(words), &inside);
    scan->is_thought = is_thoughts_name(event_key(fill, inside, room));
    return rv;
}

/* Its type may come behind its texts. */
static void settle_thought(struct event_fill *fill, const struct message_scan *scan, size_t first)
{
    for (size_t i = first; i < fill->event.pieces_len && scan->is_thought; i++) {
        struct place *place = &fill->event.pieces[i].place;
        if (place->text == MESSAGES_TEXT && place->kind == PIECE_STREAM) {
            place->text = MESSAGES_THOUGHT;
            place->channel = REIN_REASONING;
        }
    }
}

/* It stands for the texts of its own block; an empty one for nothing. */
static int scan_signature(struct event_fill *fill, struct message_scan *scan)
{
    uint32_t at = walk_peek(&fill->walk) == '"' ? walk_offset(&fill->walk) : UINT32_MAX;
    int rv = scan_any(fill, scan);
    scan->facts->has_signature = true;
    if (rv == 0 && at != UINT32_MAX && walk_offset(&fill->walk) > at + 2)
        scan->signature = walk_member(&fill->walk, &scan->list);
    return rv;
}

static int scan_more(struct event_fill *fill, struct message_scan *scan)
{
    scan->facts->has_more = true;
    return scan_any(fill, scan);
}

static int scan_id(struct event_fill *fill, struct message_scan *scan)
{
    scan->facts->has_more = true;
    return scan_numeric(fill, scan);
}

static int scan_called(struct event_fill *fill, struct message_scan *scan)
{
    scan->facts->has_more = true;
    return scan_name(fill, scan);
}

static const struct scan_member block_members[] = {
    SCAN_MEMBER("type", scan_kind),         SCAN_MEMBER("text", scan_text),
    SCAN_MEMBER("thinking", scan_thinking), SCAN_MEMBER("signature", scan_signature),
    SCAN_MEMBER("input", scan_input),       SCAN_MEMBER("partial_json", scan_input),
    SCAN_MEMBER("name", scan_called),       SCAN_MEMBER("id", scan_id),
    SCAN_MEMBER("tool_use_id", scan_id),    SCAN_MEMBER("data", scan_more),
    SCAN_MEMBER("content", scan_more),      SCAN_MEMBER("citation", scan_more),
};

/* A block, whole or as it begins. */
static int scan_block(struct event_fill *fill, const struct message_scan *scan)
{
    struct message_scan block = scan_inside(scan);
    walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    size_t first = fill->event.pieces_len;
    int rv = scan_object(fill, block_members, SCAN_COUNT(block_members), &block);
    settle_thought(fill, &block, first);
    if (rv != 0 || block.signature.len == 0)
        return rv;
    struct event_part *part = event_add_part(fill, &rv);
    if (part == NULL)
        return rv;
    part->is_signed = true;
    part->object = (struct range){at, walk_offset(&fill->walk) - at};
    part->spelled[0] = block.signature;
    return 0;
}

static int scan_first_block(struct event_fill *fill, struct message_scan *scan)
{
    return scan_block(fill, scan);
}

/* The content of a message: blocks. */
static int scan_content(struct event_fill *fill, struct message_scan *scan)
{
    struct message_scan inside = scan_inside(scan);
    int rv;
    if (walk_peek(&fill->walk) != '[')
        return scan_text(fill, scan);
    for (inside.block = 0; (rv = walk_next(&fill->walk, &inside.list, '[')) > 0; inside.block++) {
        rv = inside.block < MESSAGES_BLOCKS_MAX ? scan_block(fill, &inside) : REIN_EFORMAT;
        if (rv != 0)
            return rv;
    }
    return rv;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static int scan_role(struct event_fill *fill, struct message_scan *scan)
{
    static const struct span words[] = {SCAN_WORD("assistant")};
    struct range inside;
    return scan_word(fill, scan, words, SCAN_COUNT(words), &inside);
}

static int scan_stop_reason(struct event_fill *fill, struct message_scan *scan)
{
    static const struct span words[] = {SCAN_WORD("end_turn"),
                                        SCAN_WORD("max_tokens"),
                                        SCAN_WORD("stop_sequence"),
                                        SCAN_WORD("tool_use"),
                                        SCAN_WORD("pause_turn"),
                                        SCAN_WORD("refusal"),
                                        SCAN_WORD("model_context_window_exceeded")};
    struct range inside;
    int rv = scan_word(fill, scan, words, SCAN_COUNT(words), &inside);
    if (rv != 0 || inside.at == 0)
        return rv;
    struct event_part *end = event_add_part(fill, &rv);
    if (end == NULL)
        return rv;
    end->has_end = true;
    end->ends = (struct range){inside.at - 1, inside.len + 2};
    return 0;
}

/* What a cache kept of the prompt is read as well. */
static void add_count(int64_t *sum, int64_t count)
{
    if (count >= 0)
        *sum = (*sum > 0 ? *sum : 0) + count;
}

static int scan_input_tokens(struct event_fill *fill, struct message_scan *scan)
{
    int64_t count = -1;
    int rv = scan_count(fill, scan, &count);
    add_count(&fill->event.prompt_tokens, count);
    return rv;
}

static int scan_output_tokens(struct event_fill *fill, struct message_scan *scan)
{
    return scan_count(fill, scan, &fill->event.completion_tokens);
}

static const struct scan_member usage_members[] = {
    SCAN_MEMBER("input_tokens", scan_input_tokens),
    SCAN_MEMBER("cache_creation_input_tokens", scan_input_tokens),
    SCAN_MEMBER("cache_read_input_tokens", scan_input_tokens),
    SCAN_MEMBER("output_tokens", scan_output_tokens),
};

static int scan_usage(struct event_fill *fill, struct message_scan *scan)
{
    struct message_scan usage = scan_inside(scan);
    usage.numeric = true;
    fill->event.is_unique = true; /* the state keeps the counts */
    return scan_object(fill, usage_members, SCAN_COUNT(usage_members), &usage);
}

static int scan_message_id(struct event_fill *fill, struct message_scan *scan)
{
    uint32_t at = walk_peek(&fill->walk) == '"' ? walk_offset(&fill->walk) : UINT32_MAX;
    int rv = scan_numeric(fill, scan);
    if (rv == 0 && at != UINT32_MAX)
        fill->event.id = (struct range){at, walk_offset(&fill->walk) - at};
    return rv;
}

static int scan_error(struct event_fill *fill, struct message_scan *scan)
{
    fill->event.has_error |= walk_peek(&fill->walk) != 'n';
    return scan_any(fill, scan);
}

/* A message, which is also a whole body; that may be an error instead. */
static const struct scan_member message_members[] = {
    SCAN_MEMBER("id", scan_message_id),     SCAN_MEMBER("type", scan_kind),
    SCAN_MEMBER("role", scan_role),         SCAN_MEMBER("content", scan_content),
    SCAN_MEMBER("model", scan_any),         SCAN_MEMBER("stop_reason", scan_stop_reason),
    SCAN_MEMBER("stop_sequence", scan_any), SCAN_MEMBER("usage", scan_usage),
    SCAN_MEMBER("error", scan_error),
};

static int scan_message(struct event_fill *fill, struct message_scan *scan)
{
    struct message_scan message = scan_inside(scan);
    return scan_object(fill, message_members, SCAN_COUNT(message_members), &message);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static int scan_event_type(struct event_fill *fill, struct message_scan *scan)
{
    static const struct span words[] = {SCAN_WORD("content_block_delta"),
                                        SCAN_WORD("content_block_start"),
                                        SCAN_WORD("content_block_stop"),
                                        SCAN_WORD("message_start"),
                                        SCAN_WORD("message_delta"),
                                        SCAN_WORD("message_stop"),
                                        SCAN_WORD("ping"),
                                        SCAN_WORD("error")};
    return scan_word(fill, scan, words, SCAN_COUNT(words), &scan->facts->type);
}

static int scan_index(struct event_fill *fill, struct message_scan *scan)
{
    struct message_facts *facts = scan->facts;
    walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    int rv = walk_number(&fill->walk, &facts->block);
    if (rv != 0 || facts->block < 0 || facts->block >= MESSAGES_BLOCKS_MAX)
        return REIN_EFORMAT;
    facts->index = (struct range){at, walk_offset(&fill->walk) - at};
    return 0;
}

static const struct scan_member delta_members[] = {
    SCAN_MEMBER("type", scan_kind),
    SCAN_MEMBER("text", scan_text),
    SCAN_MEMBER("thinking", scan_thinking),
    SCAN_MEMBER("signature", scan_signature),
    SCAN_MEMBER("partial_json", scan_input),
    SCAN_MEMBER("citation", scan_more),
    SCAN_MEMBER("stop_reason", scan_stop_reason),
    SCAN_MEMBER("stop_sequence", scan_any),
    SCAN_MEMBER("content", scan_text),
};

static int scan_delta(struct event_fill *fill, struct message_scan *scan)
{
    struct message_scan delta = scan_inside(scan);
    size_t first = fill->event.pieces_len;
    int rv = scan_object(fill, delta_members, SCAN_COUNT(delta_members), &delta);
    settle_thought(fill, &delta, first);
    return rv;
}

static const struct scan_member event_members[] = {
    SCAN_MEMBER("type", scan_event_type), SCAN_MEMBER("index", scan_index),
    SCAN_MEMBER("delta", scan_delta),     SCAN_MEMBER("content_block", scan_first_block),
    SCAN_MEMBER("message", scan_message), SCAN_MEMBER("usage", scan_usage),
    SCAN_MEMBER("error", scan_error),     SCAN_MEMBER("completion", scan_text), /* of the API before this one */
};

static bool is_event(const struct event_fill *fill, const struct message_facts *facts, const char *type)
{
    char room[EVENT_KEY_MAX];
    struct span word = {type, strlen(type)};
    return span_is(event_key(fill, facts->type, room), word);
}

static enum messages_kind kind_of(const struct event_fill *fill, const struct message_facts *facts)
{
    if (is_event(fill, facts, "content_block_delta"))
        return facts->has_signature ? MESSAGES_SIGNATURE : MESSAGES_DELTA;
    if (is_event(fill, facts, "content_block_start"))
        return MESSAGES_BLOCK_START;
    if (is_event(fill, facts, "content_block_stop"))
        return MESSAGES_BLOCK_STOP;
    if (is_event(fill, facts, "message_start"))
        return MESSAGES_START;
    bool ends = is_event(fill, facts, "message_delta") || is_event(fill, facts, "message_stop");
    return ends || fill->event.has_error ? MESSAGES_END : MESSAGES_ANY;
}

/* The last event ends the answer too: one without a stop_reason before it is not an answer that broke off. */
static int note_last(struct event_fill *fill)
{
    int rv;
    fill->event.is_last = fill->event.carries = true;
    struct event_part *end = event_add_part(fill, &rv);
    if (end == NULL)
        return rv;
    end->has_end = true;
    return 0;
}

static int settle_event(struct event_fill *fill, const struct message_facts *facts)
{
    struct event *event = &fill->event;
    struct event_note *note = &event->note;
    note->kind = (uint8_t)kind_of(fill, facts);
    bool is_of_block = note->kind >= MESSAGES_BLOCK_START && note->kind <= MESSAGES_BLOCK_STOP;
    if (is_of_block && facts->block < 0)
        return REIN_EFORMAT; /* it could not be told apart from others */
    note->outer = (uint16_t)(facts->block > 0 ? facts->block : 0);
    note->part = facts->has_more;
    note->at[MESSAGES_AT_INDEX] = facts->index;
    for (size_t i = 0; i < event->pieces_len && facts->block > 0; i++) {
        struct place *place = &event->pieces[i].place;
        uint32_t field = place->text & ((1u << MESSAGES_BLOCK_BIT) - 1);
        if (field == MESSAGES_INPUT || field == MESSAGES_NAME)
            place->text = field | (uint32_t)facts->block << MESSAGES_BLOCK_BIT;
    }
    event->carries |= note->kind == MESSAGES_START || note->kind == MESSAGES_BLOCK_START;
    event->has_error |= is_event(fill, facts, "error");
    return is_event(fill, facts, "message_stop") ? note_last(fill) : 0;
}

/* The counts that the last event with usage has are those of the response. */
static void note_counts(struct event_fill *fill)
{
    struct messages_state *s = fill->state;
    if (s == NULL)
        return;
    if (fill->event.prompt_tokens >= 0)
        s->input_tokens = fill->event.prompt_tokens;
    if (fill->event.completion_tokens >= 0)
        s->output_tokens = fill->event.completion_tokens;
}

int messages_read(struct event_fill *fill)
{
    struct message_facts facts = {.block = -1};
    struct message_scan scan = {.facts = &facts};
    int rv = fill->body ? scan_object(fill, message_members, SCAN_COUNT(message_members), &scan)
                        : scan_object(fill, event_members, SCAN_COUNT(event_members), &scan);
    if (rv == 0 && !fill->body)
        rv = settle_event(fill, &facts);
    if (rv == 0)
        note_counts(fill);
    return rv == 0 && fill->body ? event_sort(fill, 0) : rv;
}
