/* Applies the tables of fields to a request (request_fields.h).
 * SPDX-License-Identifier: Apache-2.0
 *
 * The walk goes as deep as the tables do: into `messages`, into the parts of a message, into options. A path names a
 * place as policies write it, without numbers (`messages[].images`); errors have the numbers, and the names of what was
 * dropped have no brackets. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/request_check.h"

enum { PATH_MAX_LEN = 160, LISTS_MAX = 4 };

struct field_walk {
    struct request *request;
    struct request_error *err;
    char path[PATH_MAX_LEN]; /* of the object that is walked, ready for a key: "messages[].content[]."; of names that
                                tables have, so it fits */
    size_t path_len;
    size_t at[LISTS_MAX]; /* the numbers of the elements in it */
    unsigned lists;
};

/* The tables of one place: the kind's rows come first. */
struct tables {
    const struct field_table *kind, *common;
};

static bool walk_is_sound(const struct field_walk *w)
{
    return w->path_len < PATH_MAX_LEN && w->path[w->path_len] == '\0' && w->lists <= LISTS_MAX;
}

static enum rein_unknown unknown_rule(const struct request *request)
{
    return request->checks.rules != NULL ? request->checks.rules->unknown : REIN_UNKNOWN_REFUSE;
}

/* ---- names ---- */

/* "messages[2].name", for errors. */
static void spell_param(const struct field_walk *w, const struct rein_json_node *key, char *out, size_t cap)
{
    size_t len = 0;
    unsigned list = 0;
    for (const char *at = w->path; *at != '\0' && len < cap; at++) {
        bool is_list = at[0] == '[' && at[1] == ']';
        len += (size_t)(is_list ? snprintf(out + len, cap - len, "[%zu]", w->at[list++])
                                : snprintf(out + len, cap - len, "%c", *at));
        at += is_list;
    }
    if (len < cap)
        len += (size_t)snprintf(out + len, cap - len, "%s", request_key_name(key).text);
    request_end_text(out, cap, (int)len);
}

static int reject_key(const struct field_walk *w, const struct rein_json_node *key, const struct field *row)
{
    char param[sizeof w->err->param];
    spell_param(w, key, param, sizeof param);
    return request_reject_field(w->err, param, row);
}

/* "messages.images"; false: it is too long, or has a character that no header should carry. */
static bool spell_name(const struct field_walk *w, const struct rein_json_node *key, char out[REQUEST_NAME_MAX + 1])
{
    size_t len = 0;
    for (const char *at = w->path; *at != '\0'; at++)
        if (*at != '[' && *at != ']' && len < REQUEST_NAME_MAX)
            out[len++] = *at;
    if (key->len == 0 || key->len > REQUEST_NAME_MAX - len)
        return false;
    memcpy(out + len, key->text, key->len);
    out[len + key->len] = '\0';
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    return strspn(out, fit) == len + key->len;
}

static bool is_noted(const struct request_dropped *dropped, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = dropped->text, *end = at + dropped->len; at < end;) {
        size_t more = strcspn(at, ",");
        if (more == len && memcmp(at, name, len) == 0)
            return true;
        at += more + strspn(at + more, ", ");
    }
    return false;
}

/* The same name at several places (of several messages) is one name. */
static int note_dropped(struct field_walk *w, const struct rein_json_node *key)
{
    struct request *r = w->request;
    char name[REQUEST_NAME_MAX + 1];
    if (r->dropped == NULL && (r->dropped = calloc(1, sizeof *r->dropped)) == NULL)
        return REIN_ENOMEM;
    struct request_dropped *dropped = r->dropped;
    bool is_named = spell_name(w, key, name);
    if (is_named && is_noted(dropped, name))
        return 0;
    if (is_named && dropped->names < REQUEST_NAMES_MAX) {
        dropped->len += (size_t)snprintf(dropped->text + dropped->len, sizeof dropped->text - dropped->len, "%s%s",
                                         dropped->names > 0 ? ", " : "", name);
        dropped->names++;
    } else {
        dropped->more++;
    }
    if (dropped->more > 0)
        snprintf(dropped->text + dropped->len, sizeof dropped->text - dropped->len, "%s+%u",
                 dropped->names > 0 ? ", " : "", dropped->more);
    return 0;
}

static bool is_allowed(const struct field_walk *w, const struct rein_json_node *key)
{
    const char *const *path = w->request->checks.rules != NULL ? w->request->checks.rules->allow : NULL;
    for (; path != NULL && *path != NULL; path++)
        if (strncmp(*path, w->path, w->path_len) == 0 && rein_json_says(key, *path + w->path_len))
            return true;
    return false;
}

