/* See http1.h: a state for each place in the grammar of RFC 9112, one byte at a time except for bodies.
 * SPDX-License-Identifier: Apache-2.0 */
#include "upstream/http1.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

enum state {
    VERSION, /* `matched` bytes of "HTTP/1." */
    MINOR,
    BEFORE_STATUS,
    STATUS,
    AFTER_STATUS,
    REASON,
    LINE_LF, /* CR was seen in the status line or a header line */
    LINE_START,
    NAME,
    BEFORE_VALUE,
    VALUE,
    HEAD_LF, /* CR of the empty line */
    FIXED,
    TO_CLOSE,
    CHUNK_SIZE_FIRST,
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_CR,
    CHUNK_LF,
    TRAILER_START,
    TRAILER,
    TRAILER_VALUE,
    TRAILER_LF,
    TRAILERS_LF, /* CR of the last empty line */
    DONE,
    BAD,
};

static const uint64_t LENGTH_MAX = UINT64_C(1) << 53;

void http1_init(struct http1_reader *r, bool to_head_request)
{
    memset(r, 0, sizeof *r);
    r->is_head_request = to_head_request;
}

/* Nothing is beyond its ceiling by more than the byte that showed it; a body continues as long as something is left. */
static bool http1_is_sound(const struct http1_reader *r)
{
    bool has_left = r->state != FIXED && r->state != CHUNK_DATA;
    return r->state <= BAD && (r->state == BAD) == (r->problem != NULL) && (has_left || r->left > 0) &&
           r->name_len <= HTTP1_NAME_KEPT && r->value_len <= HTTP1_VALUE_KEPT && r->interim <= HTTP1_INTERIM_MAX &&
           r->head_len <= HTTP1_HEAD_MAX + 1 && r->headers <= HTTP1_HEADERS_MAX + 1 &&
           (r->state <= HEAD_LF || r->state == BAD || (r->status >= 200 && r->head_len > 0));
}

/* Not part of the state: the end of a connection is not a byte of a response. */
bool http1_has_begun(const struct http1_reader *r)
{
    return r->head_len > 0;
}

static enum http1_event http1_fail(struct http1_reader *r, const char *problem)
{
    r->state = BAD;
    r->problem = problem;
    return HTTP1_BAD;
}

static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           (c && strchr("!#$%&'*+.^_`|~", c));
}

/* Visible characters, blanks, and bytes beyond ASCII. */
static bool is_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- header fields ----------------------------------------------------------------------------------------------- */

static bool parse_length(const char *text, uint64_t *out)
{
    uint64_t length = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || length > LENGTH_MAX)
            return false;
        length = length * 10 + (uint64_t)(*text - '0');
    }
    *out = length;
    return length <= LENGTH_MAX;
}

/* Is `token` an element of a comma-separated list? */
static bool has_token(const char *list, const char *token)
{
    size_t len = strlen(token);
    while (*list) {
        list += strspn(list, ", \t");
        size_t element = strcspn(list, ", \t");
        if (element == len && strncasecmp(list, token, len) == 0)
            return true;
        list += element;
    }
    return false;
}

static enum http1_event on_length(struct http1_reader *r)
{
    if (r->has_length)
        return http1_fail(r, "more than one Content-Length");
    r->has_length = true;
    return parse_length(r->value, &r->length) ? HTTP1_MORE : http1_fail(r, "bad Content-Length");
}

static enum http1_event on_coding(struct http1_reader *r)
{
    if (r->has_coding || strcasecmp(r->value, "chunked") != 0)
        return http1_fail(r, "a Transfer-Encoding other than chunked");
    r->has_coding = true;
    return HTTP1_MORE;
}

static void http1_keep(char *to, size_t size, const char *value)
{
    size_t len = strlen(value);
    len = len < size ? len : size - 1;
    memcpy(to, value, len);
    to[len] = '\0';
}

static bool is_name(const struct http1_reader *r, const char *name)
{
    return strlen(name) == r->name_len && strcasecmp(r->name, name) == 0;
}

