/* Property: a masked request says what the client's said, with placeholders in the place of values and of nothing else;
 * however its JSON is spelled, and whichever API it is of.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_masked_requests [CASES [FIRST-SEED]]     default 2000 from 1; REIN_LONG=1: 20000
 *
 * A case is a request of an API with values in its texts: of messages of each role and in parts, in arguments and
 * results that are JSON, in what tools got and are, in text beside them; some fields are dropped. It is spelled at
 * random: escapes, blanks, order. What should come of it is made of the tree alone. A failure prints its seed, which
 * plays it again. */
#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/api.h"
#include "dice.h"
#include "tracekit.h"

enum { SPELLED_MAX = 1 << 16, NAMES_MAX = 64 };

static const char yaml[] =
    "version: 1\nname: m\nrules:\n"
    "  - { id: word, channels: [prompt], regex: 'q[a-e]{2}[0-9]', action: redact, restore: true }\n"
    "  - { id: gone, channels: [prompt], regex: 'gone[0-9]{2}', action: redact, replacement: \"<\\\"é>\" }\n"
    "  - { id: number, channels: [prompt], regex: '77[0-9]{6}', action: redact, restore: true }\n";
static const unsigned char key[REIN_MASK_KEY] = "k";
static struct rein_policy *policy;
static struct rein_engine *engine;

struct request_case {
    uint64_t seed;
    struct dice dice;
    const char *path;
    json_t *sent, *wanted; /* `wanted` without what is dropped */
    char spelled[SPELLED_MAX];
    size_t len;
    size_t values; /* that are in it */
};

static _Noreturn void give_up(const struct request_case *c, const char *what, const char *got)
{
    char *wanted = json_dumps(c->wanted, JSON_COMPACT);
    fprintf(stderr, "seed %" PRIu64 ": %s\n  sent:   %s\n  wanted: %s\n  got:    %s\n", c->seed, what, c->spelled,
            wanted, got);
    exit(1);
}

/* ---- placeholders --------------------------------------------------------------------------------------------------
 */

/* What stands for a value is learned from the trace, one value at a time. */
static void name_of(const char *value, char out[64])
{
    struct rein_trace_options options = {.policy = policy, .engine = engine, .choices = 1, .mask_key = key};
    struct rein_trace *trace;
    size_t len;
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt(trace, "user", value, strlen(value)), 0);
    const struct rein_mask *masks = rein_trace_masks(trace, &len);
    assert_int_equal(len, 1);
    snprintf(out, 64, "%.*s", (int)masks->text_len, masks->text);
    rein_trace_free(trace);
}

static const char *const values[] = {"qab1", "qee9", "qcd0", "gone12", "77123456"};
enum { VALUES = sizeof values / sizeof *values, NUMBER = VALUES - 1 };
static char names[VALUES][64];

/* ---- texts: the same with values, and with what stands for them
 * --------------------------------------------------------- */

struct two {
    json_t *sent, *wanted;
};

static struct two any_text(struct request_case *c)
{
    static const char *const words[] = {"a ", " \xC3\xA9", "\xF0\x9F\x99\x82", "\"",   "\\",          "\n", "x",
                                        "/",  "q",         "gone1 ",           "\x7F", "\xE2\x80\xA8"};
    char sent[512] = "t", wanted[1024] = "t"; /* a quote at the beginning would make it JSON */
    for (size_t n = dice_below(&c->dice, 6); n > 0; n--) {
        size_t i = dice_below(&c->dice, VALUES);
        bool is_value = dice_chance(&c->dice, 35);
        const char *word = is_value ? values[i] : words[dice_below(&c->dice, sizeof words / sizeof *words)];
        strcat(sent, word);
        strcat(wanted, is_value ? names[i] : word);
        strcat(sent, " ");
        strcat(wanted, " ");
        c->values += is_value;
    }
    return (struct two){json_string(sent), json_string(wanted)};
}

