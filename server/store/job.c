/* See job.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The same function runs twice: first it only measures, then it copies into the block that was measured. */
#include "store/job.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static _Atomic size_t texts_waiting; /* bytes of kept texts and of what belongs to them, in all jobs of the process */

/* Takes room from a block, or counts what will be taken if there is none yet. */
struct packer {
    char *block;
    size_t used;
};

static void *job_take(struct packer *p, size_t size, size_t align)
{
    p->used = (p->used + align - 1) / align * align;
    void *at = p->block != NULL ? p->block + p->used : NULL;
    p->used += size;
    return at;
}

/* How many bytes from the front are plain: ASCII without NUL. Nearly every text is that, so eight are examined at
 * once: a byte of 0 borrows, and then has its highest bit set like one that is not ASCII. */
static size_t plain_length(const char *text, size_t len)
{
    static const uint64_t ones = UINT64_MAX / 255, highs = UINT64_MAX / 255 * 128;
    size_t n = 0;
    for (uint64_t word; len - n >= sizeof word; n += sizeof word) {
        memcpy(&word, text + n, sizeof word);
        if (((word | (word - ones)) & highs) != 0)
            break;
    }
    while (n < len && (signed char)text[n] > 0)
        n++;
    return n;
}

/* Copies text with a ceiling; never cuts a character in two; what is not UTF-8 becomes '?'. Returns the length. */
static size_t copy_clean(char *out, const char *text, size_t len, size_t max)
{
    size_t from = plain_length(text, len < max ? len : max), to = from;
    memcpy(out, text, from);
    while (from < len) {
        size_t n = utf8_length(text + from, len - from);
        if (to + (n > 0 ? n : 1) > max)
            break;
        if (n > 0)
            memcpy(out + to, text + from, n);
        else
            out[to] = '?';
        from += n > 0 ? n : 1;
        to += n > 0 ? n : 1;
    }
    out[to] = '\0';
    return to;
}

static const char *pack_bytes(struct packer *p, const char *text, size_t len, size_t max, size_t *out_len)
{
    char *out = job_take(p, (len < max ? len : max) + 1, 1);
    if (out != NULL)
        *out_len = copy_clean(out, text, len, max);
    return out;
}

static const char *pack_name(struct packer *p, const char *text)
{
    size_t len;
    return text == NULL ? NULL : pack_bytes(p, text, strlen(text), STORE_NAME_MAX, &len);
}

/* Unknown is NULL in the database, also if the caller passes an empty text. */
static const char *pack_known(struct packer *p, const char *text)
{
    return text == NULL || *text == '\0' ? NULL : pack_name(p, text);
}

static const struct store_attempt *pack_attempts(struct packer *p, const struct store_attempt *from, size_t len)
{
    struct store_attempt *out = job_take(p, len * sizeof *out, alignof(struct store_attempt)), scratch;
    for (size_t i = 0; i < len; i++) {
        struct store_attempt *to = out != NULL ? &out[i] : &scratch;
        *to = from[i];
        to->template_name = pack_known(p, from[i].template_name);
        to->reason = pack_known(p, from[i].reason);
        to->outcome = pack_known(p, from[i].outcome);
    }
    return out;
}

static void pack_finding(struct packer *p, struct rein_finding *to, const struct rein_finding *from, bool keep)
{
    *to = *from;
    to->id = pack_name(p, from->id != NULL ? from->id : "");
    to->source = pack_name(p, from->source);
    to->tags = from->tags != NULL ? pack_bytes(p, from->tags, strlen(from->tags), STORE_TAGS_MAX, &(size_t){0}) : NULL;
    to->evidence_len = 0;
    to->evidence = NULL;
    if (keep && from->evidence != NULL && from->evidence_len > 0)
        to->evidence = pack_bytes(p, from->evidence, from->evidence_len, STORE_EVIDENCE_MAX, &to->evidence_len);
    for (size_t i = 0; i < from->steps_len; i++)
        to->steps[i].signal = pack_name(p, from->steps[i].signal);
}

