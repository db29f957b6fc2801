/* How a server is reached: what its TLS trusts and shows, and through which proxy. Nothing set: directly, with the
 * system's certificates. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any, each its own. */
#ifndef SERVER_UPSTREAM_REACH_H
#define SERVER_UPSTREAM_REACH_H

#include <stdbool.h>

#include "rein/rein.h"

/* All strings NULL or owned. */
struct reach {
    char *ca_file;                  /* PEM: trusted instead of the system's, of an https:// proxy too */
    char *client_cert, *client_key; /* PEM: both or neither */
    char *proxy;                    /* http://, https://, socks5:// (names resolved here), socks5h:// (there) */
    char *proxy_auth;               /* "user:password"; never logged */
};

/* Free *out with reach_fini, also after REIN_ENOMEM. `from` NULL: nothing is set. */
int reach_copy(struct reach *out, const struct reach *from) REIN_MUST_USE;
void reach_fini(struct reach *reach); /* overwrites the secret */
/* NULL for `b`: nothing is set. */
bool reach_is_same(const struct reach *a, const struct reach *b);

/* Why a text is not a valid proxy, as a continuation of a key's name; NULL: it is valid. */
const char *reach_why_no_proxy(const char *text);

#endif