/* A header line is complete. Values that did not fit are marked by value_len beyond what was kept. */
static enum http1_event on_field(struct http1_reader *r)
{
    bool is_cut = r->value_len >= HTTP1_VALUE_KEPT;
    size_t len = is_cut ? HTTP1_VALUE_KEPT - 1 : r->value_len;
    while (len > 0 && (r->value[len - 1] == ' ' || r->value[len - 1] == '\t'))
        len--;
    r->value[len] = '\0';
    if (r->name_len >= HTTP1_NAME_KEPT)
        return HTTP1_MORE; /* no known one is that long */
    r->name[r->name_len] = '\0';
    bool frames = is_name(r, "Content-Length") || is_name(r, "Transfer-Encoding") || is_name(r, "Content-Encoding") ||
                  is_name(r, "Connection");
    if (frames && is_cut)
        return http1_fail(r, "a header line that frames the body is too long");
    if (is_name(r, "Content-Length"))
        return on_length(r);
    if (is_name(r, "Transfer-Encoding"))
        return on_coding(r);
    if (is_name(r, "Content-Encoding") && r->value[0] && strcasecmp(r->value, "identity") != 0)
        return http1_fail(r, "an encoded body");
    if (is_name(r, "Connection")) {
        r->has_close = r->has_close || has_token(r->value, "close");
        r->has_keep_alive = r->has_keep_alive || has_token(r->value, "keep-alive");
    } else if (is_name(r, "Content-Type")) {
        http1_keep(r->content_type, sizeof r->content_type, r->value);
    } else if (is_name(r, "Retry-After")) {
        http1_keep(r->retry_after, sizeof r->retry_after, r->value);
    } else if (is_name(r, "X-Rein-Decision")) {
        http1_keep(r->decision, sizeof r->decision, r->value);
    }
    return HTTP1_MORE;
}

/* Forgets an interim response, except for what counts towards the ceilings. */
static enum http1_event skip_interim(struct http1_reader *r)
{
    uint8_t interim = (uint8_t)(r->interim + 1);
    uint32_t head_len = r->head_len;
    if (r->status == 101)
        return http1_fail(r, "it switches protocols");
    if (interim > HTTP1_INTERIM_MAX)
        return http1_fail(r, "too many interim responses");
    http1_init(r, r->is_head_request);
    r->interim = interim;
    r->head_len = head_len;
    return HTTP1_MORE;
}

static enum http1_event on_http1_head(struct http1_reader *r)
{
    if (r->has_coding && (r->has_length || r->is_http10))
        return http1_fail(r, r->has_length ? "both Transfer-Encoding and Content-Length"
                                           : "Transfer-Encoding in HTTP/1.0");
    if (r->status < 200)
        return skip_interim(r);
    r->keep_alive = !r->has_close && (!r->is_http10 || r->has_keep_alive);
    if (r->is_head_request || r->status == 204 || r->status == 304) {
        r->body = HTTP1_NO_BODY;
        /* A body that should not be there would be taken for the next response. */
        if (!r->is_head_request && (r->has_coding || (r->status == 204 && r->has_length && r->length > 0)))
            r->keep_alive = false;
        r->state = DONE;
    } else if (r->has_coding) {
        r->body = HTTP1_CHUNKED;
        r->state = CHUNK_SIZE_FIRST;
    } else if (r->has_length) {
        r->body = r->length > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
        r->left = r->length;
        r->state = r->length > 0 ? FIXED : DONE;
    } else {
        r->body = HTTP1_TO_CLOSE;
        r->keep_alive = false;
        r->state = TO_CLOSE;
    }
    return HTTP1_HEAD;
}

/* ---- the head, byte by byte -------------------------------------------------------------------------------------- */

static enum http1_event status_byte(struct http1_reader *r, unsigned char c)
{
    static const char version[] = "HTTP/1.";
    switch (r->state) {
    case VERSION:
        if (c != (unsigned char)version[r->matched])
            return http1_fail(r, "no HTTP/1 status line");
        if (++r->matched == sizeof version - 1)
            r->state = MINOR;
        return HTTP1_MORE;
    case MINOR:
        if (c != '0' && c != '1')
            return http1_fail(r, "an unknown HTTP version");
        r->is_http10 = c == '0';
        r->state = BEFORE_STATUS;
        return HTTP1_MORE;
    case BEFORE_STATUS:
        if (c != ' ')
            return http1_fail(r, "no HTTP/1 status line");
        r->state = STATUS;
        r->matched = 0;
        return HTTP1_MORE;
    case STATUS:
        if (c < '0' || c > '9')
            return http1_fail(r, "a bad status");
        r->status = r->status * 10 + (c - '0');
        if (++r->matched == 3)
            r->state = AFTER_STATUS;
        return HTTP1_MORE;
    case AFTER_STATUS: /* the space is often missing if there is no reason */
        if (r->status < 100 || r->status > 599 || (c != ' ' && c != '\r'))
            return http1_fail(r, "a bad status");
        r->state = c == ' ' ? REASON : LINE_LF;
        return HTTP1_MORE;
    default: /* REASON */
        if (c == '\r')
            r->state = LINE_LF;
        else if (!is_text(c))
            return http1_fail(r, "a bad byte in the status line");
        return HTTP1_MORE;
    }
}