/* A value in a tree that a tool got; a number that is masked becomes a string. */
static struct two any_value(struct request_case *c, unsigned depth)
{
    struct two a, b;
    switch (dice_below(&c->dice, depth > 2 ? 3 : 5)) {
    case 0:
        return any_text(c);
    case 1:
        c->values++;
        return (struct two){json_integer(77123456), json_string(names[NUMBER])};
    case 2:
        return (struct two){json_integer(5), json_integer(5)};
    case 3:
        a = any_value(c, depth + 1);
        b = any_value(c, depth + 1);
        return (struct two){json_pack("[oo]", a.sent, b.sent), json_pack("[oo]", a.wanted, b.wanted)};
    default:
        a = any_value(c, depth + 1);
        b = any_value(c, depth + 1);
        return (struct two){json_pack("{soso}", "a", a.sent, "b", b.sent),
                            json_pack("{soso}", "a", a.wanted, "b", b.wanted)};
    }
}

static struct two any_object(struct request_case *c)
{
    struct two a = any_value(c, 1), b = any_text(c);
    return (struct two){json_pack("{soso}", "a", a.sent, "b", b.sent),
                        json_pack("{soso}", "a", a.wanted, "b", b.wanted)};
}

/* JSON as text. */
static struct two any_arguments(struct request_case *c)
{
    struct two tree = any_object(c);
    size_t flags = dice_chance(&c->dice, 50) ? JSON_COMPACT : JSON_ENSURE_ASCII;
    char *sent = json_dumps(tree.sent, flags), *wanted = json_dumps(tree.wanted, JSON_COMPACT);
    struct two both = {json_string(sent), json_string(wanted)};
    json_decref(tree.sent);
    json_decref(tree.wanted);
    free(sent);
    free(wanted);
    return both;
}

/* Objects with the same members but for two texts. Takes both. */
static struct two with(struct two object, const char *name, struct two value)
{
    json_object_set_new(object.sent, name, value.sent);
    json_object_set_new(object.wanted, name, value.wanted);
    return object;
}

static struct two same(json_t *value)
{
    return (struct two){value, json_deep_copy(value)};
}

static struct two list_of(struct two one)
{
    return (struct two){json_pack("[o]", one.sent), json_pack("[o]", one.wanted)};
}

static void append(struct two list, struct two item)
{
    json_array_append_new(list.sent, item.sent);
    json_array_append_new(list.wanted, item.wanted);
}

/* ---- requests
 * --------------------------------------------------------------------------------------------------------- */

static struct two text_or_parts(struct request_case *c, const char *type)
{
    if (dice_chance(&c->dice, 50))
        return any_text(c);
    struct two parts = list_of(with(same(json_pack("{ss}", "type", type)), "text", any_text(c)));
    if (dice_chance(&c->dice, 50))
        append(parts, with(same(json_pack("{ss}", "type", type)), "text", any_text(c)));
    return parts;
}

static struct two chat_case(struct request_case *c)
{
    struct two messages = list_of(with(same(json_pack("{ss}", "role", "system")), "content", text_or_parts(c, "text")));
    struct two call = with(same(json_pack("{ss}", "name", "f")), "arguments", any_arguments(c));
    call = with(same(json_pack("{ssss}", "id", "c1", "type", "function")), "function", call);
    struct two turn = with(same(json_pack("{ss}", "role", "assistant")), "content", any_text(c));
    turn = with(turn, "tool_calls", list_of(call));
    if (dice_chance(&c->dice, 40))
        turn = with(turn, "reasoning_content", any_text(c));
    if (dice_chance(&c->dice, 40)) { /* dropped */
        json_object_set_new(turn.sent, "parsed", json_pack("{ss}", "a", "qab1"));
    }
    append(messages, turn);
    append(messages,
           with(same(json_pack("{ssss}", "role", "tool", "tool_call_id", "c1")), "content", any_arguments(c)));
    append(messages, with(same(json_pack("{ss}", "role", "user")), "content", text_or_parts(c, "text")));
    struct two body = with(same(json_pack("{ss}", "model", "m")), "messages", messages);
    if (dice_chance(&c->dice, 50))
        body = with(body, "metadata", with(same(json_object()), "note", any_text(c)));
    struct two function = with(same(json_pack("{ss}", "name", "f")), "description", any_text(c));
    struct two property = with(same(json_pack("{ss}", "type", "string")), "description", any_text(c));
    property = with(property, "enum", list_of(any_text(c)));
    function =
        with(function, "parameters",
             with(same(json_pack("{ss}", "type", "object")), "properties", with(same(json_object()), "p", property)));
    return with(body, "tools", list_of(with(same(json_pack("{ss}", "type", "function")), "function", function)));
}

