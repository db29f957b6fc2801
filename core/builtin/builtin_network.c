/* Built-in rules of networks: addresses of machines.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shapes are facts of RFC 791, RFC 4291 and IEEE 802. */
#include "builtin/builtin_parts.h"

/* ---- IPv4 -------------------------------------------------------------------------------------------------------- */

/* The value of one part of an address, and where it ends; 256 or more: it is none. */
static unsigned read_octet(struct span text, size_t *at)
{
    size_t first = *at;
    unsigned value = 0;
    while (*at < text.len && part_is_digit(text.data[*at]) && *at - first < 4)
        value = value * 10 + (unsigned)(text.data[(*at)++] - '0');
    bool is_padded = *at - first > 1 && text.data[first] == '0';
    return *at == first || is_padded ? 256 : value;
}

/* Addresses of no machine in particular are no finds: of this machine, of none, of all. Four parts of one digit each
 * are the number of a version or of a section. Longer rows of numbers are something else. */
static enum builtin_result check_ipv4(struct span match, struct surroundings around)
{
    unsigned parts[4], len = 0, largest = 0;
    if (!part_stands_alone(around) || part_before(around, 1) == '.' || part_before(around, 1) == '_')
        return BUILTIN_NO;
    for (size_t at = 0; at < match.len; at++) {
        unsigned value = read_octet(match, &at);
        if (len == 4)
            return BUILTIN_OTHER;
        if (value > 255)
            return BUILTIN_NO;
        largest = value > largest ? value : largest;
        parts[len++] = value;
    }
    bool is_any = parts[0] == 0 || parts[0] == 127 || (parts[0] == 255 && parts[1] == 255);
    return is_any || largest < 10 ? BUILTIN_OTHER : BUILTIN_YES;
}

/* ---- IPv6 -------------------------------------------------------------------------------------------------------- */

struct groups {
    unsigned len;   /* groups read */
    unsigned first; /* the value of the first one */
    bool has_short; /* :: was there, for groups of zeros */
    bool has_two;   /* twice, so it is no address */
    bool is_bad;
};

static unsigned hex_value(char c)
{
    return part_is_digit(c) ? (unsigned)(c - '0') : (unsigned)(part_upper(c) - 'A' + 10);
}

static bool is_hex(char c)
{
    return part_is_digit(c) || (part_upper(c) >= 'A' && part_upper(c) <= 'F');
}

/* Four decimal parts, which may be the end of an address. */
static bool is_decimal_end(struct span text, size_t at)
{
    unsigned parts = 0;
    for (; at < text.len; at++, parts++)
        if (read_octet(text, &at) > 255)
            return false;
    return parts == 4;
}

/* Reads what is between colons. */
static void read_group(struct groups *g, struct span text, size_t *at)
{
    size_t first = *at, end = first;
    unsigned value = 0;
    while (end < text.len && is_hex(text.data[end]) && end - first < 5)
        value = value << 4 | hex_value(text.data[end++]);
    if (end < text.len && text.data[end] == '.') {
        g->is_bad |= !is_decimal_end(text, first);
        g->len++;
        end = text.len;
    } else
        g->is_bad |= end == first || end - first > 4;
    g->first = g->len == 0 ? value : g->first;
    g->len++;
    *at = end;
}

static struct groups read_groups(struct span text)
{
    struct groups g = {.len = 0};
    size_t at = 0;
    if (text.len > 1 && text.data[0] == ':' && text.data[1] == ':') {
        g.has_short = true;
        at = 2;
    }
    while (at < text.len && !g.is_bad) {
        read_group(&g, text, &at);
        if (at == text.len)
            break;
        at++; /* the colon */
        if (at < text.len && text.data[at] == ':') {
            g.has_two |= g.has_short;
            g.has_short = true;
            at++;
        } else
            g.is_bad |= at == text.len;
    }
    return g;
}

/* In the ranges that are given out, all of which begin with four digits: so names with :: between them, as programs
 * have them, are no finds. */
static enum builtin_result check_ipv6(struct span match, struct surroundings around)
{
    if (!part_stands_alone(around) || part_before(around, 1) == ':' || part_before(around, 1) == '_')
        return BUILTIN_NO;
    struct groups g = read_groups(match);
    if (g.has_two)
        return BUILTIN_OTHER;
    bool is_whole = !g.is_bad && (g.has_short ? g.len >= 2 && g.len < 8 : g.len == 8);
    bool is_given = (g.first >= 0x2000 && g.first < 0x4000) || g.first >> 9 == 0x7E || g.first >> 6 == 0x3FA ||
                    (g.first == 0xFFFF && match.data[0] == ':');
    return part_yes_if(is_whole && is_given);
}

