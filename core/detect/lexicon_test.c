/* A lexicon's own tests: the sentences that its entries must and must not be found in.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "detect/lexicon.h"

struct tester {
    const struct signals *signals;
    struct rein_engine *engine;
    struct rein_problems *problems;
};

/* 1: the entry is found in the sentence, 0: it is not; negative: it could not be searched for. */
static int finds(struct tester *t, const char *id, enum signal_class class, const struct rein_node *sentence)
{
    struct signal_hit hits[SIGNAL_HITS_MAX];
    int len = signals_scan(t->signals, t->engine, signal_class_channel(class),
                           (struct span){sentence->text, sentence->len}, hits);
    for (int i = 0; i < len; i++)
        if (strcmp(signals_entry_id(t->signals, hits[i].entry), id) == 0)
            return 1;
    return len < 0 ? len : 0;
}

static int test_sentences(struct tester *t, const struct rein_node *entry, const char *key, int wanted)
{
    const char *id = rein_node_text(entry, "id");
    int class = signal_class_find(rein_node_text(entry, "class"));
    const struct rein_node *list = rein_node_get(entry, key);
    const struct rein_node *at = list != NULL && list->kind == REIN_NODE_LIST ? list->first : list;
    for (; at != NULL && id != NULL && class >= 0; at = at->parent == list ? at->next : NULL) {
        int found = finds(t, id, (enum signal_class) class, at);
        if (found < 0)
            return found;
        if (found != wanted)
            rein_problems_node(t->problems, at, NULL, "`%s` is %s here: %.200s", id,
                               wanted ? "not found" : "found, but must not be", at->text);
    }
    return 0;
}

int lexicon_test(const struct rein_node *lexicon, const struct signals *signals, struct rein_problems *problems)
{
    struct tester t = {.signals = signals, .problems = problems};
    const struct rein_node *entries = rein_node_get(lexicon, "entries");
    int rv = rein_engine_new(&t.engine);
    for (const struct rein_node *at = entries != NULL ? entries->first : NULL; at != NULL && rv == 0; at = at->next) {
        rv = test_sentences(&t, at, "match", 1);
        if (rv == 0)
            rv = test_sentences(&t, at, "unlike", 0);
    }
    rein_engine_free(t.engine);
    return rv;
}

static int compile_and_test(const struct rein_node *lexicon, struct signals *signals, struct rein_problems *problems)
{
    size_t before = rein_problems_said(problems), bad = 0;
    const char *why = "";
    int rv = lexicon_add(lexicon, signals, problems);
    if (rv != 0 || rein_problems_said(problems) != before)
        return rv;
    rv = signals_finish(signals, &bad, &why);
    if (rv == REIN_EPOLICY)
        rein_problems_node(problems, lexicon_expression(lexicon, &bad), NULL, "cannot be compiled: %s", why);
    return rv == 0 ? lexicon_test(lexicon, signals, problems) : rv;
}

int lexicon_compile_and_test(const struct rein_node *lexicon, struct rein_problems *problems)
{
    struct signals *signals = NULL;
    int rv = signals_new(&signals);
    if (rv == 0)
        rv = compile_and_test(lexicon, signals, problems);
    signals_free(signals);
    return rv;
}
