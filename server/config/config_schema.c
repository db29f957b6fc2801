/* The server config's table: every key, its type, its default and one line on what it does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_schema.h"

#include "config/config_apis.h"
#include "config/config_settings.h"
#include "config/keys.h"
#include "upstream/origin.h"

#define KIND_WORD(kind, apis) kind,
static const char *const kind_words[] = {CONFIG_KINDS(KIND_WORD) NULL};
#define API_WORD(value, name) name,
static const char *const api_words[] = {CONFIG_APIS(API_WORD) NULL};
static const char *const on_error_words[] = {"refuse", "serve", NULL};

#define TURN(role)                                                                                                     \
    {                                                                                                                  \
        .path = "upstreams[].template." role, .type = REIN_TYPE_TEXT, .flags = REIN_KEY_REQUIRED, .min = 1,            \
        .max = 512, .about = "a turn of this role; its text replaces `{content}`"                                      \
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
     .about = "a numeric address and a port; the system chooses a port for port 0"},
    {.path = "listen.keys_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "the clients' keys (`rein key add`); required off loopback"},
    {.path = "listen.hosts",
     .type = REIN_TYPE_TEXTS,
     .max = CONFIG_HOSTS_MAX,
     .about = "without `keys_file`: host names, without port, by which clients may call this listener, besides "
              "`localhost` and loopback addresses. Any other `Host` is refused, because a web page of another site "
              "could use this listener through a name of its own"},
    {.path = "listen.cors",
     .type = REIN_TYPE_TEXTS,
     .max = CONFIG_HOSTS_MAX,
     .about =
         "origins of web pages whose scripts may call this listener and read its answers, each spelled as browsers "
         "spell it, such as https://chat.example.org. There are no patterns, and no cookies are accepted. Without "
         "it, no page of another origin can read an answer"},
    {.path = "listen.trusted_proxies",
     .type = REIN_TYPE_TEXTS,
     .max = CONFIG_PROXIES_MAX,
     .about = "networks of proxies, such as 10.0.0.0/8 or fd00::/8. Their `Forwarded` or `X-Forwarded-For` gives the "
              "client's address for limits per address; these headers are ignored from all other addresses"},
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
     .about = "the admin token's hash (`rein key token`); required off loopback"},
    {.path = "admin.tls", .type = REIN_TYPE_MAP, .flags = REIN_KEY_LATER, .about = "TLS for operators"},

    {.path = "workers",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_RESTART,
     .max = CONFIG_WORKERS_MAX,
     .fallback = "1",
     .about = "threads that serve clients; 0: one per core"},

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
     .about = "the name that routes and decisions use for it"},
    {.path = "upstreams[].kind",
     .type = REIN_TYPE_WORD,
     .words = kind_words,
     .fallback = "openai",
     .about = "the type of backend: its API, and how a prefix can be delivered to it"},
    {.path = "upstreams[].apis",
     .type = REIN_TYPE_WORDS,
     .words = api_words,
     .about =
         "the APIs that it serves; a request goes only to an upstream that serves its API. Without this key: those "
         "that servers of this kind have, which `rein check` lists"},
    {.path = "upstreams[].url",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = ORIGIN_LEN_MAX,
     .about = "the server's root, http:// or https://, without a path; required without `url_env`"},
    {.path = "upstreams[].url_env",
     .type = REIN_TYPE_NAME,
     .about = "the environment variable that contains the root, for images; if it is not set, `url` is used"},
    {.path = "upstreams[].path_prefix",
     .type = REIN_TYPE_TEXT,
     .max = 256,
     .fallback = "/v1",
     .about = "what precedes the API's own paths"},
    {.path = "upstreams[].api_key_env",
     .type = REIN_TYPE_NAME,
     .about = "the environment variable that contains the backend's key"},
    {.path = "upstreams[].api_key_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a file that contains the backend's key"},
    {.path = "upstreams[].api_key",
     .type = REIN_TYPE_TEXT,
     .instead = "secrets are not allowed in this file; use api_key_env or api_key_file",
     .about = "refused: see api_key_env and api_key_file"},
    {.path = "upstreams[].tls", .type = REIN_TYPE_MAP, .about = "TLS settings for an https:// backend"},
    {.path = "upstreams[].tls.ca_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a PEM file of the certificates to trust instead of the system's; also applies to an https:// proxy"},
    {.path = "upstreams[].tls.client_cert",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a PEM file of the certificate to present to the backend; needs `client_key`"},
    {.path = "upstreams[].tls.client_key",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a PEM file of its private key, without a passphrase"},
    {.path = "upstreams[].proxy",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 300,
     .about = "the proxy to use: http:// or https:// (by CONNECT), socks5:// (Rein resolves names) or socks5h:// (the "
              "proxy resolves names), with a host and a port; the environment's proxies do not apply"},
    {.path = "upstreams[].proxy_auth_env",
     .type = REIN_TYPE_NAME,
     .about = "the environment variable that contains the proxy's `user:password`"},
    {.path = "upstreams[].proxy_auth_file",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .about = "a file that contains the proxy's `user:password`"},
    {.path = "upstreams[].reasoning", .type = REIN_TYPE_MAP, .about = "how reasoning is marked in the text"},
    {.path = "upstreams[].reasoning.open",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = REIN_DELIMITER_MAX,
     .about = "the opener of inline reasoning; without it, the openers of all known model families"},
    {.path = "upstreams[].reasoning.close",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = REIN_DELIMITER_MAX,
     .about = "the closer; needs `open`"},
    {.path = "upstreams[].reasoning.opened",
     .type = REIN_TYPE_BOOL,
     .fallback = "false",
     .about = "whether the model's template opens the reasoning in the prompt, so that the text begins with reasoning "
              "and only its end is marked; for backends that do not separate reasoning themselves"},
    {.path = "upstreams[].in_flight",
     .type = REIN_TYPE_BOOL,
     .fallback = "false",
     .about = "kind `llamacpp` only: correct a steered stream in flight, by the server's control of reasoning; if that "
              "fails, the call is restarted. PREFILL.md describes the drawbacks"},
    {.path = "upstreams[].template",
     .type = REIN_TYPE_MAP,
     .about = "kind `completions` only: how the model's own template writes a conversation"},
    {.path = "upstreams[].template.begin",
     .type = REIN_TYPE_TEXT,
     .max = 512,
     .fallback = "",
     .about = "the text before the first turn; most servers add the model's first token themselves"},
    TURN("system"),
    TURN("user"),
    TURN("assistant"),
    {.path = "upstreams[].template.generate",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 512,
     .about =
         "the beginning of the model's own turn, including the opener of its reasoning if its template writes one"},

    {.path = "routes",
     .type = REIN_TYPE_LIST,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = CONFIG_ROUTES_MAX,
     .about = "which request goes to which upstream, under which policy; the first route that matches is used"},
    {.path = "routes[]", .type = REIN_TYPE_MAP, .about = "one route"},
    {.path = "routes[].name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the name that decisions and metrics use for it"},
    {.path = "routes[].match", .type = REIN_TYPE_MAP, .about = "which requests"},
    {.path = "routes[].match.models",
     .type = REIN_TYPE_TEXTS,
     .min = 1,
     .max = 256,
     .fallback = "[\"*\"]",
     .about = "names of models; * matches any text"},
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
    {.path = "models",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_ADDED,
     .min = 1,
     .max = 4096,
     .fallback = "models/",
     .about = "the folder of models: weights of the learned score. It may be missing if no policy names one"},

    {.path = "cache", .type = REIN_TYPE_MAP, .about = "where compiled lexicons are kept"},
    {.path = "cache.folder",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_RESTART,
     .min = 1,
     .max = 4096,
     .about =
         "a folder that only Rein's own user can read or write; it is made, with mode 0700, if only this folder is "
         "missing. `off`: nothing is kept, and each start compiles the lexicons, which takes some seconds. Without "
         "this key: `$CACHE_DIRECTORY`, which systemd sets for `CacheDirectory=`, else `cache/` next to the "
         "store's file"},

    {.path = "limits", .type = REIN_TYPE_MAP, .about = "limits on what clients and backends may send"},
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
     .about = "sqlite: and a file. If only its folder is missing, the folder is made. If this file does not exist but "
              "one of the same name is next to the config, that one is used, with a notice"},
    {.path = "store.on_error",
     .type = REIN_TYPE_WORD,
     .words = on_error_words,
     .fallback = "refuse",
     .about = "what happens to requests while decisions cannot be written: they are refused, or served nevertheless"},
    CONFIG_STORE_SETTINGS(CONFIG_ROW){.path = NULL},
};

const struct rein_schema *config_schema(void)
{
    static const struct rein_schema schema = {
        "config", "Server config",
        "The server's config says where Rein listens, where it forwards requests, and under which policy. Paths are "
        "relative to the file. It contains no secrets.",
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
     .about = "the name that decisions use for it"},
    {.path = "keys[].hash",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .about = "the key's BLAKE2b-256, as 64 hex digits"},
    {.path = NULL},
};

const struct rein_schema *keys_schema(void)
{
    static const struct rein_schema schema = {
        "keys", "Keys", "A keys file contains names and hashes of bearer keys, never the keys themselves.", keys_keys};
    return &schema;
}
