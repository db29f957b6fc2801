/* A decision as a training row; see export.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The accepted attempt is the last one, choice 0. A row is one question and one answer: what a trainer could not learn
 * as that is left out, with the reason. */
#include <stdlib.h>
#include <string.h>

#include "dataset/export.h"

static const char *const outcome_words[EXPORT_OUTCOMES_LEN] = {
#define EXPORT_OUTCOME_WORD(name, word, text) [name] = word,
    EXPORT_OUTCOMES(EXPORT_OUTCOME_WORD)
#undef EXPORT_OUTCOME_WORD
};
static const char *const outcome_texts[EXPORT_OUTCOMES_LEN] = {
#define EXPORT_OUTCOME_TEXT(name, word, text) [name] = text,
    EXPORT_OUTCOMES(EXPORT_OUTCOME_TEXT)
#undef EXPORT_OUTCOME_TEXT
};

const char *export_outcome_word(enum export_outcome outcome)
{
    return outcome_words[outcome];
}

const char *export_outcome_text(enum export_outcome outcome)
{
    return outcome_texts[outcome];
}

void export_row_fini(struct export_row *row)
{
    training_row_fini(&row->row);
    training_row_fini(&row->rejected);
}

/* ---- reading a decision ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool flag_of(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key)) || number_of(object, key) != 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

/* What a choice and an attempt said in a channel; NULL: nothing. */
static const json_t *said_text(const json_t *texts, const char *channel, json_int_t attempt)
{
    size_t i;
    const json_t *text;
    json_array_foreach(texts, i, text)
    {
        if (strcmp(text_of(text, "channel"), channel) == 0 && number_of(text, "attempt") == attempt &&
            number_of(text, "choice") == 0)
            return text;
    }
    return NULL;
}

/* A message of several parts is judged in more than one way of joining them, which differ in white space. */
static bool is_same_message(const json_t *a, const json_t *b)
{
    static const char blanks[] = " \t\r\n";
    const char *x = text_of(a, "text"), *y = text_of(b, "text");
    for (;; x++, y++) {
        x += strspn(x, blanks);
        y += strspn(y, blanks);
        if (*x != *y)
            return false;
        if (*x == '\0')
            return true;
    }
}

/* The question: the only message of the user, and no other but system messages. */
static enum export_outcome question_of(const json_t *texts, const struct export_options *o, const json_t **out)
{
    static const char *const systems[] = {"system", "developer", NULL};
    size_t i;
    const json_t *text;
    *out = NULL;
    json_array_foreach(texts, i, text)
    {
        const char *speaker = text_of(text, "speaker");
        if (strcmp(text_of(text, "channel"), "prompt") != 0 || strcmp(speaker, "user_id") == 0)
            continue; /* who the user is, is no message */
        if (is_one_of(speaker, systems)) {
            if (!o->without_system)
                return EXPORT_SYSTEM;
        } else if (strcmp(speaker, "user") != 0 || (*out != NULL && !is_same_message(*out, text))) {
            return EXPORT_TURNS;
        } else if (*out == NULL) {
            *out = text;
        }
    }
    return *out != NULL ? EXPORT_ROW : EXPORT_NO_TEXT;
}

/* The prefix that an attempt's reasoning began with: it is not text of the model, so it is not kept with it. NULL: it
 * is not known. */
static const char *prefix_of(const struct export_options *o, const json_t *decision, const json_t *reasoning,
                             json_int_t attempt)
{
    if (number_of(reasoning, "origin") > 0)
        return NULL; /* it goes on from what an earlier attempt had shown */
    const json_t *attempts = json_object_get(decision, "attempts"), *one;
    size_t i;
    json_array_foreach(attempts, i, one)
    {
        if (number_of(one, "n") == attempt && strcmp(text_of(one, "delivery"), "prefill") == 0)
            return attempt == 0 ? o->first_prefix : o->restart_prefix;
    }
    return "";
}

/* ---- what was found in the accepted answer ---- */

static const json_t *masks_of(const json_t *text)
{
    return json_object_get(text, "masks");
}

