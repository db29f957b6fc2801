/* Masked prompts: what the caller is told to send instead, and what of an answer comes back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peerkit.h"

#define CARD "4111 1111 1111 1111"
#define RULES(more)                                                                                                    \
    "version: 1\nname: m\nreasoning: { show: stream, release: stream }\n"                                              \
    "refusal: { message: I stop here., finish_reason: content_filter }\nrules:\n"                                      \
    "  - { id: card, channels: [prompt], builtin: card_number, action: redact, restore: true }\n" more

static const unsigned char key[REIN_MASK_KEY] = "the key of a client";

struct session {
    struct rein_policy *policy;
    struct rein_engine *engine;
    struct rein_trace *trace;
};

static struct session open_session(const char *yaml, const unsigned char *with)
{
    struct session s = {.policy = kit_policy(yaml)};
    assert_int_equal(rein_engine_new(&s.engine), 0);
    struct rein_trace_options options = {.policy = s.policy,
                                         .engine = s.engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .choices = 1,
                                         .mask_key = with};
    assert_int_equal(rein_trace_new(&s.trace, &options), 0);
    return s;
}

static void close_session(struct session *s)
{
    rein_trace_free(s->trace);
    rein_engine_free(s->engine);
    rein_policy_unref(s->policy);
}

static const struct rein_mask *masks_of(const struct session *s, size_t wanted)
{
    size_t len;
    const struct rein_mask *masks = rein_trace_masks(s->trace, &len);
    assert_int_equal(len, wanted);
    return masks;
}

static void prompt(struct session *s, const char *speaker, const char *text)
{
    assert_int_equal(rein_trace_prompt(s->trace, speaker, text, strlen(text)), 0);
}

/* The placeholder of the card under a policy. */
static void name_of_card(const char *yaml, char name[64])
{
    struct session s = open_session(yaml, key);
    prompt(&s, "user", CARD);
    const struct rein_mask *masks = masks_of(&s, 1);
    snprintf(name, 64, "%.*s", (int)masks->text_len, masks->text);
    close_session(&s);
}

/* ---- prompts ---- */

static void says_what_stands_where(void **state)
{
    (void)state;
    struct session s = open_session(
        RULES("  - { id: w, channels: [prompt], literal: zx, action: redact, replacement: '\"#\"' }\n"), key);
    prompt(&s, "user", "a " CARD " b zx");
    const struct rein_mask *masks = masks_of(&s, 2);
    assert_int_equal(masks[0].offset, 2);
    assert_int_equal(masks[0].len, strlen(CARD));
    assert_string_equal(masks[0].rule, "card");
    assert_memory_equal(masks[0].text, "[card:", 6);
    assert_int_equal(masks[1].offset, 24);
    assert_string_equal(masks[1].text, "\"#\"");
    assert_null(masks[1].tag);
    prompt(&s, "tool", "{\"n\":4111111111111111,\"a\":\"z\\u0078\",\"zx\":1,\"zxzx\":2}");
    masks = masks_of(&s, 7);
    assert_int_equal(masks[2].offset, 5);
    assert_int_equal(masks[2].len, 16);
    assert_memory_equal(masks[2].text, "\"[card:", 7);
    assert_int_equal(masks[3].len, 7);
    assert_string_equal(masks[3].text, "\\\"#\\\"");
    const struct rein_decision *d = rein_trace_decision(s.trace);
    assert_int_equal(d->verdict, REIN_REDACT);
    assert_int_equal(d->findings_len, 7);
    assert_int_equal(d->findings[0].channel, REIN_PROMPT);
    assert_int_equal(d->findings[0].action, REIN_REDACT);
    assert_int_equal(d->findings[0].offset, 2);
    uint64_t masked = 0;
    for (size_t i = 0; i < 7; i++)
        masked += masks[i].len;
    assert_int_equal(d->flow[REIN_PROMPT].redacted, masked);
    assert_int_equal(d->flow[REIN_PROMPT].released + masked, d->flow[REIN_PROMPT].received);
    close_session(&s);
}

