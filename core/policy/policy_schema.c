/* The policy's table: every key, its type, its default and one line on what it does.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "policy/panel.h"
#include "rein/doc.h"

/* The orders of these lists are those of the enums in rein.h or of the arrays in policy.c that read them. */
static const char *const deliver_words[] = {"off", "instruct", "prefill", "auto", NULL};
static const char *const when_words[] = {"never", "risky", "always", NULL};
static const char *const show_words[] = {"hide", "stream", NULL};
static const char *const release_words[] = {"stream", "sentence", "end", "auto", NULL};
static const struct rein_old_word release_old_words[] = {{"verdict", "end"}, {NULL, NULL}};
static const char *const answer_words[] = {"after_reasoning", NULL};
static const char *const channel_words[] = {"prompt", "reasoning", "answer", "tool", NULL};
static const char *const role_words[] = {"system", "user", "assistant", "tool", NULL};
/* As enum rein_severity, without the first, which is not a word of files. */
static const char *const severity_words[] = {"info", "low", "medium", "high", "critical", NULL};
static const char *const match_words[] = {"raw", "folded", NULL};
static const char *const fallback_words[] = {"refuse", "cut_response", NULL};
static const char *const finish_words[] = {"content_filter", "stop", NULL};
static const char *const before_words[] = {"error", "reply", NULL};
static const char *const upstream_errors_words[] = {"pass", "withhold", NULL};
static const char *const unknown_words[] = {"refuse", "drop", "pass", NULL};
static const char *const parts_words[] = {"refuse", "pass", NULL};
static const char *const combine_words[] = {"any", "all", "majority", "mean", NULL};
static const char *const ask_when_words[] = {"always", "risky", "uncertain", NULL};
static const char *const on_error_words[] = {"words", "open", "closed", NULL};
static const char *const log_words[] = {"none", "evidence", "redacted", "full", NULL};
/* As enum rein_action, without "allow", which is not an action in files. */
static const char *const pattern_action_words[] = {"record", "cut_reasoning", "steer", "cut_response", "refuse", NULL};
static const char *const rule_action_words[] = {"record", "redact", "cut_reasoning", "steer", "cut_response",
                                                "refuse", NULL};

#define WHEN(path_of_when, known_when)                                                                                 \
    {.path = path_of_when, .type = REIN_TYPE_MAP, .flags = REIN_KEY_ADDED, .about = known_when},                       \
        {.path = path_of_when ".prompt_risk",                                                                          \
         .type = REIN_TYPE_TEXT,                                                                                       \
         .flags = REIN_KEY_ADDED,                                                                                      \
         .example = "\">= 0.8\"",                                                                                      \
         .about = "a bound of the prompt's risk, such as \">= 0.8\""},                                                 \
        {.path = path_of_when ".harms",                                                                                \
         .type = REIN_TYPE_TEXTS,                                                                                      \
         .flags = REIN_KEY_ADDED | REIN_KEY_ONE_OR_MANY,                                                               \
         .min = 1,                                                                                                     \
         .max = 64,                                                                                                    \
         .example = "[self_harm]",                                                                                     \
         .about = "one of these harms is named by the prompt; they are the lexicons' categories"},                     \
    {                                                                                                                  \
        .path = path_of_when ".outcome_risk", .type = REIN_TYPE_TEXT, .flags = REIN_KEY_ADDED,                         \
        .example = "\">= 0.5\"", .about = "a bound of the outcome risk so far, such as \">= 0.5\"; it needs `model`"   \
    }

#define WORDS(path_of_words, words_flags, words_example, words_about)                                                  \
    {.path = path_of_words,                                                                                            \
     .type = REIN_TYPE_TEXTS,                                                                                          \
     .flags = REIN_KEY_ADDED | REIN_KEY_ONE_OR_MANY | REIN_KEY_OR_MAP | (words_flags),                                 \
     .min = 1,                                                                                                         \
     .max = 50000,                                                                                                     \
     .example = words_example,                                                                                         \
     .about = words_about},                                                                                            \
    {                                                                                                                  \
        .path = path_of_words ".file", .type = REIN_TYPE_TEXTS, .flags = REIN_KEY_REQUIRED | REIN_KEY_ONE_OR_MANY,     \
        .min = 1, .max = 16, .example = "code_names.txt",                                                              \
        .about = "names of files in the folder of lists: an entry a line, # begins a comment"                          \
    }

