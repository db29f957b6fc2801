/* See link.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mask/link.h"

#include <stddef.h>
#include <string.h>

enum link_tag {
    TAG_NONE,
    TAG_MAYBE,  /* behind a `<` */
    TAG_INSIDE, /* in a tag, or in <...> */
    TAG_EQUALS, /* behind the `=` of an attribute */
    TAG_QUOTED, /* in its value */
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char small_letter(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_letter(char c)
{
    char small = small_letter(c);
    return small >= 'a' && small <= 'z';
}

/* Of a host's name; bytes of characters beyond ASCII count, too. */
static bool is_host_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

static bool word_is(const struct link *link, const char *word)
{
    size_t len = strlen(word);
    return link->word_len == len && memcmp(link->word, word, len) == 0;
}

/* A scheme that makes a link, with or without slashes behind it. */
static bool is_scheme(const struct link *link)
{
    static const char *const schemes[] = {"http",   "https", "ftp", "ftps", "ws",         "wss",      "file",  "data",
                                          "mailto", "tel",   "sms", "blob", "javascript", "vbscript", "xmpp",  "ssh",
                                          "sftp",   "git",   "irc", "ldap", "slack",      "intent",   "about", "view"};
    bool is_one = false;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes && !is_one; i++)
        is_one = word_is(link, schemes[i]);
    return is_one;
}

/* ---- the present word ---- */

static void read_word(struct link *link, char c)
{
    if (link->defines) {
        link->defines = false;
        link->is_url = true;
    }
    link->is_url |= is_slash(c) && is_slash(link->last);
    link->is_url |= c == ':' && is_scheme(link);
    link->is_url |= c == '.' && word_is(link, "www");
    link->is_url |= link->has_dot && (is_slash(c) || c == '?' || c == '#');
    link->has_dot |= is_host_name(c) && link->last == '.' && is_host_name(link->before_last);
    link->defines = c == ':' && link->may_define;
    link->has_word = true;
    link->is_all_url |= link->is_value && link->is_url && !link->is_past_word;
}

static void read_letters(struct link *link, char c)
{
    if (!is_letter(c)) {
        link->word_len = 0;
    } else if (link->word_len < LINK_WORD) {
        link->word[link->word_len++] = small_letter(c);
    }
}

/* ---- targets and tags ---- */

/* The target of [text](target), and of url(...) in styles. */
static void read_parenthesis(struct link *link, char c)
{
    if (link->last == '\\' && link->before_last != '\\')
        return;
    bool opens = link->last == ']' || word_is(link, "url");
    if (c == '(' && (link->depth > 0 || opens))
        link->depth += link->depth < UINT8_MAX;
    else if (c == ')' && link->depth > 0)
        link->depth--;
}

/* A tag's name has ended: what follows a style's or a script's is no text, up to the next end of a tag. */
static void read_tag_name(struct link *link, char c)
{
    bool is_over = link->names_tag && !is_letter(c);
    if (is_over && (word_is(link, "style") || word_is(link, "script")))
        link->is_raw = true;
    link->names_tag = (link->names_tag && !is_over) || (link->last == '<' && is_letter(c));
    link->is_raw &= !(link->last == '<' && c == '/');
}

static void read_tag(struct link *link, char c)
{
    read_tag_name(link, c);
    switch ((enum link_tag)link->tag) {
    case TAG_NONE:
        if (c == '<')
            link->tag = link->depth > 0 || link->is_url ? TAG_INSIDE : TAG_MAYBE;
        break;
    case TAG_MAYBE:
        link->tag = is_letter(c) || is_slash(c) || c == '!' || c == '?' ? TAG_INSIDE : c == '<' ? TAG_MAYBE : TAG_NONE;
        break;
    case TAG_INSIDE:
    case TAG_EQUALS:
        if (c == '>')
            link->tag = TAG_NONE;
        else if (c == '=')
            link->tag = TAG_EQUALS;
        else if (link->tag == TAG_EQUALS && (c == '"' || c == '\'')) {
            link->tag = TAG_QUOTED;
            link->quote = c;
        } else if (!is_space(c))
            link->tag = TAG_INSIDE;
        break;
    case TAG_QUOTED:
        if (c == link->quote)
            link->tag = TAG_INSIDE;
        break;
    }
}

/* A blank line ends a paragraph, and what was not closed in it is none; an attribute's value goes on. */
static void read_space(struct link *link, char c)
{
    link->is_url = link->has_dot = false;
    link->is_past_word |= link->has_word;
    link->line_ends += c == '\n' && link->line_ends < 2;
    if (link->line_ends < 2)
        return;
    link->depth = 0;
    if (link->tag != TAG_QUOTED)
        link->tag = TAG_NONE;
}

void link_feed(struct link *link, char c)
{
    if (is_space(c)) {
        read_space(link, c);
    } else {
        link->line_ends = 0;
        read_word(link, c);
        read_parenthesis(link, c);
    }
    read_tag(link, c);
    read_letters(link, c);
    link->may_define = c == ']';
    link->before_last = link->last;
    link->last = c;
}
