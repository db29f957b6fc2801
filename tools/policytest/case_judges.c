/* See case_judges.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_judges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "judges/judge.h"

enum { ANSWERS_MAX = 1 << 16, NAMES_MAX = 64 };

void case_answers_fini(struct case_answers *answers)
{
    free(answers->items);
    *answers = (struct case_answers){0};
}

static struct case_said *add_answer(struct case_answers *answers)
{
    if (answers->len == answers->cap) {
        size_t cap = answers->cap > 0 ? 2 * answers->cap : 8;
        struct case_said *items = cap <= ANSWERS_MAX ? realloc(answers->items, cap * sizeof *items) : NULL;
        if (items == NULL)
            return NULL;
        answers->items = items;
        answers->cap = cap;
    }
    struct case_said *said = &answers->items[answers->len++];
    *said = (struct case_said){.answer.outcome = REIN_JUDGE_OPINED};
    return said;
}

/* ---- which entry answers ---- */

static const char *judge_of(const struct rein_node *entry)
{
    const char *name = rein_node_text(entry, "judge");
    return name != NULL ? name : "";
}

/* `text`: what is asked about, with numbered placeholders. */
static bool entry_fits(const struct rein_node *entry, const struct rein_question *question, const char *text)
{
    const char *contained = rein_node_text(entry, "contains");
    int channel = rein_node_word(entry, "channel"); /* in the order of enum rein_channel */
    return strcmp(judge_of(entry), question->judge) == 0 && (channel < 0 || channel == (int)question->channel) &&
           (contained == NULL || strstr(text, contained) != NULL);
}

static const struct rein_node *find_entry(const struct case_script *script, const struct rein_question *question,
                                          const char *text)
{
    const struct rein_node *at = script->judges != NULL ? script->judges->first : NULL;
    while (at != NULL && !entry_fits(at, question, text))
        at = at->next;
    return at;
}

/* ---- what it says ---- */

static const struct judge_settings *settings_of(const struct config *config, const char *judge)
{
    for (size_t i = 0; config != NULL && i < config->judges_len; i++)
        if (strcmp(config->judges[i].name, judge) == 0)
            return &config->judges[i].settings;
    return NULL;
}

/* As the service does with what came over HTTP. */
static int read_reply(struct case_said *said, const struct judge_settings *settings, const char *reply,
                      const struct rein_question *question)
{
    char *prompt = utf8_mend(question->prompt.text, question->prompt.len);
    char *text = utf8_mend(question->text.text, question->text.len);
    struct judge_opinion opinion = {0};
    int rv = prompt != NULL && text != NULL ? 0 : REIN_ENOMEM;
    if (rv == 0) {
        const struct judge_question asked = {(enum judge_subject)question->channel, prompt, text, "0"};
        bool is_read = settings->kind->read(settings->description, &asked, reply, &opinion) == 0;
        said->answer.outcome = is_read ? REIN_JUDGE_OPINED : REIN_JUDGE_UNPARSED;
        if (is_read) {
            said->answer.risk = opinion.risk;
            said->answer.leaves = opinion.leaves;
            snprintf(said->categories, sizeof said->categories, "%s", opinion.categories);
        }
    }
    free(prompt);
    free(text);
    return rv;
}

static int take_entry(struct case_said *said, const struct rein_node *entry, const struct config *config,
                      const struct rein_question *question)
{
    const char *reply = rein_node_text(entry, "reply");
    if (reply != NULL)
        return read_reply(said, settings_of(config, question->judge), reply, question);
    if (rein_node_get(entry, "risk") != NULL)
        said->answer.risk = rein_node_number(entry, "risk");
    else
        said->answer.outcome = (enum rein_judge_outcome)(REIN_JUDGE_UNPARSED + rein_node_word(entry, "outcome"));
    return 0;
}