static bool overlaps(const json_t *a, const json_t *b)
{
    return number_of(a, "offset") < number_of(b, "offset") + number_of(b, "len") &&
           number_of(b, "offset") < number_of(a, "offset") + number_of(a, "len");
}

static bool has_mask(const json_t *text, const json_t *match)
{
    size_t i;
    const json_t *mask;
    json_array_foreach(masks_of(text), i, mask)
    {
        if (overlaps(mask, match))
            return true;
    }
    return false;
}

/* What a rule has found is no fault of a row where the text has a mask in its place; `found` lists other matches, too.
 */
static bool is_masked(const json_t *texts, const json_t *finding, json_int_t attempt)
{
    size_t i;
    const json_t *found, *text = said_text(texts, text_of(finding, "channel"), attempt);
    json_array_foreach(json_object_get(text, "found"), i, found)
    {
        if (strcmp(text_of(found, "rule"), text_of(finding, "id")) == 0 && has_mask(text, found))
            return true;
    }
    return false;
}

static bool finding_counts(const json_t *texts, const json_t *finding, json_int_t attempt)
{
    if (strcmp(text_of(finding, "channel"), "prompt") == 0 || number_of(finding, "attempt") != attempt ||
        number_of(finding, "choice") != 0)
        return false; /* what was asked is no fault of the answer */
    return strcmp(text_of(finding, "kind"), "rule") != 0 || !is_masked(texts, finding, attempt);
}

static enum export_outcome fault_of(const json_t *decision, const json_t *texts, json_int_t attempt)
{
    const json_t *findings = json_object_get(decision, "findings"), *opinions = json_object_get(decision, "opinions");
    const json_t *one;
    size_t i;
    json_array_foreach(findings, i, one)
    {
        if (finding_counts(texts, one, attempt))
            return EXPORT_FOUND;
    }
    if (number_of(decision, "findings_count") > (json_int_t)json_array_size(findings))
        return EXPORT_FOUND; /* there are more than are listed */
    json_array_foreach(opinions, i, one)
    {
        if (number_of(one, "attempt") == attempt && strcmp(text_of(one, "channel"), "prompt") != 0 &&
            strcmp(text_of(one, "outcome"), "opined") != 0)
            return EXPORT_UNJUDGED;
    }
    return EXPORT_ROW;
}

/* ---- texts ---- */

/* Line ends beside the tags belong to the tags (training_row.h). */
static char *reasoning_copy(const json_t *text, const char *prefix)
{
    const char *at = text_of(text, "text");
    size_t len = strlen(at);
    char *copy = NULL;
    if (len > 0 && at[len - 1] == '\n')
        len--;
    if (len > 0 && *at == '\n' && *prefix == '\0') {
        at++;
        len--;
    }
    return asprintf(&copy, "%s%.*s", prefix, (int)len, at) < 0 ? NULL : copy;
}

static char *answer_copy(const json_t *text)
{
    const char *at = text_of(text, "text");
    at += strspn(at, "\r\n");
    return strdup(at);
}

static size_t masks_in(const json_t *text)
{
    return json_array_size(masks_of(text));
}

static bool is_usable(const json_t *text)
{
    return text == NULL || strcmp(text_of(text, "form"), "full") == 0;
}

/* A text that holds a NUL ends there for its readers. */
static bool is_whole(const json_t *text)
{
    return text == NULL || (flag_of(text, "whole") &&
                            (masks_in(text) > 0 || (size_t)number_of(text, "len") == strlen(text_of(text, "text"))));
}

static int row_fill_texts(struct training_row *row, const json_t *question, const json_t *reasoning,
                          const json_t *answer, const char *prefix)
{
    bool reasons = reasoning != NULL || *prefix != '\0';
    row->prompt = strdup(text_of(question, "text"));
    row->answer = answer_copy(answer);
    row->reasoning = reasons ? reasoning_copy(reasoning, prefix) : NULL;
    return row->prompt != NULL && row->answer != NULL && (!reasons || row->reasoning != NULL) ? 0 : REIN_ENOMEM;
}

