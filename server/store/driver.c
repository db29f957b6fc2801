/* See driver.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/driver.h"

#include <string.h>

#include "config/store_schemes.h"

#define DECLARE(name, place, example) extern const struct store_driver store_driver_##name;
STORE_DRIVERS(DECLARE)

const struct store_driver *store_driver_find(const char *scheme)
{
#define ROW(name, place, example) &store_driver_##name,
    static const struct store_driver *const drivers[] = {STORE_DRIVERS(ROW)};
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (scheme == NULL || strcmp(drivers[i]->scheme, scheme) == 0)
            return drivers[i];
    return NULL;
}
