/* See admin_sessions.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_sessions.h"

#include <stdio.h>
#include <string.h>

static bool is_session_alive(const struct admin_session *session, int64_t now_s)
{
    return session->opened_s != 0 && now_s >= session->opened_s && now_s - session->opened_s < SESSION_LIFE_S;
}

int sessions_open(struct admin_sessions *sessions, const unsigned char token[KEY_HASH_LEN], int64_t now_s,
                  char text[KEYS_TEXT_MAX])
{
    struct admin_session *place = &sessions->open[0];
    for (size_t i = 1; i < SESSIONS_MAX; i++)
        if (sessions->open[i].opened_s < place->opened_s)
            place = &sessions->open[i];
    int rv = keys_secret("", text, place->hash);
    if (rv != 0) {
        *place = (struct admin_session){0};
        return rv;
    }
    memcpy(place->token, token, KEY_HASH_LEN);
    place->opened_s = now_s;
    return 0;
}

/* Hashes are compared, so the time says nothing about the text. */
static size_t session_at(const struct admin_sessions *sessions, const char *text)
{
    unsigned char hash[KEY_HASH_LEN];
    size_t i = 0;
    keys_hash(text, hash);
    while (i < SESSIONS_MAX &&
           (sessions->open[i].opened_s == 0 || memcmp(sessions->open[i].hash, hash, sizeof hash) != 0))
        i++;
    return i;
}

const struct admin_session *sessions_find(const struct admin_sessions *sessions, const char *text, int64_t now_s)
{
    size_t i = session_at(sessions, text);
    return i < SESSIONS_MAX && is_session_alive(&sessions->open[i], now_s) ? &sessions->open[i] : NULL;
}

void sessions_close(struct admin_sessions *sessions, const char *text)
{
    size_t i = session_at(sessions, text);
    if (i < SESSIONS_MAX)
        sessions->open[i] = (struct admin_session){0};
}

/* ---- tries ---- */

static bool is_window_over(const struct login_tries *tries, int64_t now_s)
{
    return now_s < tries->since_s || now_s - tries->since_s >= LOGIN_WINDOW_S;
}

static unsigned tries_wait_s(const struct login_tries *tries, unsigned most, int64_t now_s)
{
    if (is_window_over(tries, now_s) || tries->failed < most)
        return 0;
    return (unsigned)(LOGIN_WINDOW_S - (now_s - tries->since_s));
}

static void tries_count(struct login_tries *tries, int64_t now_s)
{
    if (is_window_over(tries, now_s))
        *tries = (struct login_tries){now_s, 0};
    tries->failed++;
}

unsigned sessions_wait_s(const struct admin_sessions *sessions, const char *address, int64_t now_s)
{
    unsigned wait = tries_wait_s(&sessions->all, LOGIN_TRIES_OF_ALL, now_s), of_one;
    for (size_t i = 0; i < LOGIN_ADDRESSES_MAX; i++)
        if (strcmp(sessions->of_one[i].address, address) == 0) {
            of_one = tries_wait_s(&sessions->of_one[i].tries, LOGIN_TRIES_OF_ONE, now_s);
            return of_one > wait ? of_one : wait;
        }
    return wait;
}

void sessions_note_failure(struct admin_sessions *sessions, const char *address, int64_t now_s)
{
    size_t place = 0;
    tries_count(&sessions->all, now_s);
    for (size_t i = 0; i < LOGIN_ADDRESSES_MAX; i++) {
        if (strcmp(sessions->of_one[i].address, address) == 0) {
            tries_count(&sessions->of_one[i].tries, now_s);
            return;
        }
        if (sessions->of_one[i].tries.since_s < sessions->of_one[place].tries.since_s)
            place = i;
    }
    snprintf(sessions->of_one[place].address, LOGIN_ADDRESS_MAX, "%s", address);
    sessions->of_one[place].tries = (struct login_tries){now_s, 1};
}