static void parts_share_a_value(void **state)
{
    (void)state;
    struct session s = open_session(RULES(""), key);
    const struct rein_prompt_part parts[] = {{"a 4111 1111", 11, "one"}, {"", 0, "two"}, {" 1111 1111 b", 12, "three"}};
    assert_int_equal(rein_trace_prompt_parts(s.trace, "user", parts, 3, ""), 0);
    const struct rein_mask *masks = masks_of(&s, 2);
    assert_string_equal(masks[0].tag, "one");
    assert_int_equal(masks[0].offset, 2);
    assert_int_equal(masks[0].len, 9);
    assert_string_equal(masks[1].tag, "three");
    assert_int_equal(masks[1].offset, 0);
    assert_int_equal(masks[1].len, 10);
    assert_string_equal(masks[1].text, "");
    close_session(&s);
}

static void what_is_not_enforced_masks_nothing(void **state)
{
    (void)state;
    struct session s = open_session("version: 1\nname: m\nrules:\n"
                                    "  - { id: a, channels: [prompt], literal: zx, action: redact, shadow: true }\n"
                                    "  - { id: b, channels: [prompt], literal: zy, action: redact, roles: [tool] }\n",
                                    key);
    prompt(&s, "user", "zx zy");
    (void)masks_of(&s, 0);
    prompt(&s, "tool", "zx zy");
    assert_int_equal(masks_of(&s, 1)->offset, 3);
    close_session(&s);
}

/* Where several rules overlap, what never comes back decides; and without a key nothing does. */
static void what_does_not_restore_stays_masked(void **state)
{
    (void)state;
    struct session s =
        open_session(RULES("  - { id: f, channels: [prompt], regex: '1111 [b-d]', action: redact }\n"), key);
    prompt(&s, "user", CARD " b, " CARD);
    const struct rein_mask *masks = masks_of(&s, 2);
    assert_int_equal(masks[0].len, strlen(CARD) + 2);
    assert_string_equal(masks[0].text, "[redacted]");
    assert_memory_equal(masks[1].text, "[card:", 6);
    close_session(&s);
    s = open_session(RULES(""), NULL);
    prompt(&s, "user", CARD);
    assert_string_equal(masks_of(&s, 1)->text, "[redacted]");
    close_session(&s);
}

/* Judges are outside of the process, too. */
static void judges_get_the_masked_prompt(void **state)
{
    (void)state;
    static const char yaml[] =
        "version: 1\nname: m\nrules:\n"
        "  - { id: card, channels: [prompt], builtin: card_number, action: redact, restore: true }\n"
        "judges:\n  - { id: p, ask: j, channels: [prompt], action: refuse }\n";
    const struct rein_judge_name judge = {"j", "1", 1u << REIN_PROMPT};
    struct rein_source source = {"m.yaml", yaml, sizeof yaml - 1};
    struct rein_library library = {.judges = &judge, .judges_len = 1};
    struct rein_problems *problems;
    struct session s = {0};
    struct rein_update u;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(rein_policy_load(&s.policy, &source, &library, problems), 0);
    assert_int_equal(rein_engine_new(&s.engine), 0);
    struct rein_trace_options options = {
        .policy = s.policy, .engine = s.engine, .dialect = REIN_OPENAI_CHAT, .choices = 1, .mask_key = key};
    assert_int_equal(rein_trace_new(&s.trace, &options), 0);
    prompt(&s, "user", "Card " CARD "!");
    assert_int_equal(rein_trace_prompt_end(s.trace, &u), 0);
    size_t len;
    const struct rein_question *questions = rein_trace_questions(s.trace, &len);
    assert_int_equal(len, 1);
    assert_memory_equal(questions->text.text, "Card [card:", 11);
    assert_null(memmem(questions->text.text, questions->text.len, "1111", 4));
    assert_null(memmem(questions->prompt.text, questions->prompt.len, "1111", 4));
    rein_problems_free(problems);
    close_session(&s);
}

