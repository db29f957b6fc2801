/* Statistics over time: counts by verdict and ending, and latencies, in buckets.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One pass over the requests in time order: so one bucket at a time, and the whole, is all that has to be kept. Memory
 * does not grow with the rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/quantiles.h"
#include "store/driver.h"

enum { WORDS_MAX = 24, WORD_LEN = 32 };

/* Counts of a few words; what comes after the table is full counts as "other". */
struct tally {
    struct {
        char word[WORD_LEN];
        uint64_t n;
    } items[WORDS_MAX];
    unsigned len;
};

struct bucket {
    uint64_t requests;
    struct tally verdicts, endings;
    struct quantiles duration, first_byte;
};

void store_format_time(int64_t unix_us, char out[STORE_TIME_LEN])
{
    time_t s = (time_t)(unix_us / 1000000);
    int ms = (int)(unix_us / 1000 % 1000);
    struct tm utc;
    gmtime_r(&s, &utc);
    size_t len = strftime(out, STORE_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &utc);
    if (ms > 0)
        snprintf(out + len, STORE_TIME_LEN - len, ".%03dZ", ms);
    else
        snprintf(out + len, STORE_TIME_LEN - len, "Z");
}

/* ---- counting ---- */

static void tally_add(struct tally *t, const char *word)
{
    unsigned i = 0;
    while (i < t->len && strcmp(t->items[i].word, word) != 0)
        i++;
    if (i == t->len) {
        if (t->len == WORDS_MAX)
            i = WORDS_MAX - 1;
        else
            t->len++;
        snprintf(t->items[i].word, WORD_LEN, "%s", i == WORDS_MAX - 1 ? "other" : word);
    }
    t->items[i].n++;
}

static void bucket_clear(struct bucket *b)
{
    b->requests = 0;
    memset(&b->verdicts, 0, sizeof b->verdicts);
    memset(&b->endings, 0, sizeof b->endings);
    quantiles_clear(&b->duration);
    quantiles_clear(&b->first_byte);
}

static void bucket_add(struct bucket *b, const struct store_request_row *row)
{
    b->requests++;
    tally_add(&b->verdicts, row->verdict);
    tally_add(&b->endings, row->ending);
    if (row->duration_us != STORE_UNKNOWN)
        quantiles_add(&b->duration, (uint64_t)row->duration_us);
    if (row->client_first_byte_us != STORE_UNKNOWN)
        quantiles_add(&b->first_byte, (uint64_t)row->client_first_byte_us);
}

/* ---- as JSON ---- */

static json_t *tally_json(const struct tally *t)
{
    json_t *out = json_object();
    for (unsigned i = 0; i < t->len; i++)
        json_object_set_new(out, t->items[i].word, json_integer((json_int_t)t->items[i].n));
    return out;
}

/* Null where there is nothing to take a quantile of. */
static json_t *quantiles_json(const struct quantiles *q)
{
    if (q->count == 0)
        return json_null();
    return json_pack("{sIsIsIsIsIsI}", "count", (json_int_t)q->count, "p50", (json_int_t)quantiles_at(q, 0.5), "p90",
                     (json_int_t)quantiles_at(q, 0.9), "p95", (json_int_t)quantiles_at(q, 0.95), "p99",
                     (json_int_t)quantiles_at(q, 0.99), "max", (json_int_t)q->max);
}

static json_t *bucket_json(const struct bucket *b, int64_t from_us, int64_t to_us)
{
    char from[STORE_TIME_LEN], to[STORE_TIME_LEN];
    store_format_time(from_us, from);
    store_format_time(to_us, to);
    return json_pack("{sssssIsosososo}", "from", from, "to", to, "requests", (json_int_t)b->requests, "verdicts",
                     tally_json(&b->verdicts), "endings", tally_json(&b->endings), "duration_us",
                     quantiles_json(&b->duration), "client_first_byte_us", quantiles_json(&b->first_byte));
}

/* ---- the pass ---- */

struct pass {
    struct bucket bucket, total;
    int64_t start_us, bucket_us, to_us; /* start: of the present bucket */
    json_t *buckets;
};

/* Closes buckets until the present one holds `us`; those without a request are there too. */
static int advance(struct pass *p, int64_t us)
{
    while (us >= p->start_us + p->bucket_us) {
        if (json_array_append_new(p->buckets, bucket_json(&p->bucket, p->start_us, p->start_us + p->bucket_us)) != 0)
            return REIN_ENOMEM;
        bucket_clear(&p->bucket);
        p->start_us += p->bucket_us;
    }
    return 0;
}

static int pass_add(void *ctx, const struct store_request_row *row)
{
    struct pass *p = ctx;
    int rv = advance(p, row->started_at_us);
    if (rv != 0)
        return rv;
    bucket_add(&p->bucket, row);
    bucket_add(&p->total, row);
    return 0;
}

static int stats_run(struct store_reader *reader, struct pass *p)
{
    int rv = reader->driver->statistics(reader, p->start_us, p->to_us, pass_add, p);
    return rv == 0 ? advance(p, p->to_us + p->bucket_us - 1) : rv;
}

int store_read_stats(struct store_reader *reader, int64_t from_us, int64_t to_us, int64_t bucket_us, json_t **out)
{
    struct pass *p = calloc(1, sizeof *p);
    if (p == NULL)
        return REIN_ENOMEM;
    p->start_us = from_us;
    p->to_us = to_us;
    p->bucket_us = bucket_us;
    p->buckets = json_array();
    int rv = p->buckets != NULL ? stats_run(reader, p) : REIN_ENOMEM;
    json_t *tree = rv == 0 ? json_pack("{sIsOso}", "bucket_s", (json_int_t)(bucket_us / 1000000), "buckets", p->buckets,
                                       "total", bucket_json(&p->total, from_us, to_us))
                           : NULL;
    json_decref(p->buckets);
    free(p);
    if (rv == 0 && tree == NULL)
        return REIN_ENOMEM;
    if (rv == 0)
        *out = tree;
    return rv;
}
