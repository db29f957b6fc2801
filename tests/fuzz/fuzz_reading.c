/* Fuzzes readings: any bytes as the readings of a text, given to the patterns in the place of its sentences. What was
 * read is written as it was read. SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detect/pattern.h"
#include "detect/reading.h"
#include "detect/sentence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model model;

/* Written again and read again, it is the same. */
static void check_again(const struct reading *r)
{
    struct bytes bytes;
    struct reading again;
    bytes_init(&bytes, 4096);
    if (reading_write(&bytes, r) != 0)
        abort();
    struct span in = bytes_span(&bytes);
    if (!reading_read(&in, &again) || in.len != 0 || memcmp(&again, r, sizeof again) != 0)
        abort();
    bytes_fini(&bytes);
}

static void check_tracker(const struct pattern_tracker *p)
{
    for (int i = 0; i < REIN_PATTERNS; i++)
        if (!(pattern_score(p, (enum rein_pattern)i) >= 0))
            abort();
    double risk = pattern_trace_risk(p);
    if (!(risk >= 0 && risk <= 1))
        abort();
}

static struct pattern_tracker *begin(bool has_model)
{
    struct pattern_settings settings = {.min_sentences = 1, .answer_bytes = 300, .model = has_model ? &model : NULL};
    struct prompt_risk risk = {.score = 1, .harm = 1};
    struct pattern_tracker *p;
    for (int i = 0; i < REIN_PATTERNS; i++) {
        settings.enabled[i] = settings.acts[i] = true;
        settings.threshold[i] = 0.5;
    }
    for (int head = 0; head < REIN_HEADS; head++)
        model.heads[head] = (struct model_head){.bias = -1, .scale = 0.01, .slope = 1, .clip = 200, .most = 127};
    if (pattern_tracker_new(&p, NULL, &settings, &risk, SPAN("")) != 0)
        abort();
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char stars[SENTENCE_MAX];
    struct span in = {(const char *)data, size};
    struct prompt_risk risk;
    struct pattern_finding found;
    struct reading r;
    enum readings_of of;
    bool is_risk = reading_read_risk(in, &risk);
    if (!readings_open(&in, &of) || (is_risk && of != READINGS_OF_PROMPT))
        return 0;
    struct pattern_tracker *p = begin(size % 2 == 0);
    uint64_t offset = 0;
    while (reading_read(&in, &r)) {
        enum rein_channel channel = in.len % 3 == 0 ? REIN_ANSWER : REIN_REASONING;
        check_again(&r);
        if (pattern_sentence(p, NULL, channel, (struct span){stars, r.len}, offset, &r) != 0)
            abort();
        offset += r.len;
        check_tracker(p);
        while (pattern_take(p, &found))
            if (found.steps_len > REIN_STEPS_MAX)
                abort();
    }
    pattern_tracker_free(p);
    return 0;
}
