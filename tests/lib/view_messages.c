/* What a strict client of Anthropic's Messages makes of a stream or a body.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Blocks are numbered from 0 without a gap, each begins once, gets deltas of its own kind, and ends once before the
 * message does. Several may be open. Bodies are read as one message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tracekit.h"

/* kit_seen.blocks */
enum { BEGUN, NEXT, OPEN, DELTAS_ENDED };
enum { OPEN_MAX = 32 };

static bool is_last(struct span payload)
{
    json_t *event = json_loadb(payload.data, payload.len, JSON_ALLOW_NUL, NULL);
    const char *type = json_string_value(json_object_get(event, "type"));
    bool rv = type != NULL && (strcmp(type, "message_stop") == 0 || strcmp(type, "error") == 0);
    json_decref(event);
    return rv;
}

static void must(struct kit_seen *seen, bool holds, const char *why)
{
    if (holds)
        return;
    if (seen->broken++ == 0)
        snprintf(seen->why, sizeof seen->why, "%s", why);
}

static const char *type_of(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL ? type : "";
}

static void see_texts(struct kit_seen *seen, const json_t *object)
{
    struct kit_choice *c = &seen->choices[0];
    const json_t *input = json_object_get(object, "input"), *signature = json_object_get(object, "signature");
    kit_add_text(&c->content, json_object_get(object, "text"));
    kit_add_text(&c->reasoning, json_object_get(object, "thinking"));
    kit_add_text(&c->arguments, json_object_get(object, "partial_json"));
    if (json_object_size(input) > 0) {
        char *text = json_dumps(input, JSON_COMPACT);
        assert_int_equal(bytes_append(&c->arguments, text, strlen(text)), 0);
        free(text);
    }
    seen->signatures += json_string_length(signature) > 0;
}

static void see_end(struct kit_seen *seen, const json_t *object)
{
    const char *reason = json_string_value(json_object_get(object, "stop_reason"));
    if (reason == NULL)
        return;
    seen->choices[0].finishes++;
    snprintf(seen->choices[0].finish, sizeof seen->choices[0].finish, "%s", reason);
}

/* `names` has a letter for each open block: which kind of delta it takes. */
static void begin_block(struct kit_seen *seen, unsigned index, const json_t *block)
{
    must(seen, index == seen->blocks[NEXT], "a block's number");
    must(seen, index < OPEN_MAX, "many blocks");
    seen->blocks[NEXT] = index + 1;
    seen->names[index % OPEN_MAX] = *type_of(block);
    see_texts(seen, block);
}

static void see_delta(struct kit_seen *seen, unsigned index, const json_t *delta)
{
    char kind = seen->names[index % OPEN_MAX];
    const char *type = type_of(delta);
    char wanted = strcmp(type, "input_json_delta") == 0 ? 't' : strcmp(type, "signature_delta") == 0 ? 't' : *type;
    must(seen, index < seen->blocks[NEXT] && kind != '\0', "a delta of no open block");
    must(seen, kind == wanted || kind == 's' || kind == 'm' || *type == 'c', "a delta of another kind");
    see_texts(seen, delta);
}

static void see_event(struct kit_seen *seen, const json_t *event)
{
    const char *type = type_of(event);
    unsigned index = (unsigned)json_integer_value(json_object_get(event, "index"));
    bool is_start = strcmp(type, "message_start") == 0,
         is_free = strcmp(type, "ping") == 0 || strcmp(type, "error") == 0;
    must(seen, is_free || is_start != (seen->blocks[BEGUN] > 0), "message_start");
    if (is_start) {
        seen->blocks[BEGUN]++;
        seen->choices[0].roles++;
    } else if (strcmp(type, "content_block_start") == 0) {
        begin_block(seen, index, json_object_get(event, "content_block"));
    } else if (strcmp(type, "content_block_delta") == 0) {
        see_delta(seen, index, json_object_get(event, "delta"));
    } else if (strcmp(type, "content_block_stop") == 0) {
        must(seen, index < seen->blocks[NEXT] && seen->names[index % OPEN_MAX] != '\0', "the end of no open block");
        seen->names[index % OPEN_MAX] = '\0';
    } else if (strcmp(type, "message_delta") == 0) {
        for (size_t i = 0; i < OPEN_MAX; i++)
            must(seen, seen->names[i] == '\0', "a block is open at the end");
        must(seen, json_object_get(json_object_get(event, "usage"), "output_tokens") != NULL, "usage");
        see_end(seen, json_object_get(event, "delta"));
    } else if (strcmp(type, "message_stop") != 0 && !is_free) {
        must(seen, false, "an unknown event");
    }
}

static void see_error(struct kit_seen *seen, const json_t *event)
{
    const json_t *error = json_object_get(event, "error");
    if (error == NULL)
        return;
    const char *message = json_string_value(json_object_get(error, "message"));
    seen->errors++;
    snprintf(seen->error, sizeof seen->error, "%s", message != NULL ? message : "(no message)");
}

static void see_messages(struct kit_seen *seen, struct span payload, bool is_body)
{
    json_t *event = json_loadb(payload.data, payload.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL), *block;
    size_t i;
    seen->unreadable += event == NULL;
    see_error(seen, event);
    if (!is_body && event != NULL)
        see_event(seen, event);
    if (is_body) {
        json_array_foreach(json_object_get(event, "content"), i, block)
        {
            see_texts(seen, block);
        }
        see_end(seen, event);
    }
    json_decref(event);
}

const struct kit_view kit_view_messages = {REIN_ANTHROPIC_MESSAGES, is_last, see_messages};