static struct two messages_case(struct request_case *c)
{
    struct two use =
        with(same(json_pack("{ssssss}", "type", "tool_use", "id", "t1", "name", "f")), "input", any_object(c));
    struct two turn =
        list_of(with(same(json_pack("{ssss}", "type", "thinking", "signature", "")), "thinking", any_text(c)));
    append(turn, with(same(json_pack("{ss}", "type", "text")), "text", any_text(c)));
    append(turn, use);
    struct two result = with(same(json_pack("{ssss}", "type", "tool_result", "tool_use_id", "t1")), "content",
                             text_or_parts(c, "text"));
    struct two messages = list_of(with(same(json_pack("{ss}", "role", "user")), "content", text_or_parts(c, "text")));
    append(messages, with(same(json_pack("{ss}", "role", "assistant")), "content", turn));
    append(messages, with(same(json_pack("{ss}", "role", "user")), "content", list_of(result)));
    struct two body = with(same(json_pack("{sssi}", "model", "m", "max_tokens", 9)), "messages", messages);
    if (dice_chance(&c->dice, 50))
        json_object_set_new(body.sent, "made_up_option", json_string("qab1"));
    return with(body, "system", text_or_parts(c, "text"));
}

static struct two responses_case(struct request_case *c)
{
    struct two call = same(json_pack("{ssssss}", "type", "function_call", "call_id", "c1", "name", "f"));
    struct two output = same(json_pack("{ssss}", "type", "function_call_output", "call_id", "c1"));
    struct two part = with(same(json_pack("{ss}", "type", "summary_text")), "text", any_text(c));
    struct two input = list_of(with(call, "arguments", any_arguments(c)));
    append(input, with(output, "output", any_arguments(c)));
    append(input, with(same(json_pack("{ssss}", "type", "reasoning", "id", "r1")), "summary", list_of(part)));
    append(input, with(same(json_pack("{ss}", "role", "user")), "content", text_or_parts(c, "input_text")));
    struct two body = with(same(json_pack("{sssb}", "model", "m", "store", 0)), "input", input);
    return with(body, "instructions", any_text(c));
}

/* ---- spelling
 * ----------------------------------------------------------------------------------------------------------- */

static void put(struct request_case *c, const char *text, size_t len)
{
    assert_true(c->len + len < SPELLED_MAX);
    memcpy(c->spelled + c->len, text, len);
    c->spelled[c->len += len] = '\0';
}

static void put_blank(struct request_case *c)
{
    static const char *const blanks[] = {"", "", "", " ", "\n", "\t "};
    const char *blank = blanks[dice_below(&c->dice, sizeof blanks / sizeof *blanks)];
    put(c, blank, strlen(blank));
}

static void put_string(struct request_case *c, const char *text)
{
    bool escapes = dice_chance(&c->dice, 40);
    put(c, "\"", 1);
    for (const char *at = text; *at != '\0'; at++) {
        char unit[8];
        bool must = *at == '"' || *at == '\\' || (unsigned char)*at < 0x20;
        bool may = (unsigned char)*at < 0x80 && escapes && dice_chance(&c->dice, 30);
        if (must || may)
            put(c, unit,
                (size_t)snprintf(unit, sizeof unit, dice_chance(&c->dice, 50) ? "\\u%04x" : "\\u%04X", (unsigned)*at));
        else
            put(c, at, 1);
    }
    put(c, "\"", 1);
}

static void put_json(struct request_case *c, const json_t *value)
{
    const char *name, *glue = "";
    json_t *item;
    size_t i;
    put_blank(c);
    if (json_is_string(value)) {
        put_string(c, json_string_value(value));
    } else if (json_is_array(value)) {
        put(c, "[", 1);
        json_array_foreach(value, i, item)
        {
            put(c, glue, strlen(glue));
            put_json(c, item);
            glue = ",";
        }
        put(c, "]", 1);
    } else if (json_is_object(value)) {
        put(c, "{", 1);
        json_object_foreach((json_t *)value, name, item)
        {
            put(c, glue, strlen(glue));
            put_blank(c);
            put_string(c, name);
            put_blank(c);
            put(c, ":", 1);
            put_json(c, item);
            glue = ",";
        }
        put(c, "}", 1);
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        put(c, text, strlen(text));
        free(text);
    }
    put_blank(c);
}

