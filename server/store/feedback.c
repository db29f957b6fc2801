/* See feedback.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/feedback.h"

#include <string.h>

#include "store/driver.h"

int store_write_feedback(struct store_reader *reader, const struct store_feedback *feedback, bool *found)
{
    return reader->driver->write_feedback(reader, feedback, found);
}

int store_drop_feedback(struct store_reader *reader, const char *id, int64_t n, bool *found)
{
    return reader->driver->drop_feedback(reader, id, n, found);
}

/* ---- labelled rows ---- */

struct rows {
    json_t *list;
    struct store_feedback_cursor last;
};

static int row_add(void *ctx, const struct store_feedback_whole *row)
{
    struct rows *rows = ctx;
    char at[STORE_TIME_LEN];
    store_format_time(row->place.at_us, at);
    json_t *finding = json_pack("{ss?ss?ss?sIsI}", "kind", row->kind, "id", row->name, "channel", row->channel,
                                "offset", (json_int_t)row->offset, "len", (json_int_t)row->len);
    json_t *out =
        json_pack("{ss?sIsoss?ss?ss?ssss?ss?ss?ss?}", "id", row->id, "n", (json_int_t)row->place.n, "finding", finding,
                  "feedback", row->said, "note", row->note, "by", row->by, "at", at, "model", row->model, "verdict",
                  row->verdict, "policy", row->policy, "policy_version", row->policy_version);
    rows->last = row->place;
    return json_array_append_new(rows->list, out) == 0 ? 0 : REIN_ENOMEM;
}

/* Of what says who the user is, only asterisks are kept. */
static bool is_said(const json_t *text)
{
    const char *speaker = json_string_value(json_object_get(text, "speaker"));
    return speaker == NULL || strcmp(speaker, "user_id") != 0;
}

/* The texts of a channel, of the last attempt, one after the other. NULL: none was kept. */
static json_t *joined(const json_t *texts, const char *channel)
{
    json_t *text, *out = NULL;
    json_int_t last = 0;
    size_t i;
    json_array_foreach(texts, i, text)
    {
        if (strcmp(json_string_value(json_object_get(text, "channel")), channel) == 0)
            last = json_integer_value(json_object_get(text, "attempt"));
    }
    json_array_foreach(texts, i, text)
    {
        const char *piece = json_string_value(json_object_get(text, "text"));
        if (piece == NULL || strcmp(json_string_value(json_object_get(text, "channel")), channel) != 0 ||
            json_integer_value(json_object_get(text, "attempt")) != last || !is_said(text))
            continue;
        json_t *more = out == NULL ? json_string(piece) : json_sprintf("%s\n%s", json_string_value(out), piece);
        json_decref(out);
        if ((out = more) == NULL)
            break;
    }
    return out;
}

/* As `rein eval` reads them. What the guard found and people call right was unsafe; wrong: it was safe. */
static int add_texts(struct store_reader *reader, json_t *row)
{
    static const char *const channels[] = {"prompt", "reasoning", "answer"};
    const char *said = json_string_value(json_object_get(row, "feedback"));
    bool is_right = said != NULL && strcmp(said, "right") == 0;
    json_t *texts = NULL;
    int rv = store_read_texts(reader, json_string_value(json_object_get(row, "id")), &texts);
    for (size_t i = 0; i < sizeof channels / sizeof *channels && rv == 0; i++) {
        json_t *text = joined(texts, channels[i]);
        if (text != NULL && json_object_set_new(row, channels[i], text) != 0)
            rv = REIN_ENOMEM;
    }
    json_decref(texts);
    if (rv == 0 && (json_object_set_new(row, "label_answer", json_string(is_right ? "unsafe" : "safe")) != 0 ||
                    json_object_set_new(row, "label", json_string(is_right ? "harmful" : "benign")) != 0))
        rv = REIN_ENOMEM;
    return rv;
}

int store_read_feedback(struct store_reader *reader, int64_t from_us, int64_t to_us, unsigned limit,
                        struct store_feedback_cursor *after, json_t **out)
{
    struct rows rows = {json_array(), *after};
    const struct store_feedback_filter filter = {from_us, to_us, *after, limit};
    json_t *row;
    size_t i;
    int rv = rows.list != NULL ? reader->driver->feedback(reader, &filter, row_add, &rows) : REIN_ENOMEM;
    json_array_foreach(rows.list, i, row)
    {
        if (rv == 0)
            rv = add_texts(reader, row);
    }
    if (rv != 0) {
        json_decref(rows.list);
        return rv;
    }
    *after = rows.last;
    *out = rows.list;
    return 0;
}
