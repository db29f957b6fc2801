/* See upstream_reason.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "upstream/upstream_reason.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

enum { KEY_MIN = 8, TOKEN_MIN = 16 };

/* ---- the forms of an error --------------------------------------------------------------------------------------- */

/* The object that describes the error: {"error":{…}}, {"error":"…"}, {"object":"error",…}, {"detail":…}, or any of them
 * in an array. Borrowed. */
static const json_t *reason_object(const json_t *tree)
{
    if (json_is_array(tree))
        tree = json_array_get(tree, 0);
    const json_t *error = json_object_get(tree, "error");
    return json_is_object(error) ? error : tree;
}

static const char *reason_text(const json_t *error)
{
    static const char *const keys[] = {"message", "error", "detail", "msg"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(error, keys[i]);
        if (json_is_array(value)) /* what a validator lists: the first one */
            value = json_object_get(json_array_get(value, 0), "msg");
        if (json_is_string(value))
            return json_string_value(value);
    }
    return "";
}

/* A plain word; anything else is text and is not accepted here. */
static void take_word(char out[UPSTREAM_WORD_MAX + 1], const json_t *error, const char *const *keys)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    for (; *keys != NULL && *out == '\0'; keys++) {
        const char *word = json_string_value(json_object_get(error, *keys));
        size_t len = word != NULL ? strlen(word) : 0;
        if (len > 0 && len <= UPSTREAM_WORD_MAX && strspn(word, fit) == len)
            memcpy(out, word, len + 1);
    }
}

/* Cut between characters; control characters become blanks. */
static void take_text(char out[UPSTREAM_TEXT_MAX + 1], const char *text)
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

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_upstream_reason_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_key_byte(char c)
{
    return is_letter(c) || is_upstream_reason_digit(c) || c == '_' || c == '-';
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
        bool goes_on = is_letter(run[i]) || is_upstream_reason_digit(run[i]);
        part = goes_on ? part + 1 : 0;
        letters = goes_on ? letters + is_letter(run[i]) : 0;
        digits = goes_on ? digits + is_upstream_reason_digit(run[i]) : 0;
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

void upstream_reason_read(struct upstream_reason *out, unsigned status, const char *body, size_t len,
                          const char *secret)
{
    static const char *const types[] = {"type", "error_type", NULL}, *const codes[] = {"code", "status", NULL};
    *out = (struct upstream_reason){.status = status};
    json_t *tree = len > 0 ? json_loadb(body, len, 0, NULL) : NULL;
    const json_t *error = reason_object(tree);
    take_word(out->type, error, types);
    take_word(out->code, error, codes);
    take_text(out->text, reason_text(error));
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

static bool says(const struct upstream_reason *reason, const char *words)
{
    return strcasestr(reason->text, words) != NULL || strcasestr(reason->type, words) != NULL ||
           strcasestr(reason->code, words) != NULL;
}

const char *upstream_reason_code(const struct upstream_reason *reason)
{
    static const char *const too_long[] = {"context length",  "context_length",   "context size",
                                           "context_size",    "context window",   "prompt is too long",
                                           "too many tokens", "input is too long"};
    for (size_t i = 0; reason->status != 429 && i < sizeof too_long / sizeof *too_long; i++)
        if (says(reason, too_long[i]))
            return "context_length_exceeded";
    if (*reason->code != '\0')
        return reason->code;
    if (reason->status == 404 && says(reason, "model"))
        return "model_not_found";
    return reason->status == 429 ? "rate_limit_exceeded" : NULL;
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

/* ---- Retry-After ------------------------------------------------------------------------------------------------- */

/* "Sun, 06 Nov 1994 08:49:37 GMT"; 0 stands for a digit, A for a letter. */
bool upstream_retry_after_is_valid(const char *value)
{
    static const char date[] = "AAA, 00 AAA 0000 00:00:00 GMT";
    size_t len = strlen(value);
    if (len >= 1 && len <= 8 && strspn(value, "0123456789") == len)
        return true;
    if (len != sizeof date - 1)
        return false;
    for (size_t i = 0; i < len - 4; i++) {
        bool fits = date[i] == 'A'   ? is_letter(value[i])
                    : date[i] == '0' ? is_upstream_reason_digit(value[i])
                                     : value[i] == date[i];
        if (!fits)
            return false;
    }
    static const char days[] = "Sun Mon Tue Wed Thu Fri Sat",
                      months[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    char day[4] = {value[0], value[1], value[2]}, month[4] = {value[8], value[9], value[10]};
    return strcmp(value + len - 4, " GMT") == 0 && strstr(days, day) != NULL && strstr(months, month) != NULL;
}
