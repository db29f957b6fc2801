/* The engine: one thread's scratch space for the matching library.
 * SPDX-License-Identifier: Apache-2.0
 *
 * <hs.h> is included in signal.c alone; this struct is defined there too. */
#ifndef CORE_DETECT_ENGINE_H
#define CORE_DETECT_ENGINE_H

#include "base/bytes.h"
#include "rein/rein.h"

struct signals;

/* Makes the scratch large enough for these signals. Before the first scan with them, not on the hot path. */
int engine_prepare(struct rein_engine *engine, const struct signals *signals) REIN_MUST_USE;

/* Folds one sentence, at most SENTENCE_MAX bytes of it, for signals_scan_same. Good until the next one. */
struct span engine_fold(struct rein_engine *engine, struct span text);

#endif