static enum http1_event header_byte(struct http1_reader *r, unsigned char c)
{
    switch (r->state) {
    case LINE_START:
        if (c == '\r') {
            r->state = HEAD_LF;
            return HTTP1_MORE;
        }
        if (++r->headers > HTTP1_HEADERS_MAX)
            return http1_fail(r, "too many header lines");
        r->name_len = 0;
        r->value_len = 0;
        r->state = NAME;
        if (c == ':')
            return http1_fail(r, "a header line without a name");
        /* fall through */
    case NAME:
        if (c == ':')
            r->state = BEFORE_VALUE;
        else if (!is_token(c))
            return http1_fail(r, "a bad byte in a header's name");
        else if (r->name_len < HTTP1_NAME_KEPT)
            r->name[r->name_len++] = (char)c;
        return HTTP1_MORE;
    case BEFORE_VALUE:
        if (c == ' ' || c == '\t')
            return HTTP1_MORE;
        r->state = VALUE;
        /* fall through */
    default: /* VALUE */
        if (c == '\r') {
            r->state = LINE_LF;
            return on_field(r);
        }
        if (!is_text(c))
            return http1_fail(r, "a bad byte in a header's value");
        if (r->value_len < HTTP1_VALUE_KEPT)
            r->value[r->value_len++] = (char)c;
        return HTTP1_MORE;
    }
}

/* Most of a head is names and values: their bytes are consumed in blocks, up to one that ends them or is not allowed.
 */
static size_t fit_length(const struct http1_reader *r, const char *in, size_t len)
{
    size_t n = 0;
    if (r->state == VALUE)
        while (n < len && is_text((unsigned char)in[n]))
            n++;
    else
        while (n < len && is_token((unsigned char)in[n]))
            n++;
    return n;
}

static size_t keep_some(char *to, size_t used, size_t cap, const char *from, size_t len)
{
    size_t kept = len < cap - used ? len : cap - used;
    memcpy(to + used, from, kept);
    return used + kept;
}

static size_t take_run(struct http1_reader *r, const char *in, size_t len)
{
    size_t room = HTTP1_HEAD_MAX - r->head_len, n = fit_length(r, in, len < room ? len : room);
    if (r->state == VALUE)
        r->value_len = (uint16_t)keep_some(r->value, r->value_len, sizeof r->value, in, n);
    else
        r->name_len = (uint8_t)keep_some(r->name, r->name_len, sizeof r->name, in, n);
    r->head_len += (uint32_t)n;
    return n;
}

static enum http1_event head_byte(struct http1_reader *r, unsigned char c)
{
    if (++r->head_len > HTTP1_HEAD_MAX)
        return http1_fail(r, "the head is too long");
    if (r->state == LINE_LF || r->state == HEAD_LF) {
        if (c != '\n')
            return http1_fail(r, "a CR without LF");
        if (r->state == HEAD_LF)
            return on_http1_head(r);
        r->state = LINE_START;
        return HTTP1_MORE;
    }
    return r->state <= REASON ? status_byte(r, c) : header_byte(r, c);
}

/* ---- chunks, byte by byte ---------------------------------------------------------------------------------------- */

static enum http1_event size_byte(struct http1_reader *r, unsigned char c)
{
    int digit = hex_digit(c);
    if (r->state == CHUNK_SIZE_FIRST) {
        r->left = 0;
        r->line_len = 0;
        if (digit < 0)
            return http1_fail(r, "a bad chunk size");
        r->state = CHUNK_SIZE;
    }
    if (++r->line_len > HTTP1_EXTENSION_MAX)
        return http1_fail(r, "a chunk's size line is too long");
    if (r->state == CHUNK_SIZE && digit >= 0) {
        if (r->line_len > 16 || r->left > LENGTH_MAX >> 4)
            return http1_fail(r, "a bad chunk size");
        r->left = r->left << 4 | (unsigned)digit;
        return HTTP1_MORE;
    }
    if (c == '\r') {
        r->state = CHUNK_SIZE_LF;
        return HTTP1_MORE;
    }
    if (r->state == CHUNK_SIZE && c != ';' && c != ' ' && c != '\t')
        return http1_fail(r, "a bad chunk size");
    r->state = CHUNK_EXTENSION;
    return is_text(c) ? HTTP1_MORE : http1_fail(r, "a bad byte in a chunk's extension");
}

