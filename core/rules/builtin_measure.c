/* How well the built-in rules find: counts what they find in samples and in noise.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"
#include "builtin/builtin.h"
#include "builtin/noise.h"
#include "rules/ruleset.h"

/* Noise is made and read in blocks. */
enum { NOISE_BLOCK = 1 << 16 };

struct measure {
    struct ruleset *rules;
    struct match_list found;
    struct rein_builtin_figures figures[BUILTINS_MAX];
    size_t len;
    struct sample_dice dice;
    char block[NOISE_BLOCK];
};

static int add_builtins(struct measure *m)
{
    int rv = ruleset_new(&m->rules, SIZE_MAX);
    for (const struct builtin *row; rv == 0 && (row = builtin_at(m->len)) != NULL; m->len++) {
        const char *why;
        const struct rule_spec spec = {.id = row->name, .channels = 1u << REIN_ANSWER, .builtin = row->name};
        rv = ruleset_add(m->rules, &spec, &why);
        if (rv == 0)
            m->figures[m->len] = (struct rein_builtin_figures){
                .name = row->name, .finds = row->finds, .max_bytes = m->rules->rules[m->len].limit};
    }
    return rv == 0 ? ruleset_finish(m->rules) : rv;
}

/* Finds in a text of its own. */
static int scan(struct measure *m, const char *text, size_t len)
{
    m->found.len = 0;
    return matcher_scan(m->rules, REIN_ANSWER, (struct span){text, len}, &m->found);
}

static bool has_match(const struct measure *m, size_t rule, size_t from, size_t to)
{
    for (size_t i = 0; i < m->found.len; i++) {
        const struct match *match = &m->found.items[i];
        if (match->rule == rule && match->start <= from && match->end >= to)
            return true;
    }
    return false;
}

/* A near sample is found if anything in it is. */
static bool has_any(const struct measure *m, size_t rule)
{
    for (size_t i = 0; i < m->found.len; i++)
        if (m->found.items[i].rule == rule)
            return true;
    return false;
}

static int measure_samples(struct measure *m, size_t rule, unsigned samples)
{
    struct rein_builtin_figures *figures = &m->figures[rule];
    const struct builtin *builtin = builtin_at(rule);
    int rv = 0;
    for (unsigned i = 0; i < samples && rv == 0; i++) {
        struct sample sample;
        const struct sample_forms *forms = builtin_samples(builtin, &m->dice);
        sample_make(&sample, forms, &m->dice);
        rv = scan(m, sample.text, sample.len);
        figures->made++;
        figures->found += rv == 0 && has_match(m, rule, sample.from, sample.to);
        if (rv != 0)
            return rv;
        sample_make_near(&sample, forms, &m->dice);
        rv = scan(m, sample.text, sample.len);
        figures->near++;
        figures->near_found += rv == 0 && has_any(m, rule);
    }
    return rv;
}

static int measure_noise(struct measure *m, enum rein_noise kind, size_t bytes)
{
    int rv = 0;
    for (size_t at = 0; at < bytes && rv == 0;) {
        size_t len = bytes - at < NOISE_BLOCK ? bytes - at : NOISE_BLOCK;
        noise_fill(kind, &m->dice, m->block, len);
        rv = scan(m, m->block, len);
        for (size_t i = 0; i < m->found.len; i++)
            m->figures[m->found.items[i].rule].noise[kind]++;
        at += len;
    }
    return rv;
}

static int measure_all(struct measure *m, unsigned samples, size_t noise_bytes)
{
    int rv = add_builtins(m);
    for (size_t i = 0; i < m->len && rv == 0; i++) {
        m->figures[i].noise_bytes = noise_bytes;
        rv = measure_samples(m, i, samples);
    }
    for (unsigned kind = 0; kind < REIN_NOISES && rv == 0; kind++)
        rv = measure_noise(m, (enum rein_noise)kind, noise_bytes);
    return rv;
}

int rein_builtins_measure(uint64_t seed, unsigned samples, size_t noise_bytes,
                          void (*row)(void *ctx, const struct rein_builtin_figures *figures), void *ctx)
{
    struct measure *m = heap_new(1, sizeof *m);
    if (m == NULL)
        return REIN_ENOMEM;
    m->dice.state = seed;
    int rv = measure_all(m, samples, noise_bytes);
    for (size_t i = 0; i < m->len && rv == 0; i++)
        row(ctx, &m->figures[i]);
    ruleset_free(m->rules);
    match_list_fini(&m->found);
    heap_free(m);
    return rv;
}
