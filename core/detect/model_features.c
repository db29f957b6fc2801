/* See model_features.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/model_features.h"

#include "detect/signal.h"
#include "rein/model.h"

/* What a byte is in a word: bytes of other scripts are letters as they are. */
enum { NO_LETTER, LETTER, DIGIT, APOSTROPHE };

static const uint8_t letter_kinds[256] = {
    ['a' ... 'z'] = LETTER, [0x80 ... 0xFF] = LETTER, ['0' ... '9'] = DIGIT, ['\''] = APOSTROPHE};

static bool is_in_word(unsigned char c)
{
    return letter_kinds[c] == LETTER || letter_kinds[c] == DIGIT;
}

/* An apostrophe belongs to a word if it stands within it. The byte before `i` is of the word, if any is. */
static bool is_within(struct span text, size_t i)
{
    return i > 0 && i + 1 < text.len && is_in_word((unsigned char)text.data[i - 1]) &&
           is_in_word((unsigned char)text.data[i + 1]);
}

/* Hashes the word that begins at *i, and moves *i behind it. 0: none begins there. */
static uint32_t hash_word(struct span text, size_t *i)
{
    uint32_t word = 0x811C9DC5u;
    size_t start = *i, at = start;
    for (; at < text.len; at++) {
        unsigned char c = (unsigned char)text.data[at];
        uint8_t kind = letter_kinds[c];
        if (kind != LETTER) {
            if (kind == NO_LETTER || (kind == APOSTROPHE && !is_within(text, at)))
                break;
            c = kind == DIGIT ? '0' : c;
        }
        word = (word ^ c) * 0x01000193u;
    }
    *i = at;
    return at > start ? word | (word == 0) : 0;
}

/* Spreads a hash over all of its bits: buckets are its highest ones. */
static uint32_t spread(uint32_t hash)
{
    hash ^= hash >> 15;
    return hash * 0x9E3779B1u;
}

size_t features_hash(struct span folded, uint32_t hashes[FEATURES_MAX])
{
    size_t len = 0;
    uint32_t before = 0; /* the word before in the sentence; 0: there is none */
    for (size_t i = 0; i < folded.len && len + 2 <= FEATURES_MAX; i++) {
        uint32_t word = hash_word(folded, &i);
        if (word == 0)
            continue;
        hashes[len++] = spread(word);
        if (before != 0)
            hashes[len++] = spread((before * 0x85EBCA6Bu) ^ word);
        before = word;
    }
    return len;
}

/* ---- the public interface ---- */

struct collector {
    uint64_t set[MODEL_BUCKETS / 64];
    unsigned bits;
    uint32_t sentences;
    rein_feature_fn each;
    void *ctx;
};

static void collect_sentence(struct collector *c, struct span sentence)
{
    char folded[SENTENCE_MAX];
    uint32_t hashes[FEATURES_MAX];
    size_t len = signal_fold(sentence, folded, sizeof folded);
    len = features_hash((struct span){folded, len}, hashes);
    for (size_t i = 0; i < len; i++) {
        uint32_t bucket = feature_bucket(hashes[i], c->bits);
        if (feature_add(c->set, bucket))
            c->each(c->ctx, c->sentences, bucket);
    }
    c->sentences += len > 0;
}

uint32_t rein_features(enum rein_channel channel, const char *text, size_t len, size_t limit, rein_feature_fn each,
                       void *ctx)
{
    struct collector c = {.bits = channel == REIN_ANSWER ? MODEL_ANSWER_BITS : MODEL_BITS, .each = each, .ctx = ctx};
    struct sentencer s;
    sentencer_init(&s, 0);
    size_t start = 0;
    for (size_t at = 0; start < len && (limit == 0 || start < limit);) {
        uint64_t end = len;
        at += sentencer_feed(&s, (struct span){text + at, len - at}, &end);
        collect_sentence(&c, (struct span){text + start, (size_t)end - start});
        start = (size_t)end;
    }
    return c.sentences;
}

uint32_t rein_feature_buckets(enum rein_channel channel)
{
    return channel == REIN_ANSWER ? MODEL_ANSWER_BUCKETS : MODEL_BUCKETS;
}
