/* A guard of the run's own: `rein serve` as a child, between the run and its upstream, with policies of the run's.
 * SPDX-License-Identifier: Apache-2.0
 *
 * So what is measured is what is served: dialects, prefixes, rules, patterns, judges, steering. Its files (config,
 * policies, keys, decisions) are in a temporary folder that goes with it. Each policy has a key of its own, which
 * chooses it. It listens on loopback, on a port that the system chose.
 *
 * Thread: any, one at a time. */
#ifndef TOOLS_ASKING_GUARD_H
#define TOOLS_ASKING_GUARD_H

#include <stddef.h>

#include "rein/rein.h"

enum { GUARD_POLICIES_MAX = 256 };

struct guard_policy {
    const char *name; /* the policy's own; no two may have the same */
    const char *text; /* the document */
    const char *file; /* that it is from: policies that it extends are beside it. NULL: it extends none */
};

/* All texts are borrowed for the call. */
struct guard_options {
    const char *program;     /* begins messages: "rein eval" */
    const char *library;     /* the folder of templates/, lexicons/, models/ */
    const char *config;      /* a config whose upstreams, judges and limits apply; NULL: none */
    const char *upstream;    /* the upstream of `config`; NULL: not one of them, but: */
    const char *url, *kind;  /* kind NULL: "openai" */
    const char *api_key_env; /* the environment variable that holds its key; NULL: none */
    const struct guard_policy *policies;
    size_t policies_len;
    unsigned timeout_s; /* the longest wait for an upstream, at most an hour; 0: a server's own */
};

struct guard; /* opaque */

/* Waits until it listens. Says on stderr why it does not. Returns owned. */
int guard_start(struct guard **out, const struct guard_options *options) REIN_MUST_USE;
const char *guard_url(const struct guard *guard); /* "http://127.0.0.1:PORT" */
/* What requests under this policy are sent with: "Bearer KEY". */
const char *guard_authorization(const struct guard *guard, size_t policy);
/* Where its decisions are, until it is stopped: an SQLite file. */
const char *guard_database(const struct guard *guard);
/* Ends it, waits for that, and removes its files. NULL is fine. */
void guard_stop(struct guard *guard);

#endif