/* Masks again, and looks whether the row can be taken apart again. */
static int row_finish(struct training_row *row, struct remask *remask, size_t *masks)
{
    size_t again = 0;
    int rv = remask != NULL ? remask_row(remask, row, &again) : 0;
    if (rv != 0)
        return rv;
    *masks += again;
    return training_row_fault(row) != NULL ? EXPORT_TAGS : EXPORT_ROW;
}

static int accepted_make(struct export_row *out, const struct export_options *o, const json_t *decision,
                         const json_t *question, struct remask *remask)
{
    const json_t *texts = json_object_get(decision, "texts");
    json_int_t last = number_of(decision, "attempts_count") - 1;
    const json_t *reasoning = said_text(texts, "reasoning", last), *answer = said_text(texts, "answer", last);
    const char *prefix = prefix_of(o, decision, reasoning, last);
    if (answer == NULL)
        return EXPORT_UNFINISHED;
    if (!is_usable(question) || !is_usable(reasoning) || !is_usable(answer))
        return EXPORT_NO_TEXT;
    if (!is_whole(question) || !is_whole(reasoning) || !is_whole(answer))
        return EXPORT_CUT;
    if (prefix == NULL)
        return EXPORT_PREFILLED;
    enum export_outcome fault = o->with_findings ? EXPORT_ROW : fault_of(decision, texts, last);
    if (fault != EXPORT_ROW)
        return fault;
    out->masks = masks_in(question) + masks_in(reasoning) + masks_in(answer);
    int rv = row_fill_texts(&out->row, question, reasoning, answer, prefix);
    return rv == 0 ? row_finish(&out->row, remask, &out->masks) : rv;
}

/* The last attempt before the accepted one. It was steered away from, so its texts are what was to be avoided. */
static int rejected_make(struct export_row *out, const struct export_options *o, const json_t *decision,
                         const json_t *question, struct remask *remask)
{
    const json_t *texts = json_object_get(decision, "texts");
    json_int_t last = number_of(decision, "attempts_count") - 2;
    const json_t *reasoning = said_text(texts, "reasoning", last), *answer = said_text(texts, "answer", last);
    const char *prefix = prefix_of(o, decision, reasoning, last);
    if (last < 0 || (reasoning == NULL && answer == NULL))
        return EXPORT_NOT_STOPPED;
    if (!is_usable(reasoning) || !is_usable(answer))
        return EXPORT_NO_TEXT;
    if (!is_whole(reasoning) || !is_whole(answer))
        return EXPORT_CUT;
    if (prefix == NULL)
        return EXPORT_PREFILLED;
    size_t ignored = 0;
    out->rejected_is_open = answer == NULL;
    int rv = row_fill_texts(&out->rejected, question, reasoning, answer, prefix);
    return rv == 0 ? row_finish(&out->rejected, remask, &ignored) : rv;
}

int export_row_make(struct export_row *out, const struct export_options *o, const json_t *decision,
                    struct remask *remask)
{
    static const char *const stops[] = {"refused", "cut", NULL};
    const json_t *texts = json_object_get(decision, "texts"), *question, *text;
    size_t i;
    *out = (struct export_row){0};
    if (json_array_size(texts) == 0)
        return EXPORT_NO_TEXT;
    if (is_one_of(text_of(decision, "ending"), stops))
        return EXPORT_STOPPED;
    if (strcmp(text_of(decision, "ending"), "complete") != 0 || !flag_of(decision, "final"))
        return EXPORT_UNFINISHED;
    if (number_of(decision, "unjudged_parts") > 0)
        return EXPORT_UNJUDGED_PARTS;
    json_array_foreach(texts, i, text)
    {
        if (strcmp(text_of(text, "channel"), "tool") == 0)
            return EXPORT_TOOLS;
    }
    int rv = question_of(texts, o, &question);
    if (rv == EXPORT_ROW)
        rv = accepted_make(out, o, decision, question, remask);
    if (rv == EXPORT_ROW && o->pairs)
        rv = rejected_make(out, o, decision, question, remask);
    if (rv != EXPORT_ROW) {
        export_row_fini(out);
        *out = (struct export_row){0};
    }
    return rv;
}
