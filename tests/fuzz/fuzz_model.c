/* Fuzzes files of weights: any bytes as a file, as base64, and as the weights of a model that scores them as a text.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "detect/model.h"
#include "detect/signal.h"
#include "document/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model model;
static struct model_state state;

static void check_file(struct span text)
{
    struct rein_source source = {"fuzz.yaml", text.data, text.len};
    struct rein_problems *problems;
    struct rein_doc *doc;
    struct model *loaded = NULL;
    if (rein_problems_new(&problems) != 0)
        abort();
    if (rein_doc_read(&doc, &source, problems) == 0) {
        int rv = rein_doc_check(doc, rein_schema_model(), problems);
        if (rv == 0 && model_load(&loaded, rein_doc_root(doc), problems) != 0)
            abort();
        if (loaded == NULL && rein_problems_count(problems) == 0)
            abort();
        rein_doc_free(doc);
    }
    model_free(loaded);
    rein_problems_free(problems);
}

static void check_base64(struct span text)
{
    char few[16], *all = malloc(text.len + 1);
    ptrdiff_t len = base64_decode(text, few, sizeof few);
    if (all == NULL || base64_decode(text, all, text.len) != len || len > (ptrdiff_t)text.len)
        abort();
    if (len > 0 && memcmp(few, all, (size_t)len < sizeof few ? (size_t)len : sizeof few) != 0)
        abort();
    free(all);
}

static void fill(int8_t *weights, size_t count, struct span from)
{
    for (size_t i = 0; i < count; i++)
        weights[i] = (int8_t)from.data[i % from.len];
}

static void check_score(double score, double most)
{
    if (!(score >= 0 && score <= 1) || score > most)
        abort();
}

/* The text is its own weights; no sentence may lift a score above its bound. */
static void check_scores(struct span text)
{
    char folded[SENTENCE_MAX];
    memset(&state, 0, sizeof state);
    fill(model.prompt, sizeof model.prompt, text);
    fill(&model.reasoning[0][0], sizeof model.reasoning, text);
    fill(model.answer, sizeof model.answer, text);
    for (int head = 0; head < REIN_HEADS; head++)
        model.heads[head] = (struct model_head){
            .bias = -1, .scale = 0.01, .slope = 1, .clip = 1 + text.data[0] % 100 + 127, .most = 127};
    for (size_t at = 0; at < text.len; at += 100) {
        size_t len = text.len - at < 100 ? text.len - at : 100;
        len = signal_fold((struct span){text.data + at, len}, folded, sizeof folded);
        double harm = model_bound(&model, &state, REIN_REASONING_HARM), risk = model_risk_bound(&model, &state);
        struct model_sentence read = model_read_reasoning(&model, &state, (struct span){folded, len});
        model_add_reasoning(&model, &state, &read);
        check_score(model_score(&model, &state, REIN_REASONING_HARM), harm);
        check_score(model_risk(&model, &state), risk);
        read = model_read_answer(&model, &state, (struct span){folded, len});
        model_add_answer(&model, &state, &read);
        check_score(model_score(&model, &state, REIN_COMPLIES_ANSWER), 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    check_file(text);
    check_base64(text);
    if (size > 0)
        check_scores(text);
    return 0;
}
