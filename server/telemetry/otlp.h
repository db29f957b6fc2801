/* Requests as OTLP in JSON: the inside of telemetry, shared with otlp.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_TELEMETRY_OTLP_H
#define SERVER_TELEMETRY_OTLP_H

#include "telemetry/telemetry.h"

/* A request as it waits. */
struct telemetry_record {
    struct trace_ids ids;
    char decision[TELEMETRY_TEXT], request_id[TELEMETRY_TEXT], path[TELEMETRY_TEXT], route[TELEMETRY_TEXT],
        model[TELEMETRY_TEXT], policy[TELEMETRY_TEXT], verdict[16], ending[24];
    int64_t started_at_us, duration_us, input_tokens, output_tokens; /* tokens: -1 unknown */
    unsigned status;
    uint64_t findings_all;
    unsigned attempts_len, findings_len;
    struct {
        int64_t started_us, ended_us;
        unsigned status;
        char outcome[24];
    } attempts[TELEMETRY_ATTEMPTS];
    struct {
        const char *kind, *action, *channel; /* constants */
        bool shadow;
        double score;
        char name[TELEMETRY_TEXT];
    } findings[TELEMETRY_FINDINGS];
};

/* The bodies of a call, NULL when out of memory; of logs also if there is nothing to say. Returns owned (free()). */
char *otlp_traces(const struct telemetry_record *records, size_t len);
char *otlp_logs(const struct telemetry_record *records, size_t len);

#endif