/* ---- MAC --------------------------------------------------------------------------------------------------------- */

/* Six bytes; more of them are a fingerprint. All zeros or ones are no device. */
static enum builtin_result check_mac(struct span match, struct surroundings around)
{
    char before = part_before(around, 1);
    if (!part_stands_alone(around) || before == ':' || before == '-' || before == '.' || before == '_')
        return BUILTIN_NO;
    unsigned digits = 0, same = 0;
    for (size_t i = 0; i < match.len; i++) {
        if (!part_is_digit(match.data[i]) && !part_is_letter(match.data[i]))
            continue;
        same += match.data[i] == match.data[0];
        digits++;
    }
    return digits != 12 || same == 12 ? BUILTIN_OTHER : BUILTIN_YES;
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static const char *const ipv4s[] = {"10.%1%d.%1.%1",
                                    "192.168.%1.1%d{2}",
                                    "172.%1%d.2%d.%1%d",
                                    "8%d.%1%d.%1%d.%1",
                                    "203.0.113.%1%d",
                                    "13%d.%1.%1%d.%1" SAMPLE_TO ":8080",
                                    NULL};
static const char *const no_ipv4s[] = {
    "127.0.0.%1",     "0.0.0.0",          "%1.%1.%1.%1", "1.3.6.1.4.1.%1%d{3}", "v1%d.%1.%1.%1%d",
    "10.%1.%1%d.256", "300.%1%d.%1%d.%1", "10.01.%1.%1", "%1%d.%1%d.%1%d",      NULL};

static const char *const ipv6s[] = {"2001:db8:%x{4}:%x{4}:%x{4}:%x{4}:%x{4}:%x{4}",
                                    "2a00:%x{4}::%x{4}",
                                    "fe80::%x{4}:%x{2}ff:fe%x{2}:%x{4}",
                                    "fd%x{2}:%x{3}:%x{4}::%x",
                                    "2001:DB8::%X{4}:%X{1}",
                                    "::ffff:10.%1.%1.%1%d",
                                    "2600:1f%x{2}:%x{1}:%x{4}::%x{2}",
                                    NULL};
static const char *const no_ipv6s[] = {"std::cab::fee",
                                       "face::add",
                                       "%1%d:%1%d:%1%d",
                                       "::1",
                                       "2001:db8:%x{4}:%x{4}",
                                       "2001::%x::%x",
                                       "ab:cd:%x{2}:%x{2}:%x{2}:%x{2}:%x{2}:%x{2}",
                                       NULL};

static const char *const macs[] = {"0%x:1%x:%x{2}:%x{2}:%x{2}:%x{2}", "0%X-1%X-%X{2}-%X{2}-%X{2}-%X{2}",
                                   "0%x1%x.%x{4}.%x{4}", NULL};
static const char *const no_macs[] = {"00:00:00:00:00:00",
                                      "ff:ff:ff:ff:ff:ff",
                                      "0%x:1%x:%x{2}:%x{2}:%x{2}",
                                      "0%x:1%x:%x{2}:%x{2}:%x{2}:%x{2}:%x{2}:%x{2}",
                                      "0%x:1%x-%x{2}:%x{2}-%x{2}:%x{2}",
                                      NULL};

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

#define BYTE "[0-9A-Fa-f]{2}"
#define WORD "[0-9A-Fa-f]{4}"

const struct builtin builtins_of_network[] = {
    {.name = "ipv4",
     .finds = "IPv4 addresses, but those of no machine in particular",
     .regex = "\\d{1,3}(?:\\.\\d{1,5}){3,}\\b",
     .check = check_ipv4,
     .max_bytes = 64,
     .samples = {.right = ipv4s, .near_right = no_ipv4s}},
    {.name = "ipv6",
     .finds = "IPv6 addresses of the ranges that are given out",
     .regex = "(?:[0-9A-Fa-f]{1,4}:|::)[0-9A-Fa-f:]{1,38}(?:(?:\\.\\d{1,3}){3})?\\b",
     .check = check_ipv6,
     .samples = {.right = ipv6s, .near_right = no_ipv6s}},
    {.name = "mac_address",
     .finds = "addresses of network devices (MAC)",
     .regex = "(?:" BYTE "(?::" BYTE "){5,}|" BYTE "(?:-" BYTE "){5,}|" WORD "(?:\\." WORD "){2,})\\b",
     .check = check_mac,
     .max_bytes = 160,
     .samples = {.right = macs, .near_right = no_macs}},
    {.name = NULL},
};
