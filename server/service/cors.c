/* See cors.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/cors.h"

#include <string.h>

enum { ASKED_MAX = 2048 };

/* What pages may read besides the few headers that they always may. */
static const char exposed[] =
    "request-id, retry-after, x-rein-decision, x-rein-dropped, x-rein-policy, x-rein-verdict, "
    "x-request-id";

static bool is_allowed(const struct config *config, const char *origin)
{
    for (char *const *allowed = config->cors; origin != NULL && allowed != NULL && *allowed != NULL; allowed++)
        if (strcmp(*allowed, origin) == 0)
            return true;
    return false;
}

void cors_headers(const struct config *config, const struct exchange *x, struct front_header out[FRONT_HEADERS_MAX])
{
    const char *origin = exchange_header(x, "origin");
    /* Also where the origin is not allowed: a cache must not give its answer to one that is. */
    if (config->cors != NULL && *config->cors != NULL)
        *out++ = (struct front_header){"vary", "Origin"};
    if (is_allowed(config, origin)) {
        *out++ = (struct front_header){"access-control-allow-origin", origin};
        *out++ = (struct front_header){"access-control-expose-headers", exposed};
    }
    *out = (struct front_header){NULL, NULL};
}

bool cors_is_preflight(const struct config *config, const struct exchange *x)
{
    return strcmp(exchange_method(x), "OPTIONS") == 0 && exchange_header(x, "access-control-request-method") != NULL &&
           is_allowed(config, exchange_header(x, "origin"));
}

/* A list of header names, and nothing else. */
static bool is_list_of_names(const char *text)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ";
    size_t len = strlen(text);
    return len <= ASKED_MAX && strspn(text, fit) == len;
}

/* A page that is allowed may send any header: what is done with headers does not depend on who sends them. */
void cors_answer(struct exchange *x, const char *method)
{
    const char *asked = exchange_header(x, "access-control-request-headers");
    const struct front_header headers[] = {
        {"access-control-allow-methods", method},
        {"access-control-allow-headers", asked != NULL && is_list_of_names(asked) ? asked : ""},
        {"access-control-max-age", "600"},
        {NULL, NULL}};
    if (exchange_reply(x, 204, headers, "", 0) < 0)
        exchange_abort(x);
}
