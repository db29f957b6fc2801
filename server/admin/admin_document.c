/* The path of the document that describes the APIs (openapi.json of this folder, part of the binary).
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "admin/admin_internal.h"

extern const char admin_openapi[];

static void serve_document(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    (void)admin;
    if (exchange_reply(x, 200, path->headers, admin_openapi, strlen(admin_openapi)) != 0)
        exchange_abort(x);
}

static const struct front_header document_headers[] = {
    {"content-type", "application/json"},
    {"cache-control", "no-store"},
    {"x-content-type-options", "nosniff"},
    {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"},
    {NULL, NULL},
};

const struct admin_path admin_document_paths[] = {
    {"GET", "/admin/v1/openapi.json", ADMIN_COUNTS, document_headers, serve_document},
    {.path = NULL},
};
