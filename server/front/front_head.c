/* A request's head: copied out of libmicrohttpd, and checked in its original form.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A head has to be in libmicrohttpd's buffer as heads have to be sent: each field one line, each line ended by CR
 * and LF, nothing between them. There CR and LF have become zeros, as has the colon. libmicrohttpd itself lets more
 * pass (lines that continue in the next one, blanks before the colon, zeros, a lone LF), and what it takes for one
 * request another may take for two. */
#include <microhttpd.h>
#include <string.h>

#include "front/front_internal.h"

struct copier {
    char *at; /* NULL while counting */
    struct front_header *next;
    size_t bytes, fields;
    const char *place; /* where the next field has to begin */
    bool is_odd;
};

static const char *copy_text(struct copier *c, const char *text)
{
    size_t size = strlen(text ? text : "") + 1;
    c->bytes += size;
    if (!c->at)
        return NULL;
    char *copy = memcpy(c->at, text ? text : "", size);
    c->at += size;
    return copy;
}

static enum MHD_Result copy_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct copier *c = cls;
    (void)kind;
    const char *name_copy = copy_text(c, name);
    const char *value_copy = copy_text(c, value);
    c->fields++;
    if (c->next)
        *c->next++ = (struct front_header){name_copy, value_copy};
    return MHD_YES;
}

/* Pointers are compared before anything between them is read, because an unexpected one may point elsewhere. */
static enum MHD_Result check_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct copier *c = cls;
    (void)kind;
    if (c->is_odd || !name || !value || name != c->place || !front_is_token(name)) {
        c->is_odd = true;
        return MHD_NO;
    }
    const char *at = name + strlen(name) + 1;
    while (at != value && (*at == ' ' || *at == '\t'))
        at++;
    c->place = value + strlen(value) + 2;
    c->is_odd = at != value || strpbrk(value, "\r\n");
    return c->is_odd ? MHD_NO : MHD_YES;
}

bool front_head_is_odd(struct conn *conn, const char *method, const char *path, const char *version)
{
    size_t size = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    struct copier c = {.place = version + strlen(version) + 2, .is_odd = conn->is_odd};
    conn->taken += size;
    if (c.is_odd || !front_is_token(method) || path != method + strlen(method) + 1 || version != conn->version_place)
        return true;
    MHD_get_connection_values(conn->mhd, MHD_HEADER_KIND, check_field, &c);
    return c.is_odd || c.place + 2 != method + size;
}

static void copy_fields(struct copier *c, struct MHD_Connection *mhd, enum MHD_ValueKind kind)
{
    MHD_get_connection_values(mhd, kind, copy_field, c);
    if (c->next)
        *c->next++ = (struct front_header){NULL, NULL};
    c->fields++;
}

struct exchange *front_copy_head(struct conn *conn, const char *method, const char *path, bool kept)
{
    static const struct front_header none[] = {{NULL, NULL}};
    struct copier c = {0};
    copy_text(&c, method);
    copy_text(&c, path);
    copy_fields(&c, conn->mhd, MHD_HEADER_KIND);
    copy_fields(&c, conn->mhd, MHD_GET_ARGUMENT_KIND);
    size_t fields_size = c.fields * sizeof(struct front_header);
    kept = kept && c.bytes <= FRONT_HEAD_MAX;
    struct exchange *x = exchange_new(conn, kept ? fields_size + c.bytes : 0);
    if (!x)
        return NULL;
    x->method = x->path = "";
    x->headers = x->queries = none;
    if (!kept)
        return x;
    c = (struct copier){.at = (char *)x->head + fields_size, .next = x->head};
    x->headers = c.next;
    x->method = copy_text(&c, method);
    x->path = copy_text(&c, path);
    copy_fields(&c, conn->mhd, MHD_HEADER_KIND);
    x->queries = c.next;
    copy_fields(&c, conn->mhd, MHD_GET_ARGUMENT_KIND);
    return x;
}

void *front_see_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct conn *conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    const char *at = target;
    (void)cls;
    while (at && (unsigned char)*at > ' ' && *at != 0x7f)
        at++;
    conn->is_odd = !at || *at;
    conn->version_place = at ? at + 1 : NULL;
    return NULL; /* the request has no exchange yet */
}
