/* How long framing and reading take for each event, on streams of common shapes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dialect/dialect.h"
#include "dialect/event.h"
#include "dialect/sse.h"
#include "trace/reasoning_splitter.h"

enum { EVENTS = 20000, ROUNDS = 20, EVENT_MAX = 1024 };

struct shape {
    const char *name;
    const char *event; /* # stands for its number, @ for its word */
};

#define HEAD "data: {\"id\":\"33aa10bc-0142-486c-8c29-dd8e578f7f20\",\"object\":\"chat.completion.chunk\","
static const struct shape shapes[] = {
    {"fixed head",
     HEAD "\"created\":1752169304,\"model\":\"some-reasoner\",\"system_fingerprint\":\"fp_0123456789_prod_"
          "kvcache\",\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":\"@\"},"
          "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"},
    {"changing number", HEAD "\"created\":#,\"model\":\"some-reasoner\",\"system_fingerprint\":\"fp_0123456789_prod_"
                             "kvcache\",\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":"
                             "\"@\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"},
    {"changing id", "data: {\"id\":\"r-#\",\"choices\":[{\"delta\":{\"content\":\"@\",\"role\":\"assistant\"},"
                    "\"index\":0}],\"model\":\"m\",\"object\":\"chat.completion.chunk\"}\n\n"},
    {"two names", HEAD "\"choices\":[{\"index\":0,\"text\":\"@\",\"logprobs\":null,\"finish_reason\":null,\"delta\":{"
                       "\"token_id\":17,\"role\":\"assistant\",\"content\":\"@\"}}],\"model\":\"m\"}\n\n"},
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t make_event(const struct shape *shape, int number, const char *word, char *out)
{
    size_t len = 0;
    for (const char *at = shape->event; *at != '\0'; at++) {
        if (*at == '#')
            len += (size_t)sprintf(out + len, "%d", 1700000000 + number);
        else if (*at == '@')
            len += (size_t)sprintf(out + len, "%s", word);
        else
            out[len++] = *at;
    }
    return len;
}

static size_t make_stream(const struct shape *shape, char *out)
{
    static const char *const words[] = {" the", " answer", "\\n\\n", ",", " because", " \\\"so\\\"", " of"};
    size_t len = 0;
    for (int i = 0; i < EVENTS; i++)
        len += make_event(shape, i, words[i % 7], out + len);
    return len;
}

/* Frames, and reads if there is a reader; returns ns per event. */
static double run(struct span all, struct event_reader *reader)
{
    struct framer f;
    struct frame frame;
    const struct event *d = NULL;
    framer_init(&f, &framing_sse, EVENT_MAX);
    double start = now_ns();
    int rv;
    while ((rv = framer_next(&f, all, false, &frame)) == 1) {
        if (reader != NULL && event_read(reader, frame.payload, false, &d) != 0)
            exit(1);
        all.data += frame.raw.len;
        all.len -= frame.raw.len;
    }
    double ns = (now_ns() - start) / EVENTS;
    framer_fini(&f);
    if (rv != 0)
        exit(1);
    return ns;
}

/* The best of several rounds. */
static double best(struct span all, bool reads)
{
    double least = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        struct event_reader *reader = NULL;
        if (reads && event_reader_new(&reader, dialect_find(REIN_OPENAI_CHAT), NULL) != 0)
            exit(1);
        double ns = run(all, reader);
        least = ns < least ? ns : least;
        event_reader_free(reader);
    }
    return least;
}

static double split(struct span all)
{
    struct splitter s;
    struct part parts[SPLITTER_PARTS_MAX];
    size_t sum = 0, fed = 0;
    splitter_init(&s, NULL, NULL, true);
    double start = now_ns();
    for (size_t at = 0; at + 5 <= all.len; at += 5, fed++) {
        struct span piece = {all.data + at, 5};
        size_t plain = splitter_plain(&s, piece).len;
        struct span rest = {piece.data + plain, piece.len - plain};
        size_t n = rest.len > 0 ? splitter_feed(&s, rest, parts, SPLITTER_PARTS_MAX) : 0;
        sum += plain + (n > 0 ? parts[n - 1].len : 0);
    }
    double ns = (now_ns() - start) / (double)fed;
    return sum > 0 ? ns : 0;
}

int main(void)
{
    char *stream = malloc((size_t)EVENTS * EVENT_MAX);
    if (stream == NULL)
        return 1;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct span all = {stream, make_stream(&shapes[i], stream)};
        printf("%-16s %4zu bytes  frame %6.1f ns  frame and read %7.1f ns\n", shapes[i].name, all.len / EVENTS,
               best(all, false), best(all, true));
    }
    for (size_t i = 0; i < EVENTS * 5; i++)
        stream[i] = "plain words of reasoning, some < signs "[i % 39];
    printf("split            5 bytes  %6.1f ns\n", split((struct span){stream, EVENTS * 5}));
    free(stream);
    return 0;
}