/* ---- fates ---- */

static int drop_key(struct field_walk *w, const struct rein_json_node *key)
{
    int rv = note_dropped(w, key);
    return rv == 0 ? request_take_out(w->request, key) : rv;
}

/* What another API refuses is not unknown here: it would mean the same, and is not dropped for want of a row. */
static const struct field *row_elsewhere(const struct rein_json_node *key)
{
    for (size_t i = 0; i < api_count(); i++) {
        const struct field *row = field_find(api_at(i)->fields, key->text, key->len);
        if (row != NULL && row->fate == FIELD_REFUSE)
            return row;
    }
    return NULL;
}

/* Does an unknown field speak, by its name, of safety, privacy, costs or the form of the answer? Then a request without
 * it could be less safe, or mean something else. */
static bool is_weighty(const struct rein_json_node *key)
{
    static const char *const parts[] = {"safe",   "guard",  "moderat", "filter", "privacy",  "private",   "retention",
                                        "redact", "budget", "limit",   "price",  "cost",     "grammar",   "guided",
                                        "schema", "regex",  "struct",  "logit",  "token_id", "constrain", "collection"};
    char name[REQUEST_NAME_MAX + 1];
    if (key->len > REQUEST_NAME_MAX)
        return false;
    for (uint32_t i = 0; i < key->len; i++)
        name[i] = key->text[i] >= 'A' && key->text[i] <= 'Z' ? (char)(key->text[i] | 0x20) : key->text[i];
    name[key->len] = '\0';
    bool is_found = strncmp(name, "max", 3) == 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        is_found = is_found || strstr(name, parts[i]) != NULL;
    return is_found;
}

static int reject_weighty(const struct field_walk *w, const struct rein_json_node *key)
{
    char param[sizeof w->err->param];
    spell_param(w, key, param, sizeof param);
    return request_reject(w->err, "unknown_field", param,
                          "The field '%s' is unknown and is not dropped: by its name, a request without it could be "
                          "less safe, cost more, or mean something else.",
                          param);
}

/* `row` NULL: unknown. */
static int meet_fate(struct field_walk *w, const struct rein_json_node *key, const struct field *row)
{
    enum rein_unknown unknown = unknown_rule(w->request);
    if (row == NULL && unknown == REIN_UNKNOWN_PASS)
        return 0;
    bool is_option = strstr(w->path, "[]") == NULL; /* not of a message, which clients replay with all that it had */
    if (row == NULL && unknown == REIN_UNKNOWN_DROP && is_option && is_weighty(key))
        return reject_weighty(w, key);
    if (row == NULL || row->fate == FIELD_DROP)
        return unknown == REIN_UNKNOWN_REFUSE ? reject_key(w, key, row) : drop_key(w, key);
    if (row->fate == FIELD_OVERRIDE)
        return request_take_out(w->request, key);
    return row->fate == FIELD_REFUSE ? reject_key(w, key, row) : 0;
}

static int walk_object(struct field_walk *w, const struct rein_json_node *object, struct tables tables, bool is_whole,
                       bool *is_spoiled);

static int walk_list(struct field_walk *w, const struct rein_json_node *list, struct tables tables, bool is_whole,
                     bool *is_spoiled)
{
    int rv = 0;
    assert(w->lists < LISTS_MAX);
    size_t *i = &w->at[w->lists++];
    *i = 0;
    const struct rein_json_node *value = rein_json_first(list);
    for (; value != NULL && rv == 0; value = rein_json_next(list, value), ++*i)
        if (rein_json_is(value, REIN_JSON_OBJECT))
            rv = walk_object(w, value, tables, is_whole, is_spoiled);
    w->lists--;
    return rv;
}

/* The members of a field's value. *is_spoiled: one is to be dropped, and so the whole field is. */
static int walk_below(struct field_walk *w, const struct field *row, const struct rein_json_node *value,
                      struct tables below, bool *is_spoiled)
{
    size_t len = w->path_len;
    int more = snprintf(w->path + len, sizeof w->path - len, "%s%s.", row->name, row->is_list ? "[]" : "");
    w->path_len = len + (size_t)more;
    assert(walk_is_sound(w));
    int rv = row->is_list ? walk_list(w, value, below, row->is_whole, is_spoiled)
                          : walk_object(w, value, below, row->is_whole, is_spoiled);
    w->path[w->path_len = len] = '\0';
    return rv;
}

