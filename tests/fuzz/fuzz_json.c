/* Fuzzes JSON documents: they accept what jansson accepts, with the same values; taking members out leaves the rest as
 * it was.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "jsonkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes every second member out of the object that the document is: each place must begin and end with its member. */
static void drop_some(const char *text, size_t len)
{
    struct rein_json *json;
    struct rein_json_problem problem;
    if (rein_json_read(&json, text, len, JSONKIT_DEPTH, &problem) != 0)
        return;
    const struct rein_json_node *root = rein_json_root(json);
    if (!rein_json_is(root, REIN_JSON_OBJECT))
        root = NULL;
    size_t before = rein_json_count(root), i = 0, dropped = 0;
    for (const struct rein_json_node *key = rein_json_first(root); key != NULL; key = rein_json_next(root, key)) {
        if (i++ % 2 == 1)
            continue;
        struct rein_json_place place = rein_json_drop(json, key);
        char *member = malloc(place.len + 2u);
        if (member == NULL || place.at + place.len >= len)
            abort();
        member[0] = '{';
        memcpy(member + 1, text + place.at, place.len);
        member[place.len + 1] = '}';
        bool accepted;
        if (json_text_differs(member, place.len + 2u, &accepted) || !accepted)
            abort();
        free(member);
        dropped++;
    }
    if (rein_json_count(root) != before - dropped)
        abort();
    rein_json_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (json_text_differs(text, size, NULL))
        abort();
    drop_some(text, size);
    return 0;
}
