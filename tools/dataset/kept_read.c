/* See kept_read.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/kept_read.h"

int kept_read(struct store_reader *reader, const char *id, json_t **out)
{
    json_t *decision = NULL, *texts = NULL;
    int rv = store_read_decision(reader, id, &decision);
    if (rv == 0 && decision != NULL)
        rv = store_read_texts(reader, id, &texts);
    if (rv == 0 && decision != NULL && json_object_set_new(decision, "texts", texts) != 0)
        rv = REIN_ENOMEM;
    if (rv == 0)
        *out = decision;
    else
        json_decref(decision);
    return rv;
}

static int add_readings(json_t *texts, const json_t *readings)
{
    size_t i, k = 0;
    json_t *text;
    json_array_foreach(texts, i, text)
    {
        const json_t *next = json_array_get(readings, k); /* both are in order */
        if (!json_equal(json_object_get(text, "n"), json_object_get(next, "n")))
            continue;
        if (json_object_set(text, "readings", json_object_get(next, "readings")) != 0)
            return REIN_ENOMEM;
        k++;
    }
    return 0;
}

int kept_read_with_readings(struct store_reader *reader, const char *id, json_t **out)
{
    json_t *decision = NULL, *readings = NULL;
    int rv = kept_read(reader, id, &decision);
    if (rv == 0 && decision != NULL)
        rv = store_read_readings(reader, id, &readings);
    if (rv == 0 && decision != NULL)
        rv = add_readings(json_object_get(decision, "texts"), readings);
    json_decref(readings);
    if (rv == 0)
        *out = decision;
    else
        json_decref(decision);
    return rv;
}
