/* See admin_paths.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Before a request is examined: the Host (a page of another site that rebinds its name to this address has its own name
 * there), the method, the token. */
#include "admin/admin_paths.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "admin/admin_internal.h"
#include "config/keys.h"
#include "front/hosts.h"
#include "front/reply.h"

static const struct admin_path *const lists[] = {admin_decision_paths, admin_state_paths};

const struct admin_path *admin_path_at(size_t i)
{
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        for (const struct admin_path *path = lists[k]; path->path != NULL; path++)
            if (i-- == 0)
                return path;
    return NULL;
}

static bool is_path_sound(const struct admin_path *path)
{
    return *path->path == '/' && path->method != NULL && *path->method != '\0' && path->headers != NULL &&
           path->serve != NULL && (path->caller == ADMIN_ANYONE || path->caller == ADMIN_OPERATOR);
}

bool admin_paths_are_sound(void)
{
    const struct admin_path *path, *other;
    for (size_t i = 0; (path = admin_path_at(i)) != NULL; i++) {
        if (!is_path_sound(path))
            return false;
        for (size_t k = 0; k < i; k++) {
            other = admin_path_at(k);
            if (strcmp(path->path, other->path) == 0 && strcmp(path->method, other->method) == 0)
                return false;
        }
    }
    return true;
}

const char *admin_path_rest(const struct admin_path *path, const struct exchange *x)
{
    return exchange_path(x) + strlen(path->path);
}

/* ---- which row ---- */

static void serve_unknown(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    (void)admin;
    (void)path;
    admin_reply_error(x, 404, "not_found", NULL, "This path does not exist.");
}

static const struct admin_path unknown = {"GET", "", ADMIN_OPERATOR, admin_json_headers, serve_unknown};

static bool path_matches(const struct admin_path *path, const char *asked)
{
    size_t len = strlen(path->path);
    if (path->path[len - 1] == '/' && len > 1)
        return strncmp(path->path, asked, len) == 0 && asked[len] != '\0';
    return strcmp(path->path, asked) == 0;
}

/* The row of a path and method, or any of the path's if there is none of this method. */
static const struct admin_path *find_path(const char *asked, const char *method)
{
    const struct admin_path *path, *found = NULL;
    for (size_t i = 0; (path = admin_path_at(i)) != NULL; i++)
        if (path_matches(path, asked) && (found == NULL || strcmp(path->method, method) == 0))
            found = path;
    return found != NULL ? found : &unknown;
}

/* ---- who may come in ---- */

static void refuse_method(struct exchange *x, const struct admin_path *path)
{
    enum { METHODS_MAX = 64 };
    char methods[METHODS_MAX], message[METHODS_MAX + 64];
    const struct front_header allow[] = {{"allow", methods}, {"cache-control", "no-store"}, {NULL, NULL}};
    const struct reply_error error = {.status = 405, .code = "method_not_allowed", .message = message};
    const struct admin_path *other;
    size_t len = (size_t)snprintf(methods, sizeof methods, "%s", path->method);
    for (size_t i = 0; (other = admin_path_at(i)) != NULL; i++)
        if (other != path && strcmp(other->path, path->path) == 0 && len < sizeof methods)
            len += (size_t)snprintf(methods + len, sizeof methods - len, ", %s", other->method);
    snprintf(message, sizeof message, "This path does not have this method: use %s.", methods);
    reply_error(x, &error, allow);
}

static bool has_token(const struct admin *admin, const struct exchange *x)
{
    const char *bearer = exchange_bearer(x);
    return admin->config->tokens == NULL || (bearer != NULL && keys_find(admin->config->tokens, bearer) != NULL);
}

bool admin_path_check(void *ctx, struct exchange *x)
{
    struct admin *admin = ctx;
    static const struct reply_error no_token = {
        .status = 401,
        .code = "invalid_token",
        .message = "The admin token is required: send it as 'Authorization: Bearer TOKEN'."};
    static const struct front_header challenge[] = {
        {"www-authenticate", "Bearer"}, {"cache-control", "no-store"}, {NULL, NULL}};
    const struct admin_path *path = find_path(exchange_path(x), exchange_method(x));
    if (!hosts_is_ours(admin->config->admin.host, NULL, exchange_header(x, "host"))) {
        admin_reply_error(x, 403, "host_not_allowed", NULL, "The Host header does not name this listener.");
        return false;
    }
    if (strcmp(exchange_method(x), path->method) != 0) {
        refuse_method(x, path);
        return false;
    }
    if (path->caller != ADMIN_ANYONE && !has_token(admin, x)) {
        reply_error(x, &no_token, challenge);
        return false;
    }
    return true;
}

void admin_path_serve(void *ctx, struct exchange *x)
{
    const struct admin_path *path = find_path(exchange_path(x), exchange_method(x));
    assert(strcmp(exchange_method(x), path->method) == 0);
    path->serve(ctx, path, x);
}
