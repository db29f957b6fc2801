/* The settings: every limit and deadline of the config, once. The parser, `rein check`, the reference page, the structs
 * that are enforced and the reload are all made from these tables.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A new one is one line here. The lines become fields of struct config, read and checked without more code; what is
 * left is to enforce it, and to name how in tests/integration/settings.test.mjs. */
#ifndef SERVER_CONFIG_CONFIG_SETTINGS_H
#define SERVER_CONFIG_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/doc.h"
#include "rein/json.h"
#include "upstream/upstream.h"

struct config;

/* What a change takes. CONFIG_RELOAD: SIGHUP is enough. */
enum { CONFIG_RELOAD = 0, CONFIG_RESTART = REIN_KEY_RESTART };

/* Ceilings of lists; the parts that keep something for each item are made for as many. */
enum {
    CONFIG_HOSTS_MAX = 64,
    CONFIG_TOKENS_MAX = 32,
    CONFIG_PROXIES_MAX = 256,
    CONFIG_UPSTREAMS_MAX = UPSTREAM_CONFIGURED_MAX,
    CONFIG_ROUTES_MAX = 1024,
    CONFIG_JUDGES_MAX = 16,
    CONFIG_WORKERS_MAX = 256
};

/* clang-format off */

/* X(section, name, unit, lowest, highest, default, what a change takes, what it limits) */
#define CONFIG_LIMITS(X)                                                                                               \
    X(limits, body_bytes, "bytes", 1024, REIN_JSON_BYTES_MAX, 4194304, CONFIG_RELOAD, "size of a request's body")              \
    X(limits, messages, NULL, 1, 100000, 2048, CONFIG_RELOAD, "messages per request")                                 \
    X(limits, choices, NULL, 1, REIN_CHOICES_MAX, 8, CONFIG_RELOAD, "choices (`n`) per request")                      \
    X(limits, tools, NULL, 1, 4096, 256, CONFIG_RELOAD, "tools per request")                                          \
    X(limits, connections, NULL, 1, 1000000, 16384, CONFIG_RESTART, "connections to all workers together")            \
    X(limits, connections_per_address, NULL, 1, 1000000, 1024, CONFIG_RELOAD,                                          \
      "connections per client address, to all workers together")                                                             \
    X(limits, bodies_bytes, "bytes", 1024, 1099511627776, 536870912, CONFIG_RELOAD,                                     \
      "request bodies of all clients that are in memory at once; one of `body_bytes` is always accepted")                                  \
    X(limits, bodies_bytes_per_address, "bytes", 1024, 1099511627776, 268435456, CONFIG_RELOAD,                         \
      "request bodies per client address that are in memory at once; one of `body_bytes` is always accepted")                            \
    X(limits, json_depth, NULL, 1, 512, 64, CONFIG_RELOAD, "nesting depth of a request's JSON")                              \
    X(limits, upstream_body_bytes, "bytes", 1024, REIN_JSON_BYTES_MAX, 16777216, CONFIG_RELOAD,                        \
      "size of a backend's body that is not streamed")

#define CONFIG_TIMEOUTS(X)                                                                                             \
    X(timeouts, connect_ms, "ms", 1, 600000, 5000, CONFIG_RELOAD, "to connect to a backend")                           \
    X(timeouts, first_byte_ms, "ms", 1, 3600000, 120000, CONFIG_RELOAD, "from the request to a backend's first byte")  \
    X(timeouts, idle_ms, "ms", 1, 3600000, 60000, CONFIG_RELOAD, "between two bytes of a backend")                     \
    X(timeouts, client_idle_ms, "ms", 1, 3600000, 60000, CONFIG_RELOAD, "for a client that neither sends nor reads")   \
    X(timeouts, drain_ms, "ms", 0, 3600000, 30000, CONFIG_RELOAD,                                                      \
      "for running responses when the server stops")                                                         \
    X(timeouts, keep_alive_ms, "ms", 1, 3600000, 15000, CONFIG_RELOAD, "after which a silent stream gets a comment")

#define CONFIG_STORE_SETTINGS(X)                                                                                       \
    X(store, keep_days, "days", 0, 36500, 30, CONFIG_RELOAD, "how long decisions are kept; 0: forever")

/* clang-format on */

/* A field of struct config_limits and its kin. */
#define CONFIG_SIZE(section, name, unit, lowest, highest, usual, change, about) size_t name;
#define CONFIG_UNSIGNED(section, name, unit, lowest, highest, usual, change, about) unsigned name;
/* A row of the config's schema. */
#define CONFIG_ROW(section, name, counted_in, lowest, highest, usual, change, text)                                    \
    {.path = #section "." #name,                                                                                       \
     .type = REIN_TYPE_INT,                                                                                            \
     .flags = (change),                                                                                                \
     .min = (lowest),                                                                                                  \
     .max = (highest),                                                                                                 \
     .unit = (counted_in),                                                                                             \
     .fallback = #usual,                                                                                               \
     .about = (text)},

/* One line of the tables as data. */
struct config_setting {
    const char *key;      /* "limits.body_bytes" */
    size_t offset, width; /* of its field in struct config: a size_t or an unsigned */
    int64_t lowest, highest, usual;
    bool needs_restart;
};

/* All of them; ends with a NULL key. */
const struct config_setting *config_settings(void);
uint64_t config_setting_value(const struct config *config, const struct config_setting *setting);

#endif
