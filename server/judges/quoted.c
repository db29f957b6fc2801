/* See quoted.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/quoted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replaces each `{nonce}`. Owned. */
static char *with_nonce(const char *text, const char *nonce)
{
    static const char mark[] = "{nonce}";
    char *out = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&out, &len);
    if (to == NULL)
        return NULL;
    const char *at;
    while ((at = strstr(text, mark)) != NULL) {
        fwrite(text, 1, (size_t)(at - text), to);
        fputs(nonce, to);
        text = at + sizeof mark - 1;
    }
    fputs(text, to);
    if (fclose(to) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

static char *quoted_texts(const struct judge_question *q)
{
    static const char *const names[JUDGE_SUBJECTS] = {"REQUEST", "REASONING", "ANSWER", "TOOL ARGUMENTS"};
    char *prompt = judge_quote(q->prompt), *text = judge_quote(q->text), *out = NULL;
    int rv = -1;
    if (prompt != NULL && text != NULL && q->subject == JUDGE_PROMPT)
        rv = asprintf(&out, "BEGIN REQUEST %s\n%s\nEND REQUEST %s", q->nonce, text, q->nonce);
    else if (prompt != NULL && text != NULL)
        rv = asprintf(&out, "BEGIN REQUEST %s\n%s\nEND REQUEST %s\n\nBEGIN %s %s\n%s\nEND %s %s", q->nonce, prompt,
                      q->nonce, names[q->subject], q->nonce, text, names[q->subject], q->nonce);
    free(prompt);
    free(text);
    return rv < 0 ? NULL : out;
}

json_t *quoted_body(const struct judge_question *question, const char *instructions, int max_tokens)
{
    char *system = with_nonce(instructions, question->nonce), *user = quoted_texts(question);
    json_t *body = system == NULL || user == NULL
                       ? NULL
                       : json_pack("{s[{ssss}{ssss}]si}", "messages", "role", "system", "content", system, "role",
                                   "user", "content", user, "temperature", 0);
    if (body != NULL && max_tokens > 0)
        json_object_set_new(body, "max_tokens", json_integer(max_tokens));
    free(system);
    free(user);
    return body;
}
