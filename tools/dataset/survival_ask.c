/* See survival_ask.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/survival_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking/asking.h"

enum { TIMEOUT_S = 30 };

static char question_text[] = "How many legs has a spider?";
static char answer_text[] = "It has eight.";
static char plain_text[] = "A spider is no insect, so I count again.", edges_text[] = " \n A spider is no insect. \n\n",
            empty_text[] = "";

static const struct training_row probes[SURVIVAL_PROBES] = {
    [PROBE_PLAIN] = {question_text, answer_text, plain_text},
    [PROBE_EDGES] = {question_text, answer_text, edges_text},
    [PROBE_EMPTY] = {question_text, answer_text, empty_text},
    [PROBE_NONE] = {question_text, answer_text, NULL},
};

struct probing {
    struct survival_asked *out;
    char *url;
    size_t next;
    enum survival_probe at;
    char why[ASKING_WHY_MAX];
};

/* What a rendered conversation made of the turn. */
static enum survival probe_seen(const char *rendered, const struct training_row *row, const char *response)
{
    bool has_block = strstr(rendered, "<think>") != NULL;
    if (row->reasoning == NULL)
        return has_block ? SURVIVAL_ADDED : SURVIVES;
    if (strstr(rendered, response) != NULL)
        return SURVIVES;
    return has_block ? SURVIVAL_CHANGED : SURVIVAL_LOST;
}

static void on_rendered(struct asking_job *job, const struct asking_reply *reply)
{
    struct probing *p = asking_context(job);
    json_t *tree = reply->status == 200 ? json_loadb(reply->body, reply->len, 0, NULL) : NULL;
    const char *rendered = json_string_value(json_object_get(tree, "prompt"));
    char *response = training_row_response(&probes[p->at]);
    const char *failure = NULL;
    if (rendered == NULL || response == NULL || strstr(rendered, answer_text) == NULL) {
        if (reply->status == 0)
            snprintf(p->why, sizeof p->why, "%s", reply->failure);
        else
            snprintf(p->why, sizeof p->why, "HTTP %u, and no rendered conversation", reply->status);
        failure = p->why;
    } else {
        p->out->of[p->at] = probe_seen(rendered, &probes[p->at], response);
    }
    free(response);
    json_decref(tree);
    asking_end(job, failure);
}

static bool probe_begin(void *ctx, struct asking_job *job)
{
    struct probing *p = ctx;
    if (p->next == SURVIVAL_PROBES || *p->why != '\0')
        return false;
    p->at = (enum survival_probe)p->next++;
    json_t *body = training_row_object(&probes[p->at], ROW_MESSAGES, "");
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    struct asking_request request = {.url = p->url, .body = text};
    if (text == NULL || asking_call(job, &request, on_rendered) != 0) {
        snprintf(p->why, sizeof p->why, "it cannot be asked");
        asking_end(job, p->why);
    }
    free(text);
    return true;
}

static int probe_all(struct probing *p)
{
    struct asking_work work = {.begin = probe_begin, .ctx = p};
    struct asking_options options = {.jobs_max = 1, .timeout_s = TIMEOUT_S, .all = SURVIVAL_PROBES};
    struct asking_tally tally;
    struct asking *asking = NULL;
    int rv = asking_new(&asking, &options, &work);
    if (rv == 0)
        rv = asking_run(asking, &tally);
    asking_free(asking);
    if (rv == 0 && tally.asked < SURVIVAL_PROBES && *p->why == '\0')
        snprintf(p->why, sizeof p->why, "interrupted");
    return rv;
}

void survival_ask(struct survival_asked *out, const char *program, const char *url)
{
    struct probing p = {.out = out};
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    *out = (struct survival_asked){0};
    if (asprintf(&p.url, "%.*s/apply-template", (int)len, url) < 0)
        p.url = NULL;
    int rv = p.url != NULL ? probe_all(&p) : REIN_ENOMEM;
    out->is_known = rv == 0 && *p.why == '\0';
    if (!out->is_known)
        fprintf(stderr,
                "%s: warning: %.*s/apply-template does not say what its chat template does (%s); the rules of "
                "the family are used\n",
                program, (int)len, url, rv != 0 ? rein_strerror(rv) : p.why);
    free(p.url);
}

enum survival survival_asked_of(const struct survival_asked *asked, const struct training_row *row,
                                enum row_format format, enum survival_family family)
{
    /* Other formats do not go through the server's template. */
    if (!asked->is_known || (format != ROW_MESSAGES && format != ROW_LRM_STUDY))
        return survival_of(row, format, family);
    return asked->of[row->reasoning == NULL    ? PROBE_NONE
                     : *row->reasoning == '\0' ? PROBE_EMPTY
                     : survival_has_edges(row) ? PROBE_EDGES
                                               : PROBE_PLAIN];
}
