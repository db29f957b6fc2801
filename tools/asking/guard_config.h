/* The files of a guard: its config, its policies, its keys.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_ASKING_GUARD_CONFIG_H
#define TOOLS_ASKING_GUARD_CONFIG_H

#include "asking/guard.h"
#include "config/keys.h"

/* Writes them into the folder; each policy's key goes into `keys`. Says on stderr what is wrong. */
int guard_config_write(const char *folder, const struct guard_options *options,
                       char (*keys)[KEYS_TEXT_MAX]) REIN_MUST_USE;

#endif
