/* See reach.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "upstream/reach.h"

#include <stdlib.h>
#include <string.h>

#include "upstream/origin.h"

static const struct reach directly;

static bool copy_text(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

int reach_copy(struct reach *out, const struct reach *from)
{
    from = from != NULL ? from : &directly;
    *out = directly;
    bool is_whole = copy_text(&out->ca_file, from->ca_file) && copy_text(&out->client_cert, from->client_cert) &&
                    copy_text(&out->client_key, from->client_key) && copy_text(&out->proxy, from->proxy) &&
                    copy_text(&out->proxy_auth, from->proxy_auth);
    return is_whole ? 0 : REIN_ENOMEM;
}

void reach_fini(struct reach *reach)
{
    free(reach->ca_file);
    free(reach->client_cert);
    free(reach->client_key);
    free(reach->proxy);
    if (reach->proxy_auth != NULL)
        explicit_bzero(reach->proxy_auth, strlen(reach->proxy_auth));
    free(reach->proxy_auth);
    *reach = directly;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool reach_is_same(const struct reach *a, const struct reach *b)
{
    b = b != NULL ? b : &directly;
    return is_same_text(a->ca_file, b->ca_file) && is_same_text(a->client_cert, b->client_cert) &&
           is_same_text(a->client_key, b->client_key) && is_same_text(a->proxy, b->proxy) &&
           is_same_text(a->proxy_auth, b->proxy_auth);
}

const char *reach_why_no_proxy(const char *text)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    if (strchr(text, '@') != NULL)
        return "contains a name or password: secrets are not allowed in this file, use proxy_auth_env or "
               "proxy_auth_file";
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(text, schemes[i], len) != 0)
            continue;
        char as_http[ORIGIN_SIZE + 16];
        struct origin origin;
        size_t rest = strlen(text + len);
        if (7 + rest >= sizeof as_http)
            return "is too long";
        memcpy(as_http, "http://", 7);
        memcpy(as_http + 7, text + len, rest + 1);
        const char *why = origin_read(&origin, as_http);
        if (why == NULL && as_http[origin.len] != '\0')
            why = "must be a scheme, a host and a port, without a path";
        return why;
    }
    return "must begin with http://, https://, socks5:// or socks5h://";
}