/* ---- checks
 * -------------------------------------------------------------------------------------------------------------- */

/* The same; texts that are JSON are the same if their reader gets the same. */
static bool are_same(const json_t *a, const json_t *b)
{
    const char *name;
    json_t *item;
    size_t i;
    bool same_all = json_typeof(a) == json_typeof(b);
    if (json_is_string(a) && same_all && !json_equal(a, b)) {
        json_t *x = json_loads(json_string_value(a), JSON_DECODE_ANY, NULL),
               *y = json_loads(json_string_value(b), JSON_DECODE_ANY, NULL);
        same_all = x != NULL && y != NULL && !json_is_string(x) && are_same(x, y);
        json_decref(x);
        json_decref(y);
    } else if (json_is_array(a) && same_all) {
        same_all = json_array_size(a) == json_array_size(b);
        json_array_foreach((json_t *)a, i, item) same_all = same_all && are_same(item, json_array_get(b, i));
    } else if (json_is_object(a) && same_all) {
        same_all = json_object_size(a) == json_object_size(b);
        json_object_foreach((json_t *)a, name, item) same_all =
            same_all && json_object_get(b, name) != NULL && are_same(item, json_object_get(b, name));
    } else if (same_all) {
        same_all = json_equal(a, b);
    }
    return same_all;
}

static void check_sent(const struct request_case *c, const struct request *request)
{
    size_t len;
    char *text = request_text(request, &len);
    assert_non_null(text);
    json_t *got = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < VALUES; i++)
        if (strstr(text, values[i]) != NULL)
            give_up(c, values[i], text);
    if (got == NULL || !are_same(c->wanted, got))
        give_up(c, "another request", text);
    json_decref(got);
    free(text);
}

static void run(struct request_case *c)
{
    static const struct config_limits limits = {.messages = 64, .choices = 4, .tools = 8, .json_depth = 64};
    static const struct rein_request_rules rules = {.unknown = REIN_UNKNOWN_DROP, .pass_unjudged_parts = true};
    struct rein_trace_options options = {.policy = policy, .engine = engine, .choices = 1, .mask_key = key};
    struct request_error err = {.code = ""};
    struct request *request;
    struct rein_trace *trace;
    int rv = request_parse(&request, api_find(c->path), (struct rein_source){.text = c->spelled, .len = c->len},
                           &limits, &err);
    if (rv == 0)
        rv = request_check(request, &(struct request_checks){.rules = &rules, .limits = &limits}, &err);
    if (rv != 0)
        give_up(c, err.message, "");
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(request->api->judge(request, trace), 0);
    if (request_mask(request, trace, &err) != 0)
        give_up(c, err.message, err.param);
    if ((request->masked != NULL) != (c->values > 0))
        give_up(c, "masked or not", "");
    check_sent(c, request);
    assert_int_equal(request_load(request), 0);
    if (!are_same(c->wanted, request->body))
        give_up(c, "another tree", "");
    rein_trace_free(trace);
    request_free(request);
}

static void play(uint64_t seed)
{
    static const struct {
        const char *path;
        struct two (*make)(struct request_case *c);
    } apis[] = {
        {"/v1/chat/completions", chat_case}, {"/v1/messages", messages_case}, {"/v1/responses", responses_case}};
    struct request_case *c = calloc(1, sizeof *c);
    c->seed = seed;
    c->dice = dice_of(seed);
    size_t api = dice_below(&c->dice, 3);
    c->path = apis[api].path;
    struct two body = apis[api].make(c);
    c->sent = body.sent;
    c->wanted = body.wanted;
    put_json(c, c->sent);
    run(c);
    json_decref(c->sent);
    json_decref(c->wanted);
    free(c);
}

int main(int argc, char **argv)
{
    const char *is_long = getenv("REIN_LONG");
    uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : is_long != NULL && *is_long == '1' ? 20000 : 2000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    policy = kit_policy(yaml);
    assert_int_equal(rein_engine_new(&engine), 0);
    for (size_t i = 0; i < VALUES; i++)
        name_of(values[i], names[i]);
    for (uint64_t seed = first; seed < first + cases; seed++)
        play(seed);
    rein_engine_free(engine);
    rein_policy_unref(policy);
    printf("%" PRIu64 " requests from seed %" PRIu64 ": 0 mismatches\n", cases, first);
    return 0;
}
