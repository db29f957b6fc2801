/* The learned score: features, sums, clips, bounds, and files of weights that are wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "detect/model.h"
#include "detect/signal.h"
#include "dice.h"
#include "modelkit.h"
#include "rein/model.h"

/* ---- base64 ---- */

/* Reads a sentence and adds it. */
static void read_reasoning(const struct model *m, struct model_state *s, struct span folded)
{
    struct model_sentence sentence = model_read_reasoning(m, s, folded);
    model_add_reasoning(m, s, &sentence);
}

static void read_answer(const struct model *m, struct model_state *s, struct span folded)
{
    struct model_sentence sentence = model_read_answer(m, s, folded);
    model_add_answer(m, s, &sentence);
}

static void decodes(const char *text, const char *want)
{
    char out[64] = "";
    ptrdiff_t len = base64_decode((struct span){text, strlen(text)}, out, sizeof out - 1);
    if (want == NULL) {
        assert_int_equal(len, REIN_EFORMAT);
        return;
    }
    assert_int_equal(len, (ptrdiff_t)strlen(want));
    assert_string_equal(out, want);
}

static void base64(void **state)
{
    (void)state;
    decodes("", "");
    decodes("Zg==", "f");
    decodes("Zm8=", "fo");
    decodes("Zm9v", "foo");
    decodes("Zm9v\n  Ym\tFy\r\n", "foobar");
    decodes("Zm9", NULL);
    decodes("Zm9*", NULL);
    decodes("Zg==Zg==", NULL);
    decodes("Z===", NULL);
    decodes("====", NULL);
    assert_int_equal(base64_decode(SPAN("Zm9vYmFy"), (char[2]){0}, 2), 6);
}

/* ---- features ---- */

static size_t hashes_of(const char *text, uint32_t hashes[FEATURES_MAX])
{
    char folded[SENTENCE_MAX];
    size_t len = signal_fold((struct span){text, strlen(text)}, folded, sizeof folded);
    return features_hash((struct span){folded, len}, hashes);
}

static void same_features(const char *a, const char *b, bool are_same)
{
    uint32_t x[FEATURES_MAX], y[FEATURES_MAX];
    size_t n = hashes_of(a, x), m = hashes_of(b, y);
    bool same = n == m && memcmp(x, y, n * sizeof *x) == 0;
    if (same != are_same)
        fail_msg("'%s' (%zu) and '%s' (%zu)", a, n, b, m);
}

static void words_and_pairs(void **state)
{
    (void)state;
    uint32_t hashes[FEATURES_MAX];
    assert_int_equal(hashes_of("", hashes), 0);
    assert_int_equal(hashes_of(" ... -- !", hashes), 0);
    assert_int_equal(hashes_of("one", hashes), 1);
    assert_int_equal(hashes_of("one two three", hashes), 5);
    same_features("I can't do That.", "i can't do that", true);
    same_features("I can\xE2\x80\x99t", "i can't", true);
    same_features("'quoted'", "quoted", true);
    same_features("in 1984, 3 men", "in 2024 7 men", true);
    same_features("cant", "can't", false);
    same_features("a b", "b a", false);
    same_features("\xC3\xA9t\xC3\xA9", "ete", true); /* folding takes accents away */
    same_features("\xE7\x88\x86\xE7\x82\xB8", "\xE7\x88\x86", false);
}

static void a_full_sentence_has_room(void **state)
{
    (void)state;
    uint32_t hashes[FEATURES_MAX];
    char text[SENTENCE_MAX];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? 'a' : ' ';
    assert_int_equal(features_hash((struct span){text, sizeof text}, hashes), SENTENCE_MAX - 1);
}

static void count_one(void *ctx, uint32_t sentence, uint32_t bucket)
{
    (void)sentence, (void)bucket;
    (*(size_t *)ctx)++;
}