#define REFUSAL(path_of_refusal, this)                                                                                 \
    {.path = path_of_refusal ".message",                                                                               \
     .type = REIN_TYPE_TEXT,                                                                                           \
     .flags = REIN_KEY_ADDED,                                                                                          \
     .min = 1,                                                                                                         \
     .max = 2000,                                                                                                      \
     .example = "Please call the number on the back of your card.",                                                    \
     .about = "the text that the client gets if this " this " refuses; the default is `refusal.message`"},             \
    {                                                                                                                  \
        .path = path_of_refusal ".finish_reason", .type = REIN_TYPE_WORD, .flags = REIN_KEY_ADDED,                     \
        .words = finish_words, .example = "stop",                                                                      \
        .about = "the finish_reason of a choice that this " this " ends; the default is `refusal.finish_reason`"       \
    }

#define PATTERN(pattern_path, pattern_about)                                                                           \
    {.path = pattern_path, .type = REIN_TYPE_MAP, .about = pattern_about},                                             \
        {.path = pattern_path ".action",                                                                               \
         .type = REIN_TYPE_WORD,                                                                                       \
         .flags = REIN_KEY_REQUIRED,                                                                                   \
         .words = pattern_action_words,                                                                                \
         .example = "record",                                                                                          \
         .about = "what the pattern does when it is found"},                                                           \
        {.path = pattern_path ".threshold",                                                                            \
         .type = REIN_TYPE_NUMBER,                                                                                     \
         .min = 0,                                                                                                     \
         .max = 1,                                                                                                     \
         .example = "0.7",                                                                                             \
         .about = "the score from which it counts as found; the default is a measured value"},                         \
        {.path = pattern_path ".shadow",                                                                               \
         .type = REIN_TYPE_BOOL,                                                                                       \
         .fallback = "false",                                                                                          \
         .example = "true",                                                                                            \
         .about = "judge and record, but do not act"},                                                                 \
        REFUSAL(pattern_path, "pattern"),                                                                              \
        WHEN(pattern_path ".when", "the pattern counts only if all of these hold when it is found")

