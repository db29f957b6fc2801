/* Calls over TLS: certificates are verified, connections kept, large bodies come whole, pausing works.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The peer is libmicrohttpd with threads of its own, and a certificate made for this run by the openssl command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <microhttpd.h>
#include <unistd.h>

#include "base/loop.h"
#include "upstream/upstream.h"

enum { LARGE = 3 * 1024 * 1024, PEM_MAX = 16 * 1024, SKIPPED = 77 };

static char folder[] = "/tmp/rein-tls-XXXXXX", key_file[64], cert_file[64];
static char key_pem[PEM_MAX], cert_pem[PEM_MAX];

struct fixture {
    struct loop *loop;
    struct upstream_pool *pool;
    struct MHD_Daemon *peer;
    _Atomic int connections;
    char url[64];
    struct upstream_call *call;
    unsigned status;
    size_t body_len, pauses;
    bool is_pausing;
    struct reach reach;
    enum upstream_end end;
    char message[256], body[64];
};

/* ---- the peer ------------------------------------------------------------------------------------------------------
 */

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_len, void **context)
{
    static char large[LARGE];
    static int marker;
    (void)cls, (void)method, (void)version, (void)upload;
    if (!*context || *upload_len > 0) {
        *context = &marker;
        *upload_len = 0;
        return MHD_YES;
    }
    bool is_large = strcmp(path, "/large") == 0;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        is_large ? LARGE : 5, is_large ? (void *)large : (void *)(uintptr_t) "hello", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void count_connection(void *cls, struct MHD_Connection *connection, void **context,
                             enum MHD_ConnectionNotificationCode what)
{
    (void)connection, (void)context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        ((struct fixture *)cls)->connections++;
}

static void read_file(const char *path, char text[PEM_MAX])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, PEM_MAX - 1, file)] = '\0';
    fclose(file);
}

/* A certificate for 127.0.0.1, signed by itself. */
static int make_certificate(void **state)
{
    (void)state;
    char command[512];
    if (!mkdtemp(folder))
        return -1;
    snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
             key_file, cert_file);
    if (system(command) != 0)
        return -1;
    read_file(key_file, key_pem);
    read_file(cert_file, cert_pem);
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    unlink(key_file);
    unlink(cert_file);
    return rmdir(folder);
}

/* ---- the caller ----------------------------------------------------------------------------------------------------
 */

static void on_head(void *ctx, const struct upstream_response *response)
{
    ((struct fixture *)ctx)->status = response->status;
}

static void go_on(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
    if (f->call)
        upstream_resume(f->call);
}

static void on_data(void *ctx, const char *data, size_t len)
{
    struct fixture *f = ctx;
    if (f->body_len + len < sizeof f->body)
        memcpy(f->body + f->body_len, data, len);
    f->body_len += len;
    if (!f->is_pausing || f->pauses > 20)
        return;
    f->pauses++;
    upstream_pause(f->call);
    uv_timer_t *timer = calloc(1, sizeof *timer);
    uv_timer_init(loop_uv(f->loop), timer);
    timer->data = f;
    uv_timer_start(timer, go_on, 2, 0);
}

static void on_end(void *ctx, enum upstream_end end, const char *message)
{
    struct fixture *f = ctx;
    f->end = end;
    f->call = NULL;
    snprintf(f->message, sizeof f->message, "%s", message);
    loop_stop(f->loop);
}

static void start(struct fixture *f)
{
    *f = (struct fixture){0};
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(upstream_pool_new(&f->pool, f->loop, 10000), 0);
    f->peer = MHD_start_daemon(MHD_USE_TLS | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, answer, f,
                               MHD_OPTION_NOTIFY_CONNECTION, count_connection, f, MHD_OPTION_HTTPS_MEM_KEY, key_pem,
                               MHD_OPTION_HTTPS_MEM_CERT, cert_pem, MHD_OPTION_END);
    assert_non_null(f->peer);
}

static void call(struct fixture *f, const char *path)
{
    static const struct upstream_handler handler = {on_head, on_data, on_end};
    unsigned port = MHD_get_daemon_info(f->peer, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(f->url, sizeof f->url, "https://127.0.0.1:%u%s", port, path);
    struct upstream_request request = {"POST", f->url, NULL, "{}", 2, 4000, 4000, 4000, 0, NULL, &f->reach};
    f->body_len = f->status = 0;
    assert_int_equal(upstream_start(&f->call, f->pool, &request, &handler, f), 0);
    loop_run(f->loop);
}

static void stop_loop(void *ctx)
{
    loop_stop(((struct fixture *)ctx)->loop);
}

static void finish(struct fixture *f)
{
    upstream_pool_close(f->pool, stop_loop, f);
    loop_run(f->loop);
    loop_free(f->loop);
    MHD_stop_daemon(f->peer);
}

static void expect_whole(struct fixture *f, size_t len)
{
    if (f->end != UPSTREAM_WHOLE)
        fail_msg("ended with %d: %s", f->end, f->message);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->body_len, len);
}

static void test_trusted(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    f.reach.ca_file = cert_file;
    for (int i = 0; i < 3; i++) {
        call(&f, "/hello");
        expect_whole(&f, 5);
        assert_memory_equal(f.body, "hello", 5);
    }
    assert_int_equal(f.connections, 1);
    call(&f, "/large");
    expect_whole(&f, LARGE);
    assert_int_equal(f.connections, 1);
    finish(&f);
}

static void test_untrusted(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    call(&f, "/hello");
    assert_int_equal(f.end, UPSTREAM_NO_CONNECT);
    assert_non_null(strstr(f.message, "certificate"));
    assert_int_equal(f.status, 0);
    finish(&f);
}

/* Decrypted bytes may wait where no descriptor tells of them. */
static void test_pausing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    f.is_pausing = true;
    f.reach.ca_file = cert_file;
    call(&f, "/large");
    expect_whole(&f, LARGE);
    assert_in_range(f.pauses, 10, 1000);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trusted),
        cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_pausing),
    };
    if (system("openssl version >/dev/null 2>&1") != 0) {
        fprintf(stderr, "no openssl command\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