/* ---- answers ---- */

/* `@`: the placeholder; `~`: the same without its last byte. */
static void spell(const char *format, const char *name, char out[512])
{
    size_t len = 0;
    for (const char *at = format; *at != '\0'; at++) {
        size_t more = *at == '@' ? strlen(name) : *at == '~' ? strlen(name) - 1 : 1;
        memcpy(out + len, *at == '@' || *at == '~' ? name : at, more);
        len += more;
    }
    out[len] = '\0';
}

static void check_answer(const char *yaml, const char *format, bool is_body, const char *wanted,
                         enum rein_action verdict)
{
    char name[64], text[512], said[512], stream[2048];
    struct kit_seen seen;
    name_of_card(yaml, name);
    spell(format, name, text);
    spell(wanted, name, said);
    if (is_body)
        snprintf(stream, sizeof stream,
                 "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":"
                 "\"stop\"}]}",
                 text);
    else
        snprintf(stream, sizeof stream, CONTENT("%s") FINISH("stop") DONE, text);
    for (size_t chunk = 1; chunk < 60; chunk += 7) {
        struct rein_policy *policy = kit_policy(yaml);
        struct kit_run run = run_of(policy, stream);
        run.prompt = CARD;
        run.mask_key = key;
        run.is_body = is_body;
        run.chunk = chunk;
        kit_run(&run, &seen);
        assert_string_equal(kit_content(&seen, 0), said);
        assert_int_equal(seen.decision.verdict, verdict);
        assert_int_equal(seen.decision.bytes_unjudged, 0);
        kit_seen_fini(&seen);
        rein_policy_unref(policy);
    }
}

static void comes_back_in_events_and_bodies(void **state)
{
    (void)state;
    for (int is_body = 0; is_body < 2; is_body++) {
        check_answer(RULES(""), "It is @, @.", is_body, "It is " CARD ", " CARD ".", REIN_REDACT);
        check_answer(RULES(""), "<think>so @</think>It is @", is_body, "<think>so @</think>It is " CARD, REIN_REDACT);
        check_answer(RULES(""), "@", is_body, CARD, REIN_REDACT);
        check_answer(RULES(""), "{\\\"a\\\":\\\"@\\\"}", is_body, "{\"a\":\"" CARD "\"}", REIN_REDACT);
        check_answer(RULES("  - { id: n, channels: [answer], builtin: card_number, action: refuse }\n"), "It is @",
                     is_body, "It is " CARD, REIN_REDACT);
    }
}

/* Nothing of a value is shown where a rule claims its placeholder, be it the last byte; what is before the match is. */
static void what_a_rule_claims_does_not_come_back(void **state)
{
    (void)state;
    check_answer(
        RULES(
            "  - { id: n, channels: [answer], literal: \"] stop\", match: raw, action: redact, replacement: \"#\" }\n"),
        "a @ stop @ stay", false, "a # " CARD " stay", REIN_REDACT);
    check_answer(RULES("  - { id: n, channels: [answer], literal: \"] stop\", match: raw, action: refuse }\n"),
                 "a @ stop", false, "a ~\nI stop here.", REIN_REFUSE);
    check_answer(RULES("  - { id: n, channels: [answer], literal: \"] stop\", match: raw, action: cut_response }\n"),
                 "a @, @ stop", false, "a " CARD ", ~", REIN_CUT_RESPONSE);
}

/* A placeholder that every try spells so that a rule finds it. */
static void a_rule_that_finds_all_placeholders_acts(void **state)
{
    (void)state;
    check_answer(RULES("  - { id: n, channels: [answer], literal: \"card:\", match: raw, action: refuse }\n"), "a @ b",
                 false, "a \nI stop here.", REIN_REFUSE);
}

