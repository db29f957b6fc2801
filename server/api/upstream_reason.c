/* See upstream_reason.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/upstream_reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "base/utf8.h"

enum { KEY_MIN = 8, TOKEN_MIN = 16 };

/* ---- parts ------------------------------------------------------------------------------------------------------- */

void upstream_reason_word(char out[UPSTREAM_WORD_MAX + 1], const json_t *error, const char *const *keys)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    for (; *keys != NULL && *out == '\0'; keys++) {
        const char *word = json_string_value(json_object_get(error, *keys));
        size_t len = word != NULL ? strlen(word) : 0;
        if (len > 0 && len <= UPSTREAM_WORD_MAX && strspn(word, fit) == len)
            memcpy(out, word, len + 1);
    }
}

void upstream_reason_text(char out[UPSTREAM_TEXT_MAX + 1], const char *text)
{
    size_t len = 0, n, size = strlen(text);
    for (size_t at = 0; at < size && (n = utf8_length(text + at, size - at)) > 0; at += n) {
        if (len + n > UPSTREAM_TEXT_MAX)
            break;
        memcpy(out + len, text + at, n);
        if ((unsigned char)out[len] < 0x20 || out[len] == 0x7f)
            out[len] = ' ';
        len += n;
    }
    out[len] = '\0';
}

/* ---- secrets ----------------------------------------------------------------------------------------------------- */

static bool is_reason_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_reason_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_key_byte(char c)
{
    return is_reason_letter(c) || is_reason_digit(c) || c == '_' || c == '-';
}

static bool has_key_prefix(const char *run, size_t len)
{
    static const char *const prefixes[] = {"sk-", "pk-", "gsk_", "xai-", "hf_", "key-", "AIza", "nvapi-", "eyJ"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (len >= strlen(prefixes[i]) + KEY_MIN && strncmp(run, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* A sequence of letters and digits that is too long and too mixed to be a word, a number, or part of a model's name. */
static bool has_random_part(const char *run, size_t len)
{
    size_t part = 0, letters = 0, digits = 0;
    for (size_t i = 0; i < len; i++) {
        bool goes_on = is_reason_letter(run[i]) || is_reason_digit(run[i]);
        part = goes_on ? part + 1 : 0;
        letters = goes_on ? letters + is_reason_letter(run[i]) : 0;
        digits = goes_on ? digits + is_reason_digit(run[i]) : 0;
        if (part >= TOKEN_MIN && letters > 0 && digits > 0)
            return true;
    }
    return false;
}

static void hide(char *text, size_t len)
{
    memset(text, '*', len);
}

static void mask_secret(char *text, const char *secret)
{
    size_t len = secret != NULL ? strlen(secret) : 0;
    for (char *at = text; len > 0 && (at = strstr(at, secret)) != NULL; at += len)
        hide(at, len);
}

static void mask_keys(char *text)
{
    for (char *at = text; *at != '\0';) {
        size_t len = 0;
        while (is_key_byte(at[len]))
            len++;
        bool is_bearer = at - text >= 7 && strncasecmp(at - 7, "bearer ", 7) == 0;
        if (has_key_prefix(at, len) || has_random_part(at, len) || (is_bearer && len >= KEY_MIN))
            hide(at, len);
        at += len > 0 ? len : 1;
    }
}

void upstream_reason_read(struct upstream_reason *out, const struct api *api, unsigned status, const char *body,
                          size_t len, const char *secret)
{
    *out = (struct upstream_reason){.status = status};
    json_t *tree = len > 0 ? json_loadb(body, len, 0, NULL) : NULL;
    if (tree != NULL)
        api->read_reason(out, tree);
    json_decref(tree);
    char *const parts[] = {out->type, out->code, out->text};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        mask_secret(parts[i], secret);
        mask_keys(parts[i]);
    }
}

/* ---- what it means ----------------------------------------------------------------------------------------------- */

bool upstream_reason_is_ours(const struct upstream_reason *reason)
{
    return reason->status == 401 || reason->status == 403 || reason->status == 407;
}

static json_t *known(const char *word)
{
    return *word != '\0' ? json_string(word) : json_null();
}

char *upstream_reason_json(const struct upstream_reason *reason, bool with_text)
{
    json_t *tree = json_pack("{sisososo}", "status", (int)reason->status, "type", known(reason->type), "code",
                             known(reason->code), "text", known(with_text ? reason->text : ""));
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    return text;
}
