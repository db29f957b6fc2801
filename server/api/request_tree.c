/* The tree of a request, from which bodies for upstreams are built (request.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/request_check.h"

static int by_place(const void *left, const void *right)
{
    const struct rein_json_place *a = left, *b = right;
    return a->at < b->at ? -1 : a->at > b->at;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A member is gone: so is the comma behind it, or if none follows the one before it. Returns where the text continues.
 */
static const char *drop_comma(const char *at, const char *end, const char *out, size_t *out_len)
{
    while (at < end && is_blank(*at))
        at++;
    if (at < end && *at == ',')
        return at + 1;
    size_t len = *out_len;
    while (len > 0 && is_blank(out[len - 1]))
        len--;
    if (len > 0 && out[len - 1] == ',')
        *out_len = len - 1;
    return at;
}

/* The text that is written. */
struct text_pen {
    const char *at, *end; /* of the client's text */
    char *out;
    size_t len;
};

static void pen_copy(struct text_pen *pen, const char *to)
{
    memcpy(pen->out + pen->len, pen->at, (size_t)(to - pen->at));
    pen->len += (size_t)(to - pen->at);
    pen->at = to;
}

/* The edits that come before `to`; those in what is gone already are gone, too. */
static const struct request_edit *pen_edit(struct text_pen *pen, const char *from, const struct request_edit *edit,
                                           const struct request_edit *end, const char *to)
{
    for (; edit < end && from + edit->place.at < to; edit++) {
        if (from + edit->place.at < pen->at)
            continue;
        pen_copy(pen, from + edit->place.at);
        memcpy(pen->out + pen->len, edit->text, edit->text_len);
        pen->len += edit->text_len;
        pen->at += edit->place.len;
    }
    return edit;
}

char *request_text_with(const struct request *request, const struct request_edit *edits, size_t edits_len, size_t *len)
{
    const char *from = request->sent.text;
    const struct request_edit *edit = edits, *last = edits != NULL ? edits + edits_len : NULL;
    size_t more = 0;
    for (size_t i = 0; i < edits_len; i++)
        more += edits[i].text_len;
    struct text_pen pen = {from, from + request->sent.len, malloc(request->sent.len + more + 1), 0};
    if (pen.out == NULL)
        return NULL;
    if (request->cuts_len > 0)
        qsort(request->cuts, request->cuts_len, sizeof *request->cuts, by_place);
    for (size_t i = 0; i < request->cuts_len; i++) {
        const char *cut = from + request->cuts[i].at;
        if (cut < pen.at) /* it is in one that is gone already */
            continue;
        edit = pen_edit(&pen, from, edit, last, cut);
        pen_copy(&pen, cut);
        pen.at = drop_comma(cut + request->cuts[i].len, pen.end, pen.out, &pen.len);
    }
    pen_edit(&pen, from, edit, last, pen.end);
    pen_copy(&pen, pen.end);
    pen.out[pen.len] = '\0';
    *len = pen.len;
    return pen.out;
}

char *request_text(const struct request *request, size_t *len)
{
    return request_text_with(request, NULL, 0, len);
}

static int load(json_t **out, const char *text, size_t len)
{
    json_error_t where;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (*out != NULL)
        return 0;
    return json_error_code(&where) == json_error_out_of_memory ? REIN_ENOMEM : REIN_EFORMAT;
}

int request_load(struct request *request)
{
    if (request->body != NULL)
        return 0;
    if (request->cuts_len == 0)
        return load(&request->body, request->sent.text, request->sent.len);
    size_t len;
    char *text = request_text(request, &len);
    int rv = text != NULL ? load(&request->body, text, len) : REIN_ENOMEM;
    free(text);
    return rv;
}
