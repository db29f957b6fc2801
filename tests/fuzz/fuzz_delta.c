/* Fuzzes reading: lines are events of one stream. What is valid is what a JSON library calls valid, a stream's reader
 * says what a new one says, and every piece is a string that decodes to what the library decodes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "describe.h"
#include "dialect/dialect.h"
#include "dialect/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct event_reader *new_reader(void)
{
    struct event_reader *r = NULL;
    if (event_reader_new(&r, dialect_find(REIN_OPENAI_CHAT), NULL) != 0)
        abort();
    return r;
}

/* A number's whole text is a piece; it has no quotes. */
static void check_number(struct span payload, const struct piece *piece)
{
    if (piece->at + (size_t)piece->len > payload.len)
        abort();
    json_t *number = json_loadb(payload.data + piece->at, piece->len, JSON_DECODE_ANY, NULL);
    if (number != NULL && !json_is_number(number))
        abort();
    json_decref(number);
}

static void check_piece(struct span payload, const struct piece *piece)
{
    if (piece->place.is_number) {
        check_number(payload, piece);
        return;
    }
    if (piece->at == 0 || piece->at + (size_t)piece->len >= payload.len || payload.data[piece->at - 1] != '"' ||
        payload.data[piece->at + piece->len] != '"')
        abort();
    char *out = malloc(piece->len + 4u);
    if (out == NULL)
        abort();
    uint16_t half = 0;
    size_t len = json_unescape((struct span){payload.data + piece->at, piece->len}, &half, out);
    if (len > piece->len + 3u)
        abort();
    json_t *string = json_loadb(payload.data + piece->at - 1, piece->len + 2u, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (string != NULL && (json_string_length(string) != len || memcmp(json_string_value(string), out, len) != 0))
        abort();
    json_decref(string);
    free(out);
}

static bool in_payload(struct span payload, struct range range)
{
    return range.at <= payload.len && range.len <= payload.len - range.at;
}

static void check_delta(struct span payload, const struct event *d)
{
    for (size_t i = 0; i < d->pieces_len; i++)
        check_piece(payload, &d->pieces[i]);
    bool all_in = in_payload(payload, d->id) && in_payload(payload, d->error) && in_payload(payload, d->usage);
    for (size_t i = 0; i < d->parts_len; i++)
        all_in = all_in && in_payload(payload, d->parts[i].ends) && in_payload(payload, d->parts[i].begins) &&
                 in_payload(payload, d->parts[i].spelled[0]) && in_payload(payload, d->parts[i].spelled[1]) &&
                 in_payload(payload, d->parts[i].spelled[2]) && in_payload(payload, d->parts[i].spelled[3]);
    if (!all_in)
        abort();
}

static size_t count(struct span text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.data[i] == c;
    return n;
}

/* Is a refusal of the library one of those in which it is stricter: UTF-8, surrogates, the size of numbers? */
static bool is_stricter(struct span json, const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_invalid_utf8 || code == json_error_numeric_overflow ||
           code == json_error_null_byte_in_key || memmem(json.data, json.len, "\\u", 2) != NULL;
}

/* Inside of an unknown member the reader takes what the library takes. */
static void check_grammar(struct span value)
{
    /* Outside of strings the library takes a NUL for nothing at all in places. */
    if (count(value, '\0') > 0 || count(value, '[') + count(value, '{') > EVENT_DEPTH_MAX - 2)
        return;
    struct bytes json;
    bytes_init(&json, value.len + 16);
    if (bytes_append(&json, "{\"data\":", 8) != 0 || bytes_append_span(&json, value) != 0 ||
        bytes_append(&json, "}", 1) != 0)
        abort();
    struct span payload = bytes_span(&json);
    struct event_reader *reader = new_reader();
    const struct event *d = NULL;
    json_error_t error;
    int rv = event_read(reader, payload, true, &d);
    json_t *tree = json_loadb(payload.data, payload.len, JSON_ALLOW_NUL, &error);
    bool has_top_level_more = value.len > 0 && tree != NULL && json_object_size(tree) > 1;
    if (tree != NULL && rv != 0 && !has_top_level_more)
        abort();
    if (tree == NULL && rv == 0 && !is_stricter(payload, &error))
        abort();
    json_decref(tree);
    event_reader_free(reader);
    bytes_fini(&json);
}

static void check_event(struct event_reader *stream, struct span payload)
{
    static struct description with, without;
    const struct event *d = NULL;
    struct event_reader *fresh = new_reader();
    int rv = event_read(stream, payload, false, &d);
    if (rv == 0) {
        check_delta(payload, d);
        describe(&with, payload, d);
    }
    if (event_read(fresh, payload, false, &d) != rv)
        abort();
    if (rv == 0) {
        describe(&without, payload, d);
        if (strcmp(with.text, without.text) != 0)
            abort();
    }
    event_reader_free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct event_reader *stream = new_reader();
    const char *at = (const char *)data, *end = at + len;
    for (int events = 0; at < end && events < 16; events++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end != NULL ? line_end : end;
        check_event(stream, (struct span){at, (size_t)(line_end - at)});
        check_grammar((struct span){at, (size_t)(line_end - at)});
        at = line_end < end ? line_end + 1 : end;
    }
    const struct event *d = NULL;
    struct span body = {(const char *)data, len};
    if (event_read(stream, body, true, &d) == 0)
        check_delta(body, d);
    event_reader_free(stream);
    return 0;
}
