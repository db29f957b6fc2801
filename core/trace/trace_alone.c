/* Stand-alone strings: messages of the prompt, numbers, names, and what else comes whole. Each is judged in one go.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "trace/render.h"
#include "trace/trace_state.h"

/* Writes `text` up to the edit's end without what it removes, escaped for JSON. */
static int write_redacted(struct rein_trace *t, struct span text, const struct edit *e, size_t *at)
{
    int rv = json_escape(&t->said, (struct span){text.data + *at, e->start > *at ? (size_t)e->start - *at : 0});
    if (e->end <= *at)
        return rv;
    struct span parts[REPLACEMENT_PARTS];
    char number[REPLACEMENT_NUMBER];
    render_replacement(t->policy, e, number, parts);
    for (size_t i = 0; i < REPLACEMENT_PARTS && rv == 0; i++)
        rv = json_escape(&t->said, parts[i]);
    *at = (size_t)e->end;
    return rv;
}

static int by_start(const void *a, const void *b)
{
    const struct match *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Whether it is made, and steers, is known when its turn has come. */
static int alone_waits(struct rein_trace *t, const struct rein_finding *f, const struct evidence *evidence)
{
    struct pending *item;
    int rv = trace_wait(t, &t->pending, PENDING_FINDING, evidence->text, &item);
    if (rv != 0)
        return rv;
    item->choice = (uint16_t)f->choice;
    item->finding = (struct pending_finding){.finding = *f, .is_news = true, .evidence = *evidence};
    return 0;
}

/* A match in a stand-alone text, with what stands there; `at` says where. *action: what becomes of it. */
static int found_alone(struct rein_trace *t, struct rein_finding at, const struct match *m, bool is_news,
                       struct span said, enum rein_action *action)
{
    const struct policy_rule *rule = &t->policy->rules[m->rule];
    struct rein_finding f = trace_finding_of(rule);
    *action = REIN_ALLOW;
    if (at.channel == REIN_PROMPT && (rule->speakers & t->speakers) == 0)
        return 0;
    bool is_late = at.channel == REIN_PROMPT && rule->when.is_set;
    if (!is_late && !trace_when_holds(t, &rule->when, at.choice))
        return 0;
    bool waits = trace_must_wait(t, rule->action, rule->shadow), steers_later = waits && rule->action == REIN_STEER;
    f.channel = at.channel;
    f.choice = at.choice;
    f.action = steers_later ? rule->action : trace_resolve(t, rule->action, NULL);
    f.offset = m->start;
    f.len = m->end - m->start;
    *action = f.shadow || is_late ? REIN_ALLOW : f.action;
    if (*action > REIN_REDACT)
        t->alone_refuser = trace_first_refuser(t->alone_refuser, rule);
    t->alone_steers |= steers_later && !f.shadow;
    struct evidence evidence = evidence_of(said, (uintptr_t)(2 * t->alone + 1));
    if (said.len == f.len) {
        evidence.parts[0] = (struct evidence_part){.offset = f.offset, .len = (uint32_t)said.len};
        evidence.parts_len = 1;
    }
    if (!is_news)
        return 0;
    if (waits)
        return alone_waits(t, &f, &evidence);
    return is_late ? trace_match_later(t, rule, &f, &evidence) : trace_add_finding(t, &f, &evidence);
}

/* All matches of a stand-alone text that may be JSON, in its leaves, too. */
static int judge_json_matches(struct rein_trace *t, struct rein_finding f, struct text *text, int event,
                              struct match_list *kept, enum rein_action *worst)
{
    int rv = event < 0 ? event : 0;
    for (size_t i = 0; i < t->matches.len && rv == 0; i++) {
        enum rein_action action;
        struct match span;
        struct span evidence;
        if (!text_found(text, event, &t->matches.items[i], &span, &evidence))
            continue;
        rv = found_alone(t, f, &span, text_is_news(text, event, &span), evidence, &action);
        *worst = action > *worst ? action : *worst;
        if (rv == 0 && action == REIN_REDACT)
            rv = text_redact(text, span.start, span.end, span.rule);
        if (rv == 0 && action == REIN_REDACT && kept != NULL && !t->policy->rules[span.rule].restores)
            rv = match_list_add(kept, span);
    }
    t->matches.len = 0;
    return rv;
}

/* Finds all matches of a text, in its leaves, too: what is to be redacted are the edits of `text`, which is made here.
 */
static int judge_edits(struct rein_trace *t, struct rein_finding f, struct span whole, struct text *text,
                       struct match_list *kept, enum rein_action *worst)
{
    struct span sentence;
    uint64_t offset;
    int event, rv;
    text_init(text, f.channel, f.choice, t->policy->ruleset, whole.len);
    text->may_be_json = true;
    if (f.channel == REIN_PROMPT)
        text_knows(text, &t->known_prompt);
    *worst = REIN_ALLOW;
    t->matches.len = 0;
    rv = text_append(text, whole);
    while (rv == 0 && (event = text_advance(text, &t->matches, &sentence, &offset)) != TEXT_DRY)
        rv = judge_json_matches(t, f, text, event, kept, worst);
    while (rv == 0 && (event = text_end(text, &t->matches, &sentence, &offset)) != TEXT_DRY)
        rv = judge_json_matches(t, f, text, event, kept, worst);
    return rv;
}

static int judge_json(struct rein_trace *t, struct rein_finding f, struct span whole, enum rein_action *worst)
{
    struct text text;
    int rv = judge_edits(t, f, whole, &text, NULL, worst);
    size_t at = 0, len;
    const struct edit *edits = rv == 0 && bytes_len(&text.edits) > 0 ? text_edits(&text, 0, &len) : NULL;
    for (size_t i = 0; edits != NULL && i < len && rv == 0; i++)
        rv = write_redacted(t, whole, &edits[i], &at);
    if (rv == 0 && edits != NULL)
        rv = json_escape(&t->said, (struct span){whole.data + at, whole.len - at});
    text_fini(&text);
    return rv;
}

static bool may_be_json(struct span text)
{
    size_t blanks = 0;
    while (blanks < text.len && memchr(" \t\r\n", text.data[blanks], 4) != NULL)
        blanks++;
    return blanks < text.len && leaf_begins(text.data[blanks]);
}

/* Finds all matches of a stand-alone text. *worst is the strongest action; redactions go to t->said. */
static int judge_alone(struct rein_trace *t, struct rein_finding f, struct span text, enum rein_action *worst)
{
    size_t at = 0;
    bool redacted = false;
    bytes_clear(&t->said);
    t->matches.len = 0;
    t->alone++;
    *worst = REIN_ALLOW;
    if (may_be_json(text) || (f.channel == REIN_PROMPT && t->known != NULL))
        return judge_json(t, f, text, worst);
    int rv = matcher_scan(t->policy->ruleset, f.channel, text, &t->matches);
    if (rv == 0 && t->matches.len > 1)
        qsort(t->matches.items, t->matches.len, sizeof *t->matches.items, by_start);
    for (size_t i = 0; i < t->matches.len && rv == 0; i++) {
        const struct match *m = &t->matches.items[i];
        struct span evidence = {text.data + m->start, (size_t)(m->end - m->start)};
        enum rein_action action;
        rv = found_alone(t, f, m, true, evidence, &action);
        *worst = action > *worst ? action : *worst;
        if (rv != 0 || action != REIN_REDACT)
            continue;
        redacted = true;
        rv = write_redacted(t, text, &(struct edit){.start = m->start, .end = m->end, .rule = m->rule}, &at);
    }
    t->matches.len = 0;
    return rv == 0 && redacted ? json_escape(&t->said, (struct span){text.data + at, text.len - at}) : rv;
}

int trace_judge_whole(struct rein_trace *t, const struct place *place, struct span text, enum rein_action *action)
{
    bool has_channel = place->channel == REIN_TOOL || place->kind == PIECE_ECHO;
    enum rein_channel channel = has_channel ? (enum rein_channel)place->channel : REIN_OTHER;
    struct rein_finding f = {.channel = channel, .choice = place->choice};
    struct rein_flow *flow = &t->decision.flow[channel];
    flow->received += text.len;
    flow->scanned += text.len;
    int rv = judge_alone(t, f, text, action);
    if (rv != 0)
        return rv;
    t->needs_commit |= *action > REIN_RECORD;
    t->whole_matched |= *action > REIN_RECORD;
    flow->released += *action > REIN_RECORD ? 0 : text.len;
    return 0;
}

int trace_judge_prompt(struct rein_trace *t, const char *speaker, struct span text, struct text *edits,
                       struct match_list *kept)
{
    struct rein_finding f = {.channel = REIN_PROMPT};
    struct rein_flow *flow = &t->decision.flow[REIN_PROMPT];
    enum rein_action worst;
    flow->received += text.len;
    flow->scanned += text.len;
    flow->released += text.len;
    t->speakers = policy_speakers_of(speaker);
    t->alone_refuser = NULL;
    int rv = t->known != NULL ? known_prompt(t->known, &t->known_prompt) : 0;
    if (rv != 0)
        return rv;
    rv = edits != NULL ? judge_edits(t, f, text, edits, kept, &worst) : judge_alone(t, f, text, &worst);
    t->prompt_refuser = trace_first_refuser(t->prompt_refuser, t->alone_refuser);
    t->alone_refuser = NULL;
    return rv;
}
