/* Members that spell text out: lists of tokens and of their ids repeat a text in another form. They may go out with
 * that text, and with no other: they come before it, or for a text that is hidden. SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "trace/trace_state.h"

/* The length of what a token has in place of part of a character, 0 if nothing: U+FFFD or "\\xf0".
 */
static size_t partial_len(struct span token, size_t at)
{
    struct span rest = {token.data + at, token.len - at};
    if (rest.len >= 3 && memcmp(rest.data, "\xEF\xBF\xBD", 3) == 0)
        return 3;
    return rest.len >= 4 && rest.data[0] == '\\' && rest.data[1] == 'x' ? 4 : 0;
}

static size_t skip_wide(struct span text, size_t at)
{
    while (at < text.len && (unsigned char)text.data[at] >= 0x80)
        at++;
    return at;
}

static struct span trim(struct span s)
{
    while (s.len > 0 && memchr(" \t\r\n", s.data[0], 4) != NULL) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && memchr(" \t\r\n", s.data[s.len - 1], 4) != NULL)
        s.len--;
    return s;
}

/* Do the tokens spell the text, or a part of it? White space around it does not count, because upstreams strip it. A
 * token that is part of a character is only known to be not ASCII. */
static bool is_spelled(struct span text, struct span tokens)
{
    size_t i = 0, k = 0;
    text = trim(text);
    tokens = trim(tokens);
    if (tokens.len <= text.len && memmem(text.data, text.len, tokens.data, tokens.len) != NULL)
        return true;
    while (k < tokens.len) {
        size_t partial = partial_len(tokens, k);
        if (i < text.len && text.data[i] == tokens.data[k]) {
            i++;
            k++;
        } else if (partial > 0 && i < text.len && (unsigned char)text.data[i] >= 0x80) {
            i = skip_wide(text, i);
            for (; (partial = partial_len(tokens, k)) > 0; k = skip_wide(tokens, k + partial)) {
            }
        } else {
            return false;
        }
    }
    return true;
}

/* Decodes one kind of a choice's pieces to `out`, one after the other: the tokens, or the texts. Returns whether one of
 * them alone is `wanted`. */
static size_t decode_pieces(const struct event *event, uint16_t choice, bool tokens, struct span payload, char *out,
                            struct span wanted, bool *is_one)
{
    size_t len = 0;
    for (size_t i = 0; i < event->pieces_len; i++) {
        const struct piece *p = &event->pieces[i];
        bool is_token = p->place.is_spelled && !p->place.is_key;
        uint16_t half = 0;
        if (p->place.choice != choice ||
            (tokens ? !is_token : p->place.kind == PIECE_WHOLE || p->place.channel == REIN_OTHER))
            continue;
        struct span one = {out + len, json_unescape((struct span){payload.data + p->at, p->len}, &half, out + len)};
        *is_one |= is_spelled(one, wanted);
        len += one.len;
    }
    return len;
}

/* Is there any string or number in the members that spell the choice's text out? */
static bool says_something(const struct event *event, const struct event_part *c)
{
    for (size_t i = 0; i < event->pieces_len; i++)
        for (size_t k = 0; k < EVENT_SPELLED_MAX; k++)
            if (event->pieces[i].at > c->spelled[k].at && event->pieces[i].at < c->spelled[k].at + c->spelled[k].len &&
                !event->pieces[i].place.is_key)
                return true;
    return false;
}

/* What tokens spell must be text that is released with them: of this event, of one field or of all its fields.
 * Otherwise they may spell hidden text, or text that is not judged yet. Ids cannot be read. There can be no more of
 * them than bytes, and those without any text wait for the text that comes next: of a character's parts, only the last
 * one comes with it. */
static int mark_choice(struct rein_trace *t, const struct event *event, const struct event_part *c, struct span payload,
                       struct gate_part *part)
{
    bytes_clear(&t->scratch);
    int rv = bytes_reserve(&t->scratch, payload.len + 8);
    if (rv != 0)
        return rv;
    char *room = t->scratch.data;
    bool is_one = false;
    struct span tokens = {room, decode_pieces(event, c->choice, true, payload, room, SPAN(""), &is_one)};
    is_one = false;
    struct span texts = {room + tokens.len, 0};
    texts.len = decode_pieces(event, c->choice, false, payload, room + tokens.len, tokens, &is_one);
    if (texts.len > 0)
        part->spells_more = c->ids_len > texts.len || (tokens.len > 0 && !is_one && !is_spelled(texts, tokens));
    else if (says_something(event, c) || (c->ids_len > 0 && (part->is_late || !t->policy->settings.reasoning.show)))
        part->spells_more = true;
    else if (c->ids_len > 0 && !c->has_end)
        gate_await(&t->gate, part);
    return 0;
}

int trace_mark_spelled(struct rein_trace *t, const struct event *event, struct span payload)
{
    int rv = 0;
    for (size_t i = 0; i < event->parts_len && rv == 0; i++)
        if (event->parts[i].spelled[0].len > 0)
            rv = mark_choice(t, event, &event->parts[i], payload, &gate_last_parts(&t->gate)[i]);
    return rv;
}
