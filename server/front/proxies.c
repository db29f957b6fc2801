/* See proxies.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front/proxies.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ADDRESS_TEXT = INET6_ADDRSTRLEN + 8, /* brackets and a port */
    CHAIN_MAX = 64,                      /* proxies in a row */
    BITS = 128,
    BITS_V4 = 32,
};

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* ---- addresses ---- */

static bool is_v4(const struct proxies_address *address)
{
    return memcmp(address->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

static bool read_address(const char *text, struct proxies_address *out)
{
    struct proxies_address four;
    memcpy(four.bytes, v4_prefix, sizeof v4_prefix);
    if (inet_pton(AF_INET, text, four.bytes + sizeof v4_prefix) == 1) {
        *out = four;
        return true;
    }
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

/* One to five digits, up to 65535; or what hides a port in Forwarded: "_" and a word. */
static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (text[0] == '_')
        return text[1] != '\0' &&
               text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
    return digits > 0 && digits <= 5 && text[digits] == '\0' && strtoul(text, NULL, 10) <= UINT16_MAX;
}

/* "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80". */
static bool read_node(const char *text, size_t len, struct proxies_address *out)
{
    char copy[ADDRESS_TEXT];
    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *begin = copy, *colon = strchr(copy, ':');
    if (*copy == '[') {
        char *end = strchr(copy, ']');
        if (!end || (end[1] != '\0' && (end[1] != ':' || !is_port(end + 2))))
            return false;
        *end = '\0';
        return inet_pton(AF_INET6, begin + 1, out->bytes) == 1;
    }
    if (colon && !strchr(colon + 1, ':')) { /* one colon: a port after an IPv4 address */
        if (!is_port(colon + 1))
            return false;
        *colon = '\0';
        return read_address(copy, out) && is_v4(out);
    }
    return read_address(copy, out);
}

struct proxies_address proxies_address_of(const struct sockaddr *address)
{
    struct proxies_address out;
    memcpy(out.bytes, v4_prefix, sizeof v4_prefix);
    if (address->sa_family == AF_INET)
        memcpy(out.bytes + sizeof v4_prefix, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        memcpy(out.bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, sizeof out.bytes);
    else
        memset(out.bytes + sizeof v4_prefix, 0, 4); /* 0.0.0.0: nobody has it */
    return out;
}

void proxies_to_sockaddr(const struct proxies_address *address, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)out;
    memset(out, 0, sizeof *out);
    if (is_v4(address)) {
        four->sin_family = AF_INET;
        memcpy(&four->sin_addr, address->bytes + sizeof v4_prefix, 4);
    } else {
        six->sin6_family = AF_INET6;
        memcpy(&six->sin6_addr, address->bytes, sizeof address->bytes);
    }
}

/* ---- networks ---- */

/* Is it the same in its first bits? */
static bool is_within(const struct proxies_address *address, const struct proxies_network *network)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address->bytes, network->address.bytes, whole) != 0)
        return false;
    return rest == 0 || (address->bytes[whole] ^ network->address.bytes[whole]) >> (8 - rest) == 0;
}

static bool has_bits_behind(const struct proxies_network *network)
{
    struct proxies_network longer = *network;
    struct proxies_address zeros = {{0}};
    memcpy(zeros.bytes, network->address.bytes, network->bits / 8);
    if (network->bits % 8 > 0)
        zeros.bytes[network->bits / 8] =
            (uint8_t)(network->address.bytes[network->bits / 8] & (0xff << (8 - network->bits % 8)));
    longer.bits = BITS;
    return !is_within(&zeros, &longer);
}

