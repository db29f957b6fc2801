/* See admin_login.h. The paths to log in, to log out, and to learn who one is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_login.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "admin/admin_internal.h"
#include "base/log.h"
#include "front/reply.h"

enum { COOKIE_NAME_MAX = 32, COOKIE_MAX = 256 };

static int64_t login_now_s(void)
{
    return (int64_t)time(NULL);
}

/* ---- the cookie ---- */

static void cookie_name(const struct admin *admin, char out[COOKIE_NAME_MAX])
{
    snprintf(out, COOKIE_NAME_MAX, "rein-desk-%u", (unsigned)admin->port);
}

/* The cookie's value, "" if there is none or it is too long for one of ours. */
static void cookie_read(const struct admin *admin, const struct exchange *x, char out[KEYS_TEXT_MAX])
{
    char name[COOKIE_NAME_MAX];
    const char *at = exchange_header(x, "cookie");
    cookie_name(admin, name);
    size_t name_len = strlen(name);
    out[0] = '\0';
    while (at != NULL && *at != '\0') {
        at += strspn(at, " ;");
        size_t len = strcspn(at, ";");
        if (len > name_len && at[name_len] == '=' && strncmp(at, name, name_len) == 0 &&
            len - name_len - 1 < KEYS_TEXT_MAX) {
            memcpy(out, at + name_len + 1, len - name_len - 1);
            out[len - name_len - 1] = '\0';
            return;
        }
        at += len;
    }
}

/* An empty `text` removes it. */
static void cookie_write(const struct admin *admin, const char *text, bool is_secure, char out[COOKIE_MAX])
{
    char name[COOKIE_NAME_MAX];
    cookie_name(admin, name);
    snprintf(out, COOKIE_MAX, "%s=%s; Path=/admin/v1; HttpOnly; SameSite=Strict; Max-Age=%d%s", name, text,
             *text != '\0' ? (int)SESSION_LIFE_S : 0, is_secure ? "; Secure" : "");
}

/* ---- who calls ---- */

const struct key *login_holder(struct admin *admin, const struct exchange *x)
{
    const struct keys *tokens = admin->config->tokens;
    const char *bearer = exchange_bearer(x);
    const struct admin_session *session;
    const struct key *key = NULL;
    char text[KEYS_TEXT_MAX];
    int64_t now_s = login_now_s();
    if (tokens == NULL)
        return NULL;
    if (bearer != NULL)
        key = keys_holder(tokens, bearer);
    else {
        cookie_read(admin, x, text);
        session = *text != '\0' ? sessions_find(&admin->sessions, text, now_s) : NULL;
        key = session != NULL ? keys_with_hash(tokens, session->token) : NULL;
    }
    return key != NULL && !key_is_expired(key, now_s) ? key : NULL;
}

bool login_is_own_page(const struct exchange *x)
{
    const char *site = exchange_header(x, "sec-fetch-site");
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return false;
    if (exchange_bearer(x) != NULL || exchange_header(x, "x-rein-page") != NULL)
        return true;
    return site == NULL && exchange_header(x, "origin") == NULL && exchange_header(x, "cookie") == NULL;
}

/* ---- logging in and out ---- */

static void reply_with_cookie(struct exchange *x, unsigned status, json_t *tree, const char *cookie)
{
    struct front_header headers[REPLY_HEADERS_MAX];
    size_t n = 0;
    headers[n++] = (struct front_header){"set-cookie", cookie};
    for (const struct front_header *h = admin_json_headers; h->name != NULL && n < REPLY_HEADERS_MAX - 1; h++)
        headers[n++] = *h;
    headers[n] = (struct front_header){NULL, NULL};
    reply_json(x, status, tree, headers);
}

static bool is_https(const char *origin)
{
    return origin != NULL && strncasecmp(origin, "https://", 8) == 0;
}

/* Where a browser keeps a cookie that is Secure, or one that need not be. */
static bool can_keep_cookie(const struct admin *admin, const struct exchange *x)
{
    static const char *const local[] = {"http://localhost", "http://127.", "http://[::1]"};
    const char *origin = exchange_header(x, "origin");
    if (admin->config->admin.loopback || origin == NULL || is_https(origin))
        return true;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (strncasecmp(origin, local[i], strlen(local[i])) == 0)
            return true;
    return false;
}

