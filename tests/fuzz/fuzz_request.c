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

static const char masking[] =
    "version: 1\nname: m\nrules:\n"
    "  - { id: two, channels: [prompt], regex: '[02-9][0-9]', action: redact, restore: true }\n"
    "  - { id: word, channels: [prompt], regex: '[Hh]el{1,2}o?', action: redact }\n"
    "  - { id: of, channels: [prompt], literal: [\"of the\", \"is a\"], action: redact }\n";
static struct rein_policy *policy;
static struct rein_engine *engine;

static void load_policy(void)
{
    struct rein_source source = {"m.yaml", masking, sizeof masking - 1};
    struct rein_library library = {0};
    struct rein_problems *problems;
    if (policy != NULL)
        return;
    if (rein_problems_new(&problems) != 0 || rein_engine_new(&engine) != 0 ||
        rein_policy_load(&policy, &source, &library, problems) != 0)
        abort();
    rein_problems_free(problems);
}

/* Judges all texts, and puts the masks in. Returns what request_mask returns; *len: how many there were. */
static int mask(struct request *request, struct request_error *err, size_t *len)
{
    static const unsigned char key[REIN_MASK_KEY] = "k";
    load_policy();
    struct rein_trace_options options = {
        .policy = policy, .engine = engine, .choices = 1, .model = "m", .id = "i", .mask_key = key};
    struct rein_trace *trace;
    if (rein_trace_new(&trace, &options) != 0 || request->api->judge(request, trace) != 0)
        abort();
    (void)rein_trace_masks(trace, len);
    int rv = request_mask(request, trace, err);
    rein_trace_free(trace);
    return rv;
}

/* A masked request is as good as it was, and has nothing left to mask; or it is refused with a reason. */
static void check_masked(struct request *request, const struct request_checks *checks)
{
    struct request *again = NULL;
    struct request_error err = {.code = NULL};
    size_t len;
    int rv = mask(request, &err, &len);
    if (rv == REIN_EFORMAT && (len == 0 || err.code == NULL || memchr(err.param, 0, sizeof err.param) == NULL ||
                               memchr(err.message, 0, sizeof err.message) == NULL))
        abort();
    if (rv != 0)
        return;
    rv = request_parse(&again, request->api, request->sent, &limits, &err);
    if (rv == 0)
        rv = request_check(again, checks, &err);
    if (rv != 0 || (again->dropped != NULL && len > 0))
        abort();
    rv = mask(again, &err, &len);
    if (rv != 0 || len > 0)
        abort();
    request_free(again);
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
    if (rv == 0)
        check_masked(request, &checks);
    if (rv == 0 && request_load(request) == 0)
        check_bytes(request);
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
