/* Fuzzes the checks of requests, for each API, kind and rule: whatever a client sends, it is refused with a reason that
 * fits its room, or what goes upstream is the client's text without what was dropped, and can be judged.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "backends/backend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config_limits limits = {.messages = 16, .choices = 4, .tools = 8, .json_depth = 16};

/* Names of letters, digits, "_" and ".", and a count. */
static void check_dropped(const struct request_dropped *dropped)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_., +";
    size_t len = strlen(dropped->text);
    if (len == 0 || len >= sizeof dropped->text || strspn(dropped->text, fit) != len ||
        dropped->names > REQUEST_NAMES_MAX || dropped->names + dropped->more == 0)
        abort();
}

/* What was dropped is gone, and nothing that was refused can be found by checking the rest again. */
static void check_again(const struct request *request, const struct request_checks *checks)
{
    struct request *again = NULL;
    struct request_error err;
    char *text = json_dumps(request->body, JSON_COMPACT);
    if (text == NULL)
        abort();
    int rv = request_parse(&again, request->api, (struct rein_source){"", text, strlen(text)}, &limits, &err);
    if (rv == 0)
        rv = request_check(again, checks, &err);
    if (rv != 0 || again->dropped != NULL || again->unjudged_parts != request->unjudged_parts)
        abort();
    request_free(again);
    free(text);
}

/* The bytes that may go on say the same as the body that would be built. */
static void check_bytes(const struct request *request)
{
    if (!request->api->is_as_sent(request))
        return;
    char *text = request->api->sent_text(request);
    json_t *sent = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *built = request->api->upstream_body(request);
    if (sent == NULL || built == NULL || !json_equal(sent, built))
        abort();
    json_decref(built);
    json_decref(sent);
    free(text);
}

static void check_one(const struct api *api, const struct backend *kind, unsigned choice, const char *text, size_t len)
{
    static const char *const allow[] = {"made_up", "messages[].images", "input[].content[].x", NULL};
    struct rein_request_rules rules = {
        .unknown = (enum rein_unknown)(choice % 3), .pass_unjudged_parts = choice % 2 == 0, .allow = allow};
    struct request_checks checks = {backend_fields(kind, api), &rules, &limits, kind->may_lack_model};
    struct request_error err = {.code = NULL};
    struct request *request = NULL;
    int rv = request_parse(&request, api, (struct rein_source){"", text, len}, &limits, &err);
    if (rv == 0)
        rv = request_check(request, &checks, &err);
    if (rv == REIN_EFORMAT && (err.code == NULL || memchr(err.param, 0, sizeof err.param) == NULL ||
                               memchr(err.message, 0, sizeof err.message) == NULL))
        abort();
    if (rv == 0 && request->dropped != NULL)
        check_dropped(request->dropped);
    if (rv == 0 && request_load(request) == 0) {
        check_again(request, &checks);
        check_bytes(request);
    }
    request_free(request);
}

/* The first byte chooses the API, the kind and the rules. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t kinds = 0;
    if (size == 0)
        return 0;
    while (backend_at(kinds) != NULL)
        kinds++;
    char *text = malloc(size);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    check_one(api_at(data[0] % api_count()), backend_at(data[0] / api_count() % kinds), data[0], text, size - 1);
    free(text);
    return 0;
}
