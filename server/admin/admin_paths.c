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
#include "admin/admin_login.h"
#include "config/keys.h"
#include "front/hosts.h"
#include "front/reply.h"

static const struct admin_path *const lists[] = {admin_decision_paths, admin_state_paths,    admin_document_paths,
                                                 admin_login_paths,    admin_page_paths,     admin_view_paths,
                                                 admin_export_paths,   admin_feedback_paths, admin_live_paths,
                                                 admin_policy_paths,   admin_erase_paths};

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
           path->serve != NULL && path->caller >= ADMIN_ANYONE && path->caller <= ADMIN_OPERATE;
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

static const struct admin_path unknown = {"GET", "", ADMIN_COUNTS, admin_json_headers, serve_unknown};

static bool path_matches(const struct admin_path *path, const char *asked)
{
    const char *at = path->path;
    for (; *at != '\0'; at++)
        if (*at == '*') {
            size_t part = strcspn(asked, "/");
            if (part == 0)
                return false;
            asked += part;
        } else if (*asked++ != *at) {
            return false;
        }
    return at[-1] == '/' && at - path->path > 1 ? *asked != '\0' : *asked == '\0';
}

/* Of the paths that match the longest counts: one with parts that may be anything, rather than the beginning of many.
 */
static bool is_better(const struct admin_path *path, const struct admin_path *than, const char *method)
{
    size_t len = strlen(path->path), other = than != NULL ? strlen(than->path) : 0;
    return than == NULL || len > other || (len == other && strcmp(path->method, method) == 0);
}

/* The row of a path and method, or any of the path's if there is none of this method. */
static const struct admin_path *find_path(const char *asked, const char *method)
{
    const struct admin_path *path, *found = NULL;
    for (size_t i = 0; (path = admin_path_at(i)) != NULL; i++)
        if (path_matches(path, asked) && is_better(path, found, method))
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

static void caller_release(const struct front_grant *grant)
{
    config_unref(grant->owner);
}

/* Notes who calls, for what is logged of it. False: nobody who may. */
static bool admit_caller(struct admin *admin, struct exchange *x)
{
    const struct key *key = login_holder(admin, x);
    if (admin->config->tokens != NULL && key == NULL)
        return false;
    const struct front_grant grant = {.caller = key != NULL ? key->name : "",
                                      .identity = key,
                                      .owner = config_ref(admin->config),
                                      .release = caller_release};
    exchange_grant(x, &grant);
    return true;
}

bool admin_may(const struct exchange *x, enum admin_caller right)
{
    static const enum key_right rights[] = {
        [ADMIN_COUNTS] = KEY_MAY_COUNT, [ADMIN_TEXT] = KEY_MAY_READ_TEXT, [ADMIN_OPERATE] = KEY_MAY_OPERATE};
    const struct front_grant *grant = exchange_granted(x);
    const struct key *key = grant != NULL ? grant->identity : NULL;
    return right == ADMIN_ANYONE || (grant != NULL && (key == NULL || key->right >= rights[right]));
}

const char *admin_caller_name(const struct exchange *x)
{
    const struct front_grant *grant = exchange_granted(x);
    return grant != NULL && grant->caller != NULL && *grant->caller != '\0' ? grant->caller : ADMIN_NO_TOKEN;
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
    if (strcmp(path->method, "GET") != 0 && !login_is_own_page(x)) {
        admin_reply_error(x, 403, "foreign_page", NULL,
                          "This request may come from a page of another site: it lacks the header x-rein-page.");
        return false;
    }
    if (path->caller != ADMIN_ANYONE && !admit_caller(admin, x)) {
        reply_error(x, &no_token, challenge);
        return false;
    }
    if (!admin_may(x, path->caller)) {
        admin_reply_error(x, 403, "not_allowed", NULL,
                          path->caller == ADMIN_TEXT ? "This token may not read text: it takes the right `text`."
                                                     : "This token may not operate: it takes the right `operate`.");
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