/* All but the beginning of a placeholder goes out with the event that it came in. */
static void holds_nothing_else(void **state)
{
    (void)state;
    char name[64], text[128], shown[512] = "";
    name_of_card(RULES(""), name);
    snprintf(text, sizeof text, "a [ [card %s b [card:", name);
    struct session s = open_session(RULES(""), key);
    struct rein_update u;
    prompt(&s, "user", CARD);
    assert_int_equal(rein_trace_prompt_end(s.trace, &u), 0);
    assert_int_equal(rein_trace_committed(s.trace, &u), 0);
    assert_int_equal(rein_trace_attempt(s.trace, &(struct rein_attempt){.is_apart = true}), 0);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char event[256];
        size_t held = 0;
        snprintf(event, sizeof event, CONTENT("%c"), text[i]);
        assert_int_equal(rein_trace_feed(s.trace, event, strlen(event), &u), 0);
        for (const char *at = u.out, *end = u.out + u.out_len;
             (at = memmem(at, (size_t)(end - at), "\"content\":\"", 11)) != NULL;) {
            at += 11;
            strncat(shown, at, strcspn(at, "\""));
        }
        for (size_t k = 1; k < strlen(name) && k <= i + 1; k++)
            if (memcmp(text + i + 1 - k, name, k) == 0)
                held = k;
        assert_int_equal(u.held_text, held);
    }
    char wanted[128];
    snprintf(wanted, sizeof wanted, "a [ [card %s b ", CARD);
    assert_string_equal(shown, wanted);
    close_session(&s);
}

/* An upstream that repeats all of the text in each event: so does what the client gets, with the value in it. */
static void comes_back_where_texts_are_repeated(void **state)
{
    (void)state;
    char name[64], stream[2048];
    struct kit_seen seen;
    name_of_card(RULES(""), name);
    snprintf(stream, sizeof stream,
             CONTENT("It is a card") CONTENT("It is a card %.9s") CONTENT("It is a card %s") CONTENT("It is a card %s.")
                 FINISH("stop") DONE,
             name, name, name);
    struct rein_policy *policy = kit_policy(RULES(""));
    struct kit_run run = run_of(policy, stream);
    run.prompt = CARD;
    run.mask_key = key;
    kit_run(&run, &seen);
    assert_string_equal(kit_content(&seen, 0),
                        "It is a cardIt is a card " CARD "It is a card " CARD "It is a card " CARD ".");
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

/* In each choice, and in each attempt. */
static void comes_back_in_each_choice(void **state)
{
    (void)state;
    char name[64], stream[2048];
    struct kit_seen seen;
    name_of_card(RULES(""), name);
    snprintf(stream, sizeof stream,
             EVENT("{\"index\":0,\"delta\":{\"content\":\"a %.9s\"}},{\"index\":1,\"delta\":{\"content\":\"b %.5s\"}}")
                 EVENT("{\"index\":1,\"delta\":{\"content\":\"%s\"}},{\"index\":0,\"delta\":{\"content\":\"%s\"}}")
                     FINISH("stop") EVENT("{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}") DONE,
             name, name, name + 5, name + 9);
    struct rein_policy *policy = kit_policy(RULES(""));
    struct kit_run run = run_of(policy, stream);
    run.prompt = CARD;
    run.mask_key = key;
    run.choices = 2;
    for (run.chunk = 1; run.chunk < 50; run.chunk += 6) {
        kit_run(&run, &seen);
        assert_string_equal(kit_content(&seen, 0), "a " CARD);
        assert_string_equal(kit_content(&seen, 1), "b " CARD);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_stands_where),
        cmocka_unit_test(parts_share_a_value),
        cmocka_unit_test(what_is_not_enforced_masks_nothing),
        cmocka_unit_test(what_does_not_restore_stays_masked),
        cmocka_unit_test(judges_get_the_masked_prompt),
        cmocka_unit_test(comes_back_in_events_and_bodies),
        cmocka_unit_test(what_a_rule_claims_does_not_come_back),
        cmocka_unit_test(a_rule_that_finds_all_placeholders_acts),
        cmocka_unit_test(holds_nothing_else),
        cmocka_unit_test(comes_back_where_texts_are_repeated),
        cmocka_unit_test(comes_back_in_each_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
