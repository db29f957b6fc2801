/* The page for operators: the same HTML for each of its views, and the files that it loads.
 * SPDX-License-Identifier: Apache-2.0
 *
 * None of this is secret, and none of it holds data: the page asks the API, with its session. What the page may load
 * and do is said in its Content-Security-Policy; text of a model can therefore do nothing even if it became markup. */
#include <string.h>

#include "admin/admin_internal.h"
#include "admin/page_files.h"

static const char csp[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/* All browsers take gzip; other programs have no use for the page. */
static bool takes_gzip(const struct exchange *x)
{
    const char *accepted = exchange_header(x, "accept-encoding");
    return accepted != NULL && (strstr(accepted, "gzip") != NULL || strcmp(accepted, "*") == 0);
}

static void reply_file(struct exchange *x, const struct page_file *file, const char *cache_control)
{
    const struct front_header headers[] = {
        {"content-type", file->type},          {"content-encoding", "gzip"},
        {"cache-control", cache_control},      {"etag", page_version},
        {"vary", "accept-encoding"},           {"content-security-policy", csp},
        {"x-content-type-options", "nosniff"}, {"cross-origin-resource-policy", "same-origin"},
        {"referrer-policy", "no-referrer"},    {NULL, NULL},
    };
    const char *known = exchange_header(x, "if-none-match");
    int rv;
    if (known != NULL && strcmp(known, page_version) == 0)
        rv = exchange_reply(x, 304, headers + 2, "", 0);
    else if (!takes_gzip(x)) {
        admin_reply_error(x, 406, "gzip_only", NULL,
                          "The page is sent compressed: ask with the header 'Accept-Encoding: gzip'.");
        return;
    } else
        rv = exchange_reply(x, 200, headers, (const char *)file->gzip, file->len);
    if (rv != 0)
        exchange_abort(x);
}

static void serve_view(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    (void)admin;
    (void)path;
    reply_file(x, &page_files[0], "no-cache");
}

static void serve_file(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    (void)admin;
    (void)path;
    for (size_t i = 1; i < page_files_len; i++)
        if (strcmp(page_files[i].path, exchange_path(x)) == 0) {
            reply_file(x, &page_files[i], "public, max-age=31536000, immutable");
            return;
        }
    admin_reply_error(x, 404, "not_found", NULL,
                      "This version of the page does not exist any more. Load the page again.");
}

static const struct front_header no_headers[] = {{NULL, NULL}};

const struct admin_path admin_page_paths[] = {
    {"GET", "/", ADMIN_ANYONE, no_headers, serve_view},
    {"GET", "/decisions", ADMIN_ANYONE, no_headers, serve_view},
    {"GET", "/decisions/", ADMIN_ANYONE, no_headers, serve_view},
    {"GET", "/findings", ADMIN_ANYONE, no_headers, serve_view},
    {"GET", "/policies", ADMIN_ANYONE, no_headers, serve_view},
    {"GET", "/page/", ADMIN_ANYONE, no_headers, serve_file},
    {.path = NULL},
};