static void say_unscripted(char said[CASE_SAID_MAX], const struct rein_question *question, const char *text)
{
    enum { SHOWN = 60 };
    size_t len = strlen(text), from = len > SHOWN ? len - SHOWN : 0;
    char shown[SHOWN + 1];
    while (((unsigned char)text[from] & 0xC0) == 0x80)
        from++;
    snprintf(shown, sizeof shown, "%s", text + from);
    for (char *at = shown; *at != '\0'; at++)
        *at = (unsigned char)*at < ' ' ? ' ' : *at;
    const char *channel = rein_channel_name(question->channel);
    snprintf(said, CASE_SAID_MAX,
             "judges: `%.64s` is asked about the %s (%s\"%s\"), and nothing here says what it answers: add "
             "{ judge: %.64s, channel: %s, reply: ... }",
             question->judge, channel, from > 0 ? "the end of it: " : "", shown, question->judge, channel);
}

int case_judges_answer(struct case_answers *answers, const struct case_script *script, const struct config *config,
                       const struct case_names *names, const struct rein_question *question, char said[CASE_SAID_MAX])
{
    char *mended = utf8_mend(question->text.text, question->text.len);
    char *text = mended != NULL ? case_names_number(names, mended) : NULL;
    const struct rein_node *entry = text != NULL ? find_entry(script, question, text) : NULL;
    int rv = text != NULL ? 0 : REIN_ENOMEM;
    if (rv == 0 && entry == NULL) {
        say_unscripted(said, question, text);
        rv = 1;
    }
    if (rv == 0) {
        struct case_said *answer = add_answer(answers);
        if (answer != NULL)
            answer->id = question->id;
        rv = answer != NULL ? take_entry(answer, entry, config, question) : REIN_ENOMEM;
    }
    free(text);
    free(mended);
    return rv;
}

/* ---- what cannot be ---- */

/* The names of the judges that panels ask, up to NAMES_MAX; the end is NULL. */
static void collect_asked(const char *names[NAMES_MAX + 1], const struct rein_node *policy)
{
    const struct rein_node *panels = rein_node_get(policy, "judges");
    size_t len = 0;
    for (const struct rein_node *panel = panels != NULL ? panels->first : NULL; panel != NULL; panel = panel->next) {
        const struct rein_node *ask = rein_node_get(panel, "ask");
        const struct rein_node *at = ask == NULL || ask->kind == REIN_NODE_TEXT ? ask : ask->first;
        for (; at != NULL && len < NAMES_MAX; at = at == ask ? NULL : at->next)
            names[len++] = at->text;
    }
    names[len] = NULL;
}

static bool is_among(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static void check_entry(const struct rein_node *entry, const char *const *asked, const struct config *config,
                        struct rein_problems *problems)
{
    const char *nearest = rein_nearest(judge_of(entry), asked);
    if (!is_among(judge_of(entry), asked)) {
        rein_problems_node(problems, entry, "judge", "the policy asks no judge `%.64s`%s%s%s", judge_of(entry),
                           nearest != NULL ? "; did you mean `" : ": name one that its `judges` ask",
                           nearest != NULL ? nearest : "", nearest != NULL ? "`?" : "");
        return;
    }
    const struct judge_settings *settings = settings_of(config, judge_of(entry));
    if (rein_node_get(entry, "reply") != NULL && (settings == NULL || settings->kind == NULL))
        rein_problems_node(problems, entry, "reply",
                           "how a reply of `%.64s` is read, the server's config says: name it with --config, or say "
                           "`risk` or `outcome` here",
                           judge_of(entry));
}

void case_judges_check(const struct cases *cases, const struct rein_node *policy, const struct config *config,
                       struct rein_problems *problems)
{
    const char *asked[NAMES_MAX + 1];
    collect_asked(asked, policy);
    for (size_t i = 0; i < cases_len(cases); i++) {
        const struct rein_node *list = cases_at(cases, i)->judges;
        for (const struct rein_node *at = list != NULL ? list->first : NULL; at != NULL; at = at->next)
            check_entry(at, asked, config, problems);
    }
}