static void pack_opinions(struct packer *p, struct rein_decision *to, const struct rein_decision *from)
{
    size_t len = from->asked_len < STORE_OPINIONS_MAX ? from->asked_len : STORE_OPINIONS_MAX;
    struct rein_asked *out = job_take(p, len * sizeof *out, alignof(struct rein_asked)), scratch;
    for (size_t i = 0; i < len; i++) {
        struct rein_asked *opinion = out != NULL ? &out[i] : &scratch;
        *opinion = from->asked[i];
        opinion->panel = pack_name(p, from->asked[i].panel);
        opinion->judge = pack_name(p, from->asked[i].judge);
    }
    to->asked = out;
    to->asked_len = len;
}

static const struct rein_span *pack_spans(struct packer *p, const struct rein_span *from, size_t len)
{
    struct rein_span *out = job_take(p, len * sizeof *out, alignof(struct rein_span)), scratch;
    for (size_t i = 0; i < len; i++) {
        struct rein_span *to = out != NULL ? &out[i] : &scratch;
        *to = from[i];
        to->rule = pack_name(p, from[i].rule);
    }
    return out;
}

/* All of them or none: half of them would be read as those of half a text. */
static void pack_readings(struct packer *p, struct rein_text *to, const struct rein_text *from, bool bare)
{
    bool fits = !bare && from->readings != NULL && from->readings_len <= STORE_READINGS_MAX;
    to->readings_len = fits ? from->readings_len : 0;
    char *out = fits ? job_take(p, from->readings_len, 1) : NULL;
    to->readings = out;
    if (out != NULL)
        memcpy(out, from->readings, from->readings_len);
}

static const struct rein_turn *pack_turns(struct packer *p, const struct rein_text *from)
{
    size_t size = from->turns_len * sizeof *from->turns;
    struct rein_turn *out = from->turns != NULL ? job_take(p, size, alignof(struct rein_turn)) : NULL;
    if (out != NULL && size > 0)
        memcpy(out, from->turns, size);
    return out;
}

/* `bare`: without what was said. */
static void pack_text(struct packer *p, struct rein_text *to, const struct rein_text *from, bool bare)
{
    *to = *from;
    to->whole = from->whole && !bare && from->text_len <= STORE_TEXT_MAX;
    to->text_len = 0;
    to->speaker = pack_known(p, from->speaker);
    to->text = pack_bytes(p, from->text, bare ? 0 : from->text_len, STORE_TEXT_MAX, &to->text_len);
    to->masks_len = bare ? 0 : from->masks_len;
    to->found_len = bare ? 0 : from->found_len;
    to->masks = pack_spans(p, from->masks, to->masks_len);
    to->found = pack_spans(p, from->found, to->found_len);
    to->turns = pack_turns(p, from);
    pack_readings(p, to, from, bare);
}

static void pack_texts(struct packer *p, struct store_job *job, const struct store_record *record, bool bare)
{
    size_t len = record->texts_len < STORE_TEXTS_MAX ? record->texts_len : STORE_TEXTS_MAX;
    size_t before = p->used;
    struct rein_text *out = job_take(p, len * sizeof *out, alignof(struct rein_text)), scratch;
    for (size_t i = 0; i < len; i++)
        pack_text(p, out != NULL ? &out[i] : &scratch, &record->texts[i], bare);
    job->text_bytes = len > 0 ? p->used - before : 0;
    job->record.texts = out;
    job->record.texts_len = len;
}

static void pack_decision(struct packer *p, struct store_job *job, const struct store_record *record)
{
    const struct rein_decision *from = record->decision;
    bool keep = record->keep_text != REIN_KEEP_NONE;
    job->decision = *from;
    job->record.decision = &job->decision;
    job->decision.harms = pack_name(p, from->harms != NULL ? from->harms : "");
    job->findings_len = from->findings_len + from->findings_dropped;
    if (from->findings_len > STORE_FINDINGS_MAX)
        job->decision.findings_len = STORE_FINDINGS_MAX;
    struct rein_finding *out = job_take(p, job->decision.findings_len * sizeof *out, alignof(struct rein_finding));
    struct rein_finding scratch;
    for (size_t i = 0; i < job->decision.findings_len; i++)
        pack_finding(p, out != NULL ? &out[i] : &scratch, &from->findings[i], keep);
    job->decision.findings = out;
    pack_opinions(p, &job->decision, from);
}

static const char *verdict_word(enum rein_action action)
{
    switch (action) {
    case REIN_ALLOW:
    case REIN_RECORD:
        return "allow";
    case REIN_REDACT:
        return "redact";
    case REIN_STEER:
        return "steer";
    case REIN_CUT_REASONING:
    case REIN_CUT_RESPONSE:
        return "cut";
    case REIN_REFUSE:
        return "refuse";
    }
    return "none";
}