static void each_feature_once(void **state)
{
    (void)state;
    static const char text[] = "One two. One two! Two one two.";
    size_t count = 0;
    assert_int_equal(rein_features(REIN_REASONING, text, strlen(text), 0, count_one, &count), 3);
    assert_int_equal(count, 4); /* one, two, one two, two one */
    count = 0;
    assert_int_equal(rein_features(REIN_REASONING, text, strlen(text), 5, count_one, &count), 1);
    assert_int_equal(count, 3);
}

/* ---- scores ---- */

struct loaded {
    struct model *model;
    size_t problems;
    char first[512]; /* line: key: message */
};

static struct loaded load(const char *yaml)
{
    struct loaded l = {NULL, 0, ""};
    struct rein_source source = {"m.yaml", yaml, strlen(yaml)};
    struct rein_problems *problems = NULL;
    struct rein_doc *doc = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = rein_doc_read(&doc, &source, problems);
    if (rv == 0)
        rv = rein_doc_check(doc, rein_schema_model(), problems);
    if (rv == 0)
        rv = model_load(&l.model, rein_doc_root(doc), problems);
    assert_true(rv == 0 || rv == REIN_EPOLICY);
    l.problems = rein_problems_count(problems);
    if (l.problems > 0) {
        const struct rein_problem *p = rein_problems_at(problems, 0);
        snprintf(l.first, sizeof l.first, "%u: %s: %s", p->line, p->key, p->message);
    }
    rein_doc_free(doc);
    rein_problems_free(problems);
    return l;
}

