/* See cases.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/cases.h"

#include <stdlib.h>

struct cases {
    struct rein_doc *doc;
    struct case_script *scripts;
    size_t len;
};

/* In the order of enum rein_action. */
static const char *const action_words[] = {"allow", "record",       "redact", "cut_reasoning",
                                           "steer", "cut_response", "refuse", NULL};

static const char *const channel_words[] = {"prompt", "reasoning", "answer", "tool", NULL};
/* From REIN_JUDGE_UNPARSED on, in the order of enum rein_judge_outcome. */
static const char *const outcome_words[] = {"unparsed", "timed_out", "failed", "busy", "left_alone", NULL};

static const struct rein_key keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "Cases to try a policy on."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .example = "1",
     .about = "1"},
    {.path = "name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "support-bot",
     .about = "the file's name in messages"},
    {.path = "cases",
     .type = REIN_TYPE_LIST,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1000,
     .about = "the cases, which are independent of each other"},
    {.path = "cases[]", .type = REIN_TYPE_MAP, .about = "a request, the response to it, and what a client should get"},
    {.path = "cases[].name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "card-in-answer",
     .about = "the case's name in messages"},
    {.path = "cases[].prompt",
     .type = REIN_TYPE_TEXT,
     .example = "\"Which card do you have of me?\"",
     .about = "what the user says; instead of `messages`"},
    {.path = "cases[].messages",
     .type = REIN_TYPE_LIST,
     .min = 1,
     .max = 100,
     .about = "a prompt of several messages; instead of `prompt`"},
    {.path = "cases[].messages[]", .type = REIN_TYPE_MAP, .about = "one message"},
    {.path = "cases[].messages[].role",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "user",
     .about = "who says it: `user`, `system`, `assistant`, `tool`"},
    {.path = "cases[].messages[].text",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .example = "\"Which card do you have of me?\"",
     .about = "what is said"},
    {.path = "cases[].reasoning",
     .type = REIN_TYPE_TEXT,
     .fallback = "",
     .example = "\"They ask for their card.\"",
     .about = "the model's reasoning"},
    {.path = "cases[].answer",
     .type = REIN_TYPE_TEXT,
     .fallback = "",
     .example = "\"It is 4111 1111 1111 1111.\"",
     .about = "the model's answer"},
    {.path = "cases[].tool",
     .type = REIN_TYPE_TEXT,
     .fallback = "",
     .example = "'{\"account\": 7}'",
     .about = "the arguments of a tool that the model calls after its answer"},
    {.path = "cases[].judges",
     .type = REIN_TYPE_LIST,
     .min = 1,
     .max = 100,
     .about = "what judges answer, in the place of their servers: the first of these that fits a question answers it. "
              "A question that none fits is an error of the case"},
    {.path = "cases[].judges[]",
     .type = REIN_TYPE_MAP,
     .about = "an answer, of each question that it fits: one of `reply`, `risk` and `outcome`"},
    {.path = "cases[].judges[].judge",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "guard",
     .about = "who answers: a judge that the policy asks"},
    {.path = "cases[].judges[].channel",
     .type = REIN_TYPE_WORD,
     .words = channel_words,
     .example = "answer",
     .about = "what it is asked about; if it is left out, anything"},
    {.path = "cases[].judges[].contains",
     .type = REIN_TYPE_TEXT,
     .example = "\"the lock\"",
     .about = "only questions about a text that contains this, as the judge gets it"},
    {.path = "cases[].judges[].reply",
     .type = REIN_TYPE_TEXT,
     .example = "\"unsafe\\nS9\"",
     .about = "what the judge prints: the text of its model's answer, or the document of a service. It is read as "
              "the judge's kind says, so `--config` has to name a config with this judge"},
    {.path = "cases[].judges[].risk",
     .type = REIN_TYPE_NUMBER,
     .min = 0,
     .max = 1,
     .example = "0.9",
     .about = "its opinion, whatever its kind is"},
    {.path = "cases[].judges[].outcome",
     .type = REIN_TYPE_WORD,
     .words = outcome_words,
     .example = "timed_out",
     .about = "why there is no opinion"},
    {.path = "cases[].expect",
     .type = REIN_TYPE_MAP,
     .flags = REIN_KEY_REQUIRED,
     .about = "what should come of it; what is not named may be anything. Where the response is stopped (`steer`, "
              "`cut_response`, `refuse`), the exact texts are those of a response in one body: a stream has shown what "
              "came before"},
    {.path = "cases[].expect.action",
     .type = REIN_TYPE_WORD,
     .words = action_words,
     .example = "redact",
     .about = "the strongest action; a steered response ends where it is steered"},
    {.path = "cases[].expect.findings",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .max = 64,
     .example = "[card-number]",
     .about = "the ids of all rules and patterns that are found, in any order; also those that are only recorded"},
    {.path = "cases[].expect.asked",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .max = 64,
     .example = "[guard]",
     .about = "the judges that are asked, in any order; `[]` for none"},
    {.path = "cases[].expect.upstream",
     .type = REIN_TYPE_TEXT,
     .example = "\"My card is [card-number:1]\"",
     .about = "the whole prompt that the upstream gets, masked, its messages on lines of their own; a placeholder is "
              "written as `[card-number:1]`, with the number of the rule's value in the case, here and in all texts"},
    {.path = "cases[].expect.reasoning",
     .type = REIN_TYPE_TEXT,
     .example = "\"They ask for their card.\"",
     .about = "the whole reasoning that the client gets"},
    {.path = "cases[].expect.answer",
     .type = REIN_TYPE_TEXT,
     .example = "\"It is [card number].\"",
     .about = "the whole answer that the client gets; of a refused response, the policy's refusal"},
    {.path = "cases[].expect.tool",
     .type = REIN_TYPE_TEXT,
     .example = "'{\"account\": 7}'",
     .about = "the whole arguments that the client gets"},
    {.path = "cases[].expect.contains",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .max = 64,
     .example = "\"[card number]\"",
     .about = "texts that the client must get: in the reasoning, the answer or the arguments"},
    {.path = "cases[].expect.lacks",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .max = 64,
     .example = "[\"4111 1111\"]",
     .about = "texts that the client must not get in any of them"},
    {.path = NULL},
};

