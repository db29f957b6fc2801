/* The tables of the server's own files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CONFIG_CONFIG_SCHEMA_H
#define SERVER_CONFIG_CONFIG_SCHEMA_H

#include "rein/doc.h"

const struct rein_schema *config_schema(void);
const struct rein_schema *keys_schema(void);

#endif