static int walk_key(struct field_walk *w, const struct rein_json_node *key, struct tables tables, bool is_whole,
                    bool *is_spoiled)
{
    const struct rein_json_node *value = rein_json_value(key);
    const struct field *of_kind = field_find(tables.kind, key->text, key->len),
                       *common = field_find(tables.common, key->text, key->len),
                       *row = of_kind != NULL ? of_kind : common;
    if (row == NULL && w->path_len == 0)
        row = row_elsewhere(key);
    if (rein_json_is(value, REIN_JSON_NULL))
        return row != NULL && row->keeps_null ? 0 : request_take_out(w->request, key);
    if ((row == NULL || row->fate >= FIELD_DROP) && is_allowed(w, key))
        return 0;
    bool has_spoiled = false;
    bool is_ours = of_kind != NULL || common != NULL;
    if (is_ours && row->below != NULL && rein_json_is(value, row->is_list ? REIN_JSON_ARRAY : REIN_JSON_OBJECT)) {
        struct tables below = {of_kind != NULL ? of_kind->below : NULL, common != NULL ? common->below : NULL};
        int rv = walk_below(w, row, value, below, &has_spoiled);
        if (rv < 0 || !has_spoiled)
            return rv;
    } else if (row != NULL && field_is_harmless(row, value)) {
        return 0;
    }
    if (is_whole && row != NULL && row->fate == FIELD_DROP) {
        *is_spoiled = true;
        return 0;
    }
    return meet_fate(w, key, row);
}

static int walk_object(struct field_walk *w, const struct rein_json_node *object, struct tables tables, bool is_whole,
                       bool *is_spoiled)
{
    int rv = 0;
    const struct rein_json_node *key = rein_json_first(object);
    for (; key != NULL && rv == 0; key = rein_json_next(object, key))
        rv = walk_key(w, key, tables, is_whole, is_spoiled);
    return rv;
}

int request_walk(struct request *request, struct request_error *err)
{
    struct field_walk walk = {.request = request, .err = err};
    bool is_spoiled = false;
    return walk_object(&walk, rein_json_root(request->json),
                       (struct tables){request->checks.kind, request->api->fields}, false, &is_spoiled);
}

/* ---- parts that cannot be judged ---- */

int request_note_unjudged(struct request *request, const char *param, struct request_error *err)
{
    if (request->checks.rules == NULL || !request->checks.rules->pass_unjudged_parts)
        return request_reject(err, "unsupported_content", param,
                              "Only parts with text are accepted: others cannot be judged. The operator can let them "
                              "pass (request.unjudged_parts).");
    request->unjudged_parts++;
    return 0;
}

static bool is_base64(const char *text, size_t len)
{
    bool is_good = true;
    for (size_t i = 0; i < len && is_good; i++) { /* of megabytes */
        char c = text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        is_good = is_letter || c == '+' || c == '/' || c == '-' || c == '_' || c == '=' || c == '\r' || c == '\n';
    }
    return is_good;
}

bool request_is_encoded(const struct rein_json_node *text)
{
    enum { HEAD_MAX = 128, LEN_MIN = 64 };
    static const char mark[] = ";base64,";
    if (!rein_json_is(text, REIN_JSON_STRING))
        return false;
    if (text->len < 5 || memcmp(text->text, "data:", 5) != 0)
        return text->len >= LEN_MIN && is_base64(text->text, text->len);
    const char *comma = memchr(text->text, ',', text->len < HEAD_MAX ? text->len : HEAD_MAX);
    size_t head = comma != NULL ? (size_t)(comma + 1 - text->text) : 0;
    return head >= sizeof mark - 1 && memcmp(comma + 1 - (sizeof mark - 1), mark, sizeof mark - 1) == 0 &&
           is_base64(comma + 1, text->len - head);
}

bool request_is_parameter(const struct request *request, const struct rein_json_node *key)
{
    const struct rein_json_node *value = rein_json_value(key);
    bool is_number = rein_json_is(value, REIN_JSON_INTEGER) || rein_json_is(value, REIN_JSON_REAL) ||
                     rein_json_is(value, REIN_JSON_HUGE);
    const struct field *row = is_number ? field_find(request->checks.kind, key->text, key->len) : NULL;
    if (is_number && row == NULL)
        row = field_find(request->api->fields, key->text, key->len);
    return row != NULL && row->fate == FIELD_PASS;
}
