/* Every channel of every dialect, streamed and not, under every action: what the client gets of a match in the middle
 * of the text. A combination that cannot be says why. SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "messageskit.h"
#include "view_responses.h"

enum { DIALECTS = 3, CHANNELS = 4, ACTIONS = 6, ANSWER_MAX = 4096 };
static const char *const channels[CHANNELS] = {"prompt", "reasoning", "answer", "tool"};
enum { PROMPT, REASONING, ANSWER, TOOL };
static const char *const actions[ACTIONS] = {"record", "redact", "cut_reasoning", "steer", "cut_response", "refuse"};
enum { RECORD, REDACT, CUT_REASONING, STEER, CUT_RESPONSE, REFUSE };

/* ---- what each upstream says: three texts, streamed and whole ---------------------------------------------------- */

static const char chat_stream[] =
    "data: "
    "{\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"%s\"}}]}\n\n"
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n"
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":"
    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"q\\\":\\\"%s\\\"}\"}}]}}]}\n\n"
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
static const char chat_body[] =
    "{\"id\":\"up\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"reasoning_content\":\"%s\","
    "\"content\":"
    "\"%s\",\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
    "\"{\\\"q\\\":\\\"%s\\\"}\"}}]},\"finish_reason\":\"stop\"}]}";
static const char messages_stream[] = MSTART MTHINKING(0) MTHINK(0, "%s") MSIGN(0) MSTOP(0) MTEXT(1) MSAY(1, "%s")
    MSTOP(1) MTOOL(2, "f") MINPUT(2, "{\\\"q\\\":\\\"%s\\\"}") MSTOP(2) MEND("end_turn") MLAST;
static const char messages_body[] =
    "{\"id\":\"up\",\"type\":\"message\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"%s\",\"signature\":"
    "\"c2ln\"},"
    "{\"type\":\"text\",\"text\":\"%s\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"q\":\"%s\"}}],"
    "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}";
#define RTHOUGHT "{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[],\"content\":[%s]}"
#define RSAID "{\"type\":\"message\",\"id\":\"ms\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[%s]}"
#define RCALL(arguments)                                                                                               \
    "{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"" arguments "\"}"
#define REVENT(n, type, members)                                                                                       \
    "event: " type "\ndata: {\"type\":\"" type "\",\"sequence_number\":" #n "," members "}\n\n"
static const char responses_stream[] =
    REVENT(0, "response.created",
           "\"response\":{\"id\":\"up\",\"object\":\"response\",\"status\":\"in_progress\",\"output\":[]}")
        REVENT(1, "response.output_item.added",
               "\"output_index\":0,\"item\":{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[],\"content\":[]}")
            REVENT(2, "response.content_part.added",
                   "\"item_id\":\"rs\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"reasoning_text\","
                   "\"text\":\"\"}")
                REVENT(3, "response.reasoning_text.delta",
                       "\"item_id\":\"rs\",\"output_index\":0,\"content_index\":0,\"delta\":\"%s\"")
                    REVENT(4, "response.output_item.added",
                           "\"output_index\":1,\"item\":{\"type\":\"message\",\"id\":\"ms\",\"role\":\"assistant\","
                           "\"content\":[]}") REVENT(5, "response.content_part.added",
                                                     "\"item_id\":\"ms\",\"output_index\":1,\"content_index\":0,"
                                                     "\"part\":{\"type\":\"output_text\",\"text\":\"\"}")
                        REVENT(6, "response.output_text.delta",
                               "\"item_id\":\"ms\",\"output_index\":1,\"content_index\":0,\"delta\":\"%s\"")
                            REVENT(7, "response.output_item.added",
                                   "\"output_index\":2,\"item\":{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":"
                                   "\"c\",\"name\":\"f\",\"arguments\":\"\"}")
                                REVENT(8, "response.function_call_arguments.delta",
                                       "\"item_id\":\"fc\",\"output_index\":2,\"delta\":\"{\\\"q\\\":\\\"%s\\\"}\"")
                                    REVENT(9, "response.completed",
                                           "\"response\":{\"id\":\"up\",\"object\":\"response\",\"status\":"
                                           "\"completed\",\"output\":[]}");
static const char responses_body[] =
    "{\"id\":\"up\",\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"reasoning\",\"id\":\"rs\","
    "\"summary\":[],\"content\":[{\"type\":\"reasoning_text\",\"text\":\"%s\"}]},{\"type\":\"message\",\"id\":\"ms\","
    "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"%s\"}]}," RCALL(
        "{\\\"q\\\":\\\"%s\\\"}") "]}";

static const struct {
    const char *name;
    const struct kit_view *view;
    const char *stream, *body;
} dialects[DIALECTS] = {
    {"chat", &kit_view_chat, chat_stream, chat_body},
    {"messages", &kit_view_messages, messages_stream, messages_body},
    {"responses", &kit_view_responses, responses_stream, responses_body},
};

/* ---- one cell ---------------------------------------------------------------------------------------------------- */

/* Why there is no such cell; NULL: there is. */
static const char *why_not(int channel, int action)
{
    if (channel == PROMPT && action != RECORD && action != REFUSE)
        return "a prompt goes to the upstream as it came, or not at all";
    if (channel != REASONING && action == CUT_REASONING)
        return "only reasoning can be cut alone";
    return NULL;
}

static struct rein_policy *policy_of(int channel, int action)
{
    static const char *const templates[] = {"version: 1\nname: check\nkind: corrective\ntext: Safe.\n"};
    char yaml[700];
    snprintf(yaml, sizeof yaml,
             "version: 1\nname: p\nreasoning: { show: stream, release: %s }\npatterns: {}\nlexicons: []\n"
             "refusal: { message: No., before_first_byte: reply }\n"
             "steer: { template: check, max_attempts: 2, fallback: refuse }\n"
             "rules:\n  - { id: mark, literal: swordfish, match: raw, channels: [%s], action: %s }\n",
             action == STEER ? "end" : "stream", channels[channel], actions[action]);
    return kit_policy_with(yaml, templates, 1);
}

