/* See node_text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/node_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"

/* Texts in quotes, as JSON has them: YAML reads these too. */
void node_text_quote(FILE *to, const char *text)
{
    json_t *string = json_string(text);
    char *quoted = string != NULL ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    fputs(quoted != NULL ? quoted : "\"\"", to);
    free(quoted);
}

/* A number, or true or false, must stand without quotes. */
static bool is_plain(const struct rein_node *node)
{
    return !node->quoted && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0 ||
                             (*node->text != '\0' && strspn(node->text, "0123456789.-") == node->len));
}

static bool is_path(const struct rein_node *node)
{
    static const char *const keys[] = {"description", "api_key_file", "secret_file", "proxy_auth_file",
                                       "ca_file",     "client_cert",  "client_key"};
    for (size_t i = 0; node->key != NULL && i < sizeof keys / sizeof *keys; i++)
        if (strcmp(node->key, keys[i]) == 0)
            return true;
    return false;
}

static void write_path(FILE *to, const char *file, const char *path)
{
    char *beside = files_beside(file, path), *whole = beside != NULL ? realpath(beside, NULL) : NULL;
    node_text_quote(to, whole != NULL ? whole : beside != NULL ? beside : path);
    free(whole);
    free(beside);
}

void node_text_write(FILE *to, const char *file, const struct rein_node *node)
{
    if (node->kind == REIN_NODE_TEXT) {
        if (is_plain(node))
            fputs(node->text, to);
        else if (file != NULL && is_path(node))
            write_path(to, file, node->text);
        else
            node_text_quote(to, node->text);
        return;
    }
    bool is_map = node->kind == REIN_NODE_MAP;
    fputc(is_map ? '{' : '[', to);
    for (const struct rein_node *at = node->first; at != NULL; at = at->next) {
        if (is_map) {
            node_text_quote(to, at->key);
            fputs(": ", to);
        }
        node_text_write(to, file, at);
        if (at->next != NULL)
            fputs(", ", to);
    }
    fputc(is_map ? '}' : ']', to);
}
