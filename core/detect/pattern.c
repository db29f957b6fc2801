/* The tracker of one choice: finds the signals of a sentence and passes them to the automata of its channel.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/pattern.h"

#include <ctype.h>

#include "base/heap.h"
#include "detect/engine.h"
#include "detect/pattern_state.h"

/* Measured values; see docs/DETECTION.md. Those of the outcome risk belong to the weights that ship. */
const double pattern_default_threshold[REIN_PATTERNS] = {
    [REIN_LACK_OF_SAFETY_AWARENESS] = 0.65, [REIN_STRONG_VACILLATION] = 0.65,    [REIN_WEAK_VACILLATION] = 0.6,
    [REIN_HARMFUL_ADDITIONS] = 0.6,         [REIN_INCONSISTENCY_COMPLIES] = 0.5, [REIN_INCONSISTENCY_REFUSES] = 0.5,
    [REIN_OUTCOME_RISK_REASONING] = 0.99,   [REIN_OUTCOME_RISK_ANSWER] = 0.45,
};

/* A hash of the letters and digits of a sentence, so that marks, spaces and case make no difference. 0: none. */
static uint64_t hash_words(struct span text)
{
    char folded[SENTENCE_MAX];
    size_t len = signal_fold(text, folded, sizeof folded);
    uint64_t hash = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)folded[i];
        if (isalnum(c) || c >= 0x80)
            hash = ((hash != 0 ? hash : 0xCBF29CE484222325u) ^ c) * 0x100000001B3u;
    }
    return hash;
}

static int remember_prefix(struct pattern_tracker *p, struct span prefix)
{
    struct sentencer s;
    if (prefix.len == 0)
        return 0;
    p->prefix = heap_new(PREFIX_SENTENCES_MAX, sizeof *p->prefix);
    if (p->prefix == NULL)
        return REIN_ENOMEM;
    sentencer_init(&s, 0);
    uint64_t start = 0;
    for (size_t at = 0; start < prefix.len && p->prefix_len < PREFIX_SENTENCES_MAX;) {
        uint64_t end = prefix.len;
        at += sentencer_feed(&s, (struct span){prefix.data + at, prefix.len - at}, &end);
        uint64_t hash = hash_words((struct span){prefix.data + start, end - start});
        if (hash != 0)
            p->prefix[p->prefix_len++] = hash;
        start = end;
    }
    return 0;
}

static bool is_recited(const struct pattern_tracker *p, struct span sentence)
{
    if (p->prefix_len == 0)
        return false;
    uint64_t hash = hash_words(sentence);
    for (size_t i = 0; i < p->prefix_len; i++)
        if (p->prefix[i] == hash)
            return true;
    return false;
}

int pattern_tracker_new(struct pattern_tracker **out, const struct signals *signals,
                        const struct pattern_settings *settings, const struct prompt_risk *risk, struct span prefix)
{
    struct pattern_tracker *p = heap_new(1, sizeof *p);
    if (p == NULL)
        return REIN_ENOMEM;
    p->signals = signals;
    p->settings = *settings;
    p->risk = *risk;
    int rv = remember_prefix(p, prefix);
    if (rv == 0 && settings->model != NULL) {
        p->outcome.learned = heap_new(1, sizeof *p->outcome.learned);
        rv = p->outcome.learned != NULL ? 0 : REIN_ENOMEM;
    }
    if (rv != 0) {
        pattern_tracker_free(p);
        return rv;
    }
    outcome_begin(p);
    pattern_bound(p);
    *out = p;
    return 0;
}

void pattern_tracker_free(struct pattern_tracker *p)
{
    if (p == NULL)
        return;
    heap_free(p->prefix);
    heap_free(p->outcome.learned);
    heap_free(p->reasoning.talk);
    heap_free(p->due);
    bytes_fini(&p->quotes);
    heap_free(p);
}

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isspace((unsigned char)text.data[i]))
            return false;
    return true;
}

/* Signals of a refusal below the one weight do not make a refusal alone, however many there are; from the other on, one
 * is enough. */
static const float SOFT = 0.6f, FIRM = 0.9f;

