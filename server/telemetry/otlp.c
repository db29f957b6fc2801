/* See otlp.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/otlp.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/names.h"

enum { KIND_SERVER = 2, KIND_CLIENT = 3, STATUS_ERROR = 2, SEVERITY_INFO = 9, SEVERITY_WARN = 13 };

/* ---- attributes ---- */

static void add_text_attribute(json_t *list, const char *name, const char *value)
{
    if (*value != '\0')
        json_array_append_new(list, json_pack("{sss{ss}}", "key", name, "value", "stringValue", value));
}

/* 64-bit numbers are texts in OTLP's JSON. */
static json_t *number_text(int64_t value)
{
    return json_sprintf("%" PRId64, value);
}

static void add_number_attribute(json_t *list, const char *name, int64_t value)
{
    if (value >= 0)
        json_array_append_new(list, json_pack("{sss{so}}", "key", name, "value", "intValue", number_text(value)));
}

static json_t *nanoseconds(int64_t us)
{
    return number_text(us * 1000);
}

static json_t *hex_text(const unsigned char *bytes, size_t len)
{
    char text[2 * TRACE_LEN + 1];
    trace_ids_hex(bytes, len, text);
    return json_string(text);
}

/* ---- spans ---- */

static bool is_failed(const struct telemetry_record *r)
{
    static const char *const fine[] = {"complete", "refused", "cut", "rejected", "client_left"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (strcmp(r->ending, fine[i]) == 0)
            return false;
    return true;
}

static json_t *span_json(const struct telemetry_record *r, const unsigned char *span, const unsigned char *parent,
                         const char *name, int kind, int64_t started_us, int64_t ended_us, json_t *attributes)
{
    static const unsigned char none[SPAN_LEN];
    json_t *out =
        json_pack("{sososssisososo}", "traceId", hex_text(r->ids.trace, TRACE_LEN), "spanId", hex_text(span, SPAN_LEN),
                  "name", name, "kind", kind, "startTimeUnixNano", nanoseconds(r->started_at_us + started_us),
                  "endTimeUnixNano", nanoseconds(r->started_at_us + ended_us), "attributes", attributes);
    if (memcmp(parent, none, SPAN_LEN) != 0)
        json_object_set_new(out, "parentSpanId", hex_text(parent, SPAN_LEN));
    return out;
}

static json_t *request_span(const struct telemetry_record *r)
{
    json_t *a = json_array();
    add_text_attribute(a, OTLP_DECISION, r->decision);
    add_text_attribute(a, OTLP_REQUEST_ID, r->request_id);
    add_text_attribute(a, OTLP_PATH, r->path);
    add_text_attribute(a, OTLP_ROUTE, r->route);
    add_text_attribute(a, OTLP_MODEL, r->model);
    add_text_attribute(a, OTLP_POLICY, r->policy);
    add_text_attribute(a, OTLP_VERDICT, r->verdict);
    add_text_attribute(a, OTLP_ENDING, r->ending);
    add_number_attribute(a, OTLP_FINDINGS, (int64_t)r->findings_all);
    add_number_attribute(a, OTLP_INPUT_TOKENS, r->input_tokens);
    add_number_attribute(a, OTLP_OUTPUT_TOKENS, r->output_tokens);
    add_number_attribute(a, OTLP_STATUS, r->status > 0 ? (int64_t)r->status : -1);
    json_t *span = span_json(r, r->ids.span, r->ids.parent, OTLP_SPAN_REQUEST, KIND_SERVER, 0, r->duration_us, a);
    if (is_failed(r))
        json_object_set_new(span, "status", json_pack("{siss}", "code", STATUS_ERROR, "message", r->ending));
    return span;
}

static json_t *attempt_span(const struct telemetry_record *r, unsigned n)
{
    unsigned char span[SPAN_LEN];
    json_t *a = json_array();
    int64_t started_us = r->attempts[n].started_us, ended_us = r->attempts[n].ended_us;
    trace_ids_attempt(&r->ids, n, span);
    add_number_attribute(a, OTLP_ATTEMPT, n);
    add_text_attribute(a, OTLP_OUTCOME, r->attempts[n].outcome);
    add_number_attribute(a, OTLP_STATUS, r->attempts[n].status > 0 ? (int64_t)r->attempts[n].status : -1);
    return span_json(r, span, r->ids.span, OTLP_SPAN_ATTEMPT, KIND_CLIENT, started_us,
                     ended_us >= started_us ? ended_us : r->duration_us, a);
}

/* The frame around spans or log records. */
static char *enclosed(const char *resources, const char *scopes, const char *list_name, json_t *list)
{
    json_t *tree = json_pack("{s[{s{s[{sss{ss}},{sss{ss}}]}s[{s{ssss}so}]}]}", resources, "resource", "attributes",
                             "key", "service.name", "value", "stringValue", OTLP_SERVICE, "key", "service.version",
                             "value", "stringValue", rein_version(), scopes, "scope", "name", OTLP_SCOPE, "version",
                             rein_version(), list_name, list);
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    return text;
}

char *otlp_traces(const struct telemetry_record *records, size_t len)
{
    json_t *spans = json_array();
    for (size_t i = 0; i < len; i++) {
        json_array_append_new(spans, request_span(&records[i]));
        for (unsigned n = 0; n < records[i].attempts_len; n++)
            json_array_append_new(spans, attempt_span(&records[i], n));
    }
    return enclosed("resourceSpans", "scopeSpans", "spans", spans);
}

/* ---- log records ---- */

static json_t *finding_log(const struct telemetry_record *r, unsigned i)
{
    json_t *a = json_array();
    bool acts = !r->findings[i].shadow && strcmp(r->findings[i].action, "record") != 0;
    add_text_attribute(a, OTLP_DECISION, r->decision);
    add_text_attribute(a, OTLP_ROUTE, r->route);
    add_text_attribute(a, OTLP_MODEL, r->model);
    add_text_attribute(a, OTLP_POLICY, r->policy);
    add_text_attribute(a, OTLP_FINDING_KIND, r->findings[i].kind);
    add_text_attribute(a, OTLP_FINDING_NAME, r->findings[i].name);
    add_text_attribute(a, OTLP_FINDING_ACTION, r->findings[i].action);
    add_text_attribute(a, OTLP_FINDING_CHANNEL, r->findings[i].channel);
    json_array_append_new(
        a, json_pack("{sss{sb}}", "key", OTLP_FINDING_SHADOW, "value", "boolValue", (int)r->findings[i].shadow));
    json_array_append_new(
        a, json_pack("{sss{sf}}", "key", OTLP_FINDING_SCORE, "value", "doubleValue", r->findings[i].score));
    return json_pack(
        "{sosisss{so}sososo}", "timeUnixNano", nanoseconds(r->started_at_us + r->duration_us), "severityNumber",
        acts ? SEVERITY_WARN : SEVERITY_INFO, "severityText", acts ? "WARN" : "INFO", "body", "stringValue",
        json_sprintf("%s %s: %s%s in the %s", r->findings[i].kind, r->findings[i].name, r->findings[i].action,
                     r->findings[i].shadow ? " (shadow)" : "", r->findings[i].channel),
        "attributes", a, "traceId", hex_text(r->ids.trace, TRACE_LEN), "spanId", hex_text(r->ids.span, SPAN_LEN));
}

char *otlp_logs(const struct telemetry_record *records, size_t len)
{
    json_t *list = json_array();
    for (size_t i = 0; i < len; i++)
        for (unsigned n = 0; n < records[i].findings_len; n++)
            json_array_append_new(list, finding_log(&records[i], n));
    if (json_array_size(list) > 0)
        return enclosed("resourceLogs", "scopeLogs", "logRecords", list);
    json_decref(list);
    return NULL;
}