const struct rein_schema cases_schema = {
    .name = "cases", .title = "Cases", .about = "Cases for `rein test`, to try a policy on.", .keys = keys};

const char *case_text_key(enum case_text text)
{
    static const char *const names[CASE_TEXTS] = {"reasoning", "answer", "tool"};
    return names[text];
}

static void check_judges(const struct rein_node *list, struct rein_problems *problems)
{
    static const char *const says[] = {"reply", "risk", "outcome"};
    for (const struct rein_node *at = list != NULL ? list->first : NULL; at != NULL; at = at->next) {
        size_t said = 0;
        for (size_t i = 0; i < sizeof says / sizeof *says; i++)
            said += rein_node_get(at, says[i]) != NULL;
        if (said != 1)
            rein_problems_node(problems, at, NULL, "a judge says one of `reply`, `risk` and `outcome`");
    }
}

static void take_case(struct case_script *s, const struct rein_node *node, struct rein_problems *problems)
{
    const struct rein_node *expect = rein_node_get(node, "expect");
    *s = (struct case_script){
        .node = node,
        .name = rein_node_text(node, "name"),
        .prompt = rein_node_text(node, "prompt"),
        .messages = rein_node_get(node, "messages"),
        .action = rein_node_word(expect, "action"),
        .findings = rein_node_get(expect, "findings"),
        .asked = rein_node_get(expect, "asked"),
        .judges = rein_node_get(node, "judges"),
        .upstream = rein_node_text(expect, "upstream"),
        .contains = rein_node_get(expect, "contains"),
        .lacks = rein_node_get(expect, "lacks"),
    };
    for (int t = 0; t < CASE_TEXTS; t++) {
        s->texts[t] = rein_node_text(node, case_text_key((enum case_text)t));
        s->expected[t] = rein_node_text(expect, case_text_key((enum case_text)t));
    }
    if ((s->prompt == NULL) == (s->messages == NULL))
        rein_problems_node(problems, node, NULL, "a case has either `prompt` or `messages`");
    check_judges(s->judges, problems);
    if (expect->count == 0)
        rein_problems_node(problems, expect, NULL, "nothing is expected here, so the case cannot fail");
}

static int take_cases(struct cases *cases, struct rein_problems *problems)
{
    const struct rein_node *list = rein_node_get(rein_doc_root(cases->doc), "cases");
    cases->scripts = calloc(list->count, sizeof *cases->scripts);
    if (cases->scripts == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *node = list->first; node != NULL; node = node->next)
        take_case(&cases->scripts[cases->len++], node, problems);
    return rein_problems_result(problems);
}

int cases_read(struct cases **out, const struct rein_source *source, struct rein_problems *problems)
{
    struct cases *cases = calloc(1, sizeof *cases);
    if (cases == NULL)
        return REIN_ENOMEM;
    int rv = rein_doc_read(&cases->doc, source, problems);
    if (rv == 0)
        rv = rein_doc_check(cases->doc, &cases_schema, problems);
    if (rv == 0)
        rv = take_cases(cases, problems);
    if (rv < 0) {
        cases_free(cases);
        return rv;
    }
    *out = cases;
    return 0;
}

void cases_free(struct cases *cases)
{
    if (cases == NULL)
        return;
    rein_doc_free(cases->doc);
    free(cases->scripts);
    free(cases);
}

size_t cases_len(const struct cases *cases)
{
    return cases->len;
}

const struct case_script *cases_at(const struct cases *cases, size_t i)
{
    return &cases->scripts[i];
}
