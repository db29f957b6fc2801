/* See check.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char keep_alive[] = ": keep-alive\n\n";

/* ---- reading ---- */

static void check_drop_comments(struct text *body)
{
    const size_t len = sizeof keep_alive - 1;
    char *at = body->data;
    if (body->len == 0)
        return;
    while ((at = memmem(at, body->len - (size_t)(at - body->data), keep_alive, len)) != NULL) {
        memmove(at, at + len, body->len - (size_t)(at + len - body->data) + 1);
        body->len -= len;
    }
}

static bool has_text(const struct text *text, const char *part)
{
    return text->len > 0 && memmem(text->data, text->len, part, strlen(part)) != NULL;
}

/* All strings that stand under a key, one after the other, as they are escaped. */
static void gather_strings(const struct text *body, const char *key, struct text *out)
{
    char needle[40];
    int n = snprintf(needle, sizeof needle, "\"%s\":\"", key);
    text_clear(out);
    const char *at = body->data, *end = body->data + body->len;
    while (at != NULL && (at = memmem(at, (size_t)(end - at), needle, (size_t)n)) != NULL) {
        const char *start = at += n;
        while (at < end && *at != '"')
            at += *at == '\\' ? 2 : 1;
        if (at > end)
            return;
        text_add(out, start, (size_t)(at - start));
    }
}

/* Is there a whole match of a rule? */
static bool has_match(const struct text *text, const char *word)
{
    size_t len = strlen(word);
    const char *at = text->data, *end = text->data + text->len;
    while (text->len > 0 && (at = memmem(at, (size_t)(end - at), word, len)) != NULL) {
        const char *p = at + len;
        at = p;
        if ((size_t)(end - p) < 11 || *p++ != '-')
            continue;
        for (unsigned i = 0; i < 6 && isdigit((unsigned char)*p); i++)
            p++;
        if (memcmp(p, "-END", 4) == 0)
            return true;
    }
    return false;
}

static void read_code(const struct text *body, char *code, size_t cap)
{
    const char *at = body->len > 0 ? memmem(body->data, body->len, "\"code\":\"", 8) : NULL;
    size_t len = at != NULL ? strcspn(at + 8, "\"") : 0;
    snprintf(code, cap, "%.*s", (int)(len < cap ? len : cap - 1), at != NULL ? at + 8 : "");
}

/* ---- judging ---- */

static bool is_chat(const struct scene *scene)
{
    return scene->kind <= SCENE_FAIL;
}

static bool is_same(const struct text *a, const struct text *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static enum ending check_ending(const struct seen *seen)
{
    if (!seen->is_whole)
        return seen->was_cut ? ENDING_CUT : ENDING_BROKEN;
    if (seen->status >= 400 || (seen->scene->is_streamed && has_text(seen->body, "data: {\"error\"")))
        return ENDING_ERROR;
    if (is_chat(seen->scene) && has_text(seen->body, REFUSAL))
        return ENDING_REFUSED;
    return ENDING_WHOLE;
}

/* Nothing that a rule takes out is seen in what came, however it ended. */
static const char *check_secrets(const struct text *reasoning, const struct text *answer)
{
    static const char *const words[] = {WORD_REDACT, WORD_REFUSE, WORD_STEER, WORD_JUDGE};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has_match(reasoning, words[i]) || has_match(answer, words[i]))
            return "a client saw what a rule or a judge withholds";
    return NULL;
}

/* Where two texts part, for whoever has to find out why. */
static void check_print_difference(const struct text *got, const struct text *wanted)
{
    size_t at = 0;
    while (at < got->len && at < wanted->len && got->data[at] == wanted->data[at])
        at++;
    size_t from = at > 200 ? at - 200 : 0;
    printf("got %zu bytes, wanted %zu; they part at %zu:\n  got    ...%.*s\n  wanted ...%.*s\n", got->len, wanted->len,
           at, (int)(got->len - from < 400 ? got->len - from : 400), got->data + from,
           (int)(wanted->len - from < 400 ? wanted->len - from : 400), wanted->data + from);
}