/* What the upstream says: with `text` in the place of one of its texts (PROMPT: of none); `alone`: without others that
 * the client would see before. */
static struct span answer_of(const char *form, int channel, const char *text, bool alone, char out[ANSWER_MAX])
{
    const char *texts[CHANNELS] = {"", alone ? "" : "one", alone ? "" : "two", "three"};
    if (channel > PROMPT)
        texts[channel] = text;
    size_t len = 0;
    for (int next = REASONING; *form != '\0'; form++) { /* each %s is the next of them */
        bool is_place = form[0] == '%' && form[1] == 's';
        len += (size_t)snprintf(out + len, ANSWER_MAX - len, "%.*s", is_place ? INT_MAX : 1,
                                is_place ? texts[next] : form);
        next += is_place;
        form += is_place;
    }
    assert_true(len < ANSWER_MAX);
    return (struct span){out, len};
}

/* What is to be seen of the texts, one after the other. */
static const char *wanted_of(int channel, int action, bool is_body, bool is_object)
{
    static char wanted[200];
    const char *texts[CHANNELS] = {"", "one", "two", "{\"q\":\"three\"}"};
    const char *const as_said[CHANNELS] = {"", "a swordfish b", "a swordfish b", "{\"q\":\"a swordfish b\"}"};
    const char *const redacted[CHANNELS] = {"", "a [redacted] b", "a [redacted] b", "{\"q\":\"a [redacted] b\"}"};
    const char *const before[CHANNELS] = {"", "a ", "a ", "{\"q\":\"a "};
    if (action == STEER && channel == TOOL && !is_body) /* its name was shown, so the policy's fallback is taken */
        return "|No.|{\"q\":\"";
    bool is_over = action >= CUT_RESPONSE;
    if (action == RECORD || action == REDACT)
        texts[channel] = action == RECORD ? as_said[channel] : redacted[channel];
    if (action == CUT_REASONING || is_over)
        texts[channel] = before[channel];
    for (int later = channel + 1; later < CHANNELS && is_over; later++)
        texts[later] = "";
    if (is_over && is_body && is_object) /* an object stays one, but is empty */
        texts[TOOL] = "";
    bool refused_whole = action == REFUSE && (is_body || channel == PROMPT);
    if (refused_whole)
        texts[REASONING] = texts[ANSWER] = texts[TOOL] = "";
    const char *refusal = *texts[ANSWER] != '\0' ? "\nNo." : "No."; /* on a line of its own */
    snprintf(wanted, sizeof wanted, "%s|%s%s|%s", texts[REASONING], texts[ANSWER], action == REFUSE ? refusal : "",
             texts[TOOL]);
    return wanted;
}

static void check_cell(int dialect, int channel, bool is_body, int action)
{
    static char first[ANSWER_MAX], second[ANSWER_MAX];
    char seen_texts[400];
    const char *form = is_body ? dialects[dialect].body : dialects[dialect].stream;
    struct span good = answer_of(form, PROMPT, "", false, second);
    const char *said = action == STEER ? "swordfish b" : "a swordfish b"; /* what was shown cannot be taken back */
    struct rein_policy *policy = policy_of(channel, action);
    struct kit_run run = {.view = dialects[dialect].view,
                          .policy = policy,
                          .upstream = answer_of(form, channel, said, action == STEER, first),
                          .is_body = is_body,
                          .chunk = 50,
                          .prompt = channel == PROMPT ? "a swordfish" : "a"};
    if (action == STEER)
        run.restarts = &good, run.restarts_len = 1, run.prefix = "Safe?";
    struct kit_seen seen;
    kit_run(&run, &seen);
    snprintf(seen_texts, sizeof seen_texts, "%s|%s|%s", kit_reasoning(&seen, 0), kit_content(&seen, 0),
             kit_arguments(&seen, 0));
    const char *wanted = wanted_of(channel, action, is_body, dialects[dialect].view == &kit_view_messages);
    if (strcmp(seen_texts, wanted) != 0 || seen.broken > 0)
        print_error("%s, %s, %s, %s: '%s', wanted '%s' %s\n%.*s\n", dialects[dialect].name, channels[channel],
                    is_body ? "whole" : "streamed", actions[action], seen_texts, wanted, seen.why,
                    (int)bytes_len(&seen.out), bytes_span(&seen.out).data);
    assert_string_equal(seen_texts, wanted);
    assert_int_equal(seen.broken + seen.unreadable + seen.errors, 0);
    assert_int_equal(seen.decision.findings_len, 1);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

static void test_no_cell_is_empty(void **state)
{
    (void)state;
    unsigned cells = 0, without = 0;
    for (int channel = 0; channel < CHANNELS; channel++)
        for (int action = 0; action < ACTIONS; action++) {
            if (why_not(channel, action) != NULL) {
                print_message("%s, %s: none, because %s\n", channels[channel], actions[action],
                              why_not(channel, action));
                without += DIALECTS * 2;
                continue;
            }
            for (int dialect = 0; dialect < DIALECTS; dialect++)
                for (int is_body = 0; is_body < 2; is_body++, cells++)
                    check_cell(dialect, channel, is_body != 0, action);
        }
    assert_int_equal(cells + without, DIALECTS * 2 * CHANNELS * ACTIONS);
    print_message("%u cells, %u cannot be\n", cells, without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_cell_is_empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