static void refuse_too_often(struct exchange *x, unsigned wait_s)
{
    char seconds[16];
    const struct front_header headers[] = {{"retry-after", seconds}, {"cache-control", "no-store"}, {NULL, NULL}};
    const struct reply_error error = {
        .status = 429,
        .code = "too_many_tries",
        .message = "Too many tries to log in have failed. Wait as many seconds as the header Retry-After says."};
    snprintf(seconds, sizeof seconds, "%u", wait_s);
    reply_error(x, &error, headers);
}

/* The token in the body {"token": "..."}; "" if it is not there. */
static void read_token(const struct exchange *x, char out[KEYS_TEXT_MAX])
{
    struct rein_source body = exchange_body(x);
    json_t *tree = json_loadb(body.text, body.len, JSON_REJECT_DUPLICATES, NULL);
    const char *token = json_string_value(json_object_get(tree, "token"));
    snprintf(out, KEYS_TEXT_MAX, "%s", token != NULL && strlen(token) < KEYS_TEXT_MAX ? token : "");
    json_decref(tree);
}

static void session_begin(struct admin *admin, struct exchange *x, const struct key *key, const char *token)
{
    unsigned char hash[KEY_HASH_LEN];
    char text[KEYS_TEXT_MAX], cookie[COOKIE_MAX];
    keys_hash(token, hash);
    if (sessions_open(&admin->sessions, hash, login_now_s(), text) != 0) {
        exchange_abort(x);
        return;
    }
    cookie_write(admin, text, !admin->config->admin.loopback || is_https(exchange_header(x, "origin")), cookie);
    log_info("admin", "%s logged in from %s", key->name, exchange_peer(x));
    reply_with_cookie(x, 200, json_pack("{ss}", "name", key->name), cookie);
}

static void serve_login(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    char token[KEYS_TEXT_MAX];
    int64_t now_s = login_now_s();
    unsigned wait_s = sessions_wait_s(&admin->sessions, exchange_peer(x), now_s);
    (void)path;
    if (admin->config->tokens == NULL) {
        admin_reply_error(x, 400, "no_token_needed", NULL,
                          "This listener asks for no token: there is nothing to log in to.");
        return;
    }
    if (!can_keep_cookie(admin, x)) {
        admin_reply_error(
            x, 400, "needs_tls", NULL,
            "Logging in cannot work here: off loopback a browser keeps the session only if the page came over TLS. "
            "Put a proxy with TLS in front, or reach the port through a tunnel to localhost.");
        return;
    }
    if (wait_s > 0) {
        refuse_too_often(x, wait_s);
        return;
    }
    read_token(x, token);
    const struct key *key = *token != '\0' ? keys_holder(admin->config->tokens, token) : NULL;
    if (key == NULL || key_is_expired(key, now_s)) {
        sessions_note_failure(&admin->sessions, exchange_peer(x), now_s);
        log_warn("admin", "a try to log in from %s failed", exchange_peer(x));
        admin_reply_error(x, 401, "invalid_token", NULL, "This is not a valid admin token.");
        return;
    }
    session_begin(admin, x, key, token);
}

static void serve_logout(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    char text[KEYS_TEXT_MAX], cookie[COOKIE_MAX];
    (void)path;
    cookie_read(admin, x, text);
    if (*text != '\0')
        sessions_close(&admin->sessions, text);
    cookie_write(admin, "", !admin->config->admin.loopback || is_https(exchange_header(x, "origin")), cookie);
    reply_with_cookie(x, 200, json_pack("{s{}}", "session"), cookie);
}

static void serve_who(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    static const char *const rights[] = {
        [KEY_MAY_COUNT] = "counts", [KEY_MAY_READ_TEXT] = "text", [KEY_MAY_OPERATE] = "operate"};
    const struct key *key = login_holder(admin, x);
    bool is_open = admin->config->tokens == NULL;
    enum key_right right = key != NULL ? key->right : KEY_MAY_OPERATE;
    admin_reply(x, path, 200,
                json_pack("{sbsbsbss?ss?}", "needs_token", !is_open, "is_in", is_open || key != NULL, "loopback",
                          admin->config->admin.loopback, "name", key != NULL ? key->name : NULL, "right",
                          is_open || key != NULL ? rights[right] : NULL));
}

const struct admin_path admin_login_paths[] = {
    {"GET", "/admin/v1/session", ADMIN_ANYONE, admin_json_headers, serve_who},
    {"POST", "/admin/v1/session", ADMIN_ANYONE, admin_json_headers, serve_login},
    {"DELETE", "/admin/v1/session", ADMIN_ANYONE, admin_json_headers, serve_logout},
    {.path = NULL},
};
