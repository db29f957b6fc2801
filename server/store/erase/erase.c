/* See erase.h: times of the command line and of the admin API, and erasing in a file without a server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/erase/erase.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/driver.h"

bool store_erase_before(int64_t *out_us, const char *text)
{
    struct tm tm = {0};
    char *unit;
    long days = strtol(text, &unit, 10);
    if (*text >= '0' && *text <= '9' && strcmp(unit, "d") == 0 && days <= 36500) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        *out_us = ((int64_t)now.tv_sec - days * 86400) * 1000000 + now.tv_nsec / 1000;
        return true;
    }
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (end != NULL && *end == 'T')
        end = strptime(end, "T%H:%M:%SZ", &tm);
    *out_us = end != NULL ? (int64_t)timegm(&tm) * 1000000 : 0;
    return end != NULL && *end == '\0' && *out_us > 0;
}

int store_erase_file(const char *path, const struct store_erase_filter *filter, struct store_erased *out)
{
    const struct store_driver *driver = store_driver_find(NULL);
    const struct timespec pause = {0, STORE_ERASE_PAUSE_MS * 1000000};
    struct store_eraser *eraser;
    *out = (struct store_erased){0};
    int rv = driver->begin_erase(&eraser, path, filter);
    if (rv != 0)
        return rv;
    while ((rv = driver->step_erase(eraser)) > 0)
        if (rv == STORE_ERASE_LATER)
            nanosleep(&pause, NULL);
    driver->end_erase(eraser, out);
    return rv;
}
