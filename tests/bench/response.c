/* See response.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void response_start(struct response *r)
{
    r->phase = RESPONSE_HEAD;
    r->status = 0;
    r->chunked = r->has_length = false;
    r->left = 0;
    r->http.len = r->body.len = 0;
}

void response_fini(struct response *r)
{
    free(r->http.text);
    free(r->body.text);
    r->http.text = r->body.text = NULL;
}

static bool keep(struct line *line, const char *data, size_t len)
{
    if (line->text == NULL && (line->text = malloc(LINE_MAX_LEN)) == NULL)
        return false;
    if (len > LINE_MAX_LEN - line->len)
        return false;
    memcpy(line->text + line->len, data, len);
    line->len += len;
    return true;
}

/* Takes bytes up to a line's end. `taken` says how many; true if the line is whole, in *text and *len. */
static bool next_line(struct response *r, struct line *line, const char *data, size_t data_len, size_t *taken,
                      const char **text, size_t *len)
{
    const char *end = memchr(data, '\n', data_len);
    *taken = end != NULL ? (size_t)(end - data) + 1 : data_len;
    if (end != NULL && line->len == 0) {
        *text = data;
        *len = (size_t)(end - data);
    } else {
        if (!keep(line, data, end != NULL ? (size_t)(end - data) : data_len)) {
            r->phase = RESPONSE_BAD;
            return false;
        }
        if (end == NULL)
            return false;
        *text = line->text;
        *len = line->len;
        line->len = 0;
    }
    if (*len > 0 && (*text)[*len - 1] == '\r')
        (*len)--;
    return true;
}

static void on_head_line(struct response *r, const char *line, size_t len)
{
    if (r->status == 0) {
        bool fits = len >= 12 && memcmp(line, "HTTP/1.1 ", 9) == 0;
        r->status = fits ? (unsigned)strtoul(line + 9, NULL, 10) : 0;
        if (r->status == 0)
            r->phase = RESPONSE_BAD;
    } else if (len == 0) {
        if (r->chunked)
            r->phase = RESPONSE_CHUNK_SIZE;
        else if (r->has_length)
            r->phase = r->left > 0 ? RESPONSE_FIXED : RESPONSE_DONE;
        else
            r->phase = RESPONSE_BAD;
    } else if (len > 15 && strncasecmp(line, "content-length:", 15) == 0) {
        r->has_length = true;
        r->left = strtoull(line + 15, NULL, 10);
    } else if (len > 18 && strncasecmp(line, "transfer-encoding:", 18) == 0) {
        r->chunked = true;
    }
}

static void on_http_line(struct response *r, const char *line, size_t len)
{
    switch (r->phase) {
    case RESPONSE_HEAD:
        on_head_line(r, line, len);
        break;
    case RESPONSE_CHUNK_SIZE: {
        char *end;
        r->left = strtoull(line, &end, 16);
        r->phase = r->left > 0 ? RESPONSE_CHUNK : RESPONSE_TRAILER;
        if (end == line)
            r->phase = RESPONSE_BAD;
        break;
    }
    case RESPONSE_CHUNK_END:
        r->phase = len == 0 ? RESPONSE_CHUNK_SIZE : RESPONSE_BAD;
        break;
    default: /* the trailer */
        r->phase = len == 0 ? RESPONSE_DONE : RESPONSE_TRAILER;
    }
}

static size_t feed_body(struct response *r, const char *data, size_t len)
{
    size_t part = len < r->left ? len : (size_t)r->left;
    if (r->phase == RESPONSE_FIXED || r->on_line == NULL)
        r->on_part(r->ctx, data, part);
    for (size_t at = 0, taken; r->phase == RESPONSE_CHUNK && r->on_line != NULL && at < part; at += taken) {
        const char *line;
        size_t line_len;
        if (next_line(r, &r->body, data + at, part - at, &taken, &line, &line_len) && line_len > 0)
            r->on_line(r->ctx, line, line_len);
    }
    r->left -= part;
    if (r->left == 0 && r->phase != RESPONSE_BAD)
        r->phase = r->phase == RESPONSE_CHUNK ? RESPONSE_CHUNK_END : RESPONSE_DONE;
    return part;
}

size_t response_feed(struct response *r, const char *data, size_t len)
{
    size_t at = 0;
    while (at < len && r->phase < RESPONSE_DONE) {
        if (r->phase >= RESPONSE_CHUNK) {
            at += feed_body(r, data + at, len - at);
            continue;
        }
        const char *line;
        size_t line_len, taken;
        bool whole = next_line(r, &r->http, data + at, len - at, &taken, &line, &line_len);
        at += taken;
        if (whole)
            on_http_line(r, line, line_len);
    }
    return at;
}
