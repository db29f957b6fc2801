/* See kept_record.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kept_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/row.h"
#include "store/store.h"

/* As the driver writes them (store/sqlite/rows.c). */
static char *spans_text(const struct rein_span *spans, size_t len, bool is_mask)
{
    json_t *list = json_array();
    for (size_t i = 0; i < len; i++) {
        json_t *span = json_pack("{sIsIss}", "offset", (json_int_t)spans[i].offset, "len", (json_int_t)spans[i].len,
                                 "rule", spans[i].rule);
        if (is_mask)
            json_object_set_new(span, "restored_len", json_integer((json_int_t)spans[i].len));
        else if (spans[i].at == UINT64_MAX)
            json_object_set_new(span, "at", json_null());
        else if (spans[i].at != 0 && spans[i].at != spans[i].offset + spans[i].len)
            json_object_set_new(span, "at", json_integer((json_int_t)spans[i].at));
        if (!is_mask && spans[i].is_held)
            json_object_set_new(span, "held", json_integer((json_int_t)spans[i].held));
        if (spans[i].is_open)
            json_object_set_new(span, "open", json_true());
        json_array_append_new(list, span);
    }
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

static char *turns_text(const struct rein_text *text)
{
    json_t *list = json_array();
    for (size_t i = 0; i < text->turns_len; i++)
        json_array_append_new(list, json_pack("[II]", (json_int_t)text->turns[i].at, (json_int_t)text->turns[i].len));
    char *out = text->turns != NULL ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return out;
}

static json_t *readings_hex(const char *bytes, size_t len)
{
    char *hex = malloc(2 * len + 1);
    if (hex == NULL)
        abort();
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)bytes[i]);
    json_t *out = json_stringn(hex, 2 * len);
    free(hex);
    return out;
}

static json_t *text_object(const struct rein_text *text)
{
    char *said = strndup(text->text != NULL ? text->text : "", text->text_len);
    char *masks = spans_text(text->masks, text->masks_len, true);
    char *found = spans_text(text->found, text->found_len, false), *turns = turns_text(text);
    struct store_text_row row = {.n = text->n,
                                 .channel = rein_channel_name(text->channel),
                                 .attempt = text->attempt,
                                 .choice = text->choice,
                                 .speaker = text->speaker,
                                 .form = text->form == REIN_KEEP_FULL ? "full" : "redacted",
                                 .origin = (int64_t)text->origin,
                                 .len = (int64_t)text->len,
                                 .whole = text->whole,
                                 .masks = masks,
                                 .found = found,
                                 .turns = turns,
                                 .text = said};
    json_t *object = store_row_json(store_text_fields, &row);
    if (text->readings != NULL)
        json_object_set_new(object, "readings", readings_hex(text->readings, text->readings_len));
    free(said);
    free(masks);
    free(found);
    free(turns);
    return object;
}

static json_t *finding_object(const struct rein_finding *f, size_t n)
{
    struct store_finding_row row = {.n = (int64_t)n,
                                    .kind = f->is_rule          ? "rule"
                                            : f->source != NULL ? "judge"
                                                                : "pattern",
                                    .id = f->id,
                                    .action = rein_action_name(f->action),
                                    .shadow = f->shadow,
                                    .channel = rein_channel_name(f->channel),
                                    .choice = f->choice,
                                    .attempt = f->attempt,
                                    .offset = (int64_t)f->offset,
                                    .len = (int64_t)f->len,
                                    .score = f->score,
                                    .evidence = f->evidence,
                                    .judge = f->source};
    return store_row_json(store_finding_fields, &row);
}

static json_t *opinion_object(const struct rein_asked *asked, size_t n)
{
    char patterns[256] = "";
    for (int p = 0; p < REIN_PATTERNS; p++)
        if ((asked->leaves >> p & 1) != 0) {
            strcat(patterns, *patterns != '\0' ? "," : "");
            strcat(patterns, rein_pattern_name((enum rein_pattern)p));
        }
    struct store_opinion_row row = {.n = (int64_t)n,
                                    .panel = asked->panel,
                                    .judge = asked->judge,
                                    .attempt = asked->attempt,
                                    .choice = asked->choice,
                                    .channel = rein_channel_name(asked->channel),
                                    .offset = (int64_t)asked->offset,
                                    .len = (int64_t)asked->len,
                                    .outcome = rein_judge_outcome_name(asked->outcome),
                                    .risk = asked->outcome == REIN_JUDGE_OPINED ? asked->risk : (double)NAN,
                                    .categories = *asked->categories != '\0' ? asked->categories : NULL,
                                    .took_ms = asked->took_ms,
                                    .was_known = asked->was_known,
                                    .heard = asked->outcome != REIN_JUDGE_OPEN ? (int64_t)asked->heard : STORE_UNKNOWN,
                                    .said = asked->outcome != REIN_JUDGE_OPEN ? (int64_t)asked->said : STORE_UNKNOWN,
                                    .patterns = *patterns != '\0' ? patterns : NULL};
    return store_row_json(store_opinion_fields, &row);
}

