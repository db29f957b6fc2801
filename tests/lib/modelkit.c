/* See modelkit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "modelkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "rein/model.h"

enum { TEXT_MAX = 1 << 19 };

void modelkit_init(struct modelkit *kit)
{
    memset(kit, 0, sizeof *kit);
    kit->clip = 1000;
    for (int head = 0; head < REIN_HEADS; head++)
        kit->scale[head] = 0.01;
}

struct weighing {
    int8_t *weights, weight;
};

static void weigh(void *ctx, uint32_t sentence, uint32_t bucket)
{
    struct weighing *w = ctx;
    (void)sentence;
    w->weights[bucket] = w->weight;
}

void modelkit_weigh(struct modelkit *kit, enum rein_head head, const char *text, int8_t weight)
{
    struct weighing w = {kit->weights + (size_t)head * MODEL_BUCKETS, weight};
    (void)rein_features(REIN_REASONING, text, strlen(text), 0, weigh, &w);
}

void modelkit_weigh_answer(struct modelkit *kit, const char *text, int8_t weight)
{
    struct weighing w = {kit->weights + (size_t)REIN_HEADS * MODEL_BUCKETS, weight};
    (void)rein_features(REIN_ANSWER, text, strlen(text), 0, weigh, &w);
}

static size_t put_base64(char *out, const int8_t *weights, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = 0;
    for (size_t i = 0; i < count; i += 3) {
        size_t n = count - i < 3 ? count - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (uint8_t)weights[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            out[len++] = k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    return len;
}

char *modelkit_yaml(const struct modelkit *kit)
{
    char digest[DIGEST_HEX], *text = malloc(TEXT_MAX);
    assert_non_null(text);
    digest_hex((struct span){(const char *)kit->weights, sizeof kit->weights}, digest);
    size_t len =
        (size_t)snprintf(text, TEXT_MAX,
                         "version: 1\nname: tiny\nlanguage: en\nfeatures: %d\nlicence: Apache-2.0\n"
                         "sources:\n  - { name: made up, rows: 1, licence: Apache-2.0 }\nchecksum: %s\nheads:\n",
                         MODEL_FEATURES, digest);
    for (int head = 0; head < REIN_HEADS; head++) {
        len += (size_t)snprintf(text + len, TEXT_MAX - len,
                                "  %s:\n    bias: %.9g\n    scale: %.9g\n    clip: %d\n    weights: ",
                                rein_head_name((enum rein_head)head), kit->bias[head], kit->scale[head], kit->clip);
        len += put_base64(text + len, kit->weights + (size_t)head * MODEL_BUCKETS, MODEL_BUCKETS);
        text[len++] = '\n';
        if (head == REIN_PROMPT_HARM)
            len += (size_t)snprintf(text + len, TEXT_MAX - len, "    signals: %.9g\n", kit->signals);
        if (head == REIN_REASONING_HARM)
            len += (size_t)snprintf(text + len, TEXT_MAX - len, "    prompt: %.9g\n", kit->prompt);
    }
    len += (size_t)snprintf(text + len, TEXT_MAX - len, "    answer_weights: ");
    len += put_base64(text + len, kit->weights + (size_t)REIN_HEADS * MODEL_BUCKETS, MODEL_ANSWER_BUCKETS);
    snprintf(text + len, TEXT_MAX - len, "\n");
    return text;
}

char *modelkit_usual(void)
{
    struct modelkit *kit = malloc(sizeof *kit);
    assert_non_null(kit);
    modelkit_init(kit);
    for (int head = 0; head < REIN_HEADS; head++) {
        kit->bias[head] = -4;
        kit->scale[head] = 0.2;
    }
    kit->signals = 8; /* signals that are sure need no words */
    const char *const harm[] = {"poison", "bomb"}, *const along[] = {"steps", "gladly"};
    for (size_t i = 0; i < 2; i++) {
        modelkit_weigh(kit, REIN_PROMPT_HARM, harm[i], 120);
        modelkit_weigh(kit, REIN_REASONING_HARM, harm[i], 120);
        modelkit_weigh(kit, REIN_COMPLIES, along[i], 120);
        modelkit_weigh(kit, REIN_COMPLIES_ANSWER, along[i], 60);
        modelkit_weigh_answer(kit, along[i], 120);
    }
    char *text = modelkit_yaml(kit);
    free(kit);
    return text;
}

struct rein_policy *modelkit_policy(const char *yaml)
{
    char *weights = modelkit_usual();
    struct rein_source source = {"policy.yaml", yaml, strlen(yaml)}, model = {"tiny.yaml", weights, strlen(weights)};
    static const char again[] = "version: 1\nname: corrective\nkind: corrective\ntext: Again.\n";
    struct rein_source template = {"corrective.yaml", again, sizeof again - 1};
    struct rein_library library = {.models = &model, .models_len = 1, .templates = &template, .templates_len = 1};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = rein_policy_load(&policy, &source, &library, problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
    rein_problems_free(problems);
    free(weights);
    assert_int_equal(rv, 0);
    return policy;
}
