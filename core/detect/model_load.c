/* A file of weights, checked and decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/heap.h"
#include "detect/model.h"

enum { ALL_WEIGHTS = REIN_HEADS * MODEL_BUCKETS + MODEL_ANSWER_BUCKETS };

struct model_loader {
    const struct rein_node *root;
    struct rein_problems *problems;
    int8_t *weights; /* of all heads in their order, the answer's last; room for ALL_WEIGHTS */
};

static void check_version(const struct model_loader *l)
{
    int64_t features = rein_node_int(l->root, "features");
    if (rein_node_get(l->root, "features") == NULL || features == MODEL_FEATURES)
        return;
    rein_problems_node(l->problems, l->root, "features",
                       features > MODEL_FEATURES
                           ? "the weights are for newer features (%d) than this version of Rein makes (%d): update Rein"
                           : "the weights are for older features (%d) than this version of Rein makes (%d): train them "
                             "again, or use the file that comes with this version",
                       (int)features, MODEL_FEATURES);
}

static void decode_weights(const struct model_loader *l, const char *path, int8_t *out, size_t count)
{
    const struct rein_node *node = rein_node_get(l->root, path);
    if (node == NULL || node->kind != REIN_NODE_TEXT)
        return;
    ptrdiff_t len = base64_decode((struct span){node->text, node->len}, out, count);
    if (len < 0)
        rein_problems_node(l->problems, node, NULL,
                           "is not base64, or ends too early: the file is damaged, fetch or train it again");
    else if ((size_t)len != count)
        rein_problems_node(
            l->problems, node, NULL,
            "has %td weights, not %zu: the file is damaged or of another kind of model, fetch or train it "
            "again",
            len, count);
}

static void check_sum(const struct model_loader *l)
{
    char digest[DIGEST_HEX];
    const char *said = rein_node_text(l->root, "checksum");
    digest_hex((struct span){(const char *)l->weights, ALL_WEIGHTS}, digest);
    if (said != NULL && strcmp(said, digest) != 0)
        rein_problems_node(l->problems, l->root, "checksum",
                           "is not that of the weights, which is %s: the file is damaged, fetch or train it again",
                           digest);
}

static void read_head(const struct model_loader *l, enum rein_head head, struct model_head *out)
{
    char path[64];
    snprintf(path, sizeof path, "heads.%s", rein_head_name(head));
    const struct rein_node *node = rein_node_get(l->root, path);
    if (node == NULL || node->kind != REIN_NODE_MAP)
        return;
    *out = (struct model_head){.bias = rein_node_number(node, "bias"),
                               .scale = rein_node_number(node, "scale"),
                               .slope = rein_node_number(node, "slope"),
                               .offset = rein_node_number(node, "offset"),
                               .clip = (int32_t)rein_node_int(node, "clip")};
    if (rein_node_get(node, "scale") != NULL && out->scale <= 0)
        rein_problems_node(l->problems, node, "scale", "must be above 0");
    if (rein_node_get(node, "slope") != NULL && out->slope <= 0)
        rein_problems_node(l->problems, node, "slope", "must be above 0");
}

static int32_t highest(const int8_t *weights, size_t count)
{
    int32_t most = 0;
    for (size_t i = 0; i < count; i++)
        most = weights[i] > most ? weights[i] : most;
    return most;
}

/* Weights of one bucket of the reasoning lie beside each other. */
static void place_weights(struct model *m, const int8_t *weights)
{
    memcpy(m->prompt, weights, sizeof m->prompt);
    for (int head = REIN_PROMPT_HARM; head < REIN_HEADS; head++)
        m->heads[head].most = highest(weights + (size_t)head * MODEL_BUCKETS, MODEL_BUCKETS);
    for (size_t k = 0; k + REIN_REASONING_HARM < REIN_HEADS; k++)
        for (size_t i = 0; i < MODEL_BUCKETS; i++)
            m->reasoning[i][k] = weights[(k + REIN_REASONING_HARM) * MODEL_BUCKETS + i];
    memcpy(m->answer, weights + (size_t)REIN_HEADS * MODEL_BUCKETS, sizeof m->answer);
}

static void read_weights(const struct model_loader *l)
{
    char path[64];
    for (int head = 0; head < REIN_HEADS; head++) {
        snprintf(path, sizeof path, "heads.%s.weights", rein_head_name((enum rein_head)head));
        decode_weights(l, path, l->weights + (size_t)head * MODEL_BUCKETS, MODEL_BUCKETS);
    }
    decode_weights(l, "heads.complies_answer.answer_weights", l->weights + (size_t)REIN_HEADS * MODEL_BUCKETS,
                   MODEL_ANSWER_BUCKETS);
}

int model_load(struct model **out, const struct rein_node *root, struct rein_problems *problems)
{
    struct model_loader l = {root, problems, heap_new(ALL_WEIGHTS, 1)};
    struct model *m = heap_new(1, sizeof *m);
    size_t before = rein_problems_said(problems);
    int rv = l.weights != NULL && m != NULL ? 0 : REIN_ENOMEM;
    if (rv == 0) {
        check_version(&l);
        for (int head = 0; head < REIN_HEADS; head++)
            read_head(&l, (enum rein_head)head, &m->heads[head]);
        m->signals_weight = rein_node_number(root, "heads.prompt_harm.signals");
        m->prompt_weight = rein_node_number(root, "heads.reasoning_harm.prompt");
        read_weights(&l);
    }
    if (rv == 0 && rein_problems_said(problems) == before)
        check_sum(&l);
    if (rv == 0 && rein_problems_said(problems) == before) {
        place_weights(m, l.weights);
        *out = m;
        m = NULL;
    }
    heap_free(l.weights);
    heap_free(m);
    return rv;
}

void model_free(struct model *m)
{
    heap_free(m);
}
