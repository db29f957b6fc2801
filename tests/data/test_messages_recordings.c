/* Recorded answers of Anthropic's Messages: clean, and with a rule that matches in the middle of each of their texts.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Clean, a recording passes byte for byte in every chunking. With a rule, a strict client finds nothing wrong, nothing
 * says what was removed, and the bytes do not depend on the chunking. */
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
#include "tracekit.h"

static const size_t chunks[] = {0, 1, 7, 1000};
enum { CHUNKS = sizeof chunks / sizeof *chunks, TEXTS = 3 };

static void run_in(struct rein_policy *policy, const struct recording *r, size_t chunk, struct kit_seen *seen)
{
    struct kit_run run = {.view = &kit_view_messages, .policy = policy, .upstream = r->bytes, .chunk = chunk};
    kit_run(&run, seen);
    if (seen->broken > 0)
        print_error("%s: %s\n", r->path, seen->why);
    assert_int_equal(seen->broken, 0);
    assert_int_equal(seen->unreadable, 0);
    assert_int_equal(seen->done, 1);
    assert_int_equal(seen->decision.garbage_events, 0);
    assert_int_equal(seen->decision.bytes_unjudged, 0);
}

static struct span text_of(const struct kit_seen *seen, unsigned which)
{
    const struct kit_choice *c = &seen->choices[0];
    return bytes_span(which == 0 ? &c->reasoning : which == 1 ? &c->content : &c->arguments);
}

/* A run of at least five letters, in the middle of the text or behind it. */
static bool word_of(struct span text, char word[64])
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

static struct rein_policy *policy_with(const char *rules)
{
    char yaml[600];
    snprintf(yaml, sizeof yaml,
             "version: 1\nname: one\nreasoning: { show: stream, release: stream }\npatterns: {}\n"
             "limits: { stream_bytes: 4194304 }\nrefusal: { message: \"No.\" }\n%s",
             rules);
    return kit_policy(yaml);
}

static void pass_clean(const struct recording *r)
{
    struct rein_policy *policy =
        policy_with("rules:\n  - { id: never, literal: qzxj-never-said-7731, match: raw, action: redact }\n");
    for (size_t k = 0; k < CHUNKS; k++) {
        struct kit_seen seen;
        run_in(policy, r, chunks[k], &seen);
        struct span out = bytes_span(&seen.out);
        assert_int_equal(out.len, r->bytes.len);
        assert_memory_equal(out.data, r->bytes.data, out.len);
        assert_int_equal(seen.decision.findings_len, 0);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

static void pass_with(const struct recording *r, const char *word, unsigned which, const char *action)
{
    char rules[200];
    snprintf(rules, sizeof rules,
             "rules:\n  - { id: word, literal: %s, match: raw, channels: [reasoning, answer, tool], action: %s }\n",
             word, action);
    struct rein_policy *policy = policy_with(rules);
    struct kit_seen first;
    run_in(policy, r, chunks[0], &first);
    struct span text = text_of(&first, which);
    assert_null(memmem(text.data, text.len, word, strlen(word)));
    assert_true(first.decision.findings_len > 0);
    for (size_t k = 1; k < CHUNKS; k++) {
        struct kit_seen seen;
        run_in(policy, r, chunks[k], &seen);
        assert_int_equal(bytes_len(&seen.out), bytes_len(&first.out));
        assert_memory_equal(bytes_span(&seen.out).data, bytes_span(&first.out).data, bytes_len(&seen.out));
        kit_seen_fini(&seen);
    }
    kit_seen_fini(&first);
    rein_policy_unref(policy);
}

static void pass_one(const struct recording *r, void *ctx)
{
    static const char *const actions[] = {"redact", "refuse", "cut_response"};
    size_t *passed = ctx;
    struct kit_seen seen;
    if (memmem(r->bytes.data, r->bytes.len, "\"message_start\"", 15) == NULL)
        return;
    pass_clean(r);
    struct rein_policy *policy = policy_with("");
    run_in(policy, r, 0, &seen);
    for (unsigned which = 0; which < TEXTS; which++) {
        char word[64];
        bool has_word = word_of(text_of(&seen, which), word);
        for (size_t i = 0; i < 3 && has_word; i++)
            pass_with(r, word, which, actions[i]);
        passed[1 + which] += has_word;
    }
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
    passed[0]++;
}

static void test_messages_recordings(void **state)
{
    size_t passed[1 + TEXTS] = {0};
    (void)state;
    recordings_each(pass_one, passed);
    print_message("%zu recorded answers; rules in %zu of reasoning, %zu answers, %zu arguments\n", passed[0], passed[1],
                  passed[2], passed[3]);
    assert_true(passed[0] > 0);
}

int main(void)
{
    return recordings_main(test_messages_recordings);
}