/* Finds the signals of the sentence that the engine has folded. */
static int gather(struct pattern_tracker *p, struct rein_engine *engine, enum rein_channel channel,
                  struct signal_sums *sums)
{
    struct signal_hit hits[SIGNAL_HITS_MAX];
    int len = signals_scan_same(p->signals, engine, channel, hits);
    for (int i = 0; i < len; i++) {
        bool soft = hits[i].class == SIGNAL_ANSWER_REFUSES && hits[i].weight < SOFT;
        *(soft ? &sums->soft : &sums->sum[hits[i].class]) += hits[i].weight;
        sums->firm += hits[i].class == SIGNAL_ANSWER_REFUSES && hits[i].weight >= FIRM ? hits[i].weight : 0;
    }
    if (len < 0 || channel != REIN_REASONING || p->reasoning.sentences >= TOPIC_SENTENCES)
        return len < 0 ? len : 0;
    len = signals_scan_same(p->signals, engine, REIN_PROMPT, hits);
    for (int i = 0; i < len; i++)
        sums->topic += hits[i].class == SIGNAL_PROMPT_HARM ? hits[i].weight : 0;
    return len < 0 ? len : 0;
}

/* Reads what is `wanted` of a sentence (READING_SIGNALS, READING_LEARNED). */
static int read_sentence(struct pattern_tracker *p, struct rein_engine *engine, enum rein_channel channel,
                         struct span sentence, unsigned wanted, struct reading *r)
{
    struct span folded = engine_fold(engine, sentence);
    int rv = (wanted & READING_SIGNALS) != 0 ? gather(p, engine, channel, &r->signals) : 0;
    if (rv != 0)
        return rv;
    if ((wanted & READING_LEARNED) != 0)
        r->learned = channel == REIN_REASONING ? model_read_reasoning(p->settings.model, p->outcome.learned, folded)
                                               : model_read_answer(p->settings.model, p->outcome.learned, folded);
    r->flags |= wanted;
    return 0;
}

static void note_signals(struct sentence_facts *facts, const struct signal_sums *sums)
{
    facts->signals = *sums;
    for (int c = SIGNAL_CONCEDES; c <= SIGNAL_REFRAMES_GOOD_FAITH; c++)
        facts->talk += sums->sum[c];
}

static int take_reasoning(struct pattern_tracker *p, struct rein_engine *engine, struct span sentence,
                          struct sentence_facts *facts, struct reading *r)
{
    unsigned wanted = READING_SIGNALS | (p->outcome.learned != NULL ? READING_LEARNED : 0);
    facts->number = p->reasoning.sentences;
    if (!r->is_known && is_recited(p, sentence))
        r->flags |= READING_RECITED;
    if ((r->flags & READING_RECITED) != 0) {
        reasoning_sentence(p, facts);
        return 0;
    }
    int rv = r->is_known ? 0 : read_sentence(p, engine, REIN_REASONING, sentence, wanted, r);
    if (rv != 0)
        return rv;
    r->is_short = (wanted & ~r->flags) != 0;
    note_signals(facts, &r->signals);
    reasoning_sentence(p, facts);
    if (p->outcome.learned != NULL)
        outcome_reasoning(p, facts, &r->learned);
    return 0;
}

static int take_answer(struct pattern_tracker *p, struct rein_engine *engine, struct span sentence,
                       struct sentence_facts *facts, struct reading *r)
{
    bool is_open = p->answer.stance == STANCE_OPEN;
    unsigned wanted = (is_open ? READING_SIGNALS : 0) | (outcome_wants_answer(p) ? READING_LEARNED : 0);
    facts->number = p->answer.sentences;
    int rv = r->is_known ? 0 : read_sentence(p, engine, REIN_ANSWER, sentence, wanted, r);
    if (rv != 0)
        return rv;
    r->is_short = (wanted & ~r->flags) != 0;
    note_signals(facts, &r->signals);
    if (is_open)
        answer_sentence(p, facts);
    if (outcome_wants_answer(p))
        outcome_answer(p, facts, &r->learned);
    return 0;
}

int pattern_sentence(struct pattern_tracker *p, struct rein_engine *engine, enum rein_channel channel,
                     struct span sentence, uint64_t offset, struct reading *r)
{
    bool is_reasoning = channel == REIN_REASONING;
    bool is_wanted = is_reasoning || (channel == REIN_ANSWER && !pattern_answer_is_done(p));
    if (!r->is_known && is_blank(sentence))
        r->flags |= READING_BLANK;
    if (!is_wanted || (r->flags & READING_BLANK) != 0)
        return 0;
    struct sentence_facts facts = {.offset = offset, .len = (uint32_t)sentence.len};
    int rv =
        is_reasoning ? take_reasoning(p, engine, sentence, &facts, r) : take_answer(p, engine, sentence, &facts, r);
    if (is_reasoning)
        pattern_bound(p);
    if (rv == 0 && is_reasoning && p->settings.quotes)
        rv = quote_sentence(p, &facts, sentence);
    return rv == 0 ? p->failed : rv;
}

