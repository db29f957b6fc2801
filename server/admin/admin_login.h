/* Who calls: the holder of a token, by the Authorization header or by the cookie of a browser that logged in with it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The cookie is HttpOnly and SameSite=Strict; its name holds the port and its path is that of the API, because a host's
 * cookies are shared by all its ports. Off loopback it is Secure too, so logging in needs TLS in front. Thread: the
 * admin loop's. */
#ifndef SERVER_ADMIN_ADMIN_LOGIN_H
#define SERVER_ADMIN_ADMIN_LOGIN_H

#include <stdbool.h>

#include "config/keys.h"
#include "front/front.h"

struct admin;

/* The valid token of a request, NULL if it brought none. Good as long as the config of `admin`. */
const struct key *login_holder(struct admin *admin, const struct exchange *x);
/* A request that changes something must come from our own page, or from a program: a page of another site can send
 * neither this header nor a bearer. False: it may be such a page's. */
bool login_is_own_page(const struct exchange *x);

#endif