static const struct rein_key policy_keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "What to say first, what to look for, and what to do about it."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .example = "1",
     .about = "the version of this format"},
    {.path = "name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "support-bot",
     .about = "the name that routes, headers and decisions use for it"},

    {.path = "extends",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_ADDED,
     .example = "house",
     .about =
         "the name of another policy that this one begins with: what stands here replaces what stands there, key by "
         "key; rules and judges are matched by their ids, and new ones come behind"},
    {.path = "shadow",
     .type = REIN_TYPE_BOOL,
     .flags = REIN_KEY_ADDED,
     .fallback = "false",
     .example = "true",
     .about =
         "for the whole policy: judge and record everything, but do not act. No prefix is delivered, and reasoning "
         "is neither hidden nor held"},

    {.path = "prefix",
     .type = REIN_TYPE_MAP,
     .about = "the safe reasoning prefix; without this section none is delivered"},
    {.path = "prefix.template",
     .type = REIN_TYPE_NAME,
     .fallback = "checklist",
     .example = "checklist",
     .about = "the template with which the reasoning should begin"},
    {.path = "prefix.deliver",
     .type = REIN_TYPE_WORD,
     .words = deliver_words,
     .fallback = "auto",
     .example = "instruct",
     .about = "prefill: the reasoning begins with it, or the request fails; instruct: an instruction asks for it; "
              "auto: prefill where it is verified, otherwise instruct; off: not at all"},
    {.path = "prefix.when",
     .type = REIN_TYPE_WORD,
     .words = when_words,
     .fallback = "risky",
     .example = "always",
     .about = "always; risky: only for prompts whose signals call them risky; never"},
    {.path = "prefix.show",
     .type = REIN_TYPE_BOOL,
     .fallback = "false",
     .example = "true",
     .about = "whether the reasoning that the client gets begins with a prefilled prefix, as the model's own does"},

    {.path = "reasoning", .type = REIN_TYPE_MAP, .about = "what happens to the reasoning"},
    {.path = "reasoning.show",
     .type = REIN_TYPE_WORD,
     .words = show_words,
     .fallback = "stream",
     .example = "hide",
     .about = "stream: the client gets the reasoning; hide: it does not"},
    {.path = "reasoning.release",
     .type = REIN_TYPE_WORD,
     .words = release_words,
     .old_words = release_old_words,
     .fallback = "sentence",
     .example = "auto",
     .about = "auto: as soon as neither a rule nor a pattern that acts can claim it: only a sentence that could "
              "complete such a pattern waits until it is judged; stream: as soon as no rule can claim it; sentence: "
              "every sentence once it is complete and judged; end: all of it when the reasoning has ended"},
    {.path = "answer", .type = REIN_TYPE_MAP, .about = "what happens to the answer"},
    {.path = "answer.release",
     .type = REIN_TYPE_WORD,
     .words = answer_words,
     .fallback = "after_reasoning",
     .example = "after_reasoning",
     .about = "the answer is released after the reasoning has ended and is judged"},

    {.path = "patterns",
     .type = REIN_TYPE_MAP,
     .about = "the risky patterns of a trace; a pattern that is not named is off"},
    PATTERN("patterns.lack_of_safety_awareness", "the reasoning about a harmful request never says that it is harmful"),
    PATTERN("patterns.strong_vacillation",
            "the reasoning recognises the harm, then considers delivering the core of it"),
    PATTERN("patterns.weak_vacillation",
            "the reasoning rejects the core, but considers keeping persona, scenario or tone; may only be recorded"),
    PATTERN("patterns.harmful_additions", "the reasoning contains a specific harmful method or step"),
    {.path = "patterns.inconsistency", .type = REIN_TYPE_MAP, .about = "reasoning and answer decide differently"},
    PATTERN("patterns.inconsistency.complies", "the reasoning refuses, the answer complies"),
    PATTERN("patterns.inconsistency.refuses", "the reasoning accepts, the answer refuses"),
    {.path = "patterns.outcome_risk",
     .type = REIN_TYPE_MAP,
     .flags = REIN_KEY_ADDED,
     .about = "the learned score: reasoning that is about harm and goes along; it needs `model`"},
    PATTERN("patterns.outcome_risk.reasoning", "the score of the reasoning, at the end of each sentence"),
    {.path = "patterns.outcome_risk.reasoning.min_sentences",
     .type = REIN_TYPE_INT,
     .min = 1,
     .max = 1000,
     .fallback = "5",
     .example = "8",
     .about = "the sentences that the reasoning must have before its score counts"},
    PATTERN("patterns.outcome_risk.answer",
            "the score of the reasoning and the answer's beginning, once. The beginning is held only where prompt or "
            "reasoning is about harm"),
    {.path = "patterns.outcome_risk.answer.bytes",
     .type = REIN_TYPE_INT,
     .min = 300,
     .max = 600,
     .fallback = "600",
     .example = "400",
     .about = "how much of the answer is scored: its sentences up to the one that reaches so many bytes"},

    {.path = "rules", .type = REIN_TYPE_LIST, .max = 1000, .about = "content rules of your own"},
    {.path = "rules[]",
     .type = REIN_TYPE_MAP,
     .about = "one rule: exactly one of literal, words, regex, builtin and prompt"},
    {.path = "rules[].id",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "card-number",
     .about = "the name that findings use for it; unique in the policy"},
    {.path = "rules[].channels",
     .type = REIN_TYPE_WORDS,
     .min = 1,
     .words = channel_words,
     .fallback = "[reasoning, answer, tool]",
     .example = "[prompt, answer]",
     .about = "where to search; a rule on any channel of the response also searches strings in unknown fields"},
    {.path = "rules[].literal",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 1000,
     .example = "[\"#internal-only\", \"#draft\"]",
     .about = "words or phrases, one or a list"},
    {.path = "rules[].regex",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 4096,
     .example = "'CASE-[0-9]{8}'",
     .about = "a regular expression"},
    {.path = "rules[].builtin",
     .type = REIN_TYPE_NAME,
     .example = "card_number",
     .about = "a built-in matcher, such as card_number: [all of them](builtins.md)"},
    WORDS("rules[].words", 0, "[project heron, project kestrel]",
          "whole words and phrases, in any white space; thousands cost what a few do"),
    {.path = "rules[].prompt",
     .type = REIN_TYPE_MAP,
     .flags = REIN_KEY_ADDED,
     .about = "no text, but what is known of the prompt as a whole: the rule is found if all of these hold when the "
              "prompt is complete"},
    {.path = "rules[].prompt.risk",
     .type = REIN_TYPE_TEXT,
     .example = "\">= 0.8\"",
     .about = "a bound of the prompt's risk, such as \">= 0.8\""},
    {.path = "rules[].prompt.harms",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 64,
     .example = "[self_harm]",
     .about = "one of these harms is named by the prompt; they are the lexicons' categories"},
    {.path = "rules[].match",
     .type = REIN_TYPE_WORD,
     .words = match_words,
     .example = "folded",
     .about = "raw: the text as it is; folded: without differences of case, width, zero-width characters and "
              "look-alike letters. The default is folded for literals and words, raw for regexes and built-ins"},
    {.path = "rules[].max_bytes",
     .type = REIN_TYPE_INT,
     .min = 1,
     .max = 65536,
     .example = "64",
     .about = "the longest match; required if the rule itself has no bound"},
    {.path = "rules[].action",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_REQUIRED,
     .words = rule_action_words,
     .example = "redact",
     .about = "what a match does"},
    {.path = "rules[].replacement",
     .type = REIN_TYPE_TEXT,
     .max = 256,
     .fallback = "[redacted]",
     .example = "\"[card number]\"",
     .about = "the text that replaces the match, for `redact`"},
    {.path = "rules[].restore",
     .type = REIN_TYPE_BOOL,
     .flags = REIN_KEY_ADDED,
     .fallback = "false",
     .example = "true",
     .about =
         "for `redact` on prompts: each value gets a placeholder of its own, such as `[card-number:K7QX2M9A]`, and "
         "where the answer repeats one exactly, outside of links, the client gets the value back"},
    {.path = "rules[].shadow",
     .type = REIN_TYPE_BOOL,
     .fallback = "false",
     .example = "true",
     .about = "judge and record, but do not act"},
    {.path = "rules[].near",
     .type = REIN_TYPE_MAP,
     .flags = REIN_KEY_ADDED,
     .about = "a match counts only near one of these words"},
    WORDS("rules[].near.words", REIN_KEY_REQUIRED, "[card, credit card]",
          "whole words and phrases; one of them has to stand near the match"),
    {.path = "rules[].near.before",
     .type = REIN_TYPE_INT,
     .min = 0,
     .max = 4096,
     .fallback = "64",
     .example = "80",
     .about = "the word lies in so many bytes before the match"},
    {.path = "rules[].near.behind",
     .type = REIN_TYPE_INT,
     .min = 0,
     .max = 4096,
     .fallback = "0",
     .example = "40",
     .about = "or in so many bytes behind it. The match is held for so long: this counts towards `hold.max_bytes`"},
    {.path = "rules[].except",
     .type = REIN_TYPE_MAP,
     .flags = REIN_KEY_ADDED,
     .about = "what is not meant: a match that is one of these, or lies in one, is none"},
    WORDS("rules[].except.words", 0, "[heron island]", "whole words and phrases"),
    {.path = "rules[].except.regex",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ADDED | REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 64,
     .example = "'CASE-0{8}'",
     .about = "regular expressions, which see the text as the rule does"},
    {.path = "rules[].except.values",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ADDED | REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 1000,
     .example = "[\"4111 1111 1111 1111\"]",
     .about = "texts that the match may be; blanks, marks and the case of letters make no difference"},
    WHEN("rules[].when", "the rule finds only if all of these hold when a match is decided"),
    {.path = "rules[].roles",
     .type = REIN_TYPE_WORDS,
     .flags = REIN_KEY_ADDED,
     .min = 1,
     .words = role_words,
     .example = "[user, tool]",
     .about = "of prompts: whose messages to search; the default is all. A developer's are the system's, and a message "
              "of another role is searched in any case"},
    REFUSAL("rules[]", "rule"),
    {.path = "rules[].secret",
     .type = REIN_TYPE_BOOL,
     .flags = REIN_KEY_ADDED,
     .fallback = "false",
     .example = "true",
     .about = "what matches is masked wherever Rein keeps text, also where another rule or a pattern quotes it. What "
              "built-ins match always is"},
    {.path = "rules[].severity",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_ADDED,
     .words = severity_words,
     .example = "high",
     .about = "how bad a match is; recorded with the finding"},
    {.path = "rules[].tags",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ADDED | REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 16,
     .example = "[pii, cards]",
     .about = "names of your own, such as pii; recorded with the finding"},

    {.path = "lexicons",
     .type = REIN_TYPE_TEXTS,
     .max = 64,
     .fallback = "[english]",
     .example = "[english]",
     .about =
         "the lexicons whose signals are searched; the default is used only if a pattern or `when: risky` needs one"},

    {.path = "model",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_ADDED,
     .example = "harm-en",
     .about = "the weights of the learned score; without this key there is none, and words alone are judged"},

    {.path = "steer", .type = REIN_TYPE_MAP, .about = "how a response is steered"},
    {.path = "steer.template",
     .type = REIN_TYPE_NAME,
     .fallback = "corrective",
     .example = "corrective",
     .about = "the template with which a restart begins"},
    {.path = "steer.max_attempts",
     .type = REIN_TYPE_INT,
     .min = 1,
     .max = 5,
     .fallback = "2",
     .example = "3",
     .about = "upstream calls in all, including the first"},
    {.path = "steer.max_added_ms",
     .type = REIN_TYPE_INT,
     .min = 0,
     .max = 600000,
     .fallback = "10000",
     .example = "5000",
     .about = "no restart begins later than this after the first one was needed, in ms; 0: no restarts"},
    {.path = "steer.fallback",
     .type = REIN_TYPE_WORD,
     .words = fallback_words,
     .fallback = "refuse",
     .example = "cut_response",
     .about = "what is done when attempts or time have run out"},

    {.path = "refusal", .type = REIN_TYPE_MAP, .about = "how a refusal reads"},
    {.path = "refusal.message",
     .type = REIN_TYPE_TEXT,
     .min = 1,
     .max = 2000,
     .fallback = "I can't help with that.",
     .example = "\"We cannot help with this here.\"",
     .about = "the text that the client gets"},
    {.path = "refusal.finish_reason",
     .type = REIN_TYPE_WORD,
     .words = finish_words,
     .fallback = "content_filter",
     .example = "stop",
     .about = "the finish_reason of a refused choice"},
    {.path = "refusal.before_first_byte",
     .type = REIN_TYPE_WORD,
     .words = before_words,
     .fallback = "error",
     .example = "reply",
     .about = "how a refused prompt is answered: error: HTTP 400 with an error object; reply: a 200 with the refusal "
              "as its answer"},

    {.path = "upstream_errors",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_ADDED,
     .words = upstream_errors_words,
     .fallback = "pass",
     .example = "withhold",
     .about = "what a client reads when the upstream answers with an error: the upstream's own reason, if the rules "
              "would pass it as an answer, or a general sentence"},

    {.path = "request", .type = REIN_TYPE_MAP, .about = "what requests may contain"},
    {.path = "request.unknown",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_ADDED,
     .words = unknown_words,
     .fallback = "refuse",
     .example = "drop",
     .about = "fields that Rein does not know, and known ones that it would drop: refuse: the request is refused, and "
              "names the first; drop: they are removed, and the header x-rein-dropped and the decision name them; "
              "pass: unknown ones are forwarded, with every string and number in them judged as prompt, and known "
              "ones are dropped"},
    {.path = "request.unjudged_parts",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_ADDED,
     .words = parts_words,
     .fallback = "refuse",
     .example = "pass",
     .about = "parts of messages that cannot be judged: images, audio, files. pass: they are forwarded, the decision "
              "counts them, and the prompt counts as risky"},
    {.path = "request.allow",
     .type = REIN_TYPE_TEXTS,
     .max = 64,
     .fallback = "[]",
     .example = "[logit_bias, \"messages[].images\"]",
     .about = "fields that pass although Rein would refuse or drop them, because it does not know them or because "
              "they can move, hide or prefill the model's text; a path like `messages[].images` is a field of an "
              "inner object"},

    {.path = "hold", .type = REIN_TYPE_MAP, .about = "what may be held"},
    {.path = "hold.max_bytes",
     .type = REIN_TYPE_INT,
     .min = 1,
     .max = 65536,
     .fallback = "4096",
     .example = "8192",
     .about = "the longest text that a rule may hold; a rule that could hold more is refused"},
    {.path = "limits", .type = REIN_TYPE_MAP, .about = "limits of one response"},
    {.path = "limits.stream_bytes",
     .type = REIN_TYPE_INT,
     .min = 4096,
     .max = 16 << 20,
     .fallback = "262144",
     .example = "524288",
     .about = "events of one response that may be held at once, in bytes"},

    {.path = "judges",
     .type = REIN_TYPE_LIST,
     .max = POLICY_PANELS_MAX,
     .about = "panels of judges, which are asked for opinions"},
    {.path = "judges[]",
     .type = REIN_TYPE_MAP,
     .about = "one panel: whom to ask, about what, and what an opinion does"},
    {.path = "judges[].id",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "second-opinion",
     .about = "the name that findings use for it; unique among rules and panels"},
    {.path = "judges[].ask",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_REQUIRED | REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = POLICY_PANEL_JUDGES_MAX,
     .example = "[guard, second-guard]",
     .about = "names of judges of the server's config"},
    {.path = "judges[].combine",
     .type = REIN_TYPE_WORD,
     .words = combine_words,
     .fallback = "any",
     .example = "mean",
     .about =
         "how several opinions become one. any: the highest risk; all: the lowest; majority: the middle one; mean: "
         "their mean, by `weights`"},
    {.path = "judges[].weights",
     .type = REIN_TYPE_TEXTS,
     .max = POLICY_PANEL_JUDGES_MAX,
     .example = "[2, 1]",
     .about = "for mean: a number for each judge, in their order; the default is 1 each"},
    {.path = "judges[].channels",
     .type = REIN_TYPE_WORDS,
     .min = 1,
     .words = channel_words,
     .fallback = "[reasoning, answer]",
     .example = "[prompt, answer]",
     .about =
         "what is judged. prompt: before the upstream is called; reasoning, answer: while they stream, and at their "
         "ends; tool: the arguments, when they are complete"},
    {.path = "judges[].every",
     .type = REIN_TYPE_MAP,
     .about = "how often reasoning and answer are judged while they stream"},
    {.path = "judges[].every.sentences",
     .type = REIN_TYPE_INT,
     .min = 1,
     .max = 1000,
     .fallback = "8",
     .example = "4",
     .about = "after so many sentences; their text waits until the opinion is there"},
    {.path = "judges[].every.bytes",
     .type = REIN_TYPE_INT,
     .min = 64,
     .max = 65536,
     .fallback = "2000",
     .example = "1000",
     .about = "or at the end of the sentence after so many bytes"},
    {.path = "judges[].when",
     .type = REIN_TYPE_WORD,
     .words = ask_when_words,
     .fallback = "always",
     .example = "uncertain",
     .about =
         "always; risky: only if the prompt or the reasoning is called risky; uncertain: only while the score lies in "
         "`grey`"},
    {.path = "judges[].grey", .type = REIN_TYPE_MAP, .about = "for uncertain: the scores at which judges are asked"},
    {.path = "judges[].grey.from",
     .type = REIN_TYPE_NUMBER,
     .min = 0,
     .max = 1,
     .fallback = "0.2",
     .example = "0.3",
     .about = "for uncertain: the lowest score"},
    {.path = "judges[].grey.to",
     .type = REIN_TYPE_NUMBER,
     .min = 0,
     .max = 1,
     .fallback = "0.9",
     .example = "0.8",
     .about = "for uncertain: the highest score; above it the words are sure enough"},
    {.path = "judges[].risk_from",
     .type = REIN_TYPE_NUMBER,
     .min = 0,
     .max = 1,
     .fallback = "0.5",
     .example = "0.6",
     .about = "the risk from which the panel's opinion is a finding"},
    {.path = "judges[].action",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_REQUIRED,
     .words = pattern_action_words,
     .example = "steer",
     .about = "what such a finding does"},
    {.path = "judges[].on_error",
     .type = REIN_TYPE_WORD,
     .words = on_error_words,
     .fallback = "words",
     .example = "closed",
     .about =
         "if no judge gives an opinion. words: what the words say counts, for uncertain: a score in the upper half of "
         "`grey` is a finding; open: as if it were safe; closed: as if it were unsafe. A busy judge never counts as "
         "open"},
    {.path = "judges[].shadow",
     .type = REIN_TYPE_BOOL,
     .fallback = "false",
     .example = "true",
     .about = "ask and record, but do not act; nothing waits for the opinion"},
    REFUSAL("judges[]", "panel"),

    {.path = "log", .type = REIN_TYPE_MAP, .about = "what a decision keeps"},
    {.path = "log.text",
     .type = REIN_TYPE_WORD,
     .words = log_words,
     .fallback = "evidence",
     .example = "redacted",
     .about =
         "the text that is kept with a decision. evidence: what findings quote; redacted: also the prompt's and the "
         "response's texts, with all that a rule found masked; full: the same as they were said. What a rule marks as "
         "secret or personal is masked in each of them"},
    {.path = "log.channels",
     .type = REIN_TYPE_WORDS,
     .flags = REIN_KEY_ADDED,
     .min = 1,
     .words = channel_words,
     .fallback = "[prompt, reasoning, answer, tool]",
     .example = "[prompt, answer]",
     .about = "for redacted and full: whose texts are kept"},
    {.path = "log.max_bytes",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_ADDED,
     .unit = "bytes",
     .min = 1024,
     .max = 16777216,
     .fallback = "262144",
     .example = "65536",
     .about =
         "for redacted and full: how much is kept of one decision; at most half of it of the prompt. What does not "
         "fit is cut off, and the text is marked as not whole"},
    {.path = "log.keep_days",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_ADDED,
     .unit = "days",
     .min = 0,
     .max = 36500,
     .fallback = "0",
     .example = "30",
     .about = "after how many days text and evidence of this policy's decisions are removed; 0: as the server's "
              "store.keep_text_days says. The shorter of the two counts"},
    {.path = NULL},
};

const struct rein_schema *rein_schema_policy(void)
{
    static const struct rein_schema schema = {
        "policy", "Policy",
        "A policy says how the reasoning should begin, which risky patterns and content rules to look for, and what to "
        "do about findings. Its version is the SHA-256 of what it resolves to, including its templates, lexicons and "
        "model; comments, layout and the order of keys do not change it.",
        policy_keys};
    return &schema;
}