static json_t *attempt_object(const struct kept_attempt *a, size_t n)
{
    struct store_attempt_row row = {.n = (int64_t)n,
                                    .template = "",
                                    .delivery = rein_delivery_name(a->delivery),
                                    .first_byte_us = STORE_UNKNOWN,
                                    .outcome = a->outcome,
                                    .may_continue = a->may_continue,
                                    .choices = a->choices};
    return store_row_json(store_attempt_fields, &row);
}

static json_t *decision_object(const struct rein_decision *d, const struct kept_facts *facts)
{
    static const char *const endings[] = {"open", "complete", "refused", "cut", "upstream_broke", "overflow"};
    static const char *const dialects[] = {[REIN_OPENAI_CHAT] = "openai-chat",
                                           [REIN_OPENAI_RESPONSES] = "openai-responses",
                                           [REIN_ANTHROPIC_MESSAGES] = "anthropic-messages"};
    struct store_decision_row row = {.id = "drawn",
                                     .dialect = dialects[facts->dialect],
                                     .final = true,
                                     .policy = "drawn",
                                     .streamed = facts->streamed,
                                     .ending = facts->ending != NULL ? facts->ending : endings[d->ending],
                                     .verdict = store_verdict(d),
                                     .action = rein_action_name(d->verdict),
                                     .shadow = rein_action_name(d->shadow),
                                     .attempts = (int64_t)facts->attempts_len,
                                     .findings = (int64_t)(d->findings_len + d->findings_dropped),
                                     .prompt_risk = d->prompt_risk,
                                     .harms = d->harms,
                                     .prompt_received = (int64_t)d->flow[REIN_PROMPT].received,
                                     .reasoning_received = (int64_t)d->flow[REIN_REASONING].received,
                                     .answer_received = (int64_t)d->flow[REIN_ANSWER].received,
                                     .tool_received = (int64_t)d->flow[REIN_TOOL].received,
                                     .other_received = (int64_t)d->flow[REIN_OTHER].received,
                                     .unjudged_parts = facts->unjudged_parts};
    return store_row_json(store_decision_fields, &row);
}

/* The rows take the place of their number. */
static json_t *put_list(json_t *object, const char *name, const char *count)
{
    json_t *list = json_array();
    json_t *number = json_object_get(object, name);
    if (count != NULL)
        json_object_set(object, count, number);
    json_object_set_new(object, name, list);
    return list;
}

json_t *kept_record(struct rein_trace *trace, const struct kept_facts *facts)
{
    const struct rein_text *texts;
    size_t len;
    const struct rein_decision *d = rein_trace_decision(trace);
    json_t *object = decision_object(d, facts);
    json_t *attempts = put_list(object, "attempts", "attempts_count");
    json_t *findings = put_list(object, "findings", "findings_count");
    json_t *opinions = put_list(object, "opinions", NULL), *kept = put_list(object, "texts", NULL);
    for (size_t i = 0; i < facts->attempts_len; i++)
        json_array_append_new(attempts, attempt_object(&facts->attempts[i], i));
    for (size_t i = 0; i < d->findings_len; i++)
        json_array_append_new(findings, finding_object(&d->findings[i], i));
    for (size_t i = 0; i < d->asked_len; i++)
        json_array_append_new(opinions, opinion_object(&d->asked[i], i));
    if (rein_trace_texts(trace, &texts, &len) != 0)
        abort();
    for (size_t i = 0; i < len; i++)
        json_array_append_new(kept, text_object(&texts[i]));
    return object;
}

json_t *kept_version(const struct rein_policy *policy)
{
    size_t len;
    const struct rein_policy_document *documents = rein_policy_documents(policy, &len);
    json_t *list = json_array();
    for (size_t i = 1; i < len; i++) {
        const struct rein_policy_document *d = &documents[i];
        json_t *resolved = d->resolved != NULL ? json_loads(d->resolved, 0, NULL) : json_null();
        json_array_append_new(
            list, json_pack("{ssssssso}", "kind", d->kind, "name", d->name, "sha256", d->digest, "resolved", resolved));
    }
    return json_pack("{soso}", "resolved", json_loads(documents[0].resolved, 0, NULL), "documents", list);
}
