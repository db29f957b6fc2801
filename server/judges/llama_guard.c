/* Llama Guard 3 and 4: the server's chat template makes the question of a conversation, and the last turn is judged.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reply, as the model cards give it: the first line is `safe` or `unsafe`; after `unsafe` a second line names hazards
 * of the MLCommons taxonomy, S1 to S14. */
#include "judges/pair.h"
#include "judges/reply_text.h"

enum { GUARD_TOKENS = 64 };

static const char *const hazards[] = {"S1", "S2",  "S3",  "S4",  "S5",  "S6",  "S7", "S8",
                                      "S9", "S10", "S11", "S12", "S13", "S14", NULL};

static bool llama_guard_judges(const struct judge_description *description, enum judge_subject subject)
{
    (void)description;
    (void)subject;
    return true;
}

static json_t *llama_guard_body(const struct judge_description *description, const struct judge_question *question)
{
    (void)description;
    return pair_body(question, GUARD_TOKENS);
}

static int llama_guard_read(const struct judge_description *description, const struct judge_question *question,
                            const char *reply, struct judge_opinion *opinion)
{
    (void)description;
    (void)question;
    struct reply_span body = reply_body(reply), line = reply_next_line(body, (struct reply_span){0});
    bool unsafe = reply_is(line, "unsafe");
    if (!unsafe && !reply_is(line, "safe"))
        return REIN_EFORMAT;
    struct reply_span second = reply_next_line(body, line);
    /* More behind `safe`, or another verdict behind the hazards, is not a reply of this model. */
    if (!unsafe && second.text != NULL)
        return REIN_EFORMAT;
    if (second.text != NULL &&
        (reply_next_line(body, second).text != NULL || !reply_categories(second, hazards, NULL, opinion)))
        return REIN_EFORMAT;
    opinion->risk = unsafe ? 1 : 0;
    return 0;
}

const struct judge_kind judge_llama_guard = {"llama_guard", JUDGE_CHAT, llama_guard_judges, llama_guard_body,
                                             llama_guard_read};