static const char *check_whole(const struct seen *seen, const struct text *reasoning, const struct text *answer)
{
    const struct scene *scene = seen->scene;
    struct script script = {0};
    const char *fault = NULL;
    bool steers = scene->kind == SCENE_STEER || scene->kind == SCENE_WORDS;
    scene_say(scene, steers ? 1 : 0, &script);
    if (seen->status != 200)
        fault = "a status that is neither 200 nor an error";
    else if (scene->is_streamed && !has_text(seen->body, "data: [DONE]\n\n"))
        fault = "a stream without its end, ended as if it were whole";
    else if (!script_is_whole(&script, scene))
        fault = "an upstream that left became a whole response";
    else if (scene->kind == SCENE_CLEAN && script_is_complete(&script, scene) && !scene_may_join(scene) &&
             !is_same(seen->body, &script.body))
        fault = "a clean response is not byte-exact";
    else if ((scene->kind == SCENE_REDACT || scene->kind == SCENE_JUDGED ||
              (scene->kind == SCENE_CLEAN && scene->choices == 1)) &&
             (!is_same(reasoning, &script.reasoning) || !is_same(answer, &script.answer)))
        fault = "a response has another text than it should";
    else if (scene->kind == SCENE_HIDE && reasoning->len > 0)
        fault = "hidden reasoning was shown";
    else if ((steers || scene->kind == SCENE_HIDE) && !is_same(answer, &script.answer))
        fault = "another answer than the upstream's";
    else if (scene->kind == SCENE_REFUSE || scene->kind == SCENE_STRICT)
        fault = "a response that had to be refused is whole";
    else if (scene->kind == SCENE_PROMPT || scene->kind == SCENE_FAIL)
        fault = "a request that had to fail did not";
    else if (steers && scene->relapses)
        fault = "a steer that failed is whole";
    if (fault != NULL && scene->kind == SCENE_CLEAN)
        check_print_difference(seen->body, &script.body);
    else if (fault != NULL)
        check_print_difference(answer, &script.answer);
    script_free(&script);
    return fault;
}

static const char *check_chat(const struct seen *seen, enum ending ending)
{
    struct text reasoning = {0}, answer = {0};
    gather_strings(seen->body, "reasoning_content", &reasoning);
    gather_strings(seen->body, "content", &answer);
    const char *fault = check_secrets(&reasoning, &answer);
    if (fault == NULL && ending == ENDING_WHOLE)
        fault = check_whole(seen, &reasoning, &answer);
    else if (fault == NULL && ending == ENDING_REFUSED &&
             (seen->scene->kind == SCENE_CLEAN || seen->scene->kind == SCENE_REDACT ||
              seen->scene->kind == SCENE_HIDE || seen->scene->kind == SCENE_JUDGED))
        fault = "a response was refused though no rule says so";
    text_free(&reasoning);
    text_free(&answer);
    return fault;
}

static const char *check_error(const struct checked *out, bool expects_errors)
{
    if (expects_errors)
        return NULL;
    if (strcmp(out->code, "internal_error") == 0)
        return "an internal error";
    return strcmp(out->code, "stream_limit") == 0 ? "a response of some hundred kilobytes held too much" : NULL;
}

void check_seen(const struct seen *seen, bool expects_errors, struct checked *out)
{
    *out = (struct checked){.ending = ENDING_CUT};
    if (seen->scene->is_streamed)
        check_drop_comments(seen->body);
    out->ending = check_ending(seen);
    if (out->ending == ENDING_ERROR)
        read_code(seen->body, out->code, sizeof out->code);
    if (is_chat(seen->scene))
        out->fault = check_chat(seen, out->ending);
    else if (seen->scene->kind == SCENE_BAD && out->ending == ENDING_WHOLE)
        out->fault = "a malformed request was served";
    if (out->fault == NULL && out->ending == ENDING_ERROR)
        out->fault = check_error(out, expects_errors);
    if (!is_chat(seen->scene) || !seen->has_decision)
        return;
    if (out->ending == ENDING_WHOLE)
        out->row = ROW_COMPLETE;
    else if (out->ending == ENDING_REFUSED)
        out->row = ROW_REFUSED;
    else if (out->ending == ENDING_ERROR && !expects_errors)
        out->row = ROW_SOME;
}
