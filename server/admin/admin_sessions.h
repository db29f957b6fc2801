/* Sessions of browsers: who logged in with which token, and how often logging in was tried in vain.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A session is a random text that only its cookie holds; here is its hash, beside the hash of the token that it was
 * opened with. It is good until it expires, or until the token is not valid any more: the caller looks the token up
 * each time. All tables have a fixed size: a new session takes the place of the oldest, a new address that of the one
 * that has been quiet for longest. Times come from the caller, in seconds. No I/O. Thread: the admin loop's. */
#ifndef SERVER_ADMIN_ADMIN_SESSIONS_H
#define SERVER_ADMIN_ADMIN_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/keys.h"

enum {
    SESSIONS_MAX = 64,
    SESSION_LIFE_S = 12 * 3600,
    LOGIN_ADDRESSES_MAX = 256,
    LOGIN_TRIES_OF_ONE = 5, /* that may fail within LOGIN_WINDOW_S */
    LOGIN_TRIES_OF_ALL = 60,
    LOGIN_WINDOW_S = 60,
    LOGIN_ADDRESS_MAX = 48, /* bytes of an address as text, with its NUL */
};

struct admin_session {
    unsigned char hash[KEY_HASH_LEN], token[KEY_HASH_LEN];
    int64_t opened_s; /* 0: the place is free */
};

/* Failed tries since `since_s`; a window that is over counts as none. */
struct login_tries {
    int64_t since_s;
    unsigned failed;
};

struct admin_sessions {
    struct admin_session open[SESSIONS_MAX];
    struct login_tries all;
    struct {
        char address[LOGIN_ADDRESS_MAX]; /* "": free */
        struct login_tries tries;
    } of_one[LOGIN_ADDRESSES_MAX];
};

/* Opens a session for the holder of the token with this hash; `text` is for its cookie. REIN_ENOMEM: no random bytes.
 */
int sessions_open(struct admin_sessions *sessions, const unsigned char token[KEY_HASH_LEN], int64_t now_s,
                  char text[KEYS_TEXT_MAX]) REIN_MUST_USE;
/* The session of a cookie's text, NULL if there is none or it has expired. Good until the next call. */
const struct admin_session *sessions_find(const struct admin_sessions *sessions, const char *text, int64_t now_s);
void sessions_close(struct admin_sessions *sessions, const char *text);

/* In how many seconds this address may try again; 0: now. */
unsigned sessions_wait_s(const struct admin_sessions *sessions, const char *address, int64_t now_s);
void sessions_note_failure(struct admin_sessions *sessions, const char *address, int64_t now_s);

#endif
