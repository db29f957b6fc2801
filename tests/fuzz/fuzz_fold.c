/* Fuzzes folding: any bytes; offsets stay in order and in the text, folding twice changes nothing more, and invalid
 * bytes stay.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { TEXT_MAX = 4096 };

static bool is_valid(struct span text)
{
    uint32_t codepoint;
    int step = 1;
    for (; text.len > 0 && step > 0; text = (struct span){text.data + step, text.len - (size_t)step}) {
        step = utf8_next(text, &codepoint);
        if (step <= 0)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char folded[TEXT_MAX * 16], again[TEXT_MAX * 16];
    static uint32_t map[TEXT_MAX * 16];
    if (len > TEXT_MAX)
        return 0;
    struct span text = {(const char *)data, len};
    size_t n = fold_text(text, folded, map, sizeof(folded));
    for (size_t i = 0; i < n; i++)
        if (map[i] >= len || (i > 0 && map[i] < map[i - 1]))
            abort();
    for (size_t i = 0; i < len; i++)
        if (data[i] >= 0xF8 && memchr(folded, data[i], n) == NULL) /* no part of UTF-8 at all */
            abort();
    /* Not so with invalid bytes: what stands between them may go, and leave a sequence that is whole. */
    size_t twice = fold_text((struct span){folded, n}, again, NULL, sizeof(again));
    if (is_valid(text) && (twice != n || memcmp(folded, again, n) != 0))
        abort();
    size_t cut = n / 2; /* too little room: a beginning of it */
    size_t short_len = fold_text(text, again, NULL, cut);
    if (short_len > cut || memcmp(folded, again, short_len) != 0)
        abort();
    return 0;
}