static enum http1_event trailer_byte(struct http1_reader *r, unsigned char c)
{
    if (++r->trailer_len > HTTP1_TRAILER_MAX)
        return http1_fail(r, "the trailer is too long");
    switch (r->state) {
    case TRAILER_START:
        if (c == '\r')
            r->state = TRAILERS_LF;
        else if (!is_token(c))
            return http1_fail(r, "a bad trailer");
        else
            r->state = TRAILER;
        return HTTP1_MORE;
    case TRAILER:
        if (c == ':')
            r->state = TRAILER_VALUE;
        else if (!is_token(c))
            return http1_fail(r, "a bad trailer");
        return HTTP1_MORE;
    case TRAILER_VALUE:
        if (c == '\r')
            r->state = TRAILER_LF;
        else if (!is_text(c))
            return http1_fail(r, "a bad trailer");
        return HTTP1_MORE;
    default: /* TRAILER_LF, TRAILERS_LF */
        if (c != '\n')
            return http1_fail(r, "a CR without LF");
        r->state = r->state == TRAILER_LF ? TRAILER_START : DONE;
        return HTTP1_MORE;
    }
}

static enum http1_event chunk_byte(struct http1_reader *r, unsigned char c)
{
    switch (r->state) {
    case CHUNK_SIZE_LF:
        r->state = r->left > 0 ? CHUNK_DATA : TRAILER_START;
        return c == '\n' ? HTTP1_MORE : http1_fail(r, "a CR without LF");
    case CHUNK_CR:
        r->state = CHUNK_LF;
        return c == '\r' ? HTTP1_MORE : http1_fail(r, "a chunk that does not end where it says");
    case CHUNK_LF:
        r->state = CHUNK_SIZE_FIRST;
        return c == '\n' ? HTTP1_MORE : http1_fail(r, "a CR without LF");
    case TRAILER_START:
    case TRAILER:
    case TRAILER_VALUE:
    case TRAILER_LF:
    case TRAILERS_LF:
        return trailer_byte(r, c);
    default:
        return size_byte(r, c);
    }
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static size_t take_data(struct http1_reader *r, size_t len)
{
    if (r->state == TO_CLOSE)
        return len;
    size_t take = len < r->left ? len : (size_t)r->left;
    r->left -= take;
    if (r->left == 0)
        r->state = r->state == FIXED ? DONE : CHUNK_CR;
    return take;
}

size_t http1_read(struct http1_reader *r, const char *in, size_t len, enum http1_event *event, const char **data,
                  size_t *data_len)
{
    size_t at = 0;
    assert(http1_is_sound(r));
    *event = r->state == DONE ? HTTP1_END : r->state == BAD ? HTTP1_BAD : HTTP1_MORE;
    while (*event == HTTP1_MORE && at < len) {
        if (r->state == FIXED || r->state == TO_CLOSE || r->state == CHUNK_DATA) {
            *data = in + at;
            *data_len = take_data(r, len - at);
            *event = HTTP1_DATA;
            at += *data_len;
            break;
        }
        if ((r->state == VALUE || r->state == NAME) && (at += take_run(r, in + at, len - at)) == len)
            break;
        unsigned char c = (unsigned char)in[at++];
        *event = r->state <= HEAD_LF ? head_byte(r, c) : chunk_byte(r, c);
        if (*event == HTTP1_MORE && r->state == DONE)
            *event = HTTP1_END;
    }
    assert(http1_is_sound(r) && at <= len);
    return at;
}

enum http1_event http1_close(struct http1_reader *r)
{
    assert(http1_is_sound(r));
    if (r->state == TO_CLOSE)
        r->state = DONE;
    if (r->state == DONE)
        return HTTP1_END;
    return r->state == BAD ? HTTP1_BAD : http1_fail(r, "it ended early");
}
