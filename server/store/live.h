/* A live list: decisions that were written since the last look, for filters that match them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The writer notes the numbers of what it has committed (store_changes); a reader reads each of them once, in short,
 * and tries all filters on it. So the cost does not grow with lists that see the same. */
#ifndef SERVER_STORE_LIVE_H
#define SERVER_STORE_LIVE_H

#include "store/read.h"

enum { STORE_CHANGES_MAX = 4096, LIVE_FILTERS_MAX = 128, LIVE_OF_ONE_MAX = 50 };

/* From now on, or not any more, numbers are noted. Any thread. */
void store_watch(struct store *store, bool on);
/* Takes what was noted since the last call, each number once, oldest first; *missed is how many more there were. Any
 * thread, one at a time. */
size_t store_changes(struct store *store, int64_t out[STORE_CHANGES_MAX], uint64_t *missed);

/* A decision that some filters match. */
struct live_decision {
    char *json; /* owned (free()) */
    size_t len;
    uint64_t matched[LIVE_FILTERS_MAX / 64]; /* bits by filter */
};

struct live_batch {
    struct live_decision *decisions; /* owned, with their texts */
    size_t len;
    uint64_t missed[LIVE_FILTERS_MAX]; /* of each filter: matches beyond LIVE_OF_ONE_MAX */
};

/* Tries `filters` (at most LIVE_FILTERS_MAX; their time, place and limit do not count) on the decisions with these
 * numbers. `out` is zeroed before; freed with live_batch_fini also after an error. Results and thread are those of
 * read.h. */
int store_read_live(struct store_reader *reader, const int64_t *numbers, size_t numbers_len,
                    const struct store_filter *const *filters, size_t filters_len,
                    struct live_batch *out) REIN_MUST_USE;
void live_batch_fini(struct live_batch *batch);

#endif
