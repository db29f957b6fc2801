/* What every framing shares: where a stream is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/frame.h"

void framer_init(struct framer *f, const struct framing *framing, size_t limit)
{
    *f = (struct framer){.framing = framing, .limit = limit};
    bytes_init(&f->joined, limit);
}

void framer_fini(struct framer *f)
{
    bytes_fini(&f->joined);
}

void framer_reset(struct framer *f)
{
    struct bytes joined = f->joined;
    bytes_clear(&joined);
    *f = (struct framer){.framing = f->framing, .limit = f->limit, .joined = joined};
}
