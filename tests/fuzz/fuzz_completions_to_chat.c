/* Fuzzes the rebuilding of completion routes: any upstream bytes, cut anywhere, give the same events, all of them
 * readable.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte says whether it is streamed, which field the reasoning gets and which delimiter closes it; the second
 * is the seed of the cuts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/completions_to_chat.h"
#include "base/buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { INPUT_MAX = 4096 };

struct result {
    int rv;
    struct buffer out;
};

static void expect(bool holds)
{
    if (!holds)
        abort();
}

/* Both forms that backends have: a choice's text, or what was thought and said. */
static bool read_any(const json_t *event, struct completion_piece *out)
{
    const json_t *choice = json_array_get(json_object_get(event, "choices"), 0);
    const json_t *text = choice != NULL ? json_object_get(choice, "text") : json_object_get(event, "response");
    const json_t *thinking = json_object_get(event, "thinking");
    out->text = json_string_value(text);
    out->len = json_string_length(text);
    out->reasoning = json_string_value(thinking);
    out->reasoning_len = json_string_length(thinking);
    out->finish = json_string_value(json_object_get(choice != NULL ? choice : event, "finish_reason"));
    out->usage = json_object_get(event, "usage");
    return text != NULL || out->usage != NULL;
}

static void take(struct result *result, const struct stream_piece *piece)
{
    if (result->rv == 0 && piece->len > 0)
        expect(buffer_add(&result->out, piece->data, piece->len, BUFFER_NO_LIMIT) == 0);
}

/* `seed` 0: all at once. */
static struct result rebuild(const struct completions_to_chat_options *options, const char *in, size_t len,
                             unsigned seed)
{
    struct result result = {0};
    struct stream_filter *filter = completions_to_chat_new(options);
    expect(filter != NULL);
    for (size_t at = 0; at < len && result.rv == 0;) {
        size_t piece = len - at;
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            size_t cut = 1 + (seed >> 16) % 23;
            piece = cut < piece ? cut : piece;
        }
        struct stream_piece through = {.data = in + at, .len = piece};
        result.rv = stream_filters_feed(filter, &through);
        take(&result, &through);
        at += piece;
    }
    if (result.rv == 0) {
        struct stream_piece last = {0};
        result.rv = stream_filters_end(filter, true, &last);
        take(&result, &last);
    }
    stream_filters_free(&filter);
    return result;
}

static void check_event(const char *line, size_t len)
{
    expect(len > 6 && memcmp(line, "data: ", 6) == 0);
    if (len == 12 && memcmp(line + 6, "[DONE]", 6) == 0)
        return;
    json_t *event = json_loadb(line + 6, len - 6, JSON_REJECT_DUPLICATES, NULL);
    expect(event != NULL);
    json_decref(event);
}

static void check_events(const struct buffer *out)
{
    for (const char *at = out->data, *end; at != NULL && *at != '\0'; at = end + 2) {
        end = strstr(at, "\n\n");
        expect(end != NULL);
        check_event(at, (size_t)(end - at));
    }
}

static void check_body(const struct result *result)
{
    json_t *body = json_loadb(result->out.data, result->out.len, JSON_REJECT_DUPLICATES, NULL);
    expect(body != NULL);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const fields[] = {NULL, "content", "reasoning", ""};
    static const char *const closers[] = {"</think>", "[/THINK]", "a", "aab"};
    if (len < 2 || len > INPUT_MAX)
        return 0;
    struct completions_to_chat_options options = {.streamed = (data[0] & 1) == 0,
                                                  .read = read_any,
                                                  .field = fields[data[0] >> 1 & 3],
                                                  .close = closers[data[0] >> 3 & 3],
                                                  .model = "m",
                                                  .id = "i",
                                                  .body_max = INPUT_MAX};
    struct result whole = rebuild(&options, (const char *)data + 2, len - 2, 0);
    struct result cut = rebuild(&options, (const char *)data + 2, len - 2, data[1] + 1u);
    expect(whole.rv == cut.rv && whole.out.len == cut.out.len);
    expect(whole.out.len == 0 || memcmp(whole.out.data, cut.out.data, whole.out.len) == 0);
    if (options.streamed)
        check_events(&whole.out);
    else if (whole.rv == 0)
        check_body(&whole);
    buffer_clear(&whole.out);
    buffer_clear(&cut.out);
    return 0;
}
