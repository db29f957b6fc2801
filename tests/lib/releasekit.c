/* See releasekit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "releasekit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/policy_files.h"
#include "dialect/event.h"
#include "modelkit.h"

/* The weights that the policy names: those of the tests, or the shipped ones. Each file takes a while to read. */
static void read_models(struct policy_files_folder *models, const char *yaml, struct rein_problems *problems)
{
    if (strstr(yaml, "\nmodel: tiny\n") != NULL) {
        char *text = modelkit_usual();
        models->sources = calloc(1, sizeof *models->sources);
        assert_non_null(models->sources);
        models->sources[models->len++] = (struct rein_source){strdup("tiny.yaml"), text, strlen(text)};
    } else if (strstr(yaml, "\nmodel: ") != NULL) {
        assert_int_equal(policy_files_read(models, REIN_SOURCE_DIR "/config/models", true, problems), 0);
    }
}

struct rein_policy *release_policy(const char *yaml, const struct rein_source *lexicon, struct rein_policy *peer)
{
    static const char *const templates[] = {"version: 1\nname: corrective\nkind: corrective\ntext: Again.\n"};
    struct rein_source source = {"policy.yaml", yaml, strlen(yaml)};
    struct rein_source again = {"corrective.yaml", templates[0], strlen(templates[0])};
    struct policy_files_folder models = {0};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    read_models(&models, yaml, problems);
    struct rein_library library = {.templates = &again,
                                   .templates_len = 1,
                                   .lexicons = lexicon,
                                   .lexicons_len = 1,
                                   .models = models.sources,
                                   .models_len = models.len};
    int rv = rein_policy_load_beside(&policy, &source, &library, &peer, peer != NULL, problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
    policy_files_fini(&models);
    rein_problems_free(problems);
    assert_int_equal(rv, 0);
    return policy;
}

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

size_t release_event(struct bytes *out, const char *field, struct span text, size_t most)
{
    size_t len = most < text.len ? most : text.len;
    while (len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len++;
    put(out, "data: {\"choices\":[{\"index\":0,\"delta\":{\"");
    put(out, field);
    put(out, "\":\"");
    assert_int_equal(json_escape(out, (struct span){text.data, len}), 0);
    put(out, "\"}}]}\n\n");
    return len;
}

static void put_pieces(struct bytes *out, struct dice *dice, const char *field, struct span text, size_t most)
{
    while (text.len > 0) {
        size_t len = release_event(out, field, text, 1 + dice_below(dice, most));
        text = (struct span){text.data + len, text.len - len};
    }
}

void release_stream(struct bytes *out, struct dice *dice, struct span reasoning, struct span answer, size_t most,
                    bool is_inline)
{
    const char *field = is_inline ? "content" : "reasoning_content";
    put_pieces(out, dice, field, is_inline ? SPAN("<think>") : SPAN(""), most);
    put_pieces(out, dice, field, reasoning, most);
    put_pieces(out, dice, field, is_inline ? SPAN("</think>") : SPAN(""), most);
    put_pieces(out, dice, "content", answer, most);
    put(out, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
}

static bool is_same_finding(const struct rein_finding *a, const struct rein_finding *b)
{
    return strcmp(a->id, b->id) == 0 && a->action == b->action && a->shadow == b->shadow && a->channel == b->channel &&
           a->offset == b->offset && a->len == b->len && a->score == b->score && a->steps_len == b->steps_len;
}

/* Was the reasoning stopped by a rule? A refusal may follow it in the same field. */
static bool rule_stopped(const struct kit_seen *seen)
{
    for (size_t i = 0; i < seen->decision.findings_len; i++) {
        const struct rein_finding *f = &seen->findings[i];
        if (f->is_rule && !f->shadow && f->action > REIN_REDACT && f->channel == REIN_REASONING)
            return true;
    }
    return false;
}

const char *release_difference(struct kit_seen *whole, struct kit_seen *tight)
{
    const struct rein_decision *a = &whole->decision, *b = &tight->decision;
    if (a->findings_len != b->findings_len)
        return "the number of findings";
    for (size_t i = 0; i < a->findings_len; i++)
        if (!is_same_finding(&whole->findings[i], &tight->findings[i]))
            return whole->findings[i].id;
    if (a->verdict != b->verdict || a->shadow != b->shadow || a->ending != b->ending)
        return "the verdict";
    if (strcmp(kit_content(whole, 0), kit_content(tight, 0)) != 0 &&
        !(rule_stopped(whole) && kit_reasoning(whole, 0)[0] == '\0'))
        return "the answer";
    const char *long_one = kit_reasoning(tight, 0), *short_one = kit_reasoning(whole, 0);
    size_t len = strlen(short_one);
    if (strncmp(long_one, short_one, len) != 0 || (long_one[len] != '\0' && !rule_stopped(whole)))
        return "the reasoning";
    return NULL;
}
