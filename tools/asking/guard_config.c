/* See guard_config.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/guard_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking/config_parts.h"
#include "asking/guard_bases.h"
#include "asking/node_text.h"
#include "base/files.h"
#include "config/lexicon_cache.h"

/* ---- the config ---- */

static void write_upstream(FILE *to, const struct guard_options *o)
{
    fprintf(to, "upstreams:\n  - { name: upstream, kind: %s, url: ", o->kind != NULL ? o->kind : "openai");
    node_text_quote(to, o->url);
    if (o->api_key_env != NULL) {
        fputs(", api_key_env: ", to);
        node_text_quote(to, o->api_key_env);
    }
    fputs(" }\n", to);
}

static void write_routes(FILE *to, const struct guard_options *o)
{
    fputs("routes:\n", to);
    for (size_t i = 0; i < o->policies_len; i++) {
        fprintf(to, "  - { name: route-%zu, match: { keys: [key-%zu] }, upstream: ", i, i);
        node_text_quote(to, o->upstream != NULL ? o->upstream : "upstream");
        fputs(", policy: ", to);
        node_text_quote(to, o->policies[i].name);
        fputs(" }\n", to);
    }
}

static unsigned guard_wait_ms(const struct guard_options *o)
{
    enum { WAIT_MOST_S = 3600 }; /* as a config allows */
    return (o->timeout_s < WAIT_MOST_S ? o->timeout_s : WAIT_MOST_S) * 1000;
}

static int write_config(FILE *to, const struct guard_options *o)
{
    static const char *const folders[] = {"templates", "lexicons", "models", "lists"};
    static const char *const parts[] = {"upstreams", "judges", "limits", NULL};
    char *library = realpath(o->library, NULL);
    int rv = library != NULL ? 0 : REIN_EIO;
    if (rv != 0)
        fprintf(stderr, "%s: %s: %s\n", o->program, o->library, strerror(errno));
    fputs("version: 1\nlisten: { address: \"127.0.0.1:0\", keys_file: keys.yaml }\nadmin: { address: \"127.0.0.1:0\" "
          "}\npolicies: policies\nstore: { url: \"sqlite:rein.db\" }\n",
          to);
    for (size_t i = 0; i < sizeof folders / sizeof *folders && rv == 0; i++) {
        char *path = files_join(library, folders[i]);
        rv = path != NULL ? 0 : REIN_ENOMEM;
        if (rv == 0 && files_is_folder(path)) {
            fprintf(to, "%s: ", folders[i]);
            node_text_quote(to, path);
            fputc('\n', to);
        }
        free(path);
    }
    fputs("cache: { folder: ", to);
    node_text_quote(to, lexicon_cache_folder() != NULL ? lexicon_cache_folder() : "off");
    fputs(" }\n", to);
    /* The upstreams of a config that is not asked may want keys that are not there. */
    if (rv == 0 && o->config != NULL)
        rv = config_parts_write(to, o->program, o->config, o->upstream != NULL ? parts : parts + 1);
    if (o->upstream == NULL)
        write_upstream(to, o);
    write_routes(to, o);
    /* A whole answer comes in one piece, when the model has thought to its end. */
    if (o->timeout_s > 0)
        fprintf(to, "timeouts: { first_byte_ms: %u, idle_ms: %u, client_idle_ms: %u }\n", guard_wait_ms(o),
                guard_wait_ms(o), guard_wait_ms(o));
    free(library);
    return rv;
}

/* ---- files ---- */

static int write_file(const char *folder, const char *name, const char *text)
{
    char *path = files_join(folder, name);
    int rv = path == NULL ? -ENOMEM : files_make_folder_of(path);
    if (rv >= 0)
        rv = files_replace(path, text, strlen(text));
    free(path);
    return rv < 0 ? (rv == -ENOMEM ? REIN_ENOMEM : REIN_EIO) : 0;
}

static int write_base(void *ctx, size_t n, const char *text)
{
    char name[48];
    snprintf(name, sizeof name, "policies/base-%03zu.yaml", n);
    return write_file(*(const char *const *)ctx, name, text);
}

static int write_policies(const char *folder, const struct guard_options *o)
{
    int rv = 0;
    for (size_t i = 0; i < o->policies_len && rv == 0; i++) {
        char name[48];
        snprintf(name, sizeof name, "policies/policy-%03zu.yaml", i);
        rv = write_file(folder, name, o->policies[i].text);
    }
    return rv == 0 ? guard_bases_find(o, write_base, &folder) : rv;
}

static int make_keys(const char *folder, const struct guard_options *o, char (*keys)[KEYS_TEXT_MAX])
{
    struct rein_problems *problems;
    char *path = files_join(folder, "keys.yaml");
    int rv = path != NULL ? rein_problems_new(&problems) : REIN_ENOMEM;
    for (size_t i = 0; i < o->policies_len && rv == 0; i++) {
        char name[32];
        snprintf(name, sizeof name, "key-%zu", i);
        rv = keys_add(path, name, "rein-", keys[i], problems);
    }
    if (path != NULL)
        rein_problems_free(problems);
    free(path);
    return rv;
}

int guard_config_write(const char *folder, const struct guard_options *o, char (*keys)[KEYS_TEXT_MAX])
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL)
        return REIN_ENOMEM;
    int rv = write_config(to, o);
    if (fclose(to) == EOF && rv == 0)
        rv = REIN_ENOMEM;
    if (rv == 0)
        rv = write_file(folder, "rein.yaml", text);
    if (rv == 0)
        rv = write_policies(folder, o);
    if (rv == 0)
        rv = make_keys(folder, o, keys);
    free(text);
    return rv;
}