bool proxies_read_network(const char *text, struct proxies_network *out)
{
    char copy[ADDRESS_TEXT];
    size_t len = strcspn(text, "/");
    if (len == 0 || len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (!read_address(copy, &out->address))
        return false;
    unsigned most = strchr(copy, ':') ? BITS : BITS_V4;
    unsigned long bits = most;
    if (text[len] == '/') {
        const char *digits = text + len + 1;
        size_t count = strspn(digits, "0123456789");
        if (count == 0 || count > 3 || digits[count] != '\0')
            return false;
        bits = strtoul(digits, NULL, 10);
    }
    if (bits > most)
        return false;
    out->bits = (unsigned)bits + (BITS - most);
    return !has_bits_behind(out);
}

int proxies_new(struct proxies **out, const struct proxies_network *networks, size_t len)
{
    struct proxies *proxies = malloc(sizeof *proxies + len * sizeof *networks);
    if (!proxies)
        return REIN_ENOMEM;
    proxies->len = len;
    if (len > 0)
        memcpy(proxies->networks, networks, len * sizeof *networks);
    *out = proxies;
    return 0;
}

/* A short prefix of IPv6 does not mean IPv4 too. */
bool proxies_trust(const struct proxies *proxies, const struct proxies_address *address)
{
    for (size_t i = 0; proxies && i < proxies->len; i++) {
        const struct proxies_network *network = &proxies->networks[i];
        bool is_network_v4 = network->bits >= BITS - BITS_V4 && is_v4(&network->address);
        if (is_network_v4 == is_v4(address) && is_within(address, network))
            return true;
    }
    return false;
}

/* ---- chains ---- */

/* The end of a chain: who called the last proxies. Older ones fall out. */
struct chain {
    struct link {
        struct proxies_address address;
        bool is_known;
    } links[CHAIN_MAX];
    size_t len; /* of all, also those that fell out */
    bool is_broken;
};

static void chain_add(struct chain *chain, const char *text, size_t len)
{
    struct link *link = &chain->links[chain->len++ % CHAIN_MAX];
    link->is_known = read_node(text, len, &link->address);
}

static size_t blanks(const char *text)
{
    return strspn(text, " \t");
}

static void read_list(struct chain *chain, const char *value)
{
    for (const char *at = value;;) {
        at += blanks(at);
        size_t len = strcspn(at, ","), end = len;
        while (end > 0 && (at[end - 1] == ' ' || at[end - 1] == '\t'))
            end--;
        chain_add(chain, at, end);
        if (at[len] == '\0')
            return;
        at += len + 1;
    }
}

/* Reads one name=value; false: it is none. *node is filled if the name is "for". A backslash in a value would have to
 * be removed; no address has one. */
static bool read_pair(const char **text, const char **node, size_t *node_len)
{
    const char *at = *text;
    size_t name = strcspn(at, "=;, \t\"");
    if (name == 0 || at[name] != '=')
        return false;
    const char *value = at + name + 1, *end;
    size_t len;
    if (*value == '"') {
        len = strcspn(++value, "\"\\");
        end = value + len + 1;
        if (value[len] != '"')
            return false;
    } else {
        len = strcspn(value, ";, \t\"");
        end = value + len;
        if (*end == '"')
            return false;
    }
    if (name == 3 && strncasecmp(at, "for", 3) == 0) {
        if (*node)
            return false; /* twice */
        *node = value;
        *node_len = len;
    }
    *text = end;
    return true;
}

/* One element of Forwarded; false: where it ends is not known. */
static bool read_element(struct chain *chain, const char **text)
{
    const char *at = *text, *node = NULL;
    size_t len = 0;
    for (;;) {
        at += blanks(at);
        if (!read_pair(&at, &node, &len))
            return false;
        at += blanks(at);
        if (*at != ';')
            break;
        at++;
    }
    chain_add(chain, node ? node : "", len);
    *text = at;
    return *at == ',' || *at == '\0';
}

static void read_forwarded(struct chain *chain, const char *value)
{
    const char *at = value;
    while (read_element(chain, &at)) {
        if (*at == '\0')
            return;
        at++;
    }
    chain->is_broken = true;
}

/* The first that is not trusted, from the end; the farthest proxy if there is none. False: it cannot be known. */
static bool chain_client(const struct chain *chain, const struct proxies *proxies, struct proxies_address *out)
{
    size_t kept = chain->len < CHAIN_MAX ? chain->len : CHAIN_MAX;
    if (chain->is_broken)
        return false;
    for (size_t i = 1; i <= kept; i++) {
        const struct link *link = &chain->links[(chain->len - i) % CHAIN_MAX];
        if (!link->is_known)
            return false;
        *out = link->address;
        if (!proxies_trust(proxies, out))
            return true;
    }
    return chain->len <= CHAIN_MAX;
}

struct proxies_address proxies_client(const struct proxies *proxies, const struct proxies_address *peer,
                                      const struct proxies_header *headers)
{
    struct chain forwarded = {.len = 0}, list = {.len = 0};
    struct proxies_address one, other;
    if (!proxies_trust(proxies, peer))
        return *peer;
    for (; headers->value; headers++)
        if (headers->is_forwarded)
            read_forwarded(&forwarded, headers->value);
        else
            read_list(&list, headers->value);
    bool has_forwarded = forwarded.len > 0 || forwarded.is_broken, has_list = list.len > 0;
    if ((has_forwarded && !chain_client(&forwarded, proxies, &one)) ||
        (has_list && !chain_client(&list, proxies, &other)))
        return *peer;
    if (has_forwarded && has_list && memcmp(&one, &other, sizeof one) != 0)
        return *peer;
    return has_forwarded ? one : has_list ? other : *peer;
}
