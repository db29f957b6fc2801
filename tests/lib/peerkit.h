/* What the tests of peers' defects share: a secret, policies that look for it, and events that carry it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PEERKIT_H
#define TESTS_PEERKIT_H

#include <stdio.h>
#include <string.h>

#include "tracekit.h"

#define SECRET "zx-violet-42-lantern"
#define EVENT(members) "data: {\"id\":\"up-1\",\"object\":\"chat.completion.chunk\",\"choices\":[" members "]}\n\n"
#define DELTA(inside) EVENT("{\"index\":0,\"delta\":{" inside "},\"finish_reason\":null}")
#define CONTENT(text) DELTA("\"content\":\"" text "\"")
#define REASONING(text) DELTA("\"reasoning_content\":\"" text "\"")
#define FINISH(reason) EVENT("{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}")
#define DONE "data: [DONE]\n\n"

#define POLICY(action)                                                                                                 \
    "version: 1\nname: peers\nreasoning: { show: stream, release: stream }\n"                                          \
    "refusal: { message: I stop here., finish_reason: content_filter }\n"                                              \
    "rules:\n  - { id: secret, channels: [reasoning, answer, tool], literal: " SECRET ", match: raw, action: " action  \
    " }\n"

/* A literal, an expression with a trailing assertion, and a built-in with a check: all three with one action. */
static inline struct rein_policy *rules_policy(const char *action, const char *release, const char *show)
{
    char yaml[1024];
    const char *instead = strcmp(action, "redact") == 0 ? ", replacement: \"#\"" : "";
    snprintf(yaml, sizeof yaml,
             "version: 1\nname: i\nreasoning: { show: %s, release: %s }\n"
             "refusal: { message: I stop here., finish_reason: content_filter }\n"
             "rules:\n  - { id: secret, literal: " SECRET ", match: raw, action: %s%s }\n"
             "  - { id: word, regex: 'lily\\b', action: %s%s }\n"
             "  - { id: card, builtin: card_number, action: %s%s }\n",
             show, release, action, instead, action, instead, action, instead);
    return kit_policy(yaml);
}

static struct rein_policy *redacts, *refuses, *records;

static inline int load_policies(void **state)
{
    (void)state;
    redacts = kit_policy(POLICY("redact"));
    refuses = kit_policy(POLICY("refuse"));
    records = kit_policy(POLICY("record"));
    return 0;
}

static inline int drop_policies(void **state)
{
    (void)state;
    rein_policy_unref(redacts);
    rein_policy_unref(refuses);
    rein_policy_unref(records);
    return 0;
}

static inline struct kit_run run_of(struct rein_policy *policy, const char *upstream)
{
    return (struct kit_run){.policy = policy, .upstream = {upstream, strlen(upstream)}};
}

/* No piece of the secret of four letters or more went out. */
static inline void check_no_secret(const struct kit_seen *seen)
{
    static const char secret[] = SECRET;
    for (size_t i = 0; i + 4 < sizeof(secret); i++) {
        char piece[5] = {secret[i], secret[i + 1], secret[i + 2], secret[i + 3], '\0'};
        if (kit_has(seen, piece))
            print_error("\"%s\" went out: %.*s\n", piece, (int)bytes_len(&seen->out), bytes_span(&seen->out).data);
        assert_false(kit_has(seen, piece));
    }
}

static inline void check_proper_end(const struct kit_seen *seen)
{
    assert_int_equal(seen->done, 1);
    assert_int_equal(seen->after_done, 0);
    assert_int_equal(seen->unreadable, 0);
    assert_int_equal(seen->errors, 0);
    assert_int_equal(seen->choices[0].finishes, 1);
}

#endif
