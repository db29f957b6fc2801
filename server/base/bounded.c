/* See bounded.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/bounded.h"

#include <stdio.h>
#include <string.h>

static void put_bytes(struct bounded *text, const char *more, size_t len)
{
    size_t room = text->len < text->cap ? text->cap - text->len : 0;
    if (room > 0)
        memcpy(text->out + text->len, more, len < room ? len : room);
    text->len += len;
}

void bounded_put(struct bounded *text, const char *more)
{
    put_bytes(text, more, strlen(more));
}

static void put_json_byte(struct bounded *text, char c)
{
    static const char plain[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *at = strchr(plain, c);
    char escaped[8] = {'\\', at != NULL ? letters[at - plain] : 'u'};
    if (at == NULL)
        snprintf(escaped + 2, sizeof escaped - 2, "%04X", (unsigned char)c);
    bounded_put(text, escaped);
}

void bounded_put_json(struct bounded *text, const char *more)
{
    put_bytes(text, "\"", 1);
    for (const char *at = more; *at != '\0'; at++) {
        size_t len = 0;
        while ((unsigned char)at[len] >= 0x20 && at[len] != '"' && at[len] != '\\')
            len++;
        put_bytes(text, at, len);
        at += len;
        if (*at == '\0')
            break;
        put_json_byte(text, *at);
    }
    put_bytes(text, "\"", 1);
}

size_t bounded_end(struct bounded *text)
{
    if (text->cap > 0)
        text->out[text->len < text->cap ? text->len : text->cap - 1] = '\0';
    return text->len;
}