static struct model *load_kit(const struct modelkit *kit)
{
    char *yaml = modelkit_yaml(kit);
    struct loaded l = load(yaml);
    free(yaml);
    assert_string_equal(l.first, "");
    assert_non_null(l.model);
    return l.model;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

#define NEARLY(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void scores_follow_the_formula(void **state)
{
    (void)state;
    static struct modelkit kit;
    static struct model_state s, once;
    modelkit_init(&kit);
    kit.bias[REIN_COMPLIES] = -1;
    kit.scale[REIN_COMPLIES] = 0.5;
    modelkit_weigh(&kit, REIN_COMPLIES, "gladly", 7);
    modelkit_weigh(&kit, REIN_COMPLIES, "never", -3);
    modelkit_weigh_answer(&kit, "sure", 5);
    struct model *m = load_kit(&kit);
    memset(&s, 0, sizeof s);
    NEARLY(model_score(m, &s, REIN_COMPLIES), logistic(-1));
    read_reasoning(m, &s, SPAN("i gladly"));
    NEARLY(model_score(m, &s, REIN_COMPLIES), logistic(-1 + 0.5 * 7 / sqrt(3)));
    read_reasoning(m, &s, SPAN("gladly never gladly"));
    assert_int_equal(s.n, 6); /* never, and two pairs */
    NEARLY(model_score(m, &s, REIN_COMPLIES), logistic(-1 + 0.5 * 4 / sqrt(6)));
    NEARLY(model_score(m, &s, REIN_REASONING_HARM), 0.5);
    NEARLY(model_risk(m, &s), 0.5 * model_score(m, &s, REIN_COMPLIES));
    read_answer(m, &s, SPAN("sure"));
    NEARLY(model_score(m, &s, REIN_COMPLIES_ANSWER), logistic(0.01 * 5));
    NEARLY(model_score(m, &s, REIN_COMPLIES), logistic(-1 + 0.5 * 4 / sqrt(6)));
    /* The same sentences in one differ only by the pair across. */
    memset(&once, 0, sizeof once);
    read_reasoning(m, &once, SPAN("i gladly gladly never gladly"));
    assert_int_equal(once.n, 7);
    model_free(m);
}

static void a_sentence_is_clipped(void **state)
{
    (void)state;
    static struct modelkit kit;
    static struct model_state s;
    modelkit_init(&kit);
    kit.clip = 10;
    modelkit_weigh(&kit, REIN_COMPLIES, "one two three", 100);
    modelkit_weigh(&kit, REIN_REASONING_HARM, "one two three", -100);
    struct model *m = load_kit(&kit);
    memset(&s, 0, sizeof s);
    read_reasoning(m, &s, SPAN("one two three"));
    assert_int_equal(s.sum[REIN_COMPLIES], 10);
    assert_int_equal(s.sum[REIN_REASONING_HARM], -10);
    model_free(m);
}

/* The prompt's head scores a prompt; its sentences count once, too. */
static void prompts_have_a_head(void **state)
{
    (void)state;
    static struct modelkit kit;
    static struct model_prompt p;
    modelkit_init(&kit);
    modelkit_weigh(&kit, REIN_PROMPT_HARM, "bomb", 100);
    struct model *m = load_kit(&kit);
    memset(&p, 0, sizeof p);
    NEARLY(model_prompt_sum(m, &p), 0);
    model_prompt_sentence(m, &p, SPAN("bomb"));
    NEARLY(model_prompt_sum(m, &p), 1);
    model_prompt_sentence(m, &p, SPAN("a bomb"));
    NEARLY(model_prompt_sum(m, &p), 1 / sqrt(3));
    NEARLY(model_prompt_score(m, model_prompt_evidence(m, 1, 0)), logistic(1)); /* signals weigh nothing here */
    model_free(m);
}

/* Words and signals of a prompt are two votes; what they say together is a vote about the reasoning. */
static void votes_are_added(void **state)
{
    (void)state;
    static struct modelkit kit;
    static struct model_state s;
    modelkit_init(&kit);
    kit.signals = 2;
    kit.prompt = 0.5;
    struct model *m = load_kit(&kit);
    NEARLY(model_prompt_evidence(m, 1, 0.5), 1);
    NEARLY(model_prompt_evidence(m, 1, 1), 3);
    NEARLY(model_prompt_evidence(m, 1, 0), -1);
    assert_true(model_prompt_score(m, model_prompt_evidence(m, 1, 1)) >= MODEL_RISKY);
    assert_true(model_prompt_score(m, model_prompt_evidence(m, 1, 0)) < MODEL_RISKY);
    NEARLY(model_prompt_evidence(m, -1, 0.5), -1);
    assert_true(model_prompt_score(m, model_prompt_evidence(m, -1, 0.7)) < MODEL_RISKY);
    NEARLY(model_prompt_evidence(m, -100, 1), 0); /* sure signals are not outvoted */
    assert_true(model_prompt_score(m, model_prompt_evidence(m, 3, 0)) >= MODEL_RISKY);
    memset(&s, 0, sizeof s);
    s.evidence = 3;
    read_reasoning(m, &s, SPAN("nothing"));
    NEARLY(model_score(m, &s, REIN_REASONING_HARM), logistic(1.5));
    NEARLY(model_score(m, &s, REIN_COMPLIES), 0.5);
    assert_true(model_bound(m, &s, REIN_REASONING_HARM) >= model_score(m, &s, REIN_REASONING_HARM));
    model_free(m);
}

/* No sentence, however it is chosen, lifts a score above the bound that was told before it. */
static void no_sentence_is_above_its_bound(void **state)
{
    (void)state;
    static struct modelkit kit;
    static struct model_state s;
    struct dice dice = dice_of(20261130);
    char word[8], text[SENTENCE_MAX];
    for (int round = 0; round < 40; round++) {
        modelkit_init(&kit);
        kit.clip = 1 + (int)dice_below(&dice, 400);
        for (int head = REIN_REASONING_HARM; head <= REIN_COMPLIES; head++) {
            kit.bias[head] = (double)dice_below(&dice, 80) / 10 - 4;
            kit.scale[head] = 0.001 * (double)(1 + dice_below(&dice, 300));
        }
        kit.prompt = (double)dice_below(&dice, 20) / 10;
        bool none_above_0 = dice_chance(&dice, 20);
        for (size_t i = 0; i < sizeof kit.weights; i++)
            kit.weights[i] = (int8_t)((int)dice_below(&dice, none_above_0 ? 128 : 255) - 127);
        struct model *m = load_kit(&kit);
        memset(&s, 0, sizeof s);
        s.evidence = (double)dice_below(&dice, 80) / 10 - 4;
        for (int sentence = 0; sentence < 60; sentence++) {
            size_t len = 0, words = dice_below(&dice, dice_chance(&dice, 30) ? 150 : 12);
            for (size_t i = 0; i < words; i++) {
                snprintf(word, sizeof word, "%c%c%c ", 'a' + (int)dice_below(&dice, 26),
                         'a' + (int)dice_below(&dice, 26), 'a' + (int)dice_below(&dice, 26));
                len += (size_t)snprintf(text + len, sizeof text - len, "%s", word);
            }
            double harm = model_bound(m, &s, REIN_REASONING_HARM), along = model_bound(m, &s, REIN_COMPLIES),
                   risk = model_risk_bound(m, &s);
            read_reasoning(m, &s, (struct span){text, len});
            assert_true(model_score(m, &s, REIN_REASONING_HARM) <= harm);
            assert_true(model_score(m, &s, REIN_COMPLIES) <= along);
            assert_true(model_risk(m, &s) <= risk);
        }
        model_free(m);
    }
}

/* ---- files ---- */

/* Replaces the first `from` of the file. Returns owned. */
static char *with(const char *yaml, const char *from, const char *to)
{
    const char *at = strstr(yaml, from);
    char *out = NULL;
    assert_non_null(at);
    assert_true(asprintf(&out, "%.*s%s%s", (int)(at - yaml), yaml, to, at + strlen(from)) > 0);
    return out;
}

static void refuses(char *yaml, const char *want)
{
    struct loaded l = load(yaml);
    free(yaml);
    assert_null(l.model);
    if (strstr(l.first, want) == NULL)
        fail_msg("wanted: %s\nfound:  %s", want, l.first);
}

static void wrong_files_say_what_is_wrong(void **state)
{
    (void)state;
    char *yaml = modelkit_usual();
    struct loaded good = load(yaml);
    assert_string_equal(good.first, "");
    model_free(good.model);
    refuses(with(yaml, "version: 1", "version: 2"), "1: version: ");
    refuses(with(yaml, "features: 1", "features: 2"), "4: features: the weights are for newer features (2)");
    refuses(with(yaml, "checksum: ", "checksum: 0"), "8: checksum: ");
    refuses(with(yaml, "weights: AAAA", "weights: BAAA"), "8: checksum: is not that of the weights");
    refuses(with(yaml, "weights: AAAA", "weights: "), "heads.prompt_harm.weights: has 32765 weights, not 32768");
    refuses(with(yaml, "weights: AAAA", "weights: -AAA"), "is not base64");
    refuses(with(yaml, "scale: 0.2", "scale: 0"), "heads.prompt_harm.scale: must be above 0");
    refuses(with(yaml, "clip: 1000", "clip: 0"), "heads.prompt_harm.clip: ");
    refuses(with(yaml, "  complies:\n", "  conforms:\n"), "heads.complies: this key is missing");
    size_t len = strlen(yaml);
    yaml[len - 5] = '\0'; /* within the last weights */
    refuses(strdup(yaml), "heads.complies_answer.answer_weights: ");
    yaml[len / 2] = '\0';
    struct loaded half = load(yaml);
    assert_true(half.model == NULL && half.problems > 0);
    free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64),
        cmocka_unit_test(words_and_pairs),
        cmocka_unit_test(a_full_sentence_has_room),
        cmocka_unit_test(each_feature_once),
        cmocka_unit_test(scores_follow_the_formula),
        cmocka_unit_test(a_sentence_is_clipped),
        cmocka_unit_test(prompts_have_a_head),
        cmocka_unit_test(votes_are_added),
        cmocka_unit_test(no_sentence_is_above_its_bound),
        cmocka_unit_test(wrong_files_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