const char *store_verdict(const struct rein_decision *decision)
{
    return decision != NULL ? verdict_word(decision->verdict) : "none";
}

static void set_words(struct store_job *job)
{
    const struct rein_decision *d = job->record.decision;
    bool is_about_nothing = job->record.unanswered && d != NULL && d->verdict <= REIN_RECORD;
    job->verdict = store_verdict(is_about_nothing ? NULL : d);
    job->acted = d != NULL && d->verdict > REIN_RECORD;
    job->action = d != NULL ? rein_action_name(d->verdict) : "none";
    job->shadow = rein_action_name(d != NULL ? d->shadow : REIN_ALLOW);
    job->reasoning = d != NULL && d->reasoning == REIN_EVALUABLE ? "evaluable" : "not_evaluable";
}

/* Fills `job`; its pointers lead into the packer's block once there is one. */
static void pack(struct packer *p, struct store_job *job, const struct store_record *record, bool bare)
{
    static const struct rein_decision unknown = {
        .harms = "", .prompt_tokens = -1, .completion_tokens = -1, .reasoning_tokens = -1};
    struct store_record *to = &job->record;
    *to = *record;
    to->request_id = pack_known(p, record->request_id);
    to->route = pack_known(p, record->route);
    to->model = pack_known(p, record->model);
    to->upstream = pack_known(p, record->upstream);
    to->key = pack_known(p, record->key);
    to->tenant = pack_known(p, record->tenant);
    to->user = pack_known(p, record->user);
    to->dialect = pack_known(p, record->dialect);
    size_t error_len = record->upstream_error != NULL ? strlen(record->upstream_error) : 0;
    to->upstream_error =
        error_len > 0 ? pack_bytes(p, record->upstream_error, error_len, STORE_EVIDENCE_MAX, &error_len) : NULL;
    size_t dropped_len = record->dropped_fields != NULL ? strlen(record->dropped_fields) : 0;
    to->dropped_fields =
        dropped_len > 0 ? pack_bytes(p, record->dropped_fields, dropped_len, STORE_EVIDENCE_MAX, &dropped_len) : NULL;
    to->policy = pack_name(p, record->policy != NULL ? record->policy : "");
    to->policy_version = pack_name(p, record->policy_version != NULL ? record->policy_version : "");
    to->ending = pack_name(p, record->ending != NULL ? record->ending : "open");
    if (record->attempts_len > STORE_ATTEMPTS_MAX)
        to->attempts_len = STORE_ATTEMPTS_MAX;
    to->attempts = pack_attempts(p, record->attempts, to->attempts_len);
    pack_texts(p, job, record, bare);
    job->decision = unknown;
    if (record->decision != NULL)
        pack_decision(p, job, record);
}

int store_job_new(struct store_job **out, const struct store_record *record)
{
    static const int64_t day_us = (int64_t)86400 * 1000000;
    bool bare = atomic_load(&texts_waiting) >= STORE_QUEUE_TEXT_MAX;
    struct store_job measured = {0};
    struct packer p = {NULL, sizeof measured};
    pack(&p, &measured, record, bare);
    struct store_job *job = malloc(p.used);
    if (job == NULL)
        return REIN_ENOMEM;
    memset(job, 0, sizeof *job);
    p = (struct packer){(char *)job, sizeof *job};
    pack(&p, job, record, bare);
    job->first = (struct store_attempt){.started_us = -1, .first_byte_us = -1, .ended_us = -1};
    job->may_continue = job->choices = -1;
    if (job->record.attempts_len > 0) {
        job->first = job->record.attempts[0];
        job->delivery = rein_delivery_name(job->first.delivery);
        job->may_continue = job->first.may_continue;
        job->choices = job->first.choices;
    }
    set_words(job);
    job->keep_text_until_us = record->keep_text_days > 0 ? record->started_at_us + record->keep_text_days * day_us : -1;
    if (job->text_bytes > 0)
        atomic_fetch_add(&texts_waiting, job->text_bytes);
    atomic_init(&job->refs, 1);
    *out = job;
    return 0;
}

void store_job_unref(struct store_job *job)
{
    if (atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (job->text_bytes > 0)
        atomic_fetch_sub(&texts_waiting, job->text_bytes);
    free(job);
}
