/* Parts of a config that somebody has already, for a config that a command makes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_ASKING_CONFIG_PARTS_H
#define TOOLS_ASKING_CONFIG_PARTS_H

#include <stdio.h>

#include "rein/rein.h"

/* Writes the named keys (NULL-terminated) that the file has. Says on stderr what is wrong with the file; what is wrong
 * with the keys, the new config's reader says. */
int config_parts_write(FILE *to, const char *program, const char *path, const char *const *parts) REIN_MUST_USE;

#endif
