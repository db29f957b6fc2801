/* Quotes: the sentences of the reasoning that the steps of patterns point to, for the evidence of a finding that is
 * made later than they were said. SPDX-License-Identifier: Apache-2.0
 *
 * A list of steps forgets some of them when it is full; then their quotes go too, so that all quotes have a ceiling. */
#include "detect/pattern_state.h"

enum { LISTS = 5, QUOTES_MAX = LISTS * REIN_STEPS_MAX * (PATTERN_QUOTE_MAX + (int)sizeof(struct quote)) };

static const struct step_list *steps_at(const struct reasoning_state *r, size_t i)
{
    const struct step_list *const lists[LISTS] = {&r->vacillation, &r->plan, &r->persona, &r->specific, &r->refusal};
    return lists[i];
}

static bool is_step(const struct pattern_tracker *p, uint64_t offset)
{
    for (size_t i = 0; i < LISTS; i++) {
        const struct step_list *list = steps_at(&p->reasoning, i);
        for (size_t k = 0; k < list->len; k++)
            if (list->steps[k].offset == offset)
                return true;
    }
    return false;
}

static bool is_new_step(const struct pattern_tracker *p, const struct sentence_facts *facts)
{
    for (size_t i = 0; i < LISTS; i++) {
        const struct step_list *list = steps_at(&p->reasoning, i);
        if (list->len > 0 && list->steps[list->len - 1].offset == facts->offset)
            return true;
    }
    return false;
}

/* The quote that lies `at` bytes from the first; it may not be aligned. */
static struct span quote_at(const struct pattern_tracker *p, size_t at, struct quote *quote)
{
    memcpy(quote, bytes_at(&p->quotes, at), sizeof *quote);
    return (struct span){bytes_at(&p->quotes, at + sizeof *quote), quote->len};
}

/* Drops what no step points to any more. */
static void drop_quotes(struct pattern_tracker *p)
{
    size_t to = 0, len = bytes_len(&p->quotes);
    struct quote quote;
    for (size_t at = 0, size; at < len; at += size) {
        quote_at(p, at, &quote);
        size = sizeof quote + quote.len;
        if (!is_step(p, quote.offset))
            continue;
        memmove(bytes_at(&p->quotes, to), bytes_at(&p->quotes, at), size);
        to += size;
    }
    p->quotes.end = p->quotes.start + to;
}

int quote_sentence(struct pattern_tracker *p, const struct sentence_facts *facts, struct span sentence)
{
    struct quote quote = {.offset = facts->offset,
                          .len = sentence.len > PATTERN_QUOTE_MAX ? rein_text_whole(sentence.data, PATTERN_QUOTE_MAX)
                                                                  : sentence.len};
    if (!is_new_step(p, facts))
        return 0;
    if (p->quotes.limit == 0)
        bytes_init(&p->quotes, QUOTES_MAX);
    if (bytes_len(&p->quotes) + sizeof quote + quote.len > QUOTES_MAX)
        drop_quotes(p);
    int rv = bytes_reserve(&p->quotes, sizeof quote + quote.len);
    if (rv == 0)
        rv = bytes_append(&p->quotes, (const char *)&quote, sizeof quote);
    if (rv == 0)
        rv = bytes_append(&p->quotes, sentence.data, quote.len);
    return rv;
}

struct span pattern_quote(const struct pattern_tracker *p, const struct rein_step *step)
{
    struct quote quote;
    for (size_t at = 0; at < bytes_len(&p->quotes); at += sizeof quote + quote.len) {
        struct span text = quote_at(p, at, &quote);
        if (quote.offset == step->offset)
            return text;
    }
    return SPAN("");
}
