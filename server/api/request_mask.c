/* Masking a request: what rules redact of its texts does not go to the upstream (request.h).
 * SPDX-License-Identifier: Apache-2.0
 *
 * The masks of each string are joined and put into the client's own bytes, escaped as JSON; a number that is masked
 * becomes a string. Then the document is read again, so that nothing else of the request can hold what was masked. */
#include "api/request_mask.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/request_check.h"
#include "base/bounded.h"

/* Masks that overlap, in one string; or one of a number. */
struct mask_span {
    const struct rein_json_node *node;
    size_t start, end; /* in its decoded text */
    const char *text;  /* the trace's */
};

static int by_node_and_place(const void *left, const void *right)
{
    const struct mask_span *a = left, *b = right;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return a->end > b->end ? -1 : a->end < b->end;
}

/* The same text is judged in several ways (see request_judge_parts), and is found more than once. */
static size_t join_spans(struct mask_span *spans, size_t len)
{
    size_t to = 0;
    qsort(spans, len, sizeof *spans, by_node_and_place);
    for (size_t i = 1; i < len; i++) {
        struct mask_span *last = &spans[to];
        bool is_string = last->node->kind == REIN_JSON_STRING;
        if (spans[i].node != last->node || (is_string && spans[i].start >= last->end)) {
            spans[++to] = spans[i];
            continue;
        }
        last->end = spans[i].end > last->end ? spans[i].end : last->end;
        last->text = *last->text != '\0' ? last->text : spans[i].text;
    }
    return to + 1;
}

static int reject_mask(struct request_error *err, const struct mask_place *place)
{
    return request_reject(
        err, "field_not_accepted", place->name,
        "'%s' has something that the policy masks, and that cannot be changed there, because %s. Leave "
        "it out, or say it in the text of a message.",
        place->name, place->why);
}

static int check_places(const struct request *request, const struct rein_mask *masks, size_t len,
                        struct request_error *err)
{
    const struct rein_json_node *last = NULL;
    struct mask_cursors cursors = {0};
    for (size_t i = 0; i < len; i++) {
        struct mask_place place;
        const struct rein_json_node *node = masks[i].tag;
        assert(node != NULL);
        if (node == last)
            continue;
        last = node;
        mask_place_of(request, node, &cursors, &place);
        if (!place.may_mask)
            return reject_mask(err, &place);
    }
    return 0;
}

/* ---- places in the client's bytes ---- */

/* How many bytes a character or escape of a JSON string takes, and how many of the decoded text it is. */
static size_t raw_unit(const char *raw, size_t *decoded)
{
    *decoded = 1;
    if (raw[0] != '\\')
        return 1;
    if (raw[1] != 'u')
        return 2;
    char digits[5] = {raw[2], raw[3], raw[4], raw[5], '\0'};
    unsigned long unit = strtoul(digits, NULL, 16);
    bool is_pair = unit >= 0xD800 && unit < 0xDC00; /* halves alone were refused */
    *decoded = is_pair ? 4 : unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    return is_pair ? 12 : 6;
}

/* Walks through one string. */
struct raw_walk {
    const struct rein_json_node *node;
    const char *raw;
    size_t decoded;
};

/* Where the string's decoded text has this offset. A span that begins or ends inside an escape takes all of it. */
static const char *raw_at(struct raw_walk *walk, size_t offset, bool at_end)
{
    while (walk->decoded < offset) {
        size_t decoded, raw = raw_unit(walk->raw, &decoded);
        if (!at_end && walk->decoded + decoded > offset)
            break;
        walk->raw += raw;
        walk->decoded += decoded;
    }
    return walk->raw;
}

static struct rein_json_place place_of(const struct request *request, const struct mask_span *span,
                                       struct raw_walk *walk)
{
    struct rein_json_place whole = rein_json_source(request->json, span->node);
    if (span->node->kind != REIN_JSON_STRING)
        return whole;
    if (walk->node != span->node)
        *walk = (struct raw_walk){span->node, request->sent.text + whole.at, 0};
    const char *from = raw_at(walk, span->start, false), *to = raw_at(walk, span->end, true);
    return (struct rein_json_place){(uint32_t)(from - request->sent.text), (uint32_t)(to - from)};
}

/* As JSON; of a string only the inside. Appended at `at`, with room for all. */
static size_t write_edit(const struct mask_span *span, char *at, size_t room)
{
    struct bounded out = {at, room, 0};
    bounded_put_json(&out, span->text);
    size_t len = bounded_end(&out);
    if (span->node->kind != REIN_JSON_STRING)
        return len;
    memmove(at, at + 1, len - 2);
    return len - 2;
}

/* ---- the whole ---- */

/* Everything that is borrowed from the text before is gone. */
static int take_masked(struct request *request, char *text, size_t len)
{
    struct rein_json *json;
    struct rein_json_problem problem;
    int rv = rein_json_read(&json, text, len, REIN_JSON_DEPTH_MAX, &problem);
    if (rv < 0) {
        assert(rv != REIN_EFORMAT);
        free(text);
        return rv;
    }
    request_shed(request);
    request->json = json;
    request->cuts_len = 0;
    request->masked = text;
    request->sent = (struct rein_source){request->sent.name, text, len};
    return 0;
}

static int write_masks(struct request *request, const struct mask_span *spans, size_t len, struct request_edit *edits,
                       char *room, size_t room_len)
{
    struct raw_walk walk = {0};
    size_t used = 0, text_len;
    for (size_t i = 0; i < len; i++) {
        edits[i] = (struct request_edit){place_of(request, &spans[i], &walk), room + used, 0};
        edits[i].text_len = write_edit(&spans[i], room + used, room_len - used);
        used += edits[i].text_len;
    }
    char *text = request_text_with(request, edits, len, &text_len);
    return text != NULL ? take_masked(request, text, text_len) : REIN_ENOMEM;
}

static int apply_masks(struct request *request, const struct rein_mask *masks, size_t len)
{
    size_t room_len = 1;
    struct mask_span *spans = malloc(len * sizeof *spans);
    struct request_edit *edits = malloc(len * sizeof *edits);
    for (size_t i = 0; i < len && spans != NULL; i++) {
        spans[i] = (struct mask_span){masks[i].tag, (size_t)masks[i].offset, (size_t)(masks[i].offset + masks[i].len),
                                      masks[i].text};
        room_len += 6 * masks[i].text_len + 2;
    }
    char *room = malloc(room_len);
    int rv = REIN_ENOMEM;
    if (spans != NULL && edits != NULL && room != NULL)
        rv = write_masks(request, spans, join_spans(spans, len), edits, room, room_len);
    free(room);
    free(edits);
    free(spans);
    return rv;
}

int request_mask(struct request *request, const struct rein_trace *trace, struct request_error *err)
{
    size_t len;
    const struct rein_mask *masks = rein_trace_masks(trace, &len);
    assert(request->json != NULL && request->masked == NULL);
    if (len == 0)
        return 0;
    int rv = check_places(request, masks, len, err);
    return rv == 0 ? apply_masks(request, masks, len) : rv;
}
