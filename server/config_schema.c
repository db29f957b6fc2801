/* The server config's table: every key, its type, its default and one line on what it does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_schema.h"

#include "config_settings.h"
#include "keys.h"
#include "origin.h"

static const char *const kind_words[] = {"openai",   "vllm",        "sglang", "llamacpp",   "ollama",
                                         "deepseek", "mistral",     "groq",   "openrouter", "anthropic",
                                         "gemini",   "completions", NULL};
static const char *const on_error_words[] = {"refuse", "serve", NULL};

#define TURN(role)                                                                                                     \
    {                                                                                                                  \
        .path = "upstreams[].template." role, .type = REIN_TYPE_TEXT, .flags = REIN_KEY_REQUIRED, .min = 1,            \
        .max = 512, .about = "a turn of this role; `{content}` stands for its text"                                    \
    }
static const struct rein_key config_keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "Where to listen, where to forward to, and under which policy."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .about = "the version of this format"},

    {.path = "listen", .type = REIN_TYPE_MAP, .about = "where clients connect"},
    {.path = "listen.address",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_RESTART,
     .min = 1,
     .max = 64,
     .fallback = "127.0.0.1:8080",
     .about = "a numeric address and a port; port 0 is chosen by the system"},
    {.path = "listen.keys_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "the clients' keys (`rein key add`); needed off loopback"},
    {.path = "listen.hosts",
     .type = REIN_TYPE_TEXTS,
     .max = CONFIG_HOSTS_MAX,
     .about =
         "without `keys_file`: names, without port, that clients may call this listener by, besides `localhost` and "
         "loopback addresses. Any other `Host` is refused: a page of another site could use this listener by a name of "
         "its own"},
    {.path = "listen.trusted_proxies",
     .type = REIN_TYPE_TEXTS,
     .max = CONFIG_PROXIES_MAX,
     .about =
         "networks of proxies, such as 10.0.0.0/8 or fd00::/8. Their `Forwarded` or `X-Forwarded-For` says who the "
         "client is, for the limits of one address; the word of others counts for nothing"},
    {.path = "listen.tls", .type = REIN_TYPE_MAP, .flags = REIN_KEY_LATER, .about = "TLS for clients"},

    {.path = "admin", .type = REIN_TYPE_MAP, .about = "where operators connect: admin API and metrics"},
    {.path = "admin.address",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_RESTART,
     .min = 1,
     .max = 64,
     .fallback = "127.0.0.1:8081",
     .about = "as `listen.address`"},
    {.path = "admin.token_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "the admin token's hash (`rein key token`); needed off loopback"},
    {.path = "admin.tls", .type = REIN_TYPE_MAP, .flags = REIN_KEY_LATER, .about = "TLS for operators"},

    {.path = "workers",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_RESTART,
     .max = CONFIG_WORKERS_MAX,
     .fallback = "1",
     .about = "threads that serve; 0: one per core"},

    {.path = "upstreams",
     .type = REIN_TYPE_LIST,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = CONFIG_UPSTREAMS_MAX,
     .about = "the model backends"},
    {.path = "upstreams[]", .type = REIN_TYPE_MAP, .about = "one backend"},
    {.path = "upstreams[].name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the name that routes and decisions call it by"},
    {.path = "upstreams[].kind",
     .type = REIN_TYPE_WORD,
     .words = kind_words,
     .fallback = "openai",
     .about = "what it speaks, and how a prefix can be delivered to it"},
    {.path = "upstreams[].url",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = ORIGIN_LEN_MAX,
     .about = "the server's root, http:// or https://, without a path; required without `url_env`"},
    {.path = "upstreams[].url_env",
     .type = REIN_TYPE_NAME,
     .about = "the environment variable that holds the root, for images; while it is not set, `url` is taken"},
    {.path = "upstreams[].path_prefix",
     .type = REIN_TYPE_TEXT,
     .max = 256,
     .fallback = "/v1",
     .about = "what stands before the dialect's own paths"},
    {.path = "upstreams[].api_key_env",
     .type = REIN_TYPE_NAME,
     .about = "the environment variable that holds the backend's key"},
    {.path = "upstreams[].api_key_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a file that holds the backend's key"},
    {.path = "upstreams[].api_key",
     .type = REIN_TYPE_TEXT,
     .instead = "a secret is never in this file; use api_key_env or api_key_file",
     .about = "refused: see api_key_env and api_key_file"},
    {.path = "upstreams[].tls", .type = REIN_TYPE_MAP, .about = "how TLS is spoken with an https:// backend"},
    {.path = "upstreams[].tls.ca_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a PEM file of the certificates that are trusted instead of the system's; for an https:// proxy too"},
    {.path = "upstreams[].tls.client_cert",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a PEM file of the certificate that is shown to the backend; stands with `client_key`"},
    {.path = "upstreams[].tls.client_key",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a PEM file of its key, without a passphrase"},
    {.path = "upstreams[].proxy",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 300,
     .about = "the proxy that leads there: http:// or https:// (by CONNECT), socks5:// (names are resolved here) or "
              "socks5h:// (there), a host and a port; the environment's proxies do not apply"},
    {.path = "upstreams[].proxy_auth_env",
     .type = REIN_TYPE_NAME,
     .about = "the environment variable that holds the proxy's `user:password`"},
    {.path = "upstreams[].proxy_auth_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a file that holds the proxy's `user:password`"},
    {.path = "upstreams[].reasoning", .type = REIN_TYPE_MAP, .about = "how reasoning stands in the text"},
    {.path = "upstreams[].reasoning.open",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = REIN_DELIMITER_MAX,
     .about = "what opens inline reasoning; without it those of all known model families"},
    {.path = "upstreams[].reasoning.close",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = REIN_DELIMITER_MAX,
     .about = "what closes it; stands with `open`"},
    {.path = "upstreams[].reasoning.opened",
     .type = REIN_TYPE_BOOL,
     .fallback = "false",
     .about =
         "whether the model's template opens the reasoning in the prompt, so that the text begins with it and only its "
         "end is marked; for backends that do not tell reasoning apart themselves"},
    {.path = "upstreams[].in_flight",
     .type = REIN_TYPE_BOOL,
     .fallback = "false",
     .about =
         "kind `llamacpp` only: correct a steered stream while it runs, by the server's control of reasoning; where "
         "that fails it is restarted as ever. See PREFILL.md for what is lost by it"},
    {.path = "upstreams[].template",
     .type = REIN_TYPE_MAP,
     .about = "kind `completions` only: how the model's own template writes a conversation"},
    {.path = "upstreams[].template.begin",
     .type = REIN_TYPE_TEXT,
     .max = 512,
     .fallback = "",
     .about = "what stands before the first turn; most servers put the model's first token there themselves"},
    TURN("system"),
    TURN("user"),
    TURN("assistant"),
    {.path = "upstreams[].template.generate",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 512,
     .about = "what the model's own turn begins with, the opener of its reasoning too if its template writes one"},

    {.path = "routes",
     .type = REIN_TYPE_LIST,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = CONFIG_ROUTES_MAX,
     .about = "which request goes where, under which policy; the first that matches is taken"},
    {.path = "routes[]", .type = REIN_TYPE_MAP, .about = "one route"},
    {.path = "routes[].name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the name that decisions and metrics call it by"},
    {.path = "routes[].match", .type = REIN_TYPE_MAP, .about = "which requests"},
    {.path = "routes[].match.models",
     .type = REIN_TYPE_TEXTS,
     .min = 1,
     .max = 256,
     .fallback = "[\"*\"]",
     .about = "names of models; a * stands for any text"},
    {.path = "routes[].match.keys", .type = REIN_TYPE_TEXTS, .flags = REIN_KEY_LATER, .about = "names of client keys"},
    {.path = "routes[].upstream",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the name of an upstream"},
    {.path = "routes[].policy", .type = REIN_TYPE_NAME, .fallback = "default", .about = "the name of a policy"},

    {.path = "policies",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .fallback = "policies/",
     .about = "the folder of policies"},
    {.path = "templates",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .fallback = "templates/",
     .about = "the folder of templates"},
    {.path = "lexicons",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .fallback = "lexicons/",
     .about = "the folder of lexicons"},

    {.path = "limits", .type = REIN_TYPE_MAP, .about = "ceilings on what clients and backends may send"},
    CONFIG_LIMITS(CONFIG_ROW)

        {.path = "timeouts", .type = REIN_TYPE_MAP, .about = "deadlines"},
    CONFIG_TIMEOUTS(CONFIG_ROW)

        {.path = "store", .type = REIN_TYPE_MAP, .about = "where decisions are kept"},
    {.path = "store.url",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_RESTART,
     .min = 1,
     .max = 4096,
     .fallback = "sqlite:rein.db",
     .about = "sqlite: and a file; its folder is made if only that is missing. While this file is not there, one of "
              "its name beside the config is used, with a notice"},
    {.path = "store.on_error",
     .type = REIN_TYPE_WORD,
     .words = on_error_words,
     .fallback = "refuse",
     .about = "what becomes of requests while decisions cannot be written: they are refused, or served all the same"},
    CONFIG_STORE_SETTINGS(CONFIG_ROW){.path = NULL},
};

const struct rein_schema *config_schema(void)
{
    static const struct rein_schema schema = {
        "config", "Server config",
        "The server's config says where Rein listens, where it forwards to and under which policy. Paths are relative "
        "to the file. A secret is never in it.",
        config_keys};
    return &schema;
}

static const struct rein_key keys_keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "Names and hashes of keys, written by `rein key`."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .about = "the version of this format"},
    {.path = "keys", .type = REIN_TYPE_LIST, .flags = REIN_KEY_REQUIRED, .max = KEYS_MAX, .about = "the keys"},
    {.path = "keys[]", .type = REIN_TYPE_MAP, .about = "one key"},
    {.path = "keys[].name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the name that decisions call it by"},
    {.path = "keys[].hash",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .about = "the key's BLAKE2b-256, as 64 hex digits"},
    {.path = NULL},
};

const struct rein_schema *keys_schema(void)
{
    static const struct rein_schema schema = {
        "keys", "Keys", "A keys file holds names and hashes of bearer keys, never the keys.", keys_keys};
    return &schema;
}
