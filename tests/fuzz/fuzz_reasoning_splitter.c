/* Fuzzes the splitter: any text, cut anywhere, is split the same way, and every byte is decided once.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses the delimiters and whether reasoning is open, the second is the seed of the cuts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/reasoning_splitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void add(char *kinds, size_t *done, size_t max, const struct part *parts, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (parts[i].len == 0 || parts[i].len > max - *done)
            abort();
        memset(kinds + *done, (int)parts[i].kind, parts[i].len);
        *done += parts[i].len;
    }
}

/* The kind of each byte; returns owned. `seed` 0: as lanes do, what is plain at once. */
static char *run(struct span text, unsigned which, unsigned seed)
{
    static const char *const pairs[][2] = {{NULL, NULL}, {"<a>", "</a>"}, {"<", ">"}, {NULL, "##"}};
    struct splitter s;
    struct part parts[SPLITTER_PARTS_MAX];
    char *kinds = malloc(text.len + 1);
    size_t done = 0;
    if (kinds == NULL)
        abort();
    splitter_init(&s, pairs[which >> 1 & 3][0], pairs[which >> 1 & 3][1], which & 1);
    const bool as_lanes = seed % 2 == 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = text.len - at;
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            size_t piece = 1 + (seed >> 16) % 11;
            len = piece < len ? piece : len;
        }
        struct part plain = {.len = 0};
        if (as_lanes)
            plain = splitter_plain(&s, (struct span){text.data + at, len});
        if (plain.len > 0) {
            add(kinds, &done, text.len, &plain, 1);
            at += plain.len;
            continue;
        }
        len = len < SPLITTER_SLICE_MAX ? len : SPLITTER_SLICE_MAX;
        add(kinds, &done, text.len, parts,
            splitter_feed(&s, (struct span){text.data + at, len}, parts, SPLITTER_PARTS_MAX));
        at += len;
        if (done + splitter_undecided(&s) != at)
            abort();
    }
    add(kinds, &done, text.len, parts, splitter_end(&s, parts, SPLITTER_PARTS_MAX));
    if (done != text.len)
        abort();
    return kinds;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct span text = {(const char *)data + 2, len - 2};
    char *whole = run(text, data[0], 0), *cut = run(text, data[0], data[1] + 1u);
    if (memcmp(whole, cut, text.len) != 0)
        abort();
    free(whole);
    free(cut);
    return 0;
}
