/* See lexicon.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/lexicon.h"

#include <string.h>

#include "base/bytes.h"
#include "document/doc.h"

/* The first entry; the others follow by `next`. */
static const struct rein_node *first_entry(const struct rein_node *lexicon)
{
    const struct rein_node *entries = rein_node_get(lexicon, "entries");
    return entries != NULL && entries->kind == REIN_NODE_LIST ? entries->first : NULL;
}

/* ---- checks ---- */

static bool stands_before(const struct rein_node *entry, const char *id)
{
    for (const struct rein_node *at = entry->parent->first; at != entry; at = at->next) {
        const char *other = rein_node_text(at, "id");
        if (other != NULL && strcmp(other, id) == 0)
            return true;
    }
    return false;
}

static void check_entry(const struct rein_node *entry, struct rein_problems *problems)
{
    const char *id = rein_node_text(entry, "id");
    if (id != NULL && stands_before(entry, id))
        rein_problems_node(problems, entry, "id", "another entry has the name `%s` too: rename one of them", id);
    if (rein_node_get(entry, "phrases") == NULL && rein_node_get(entry, "regex") == NULL)
        rein_problems_node(problems, entry, NULL, "an entry needs phrases or a regex");
    if (rein_node_number(entry, "weight") == 0)
        rein_problems_node(problems, entry, "weight", "must be above 0");
    if (rein_node_word(entry, "class") == SIGNAL_PROMPT_HARM && rein_node_get(entry, "category") == NULL)
        rein_problems_node(problems, entry, "category", "prompt_harm needs the category of the harm");
}

/* ---- expressions, in the order in which they are added ---- */

/* The first text of a key that holds one text or a list of them; the others follow by `next`. */
static const struct rein_node *first_text(const struct rein_node *entry, const char *key)
{
    const struct rein_node *node = rein_node_get(entry, key);
    return node != NULL && node->kind == REIN_NODE_LIST ? node->first : node;
}

static const struct rein_node *next_text(const struct rein_node *text)
{
    return text->parent->kind == REIN_NODE_LIST ? text->next : NULL;
}

const struct rein_node *lexicon_expression(const struct rein_node *lexicon, size_t *index)
{
    static const char *const keys[] = {"phrases", "regex"};
    for (const struct rein_node *at = first_entry(lexicon); at != NULL; at = at->next)
        for (size_t k = 0; k < 2; k++)
            for (const struct rein_node *text = first_text(at, keys[k]); text != NULL; text = next_text(text))
                if ((*index)-- == 0)
                    return text;
    return NULL;
}

void lexicon_check(const struct rein_node *lexicon, struct rein_problems *problems)
{
    for (const struct rein_node *at = first_entry(lexicon); at != NULL; at = at->next) {
        if (at->kind != REIN_NODE_MAP)
            continue;
        check_entry(at, problems);
        for (const struct rein_node *text = first_text(at, "regex"); text != NULL; text = next_text(text))
            doc_warn_of_escape(text, problems);
    }
}

/* ---- adding ---- */

static int add_one(struct signals *signals, struct signal_spec spec, const struct rein_node *text,
                   struct rein_problems *problems)
{
    char folded[SIGNAL_REGEX_MAX];
    const char *why = NULL;
    if (spec.phrase != NULL) {
        size_t len = signal_fold((struct span){text->text, text->len}, folded, sizeof(folded) - 1);
        while (len > 0 && folded[len - 1] == ' ')
            len--;
        folded[len] = '\0';
        spec.phrase = folded;
    }
    int rv = signals_add(signals, &spec, &why);
    if (rv == REIN_EPOLICY)
        rein_problems_node(problems, text, NULL, "cannot be compiled: %s", why);
    else if (rv == REIN_ELIMIT)
        rein_problems_node(problems, text, NULL,
                           "too many signals or harm categories: remove some, or name fewer lexicons");
    return rv == REIN_EPOLICY || rv == REIN_ELIMIT ? 0 : rv;
}

static int add_entry(const struct rein_node *entry, struct signals *signals, struct rein_problems *problems)
{
    int class = rein_node_word(entry, "class");
    struct signal_spec spec = {.id = rein_node_text(entry, "id"),
                               .class = (enum signal_class) class,
                               .category = rein_node_text(entry, "category"),
                               .weight = rein_node_number(entry, "weight")};
    if (class < 0 || spec.id == NULL)
        return 0;
    int rv = 0;
    for (const struct rein_node *at = first_text(entry, "phrases"); at != NULL && rv == 0; at = next_text(at)) {
        spec.phrase = at->text;
        rv = add_one(signals, spec, at, problems);
    }
    spec.phrase = NULL;
    for (const struct rein_node *at = first_text(entry, "regex"); at != NULL && rv == 0; at = next_text(at)) {
        spec.regex = at->text;
        rv = add_one(signals, spec, at, problems);
    }
    return rv;
}

int lexicon_add(const struct rein_node *lexicon, struct signals *signals, struct rein_problems *problems)
{
    int rv = 0;
    for (const struct rein_node *at = first_entry(lexicon); at != NULL && rv == 0; at = at->next)
        rv = add_entry(at, signals, problems);
    return rv;
}
