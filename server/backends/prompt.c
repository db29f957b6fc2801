/* See prompt.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/prompt.h"

#include <string.h>

static const struct delimiters families[PROMPT_FAMILIES] = {
    {"<think>", "</think>", "\n"},
    {"[THINK]", "[/THINK]", ""},
    {"<seed:think>", "</seed:think>", ""},
    {"<mm:think>", "</mm:think>", "\n"},
    {"\u25c1think\u25b7", "\u25c1/think\u25b7", ""},
    {"<|open|>think<|sep|>", "<|close|>think<|sep|>", ""},
    {"<|START_THINKING|>", "<|END_THINKING|>", ""},
    {"<|channel>thought", "<channel|>", "\n"},
    {"<thought>", "</thought>", "\n"},
    /* gpt-oss: the end of one message and the head of the answer's */
    {"<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>", ""},
};

const struct delimiters *prompt_family(unsigned number, const struct delimiters *own)
{
    return number < PROMPT_FAMILIES ? &families[number] : number == PROMPT_OWN ? own : NULL;
}

static size_t without_blanks(const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
        len--;
    return len;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);
    return n > 0 && n <= len && memcmp(text + len - n, end, n) == 0;
}

enum prompt_end prompt_end(const char *prompt, size_t len, const struct delimiters *own, unsigned *family)
{
    len = without_blanks(prompt, len);
    for (unsigned i = 0; i <= PROMPT_OWN; i++) {
        const struct delimiters *at = prompt_family(i, own);
        if (at == NULL)
            continue;
        bool is_open = ends_with(prompt, len, at->open);
        if (!is_open && !ends_with(prompt, len, at->close))
            continue;
        *family = i;
        return is_open ? PROMPT_OPEN : PROMPT_CLOSED;
    }
    return PROMPT_PLAIN;
}

bool prompt_before(const char *prompt, const char *words, const struct delimiters *own, enum prompt_end *end,
                   unsigned *family)
{
    size_t len = without_blanks(prompt, strlen(prompt)), n = without_blanks(words, strlen(words));
    if (n == 0 || n > len || memcmp(prompt + len - n, words, n) != 0)
        return false;
    *end = prompt_end(prompt, len - n, own, family);
    return true;
}

bool prompt_opener_of(const char *prompt, const char *mark, const struct delimiters *own, unsigned *family)
{
    const char *last = NULL;
    for (const char *at = prompt; (at = strstr(at, mark)) != NULL; at++)
        last = at;
    return last != NULL && prompt_end(prompt, (size_t)(last - prompt), own, family) == PROMPT_OPEN;
}
