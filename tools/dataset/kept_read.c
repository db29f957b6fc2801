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
