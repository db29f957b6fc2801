/* See row.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/row.h"

#include <math.h>

#define DECISION_FIELD(type, name) {#name, STORE_##type, offsetof(struct store_decision_row, name)},
#define ATTEMPT_FIELD(type, name) {#name, STORE_##type, offsetof(struct store_attempt_row, name)},
#define OPINION_FIELD(type, name) {#name, STORE_##type, offsetof(struct store_opinion_row, name)},
#define FINDING_FIELD(type, name) {#name, STORE_##type, offsetof(struct store_finding_row, name)},
#define TEXT_FIELD(type, name) {#name, STORE_##type, offsetof(struct store_text_row, name)},

const struct store_field store_decision_fields[] = {STORE_DECISION_FIELDS(DECISION_FIELD){.name = NULL}};
const struct store_field store_outcome_fields[] = {STORE_OUTCOME_FIELDS(DECISION_FIELD){.name = NULL}};
const struct store_field store_live_fields[] = {STORE_LIVE_FIELDS(DECISION_FIELD){.name = NULL}};
const struct store_field store_attempt_fields[] = {STORE_ATTEMPT_FIELDS(ATTEMPT_FIELD){.name = NULL}};
const struct store_field store_opinion_fields[] = {STORE_OPINION_FIELDS(OPINION_FIELD){.name = NULL}};
const struct store_field store_finding_fields[] = {STORE_FINDING_FIELDS(FINDING_FIELD){.name = NULL}};
const struct store_field store_text_fields[] = {STORE_TEXT_FIELDS(TEXT_FIELD){.name = NULL}};

/* NULL when out of memory, and for what is not valid JSON. */
static json_t *field_json(const struct store_field *field, const void *row)
{
    const void *at = (const char *)row + field->offset;
    switch (field->type) {
    case STORE_TEXT:
        return *(const char *const *)at != NULL ? json_string(*(const char *const *)at) : json_null();
    case STORE_JSON:
        return *(const char *const *)at != NULL ? json_loads(*(const char *const *)at, 0, NULL) : json_null();
    case STORE_NUMBER:
        return *(const int64_t *)at != STORE_UNKNOWN ? json_integer(*(const int64_t *)at) : json_null();
    case STORE_REAL:
        return isnan(*(const double *)at) ? json_null() : json_real(*(const double *)at);
    case STORE_FLAG:
        return json_boolean(*(const bool *)at);
    case STORE_MAYBE:
        return *(const int64_t *)at != STORE_UNKNOWN ? json_boolean(*(const int64_t *)at != 0) : json_null();
    case STORE_ORDER:
        break;
    }
    return NULL;
}

json_t *store_row_json(const struct store_field *fields, const void *row)
{
    json_t *out = json_object();
    for (; out != NULL && fields->name != NULL; fields++)
        if (fields->type != STORE_ORDER && json_object_set_new(out, fields->name, field_json(fields, row)) != 0) {
            json_decref(out);
            return NULL;
        }
    return out;
}
