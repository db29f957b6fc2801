/* Recorded answers of OpenAI's Responses: clean, and with a rule that matches in the middle of their text.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Clean, a recording passes byte for byte, in every chunking, up to its last event; what some servers send behind that
 * is not read. With a rule, the strictest client finds nothing wrong, and no repetition says what was removed. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recordings.h"
#include "view_responses.h"

static const size_t chunks[] = {0, 1, 7, 1000};
enum { CHUNKS = sizeof chunks / sizeof *chunks };

static bool is_whole(struct span s)
{
    return memmem(s.data, s.len, "response.created", 16) != NULL &&
           memmem(s.data, s.len, "response.output_item", 20) != NULL &&
           memmem(s.data, s.len, "response.completed", 18) != NULL;
}

static void run_in(struct rein_policy *policy, struct span bytes, size_t chunk, struct kit_seen *seen)
{
    struct kit_run run = {.view = &kit_view_responses, .policy = policy, .upstream = bytes, .chunk = chunk};
    kit_run(&run, seen);
    assert_int_equal(seen->decision.garbage_events, 0);
    assert_int_equal(seen->decision.bytes_unjudged, 0);
    assert_int_equal(seen->unreadable, 0);
}

/* The longest of the texts. */
static struct span longest(const struct kit_seen *seen)
{
    struct span a = bytes_span(&seen->choices[0].content), b = bytes_span(&seen->choices[0].reasoning),
                c = bytes_span(&seen->choices[0].arguments);
    struct span most = a.len >= b.len ? a : b;
    return most.len >= c.len ? most : c;
}

/* A word of at least five letters, in the middle or behind it. False: there is none. */
static bool word_of(struct span text, char word[32])
{
    size_t len = 0;
    for (size_t i = text.len / 2; i < text.len; i++) {
        len = isalpha((unsigned char)text.data[i]) ? len + 1 : 0;
        if (len < 5)
            continue;
        memcpy(word, text.data + i + 1 - len, len);
        word[len] = '\0';
        return true;
    }
    return false;
}

static void pass_clean(const struct recording *r)
{
    struct rein_policy *policy =
        kit_policy("version: 1\nname: none\nreasoning: {release: stream}\nlimits: {stream_bytes: 4194304}\n"
                   "rules:\n  - {id: never, literal: qzxj-never-said-7731, match: raw, action: redact}\n");
    for (size_t k = 0; k < CHUNKS; k++) {
        struct kit_seen seen;
        run_in(policy, r->bytes, chunks[k], &seen);
        struct span out = bytes_span(&seen.out);
        (void)strict_responses(out, false);
        if (memmem(r->bytes.data, r->bytes.len, "sequence_number", 15) == NULL) {
            if (k == 0)
                print_message("%s: its events get numbers\n", r->path);
            kit_seen_fini(&seen);
            continue;
        }
        size_t same = 0;
        while (same < out.len && same < r->bytes.len && out.data[same] == r->bytes.data[same])
            same++;
        if (same < out.len)
            print_error("%s: differs at byte %zu of %zu: %.*s\n", r->path, same, r->bytes.len,
                        (int)(out.len - same < 200 ? out.len - same : 200), out.data + same);
        assert_int_equal(same, out.len);
        struct span rest = {r->bytes.data + same, r->bytes.len - same};
        assert_null(memmem(rest.data, rest.len, "\"type\"", 6));
        assert_int_equal(seen.decision.findings_len, 0);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

/* Returns whether something was found. */
static bool pass_with(const struct recording *r, const char *word, const char *action)
{
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "version: 1\nname: one\nreasoning: {release: stream}\nlimits: {stream_bytes: 4194304}\nrefusal: {message: "
             "\"No.\"}\n"
             "rules:\n  - {id: word, literal: %s, channels: [reasoning, answer, tool], action: %s}\n",
             word, action);
    struct rein_policy *policy = kit_policy(yaml);
    struct kit_seen first;
    run_in(policy, r->bytes, chunks[0], &first);
    (void)strict_responses(bytes_span(&first.out), false);
    struct span text = longest(&first);
    assert_null(memmem(text.data, text.len, word, strlen(word)));
    for (size_t k = 1; k < CHUNKS; k++) {
        struct kit_seen seen;
        run_in(policy, r->bytes, chunks[k], &seen);
        assert_int_equal(bytes_len(&seen.out), bytes_len(&first.out));
        assert_memory_equal(bytes_span(&seen.out).data, bytes_span(&first.out).data, bytes_len(&seen.out));
        kit_seen_fini(&seen);
    }
    bool found = first.decision.findings_len > 0;
    kit_seen_fini(&first);
    rein_policy_unref(policy);
    return found;
}

static void pass_one(const struct recording *r, void *ctx)
{
    size_t *passed = ctx;
    char word[32];
    struct kit_seen seen;
    if (!is_whole(r->bytes))
        return;
    pass_clean(r);
    struct rein_policy *policy = kit_policy("version: 1\nname: none\nlimits: {stream_bytes: 4194304}\n");
    run_in(policy, r->bytes, 0, &seen);
    bool has_word = word_of(longest(&seen), word);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
    if (has_word) {
        assert_true(pass_with(r, word, "redact"));
        assert_true(pass_with(r, word, "refuse"));
        assert_true(pass_with(r, word, "cut_response"));
    }
    ++*passed;
}

static void test_responses(void **state)
{
    size_t passed = 0;
    (void)state;
    recordings_each(pass_one, &passed);
    print_message("%zu recorded answers\n", passed);
    assert_true(passed > 0);
}

int main(void)
{
    return recordings_main(test_responses);
}
