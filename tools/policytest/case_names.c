/* See case_names.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum { NAME_MAX_LEN = 64 };

struct case_name {
    const char *rule;
    char code[NAME_MAX_LEN], number[NAME_MAX_LEN];
};

int case_names_add(struct case_names *names, const struct rein_mask *mask)
{
    struct case_name name = {.rule = mask->rule};
    size_t quote = mask->text_len > 0 && mask->text[0] == '"', nth = 1;
    if (!mask->restores || mask->text_len == 0)
        return 0;
    snprintf(name.code, sizeof name.code, "%.*s", (int)(mask->text_len - 2 * quote), mask->text + quote);
    for (size_t i = 0; i < names->len; i++) {
        if (strcmp(names->items[i].code, name.code) == 0)
            return 0;
        nth += strcmp(names->items[i].rule, name.rule) == 0;
    }
    const char *colon = strchr(name.code, ':');
    int label = colon != NULL ? (int)(colon - name.code) : 0;
    snprintf(name.number, sizeof name.number, "%.*s:%zu]", label, name.code, nth);
    struct case_name *items = realloc(names->items, (names->len + 1) * sizeof *items);
    if (items == NULL)
        return REIN_ENOMEM;
    names->items = items;
    items[names->len++] = name;
    return 0;
}

void case_names_fini(struct case_names *names)
{
    free(names->items);
    *names = (struct case_names){0};
}

static const struct case_name *name_at(const struct case_names *names, const char *text, bool is_number)
{
    for (size_t i = 0; i < names->len; i++) {
        const char *from = is_number ? names->items[i].number : names->items[i].code;
        if (strncmp(text, from, strlen(from)) == 0)
            return &names->items[i];
    }
    return NULL;
}

static char *replace_names(const struct case_names *names, const char *text, bool is_number)
{
    struct buffer out = {0};
    int rv = buffer_add(&out, "", 0, BUFFER_NO_LIMIT);
    while (*text != '\0' && rv == 0) {
        const struct case_name *name = *text == '[' ? name_at(names, text, is_number) : NULL;
        const char *to = name == NULL ? text : is_number ? name->code : name->number;
        rv = buffer_add(&out, to, name == NULL ? 1 : strlen(to), BUFFER_NO_LIMIT);
        text += name == NULL ? 1 : strlen(is_number ? name->number : name->code);
    }
    if (rv == 0 && out.data == NULL)
        return calloc(1, 1);
    if (rv != 0)
        buffer_clear(&out);
    return out.data;
}

char *case_names_spell(const struct case_names *names, const char *text)
{
    return replace_names(names, text, true);
}

char *case_names_number(const struct case_names *names, const char *text)
{
    return replace_names(names, text, false);
}