int pattern_end(struct pattern_tracker *p, enum rein_channel channel)
{
    if (channel == REIN_REASONING && !p->reasoning.ended) {
        p->reasoning.ended = true;
        reasoning_end(p);
        pattern_bound(p);
    } else if (channel == REIN_ANSWER && !p->answer.ended) {
        p->answer.ended = true;
        answer_end(p);
        outcome_answer_end(p);
    }
    return p->failed;
}

/* ---- findings ---------------------------------------------------------------------------------------------------- */

void step_list_add(struct step_list *list, enum signal_class class, const struct sentence_facts *facts)
{
    /* The first steps show where it began, so the last but one is dropped. */
    if (list->len == REIN_STEPS_MAX) {
        list->len--;
        list->steps[list->len - 1] = list->steps[list->len];
    }
    list->steps[list->len++] = (struct rein_step){
        .signal = signal_class_name(class), .sentence = facts->number, .len = facts->len, .offset = facts->offset};
}

void pattern_raise(struct pattern_tracker *p, enum rein_pattern pattern, enum rein_channel channel, double score,
                   const struct sentence_facts *at, const struct step_list *list)
{
    if (score > p->scores[pattern])
        p->scores[pattern] = score;
    if (!p->settings.enabled[pattern] || score < p->settings.threshold[pattern] || (p->found & 1u << pattern) != 0)
        return;
    if (p->due == NULL)
        p->due = heap_new(REIN_PATTERNS, sizeof *p->due);
    if (p->due == NULL) {
        p->failed = REIN_ENOMEM;
        return;
    }
    p->found |= 1u << pattern;
    struct pattern_finding *f = &p->due[p->due_len++];
    *f = (struct pattern_finding){
        .pattern = pattern, .channel = channel, .offset = at->offset, .len = at->len, .score = score};
    f->steps_len = list->len;
    memcpy(f->steps, list->steps, list->len * sizeof list->steps[0]);
}

bool pattern_take(struct pattern_tracker *p, struct pattern_finding *out)
{
    if (p->due_taken == p->due_len)
        return false;
    *out = p->due[p->due_taken++];
    return true;
}

double pattern_score(const struct pattern_tracker *p, enum rein_pattern pattern)
{
    return p->scores[pattern];
}

enum rein_stance pattern_answer_stance(const struct pattern_tracker *p)
{
    static const enum rein_stance stances[] = {[STANCE_OPEN] = REIN_STANCE_OPEN,
                                               [STANCE_REFUSES] = REIN_STANCE_REFUSES,
                                               [STANCE_COMPLIES] = REIN_STANCE_COMPLIES};
    return stances[p->answer.stance];
}

/* Does the reasoning end in the stance that an answer of the other one does not fit? */
static bool has_stance_for(const struct pattern_tracker *p, enum rein_pattern inconsistency)
{
    enum stance wanted = inconsistency == REIN_INCONSISTENCY_COMPLIES ? STANCE_REFUSES : STANCE_COMPLIES;
    return reasoning_stance(&p->reasoning) == wanted;
}

bool pattern_answer_waits_for(const struct pattern_tracker *p, enum rein_pattern pattern)
{
    if (p->answer.ended)
        return false;
    if (pattern == REIN_OUTCOME_RISK_ANSWER)
        return outcome_answer_may_act(p);
    bool compares = pattern == REIN_INCONSISTENCY_COMPLIES || pattern == REIN_INCONSISTENCY_REFUSES;
    return compares && p->settings.acts[pattern] && p->answer.stance == STANCE_OPEN &&
           p->answer.len < PATTERN_HEAD_MAX && has_stance_for(p, pattern);
}

bool pattern_answer_is_open(const struct pattern_tracker *p)
{
    return pattern_answer_waits_for(p, REIN_OUTCOME_RISK_ANSWER) ||
           pattern_answer_waits_for(p, REIN_INCONSISTENCY_COMPLIES) ||
           pattern_answer_waits_for(p, REIN_INCONSISTENCY_REFUSES);
}

bool pattern_answer_is_done(const struct pattern_tracker *p)
{
    return p->answer.stance != STANCE_OPEN && !outcome_wants_answer(p);
}

size_t pattern_talk(const struct pattern_tracker *p, const struct rein_step **steps)
{
    *steps = p->reasoning.talk;
    return p->reasoning.talk_len;
}
