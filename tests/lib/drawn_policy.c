/* See drawn_policy.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "drawn_policy.h"

#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "modelkit.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

const struct drawn_rule drawn_rules[] = {
    {"builtin: card_number", {"4111 1111 1111 1111", "5500-0000-0000-0004", "4111111111111111", "4111 1111 1111"}},
    {"builtin: email", {"jo@example.org", "anna.b@mail.example.com", "x@y.example"}},
    {"builtin: iban", {"DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"}},
    {"builtin: phone", {"+49 30 1234567", "Tel. 030 1234567", "(212) 555-0123"}},
    {"builtin: private_key", {"-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\nMIIB"}},
    {"builtin: ssn", {"536-90-4399", "SSN 536904399"}},
    {"builtin: zero_width", {"plain\xE2\x80\x8Bword", "ha\xE2\x80\x8Drm"}},
    {"words: [illegal, harmful, refuse, step by step, bomb, poison]",
     {"illegal", "harmful", "refuse", "Step  by step", "bomb", "poison"}},
    {"literal: [open sesame, zap]",
     {"open sesame", "OPEN SESAME", "zapped",
      "z\xE2\x80\x8B"
      "ap"}},
    {"regex: 'CASE-[0-9]{4,8}'", {"CASE-123456", "CASE-1234", "CASE-123"}},
    {"regex: '[A-Z][a-z]{2,8}[.] [A-Z][a-z]{2,8} Street'", {"Oak. Park Street", "Hill. High Street", "Oak. Park"}},
    {"{ regex: 'ref: ?[a-z0-9]{1,12}( [a-z0-9]{1,12}){0,2}', match: folded }",
     {"ref: a1 b2", "REF:xx", "ref: it is so"}},
    {"{ regex: '[0-9]{4}', near: { words: [pin, pin code], before: 40, behind: 20 } }",
     {"pin 1234", "1234 is the pin", "pin code: 9876", "7777"}},
    {"{ words: nova, except: { words: [nova scotia], regex: 'nova-[0-9]{1,4}' } }",
     {"nova", "Nova Scotia", "nova-12", "nova."}},
    {"regex: '(harmful|illegal|cannot help|can.t help|will not provide|here is how)[a-z ,]{0,20}'",
     {"harmful to others", "illegal, so", "I can't help with that", "here is how it works", "will not provide"}},
    {"regex: '(I|We|we) (will|can|should|must|cannot|could) [a-z]{2,12}'",
     {"I will explain", "we should refuse", "I must decline", "I could help", "We can proceed"}},
    {"regex: '[.!?] (Then|So|But|Step|First)'", {". Then", "? So", "! But", ". First"}},
    {"{ regex: '[a-z]{0,4}\xC3\xA9[a-z\xC3\xA9]{1,6}', max_bytes: 40 }", {"\xC3\xA9t\xC3\xA9", "caf\xC3\xA9s"}},
    {"literal: [\"\xE6\x9C\xBA\xE5\xAF\x86\", na\xC3\xAFve plan]",
     {"\xE6\x9C\xBA\xE5\xAF\x86\xE6\x96\x87\xE4\xBB\xB6", "na\xC3\xAFve plan", "naive plan"}},
    {"regex: '\"token\": ?\"[a-z ]{1,24}\"'", {"\"token\": \"abc def\"", "\"token\":\"i will help\""}},
    {"regex: 'begin [a-z ,]{1,120} end'", {"begin of a long way to the end", "begin it", "begin i should refuse end"}},
    {"words: { file: streets.txt }", {"High Street", "mill   lane", "High Streets"}},
    {"{ literal: [password], near: { words: [admin], before: 64 }, except: { values: [\"password\"] } }",
     {"admin password", "password"}},
};
const size_t drawn_rules_len = COUNT(drawn_rules);
_Static_assert(COUNT(drawn_rules) <= 64, "a set of them is a number");

const char *const drawn_judges[DRAWN_JUDGES] = {"guard", "wild", "third"};

/* ---- what policies refer to ---- */

enum { MODELS = 2, TEMPLATES = 3 };
static struct policy_files_folder lexicons, models, shipped_templates;
static char *tiny;
static struct rein_policy *peer; /* with the lexicon */

static void read_folder(struct policy_files_folder *out, const char *path)
{
    struct rein_problems *problems;
    if (rein_problems_new(&problems) != 0 || policy_files_read(out, path, true, problems) != 0)
        abort();
    rein_problems_free(problems);
}

void drawn_policies_open(void)
{
    if (lexicon_cache_use_own() != 0)
        abort();
    read_folder(&lexicons, REIN_SOURCE_DIR "/config/lexicons");
    read_folder(&models, REIN_SOURCE_DIR "/config/models");
    read_folder(&shipped_templates, REIN_SOURCE_DIR "/config/templates");
    tiny = modelkit_usual();
}

void drawn_policies_close(void)
{
    rein_policy_unref(peer);
    peer = NULL;
    policy_files_fini(&lexicons);
    policy_files_fini(&models);
    policy_files_fini(&shipped_templates);
    free(tiny);
}

const char *drawn_lexicon(void)
{
    return lexicons.sources[0].text;
}

static struct rein_policy *load_drawn(const struct bytes *yaml)
{
    static const struct rein_source list = {"lists/streets.txt", "# Streets\nHigh Street\n\n  Mill   Lane  \n", 39};
    struct rein_judge_name judges[DRAWN_JUDGES];
    for (size_t i = 0; i < DRAWN_JUDGES; i++)
        judges[i] = (struct rein_judge_name){drawn_judges[i], "1", 15};
    bool is_tiny = strstr(bytes_span(yaml).data, "\nmodel: tiny\n") != NULL;
    struct rein_source source = {"policy.yaml", bytes_span(yaml).data, strlen(bytes_span(yaml).data)};
    struct rein_source small = {"tiny.yaml", tiny, strlen(tiny)};
    struct rein_library library = {.templates = shipped_templates.sources,
                                   .templates_len = shipped_templates.len,
                                   .lexicons = lexicons.sources,
                                   .lexicons_len = lexicons.len,
                                   .models = is_tiny ? &small : models.sources,
                                   .models_len = is_tiny ? 1 : models.len,
                                   .lists = &list,
                                   .lists_len = 1,
                                   .judges = judges,
                                   .judges_len = DRAWN_JUDGES};
    struct rein_problems *problems;
    struct rein_policy *policy = NULL;
    if (strstr(source.text, "\nmodel: ") == NULL)
        library.models_len = 0;
    if (rein_problems_new(&problems) != 0)
        abort();
    int rv = rein_policy_load_beside(&policy, &source, &library, &peer, peer != NULL, problems);
    if (rv != 0 && rv != REIN_EPOLICY)
        abort();
    if (rv != 0 && getenv("REIN_DRAWN_WHY") != NULL)
        for (size_t i = 0; i < rein_problems_count(problems); i++)
            fprintf(stderr, "refused: %s: %s\n", rein_problems_at(problems, i)->key,
                    rein_problems_at(problems, i)->message);
    rein_problems_free(problems);
    return policy;
}

/* ---- drawing ---- */

static const char *const bools[] = {"false", "true"};
static const char *const bounds[] = {">= 0.1", ">= 0.5", "< 0.5", "<= 0.9", "> 0.02", "< 0.2"};
static const char *const harms[] = {"violence", "weapons", "cyber", "fraud", "hate", "drugs", "self_harm", "privacy"};
static const char *const channel_words[] = {"prompt", "reasoning", "answer", "tool"};
static const char *const panel_actions[] = {"record", "cut_reasoning", "steer", "cut_response", "refuse"};

/* One to all of `from` to `to`, as a flow list's inside. */
static unsigned draw_channels(struct drawn *d, unsigned from, char out[64])
{
    unsigned set = 0;
    *out = '\0';
    while (set == 0)
        for (unsigned c = from; c < 4; c++)
            set |= drawn_chance(d, 50) ? 1u << c : 0;
    for (unsigned c = 0; c < 4; c++)
        if ((set >> c & 1) != 0) {
            strcat(out, *out != '\0' ? ", " : "");
            strcat(out, channel_words[c]);
        }
    return set;
}

/* `, when: {...}` or nothing. */
static void draw_when(struct drawn *d, struct bytes *out, unsigned percent, bool has_model)
{
    bool is_there = drawn_chance(d, percent);
    size_t which = drawn_below(d, 7) + 1;
    const char *risk = DRAWN_OF(d, bounds), *harm = DRAWN_OF(d, harms), *other = DRAWN_OF(d, harms),
               *outcome = DRAWN_OF(d, bounds);
    which &= has_model ? 7 : 3;
    if (!is_there || which == 0)
        return;
    drawn_put(out, ", when: { ");
    if ((which & 1) != 0)
        drawn_put(out, "prompt_risk: \"%s\"%s", risk, which > 1 ? ", " : "");
    if ((which & 2) != 0)
        drawn_put(out, "harms: [%s%s%s]%s", harm, harm != other ? ", " : "", harm != other ? other : "",
                  which > 3 ? ", " : "");
    if ((which & 4) != 0)
        drawn_put(out, "outcome_risk: \"%s\"", outcome);
    drawn_put(out, " }");
}

static void draw_refusal(struct drawn *d, struct bytes *out, const char *action)
{
    bool says = drawn_chance(d, 25), stops = drawn_chance(d, 15);
    if (says && strcmp(action, "refuse") == 0)
        drawn_put(out, ", message: \"Not this one.\"");
    if (stops && strcmp(action, "refuse") == 0)
        drawn_put(out, ", finish_reason: stop");
}

static void draw_rule(struct drawn *d, struct bytes *out, struct drawn_policy *p, size_t n, bool has_model)
{
    static const char *const actions[] = {"record", "record",        "redact",       "redact",
                                          "refuse", "cut_reasoning", "cut_response", "steer"};
    static const char *const prompt_actions[] = {"record", "redact", "refuse"};
    struct bytes rule;
    char channels[64];
    size_t kind = drawn_below(d, drawn_rules_len);
    bool on_prompt = drawn_chance(d, 30), secret = drawn_chance(d, 60), shadow = drawn_chance(d, 15),
         roles = drawn_chance(d, 15), restores = drawn_chance(d, 40), severe = drawn_chance(d, 10);
    unsigned set = draw_channels(d, on_prompt ? 0 : 1, channels);
    const char *action = on_prompt ? DRAWN_OF(d, prompt_actions) : DRAWN_OF(d, actions);
    const char *search = drawn_rules[kind].search;
    size_t inner = *search == '{' ? strlen(search) - 4 : strlen(search);
    bytes_init(&rule, 1 << 16);
    if (strcmp(action, "cut_reasoning") == 0)
        strcpy(channels, "reasoning");
    drawn_put(&rule, "  - { id: r%zu, channels: [%s], %.*s, action: %s, secret: %s, shadow: %s", n, channels,
              (int)inner, *search == '{' ? search + 2 : search, action, bools[secret], bools[shadow]);
    draw_refusal(d, &rule, action);
    if ((set & 1) != 0 && roles)
        drawn_put(&rule, ", roles: [user, tool]");
    if ((set & 1) != 0 && restores && strcmp(action, "redact") == 0)
        drawn_put(&rule, ", restore: true");
    if (severe)
        drawn_put(&rule, ", severity: high, tags: [pii]");
    draw_when(d, &rule, 15, has_model);
    drawn_put(&rule, " }\n");
    if (drawn_part(d)) {
        p->rules |= UINT64_C(1) << kind;
        drawn_put(out, "%.*s", (int)bytes_len(&rule), bytes_span(&rule).data);
    }
    bytes_fini(&rule);
}

static void draw_prompt_rule(struct drawn *d, struct bytes *out)
{
    static const char *const actions[] = {"record", "refuse"};
    bool by_risk = drawn_chance(d, 50), shadow = drawn_chance(d, 30);
    const char *risk = DRAWN_OF(d, bounds), *harm = DRAWN_OF(d, harms), *action = DRAWN_OF(d, actions);
    if (!drawn_part(d))
        return;
    if (by_risk)
        drawn_put(out, "  - { id: by-prompt, prompt: { risk: \"%s\" }, action: %s, shadow: %s }\n", risk, action,
                  bools[shadow]);
    else
        drawn_put(out, "  - { id: by-prompt, prompt: { harms: [%s] }, action: %s, shadow: %s }\n", harm, action,
                  bools[shadow]);
}

/* What finds nothing in drawn texts, but may begin to, and masks. Rules that steer or cut the reasoning let sentences
 * wait, so with one of these a response is another one. */
static void draw_idle_rule(struct drawn *d, struct bytes *out)
{
    static const char *const searches[] = {"literal: qqq-nowhere", "regex: 'I w[a-z]{2,8} qqq'",
                                           "words: [the qqq, qqq]", "regex: '[0-9]{2,8}qq'", "words: [qqqq, qq qq]"};
    static const char *const actions[] = {"record", "redact", "refuse", "cut_response"};
    char channels[64];
    (void)draw_channels(d, 1, channels);
    const char *search = DRAWN_OF(d, searches), *action = DRAWN_OF(d, actions);
    bool secret = drawn_chance(d, 50), shadow = drawn_chance(d, 20);
    drawn_put(out, "  - { id: idle, channels: [%s], %s, action: %s, secret: %s, shadow: %s }\n", channels, search,
              action, bools[secret], bools[shadow]);
}

static void draw_pattern(struct drawn *d, struct bytes *out, const char *name, const char *more, bool has_model)
{
    static const char *const thresholds[] = {"0.05", "0.05", "0.05", "0.2", "0.4", NULL, "0.9"};
    struct bytes pattern;
    bool is_there = drawn_chance(d, 70), shadow = drawn_chance(d, 15),
         is_record = strcmp(name, "weak_vacillation") == 0;
    const char *action = drawn_chance(d, 45) || is_record ? "record" : DRAWN_OF(d, panel_actions);
    const char *threshold = DRAWN_OF(d, thresholds);
    bytes_init(&pattern, 1 << 16);
    const char *plain = strchr(name, '.') != NULL ? strchr(name, '.') + 1 : name;
    drawn_put(&pattern, "%s: { action: %s, shadow: %s", plain, action, bools[shadow]);
    if (threshold != NULL)
        drawn_put(&pattern, ", threshold: %s", threshold);
    drawn_put(&pattern, "%s", more);
    draw_refusal(d, &pattern, action);
    draw_when(d, &pattern, 12, has_model);
    if (drawn_part(d) && is_there)
        drawn_put(out, "%s%.*s }\n", strchr(name, '.') != NULL ? "    " : "  ", (int)bytes_len(&pattern),
                  bytes_span(&pattern).data);
    bytes_fini(&pattern);
}

static void draw_group(struct drawn *d, struct bytes *out, const char *group, const char *first, const char *second,
                       const char *first_more, const char *second_more, bool has_model)
{
    struct bytes inner;
    char name[80];
    bytes_init(&inner, 1 << 16);
    snprintf(name, sizeof name, "%s.%s", group, first);
    draw_pattern(d, &inner, name, first_more, has_model);
    snprintf(name, sizeof name, "%s.%s", group, second);
    draw_pattern(d, &inner, name, second_more, has_model);
    if (bytes_len(&inner) > 0)
        drawn_put(out, "  %s:\n%.*s", group, (int)bytes_len(&inner), bytes_span(&inner).data);
    bytes_fini(&inner);
}

static void draw_patterns(struct drawn *d, struct bytes *out, bool has_model)
{
    struct bytes inner;
    char sentences[40], bytes[40];
    size_t n = 1 + drawn_below(d, 6), most = 300 + drawn_below(d, 301);
    snprintf(sentences, sizeof sentences, ", min_sentences: %zu", n);
    snprintf(bytes, sizeof bytes, ", bytes: %zu", most);
    bytes_init(&inner, 1 << 16);
    draw_pattern(d, &inner, "lack_of_safety_awareness", "", has_model);
    draw_pattern(d, &inner, "strong_vacillation", "", has_model);
    draw_pattern(d, &inner, "weak_vacillation", "", has_model);
    draw_pattern(d, &inner, "harmful_additions", "", has_model);
    draw_group(d, &inner, "inconsistency", "complies", "refuses", "", "", has_model);
    if (has_model)
        draw_group(d, &inner, "outcome_risk", "reasoning", "answer", sentences, bytes, has_model);
    if (bytes_len(&inner) > 0)
        drawn_put(out, "patterns:\n%.*s", (int)bytes_len(&inner), bytes_span(&inner).data);
    bytes_fini(&inner);
}

static void draw_panel(struct drawn *d, struct bytes *out, size_t n, bool has_model)
{
    static const char *const asked[] = {"guard", "wild", "guard, wild", "wild, third", "guard, wild, third"};
    static const char *const combines[] = {"any", "all", "majority", "mean"};
    static const char *const errors[] = {"words", "open", "closed"};
    static const char *const whens[] = {"always", "always", "risky", "uncertain"};
    struct bytes panel;
    char channels[64];
    bool on_prompt = drawn_chance(d, 25), shadow = drawn_chance(d, 20), has_from = drawn_chance(d, 50);
    (void)draw_channels(d, on_prompt ? 0 : 1, channels);
    const char *ask = DRAWN_OF(d, asked), *combine = DRAWN_OF(d, combines), *error = DRAWN_OF(d, errors),
               *when = DRAWN_OF(d, whens),
               *action = on_prompt ? (drawn_chance(d, 50) ? "record" : "refuse") : DRAWN_OF(d, panel_actions);
    size_t sentences = 1 + drawn_below(d, 5), bytes = 64 + drawn_below(d, 600), from = drawn_below(d, 50),
           to = from + 1 + drawn_below(d, 99 - from);
    bytes_init(&panel, 1 << 16);
    if (strcmp(action, "cut_reasoning") == 0)
        strcpy(channels, "reasoning");
    drawn_put(&panel, "  - { id: p%zu, ask: [%s], combine: %s, channels: [%s], action: %s, on_error: %s, shadow: %s", n,
              ask, combine, channels, action, error, bools[shadow]);
    drawn_put(&panel, ", every: { sentences: %zu, bytes: %zu }", sentences, bytes);
    if (strcmp(when, "uncertain") != 0 || has_model)
        drawn_put(&panel, ", when: %s", when);
    if (strcmp(when, "uncertain") == 0 && has_model)
        drawn_put(&panel, ", grey: { from: 0.%02zu, to: 0.%02zu }", from, to);
    if (has_from)
        drawn_put(&panel, ", risk_from: 0.%zu", 1 + from % 9);
    draw_refusal(d, &panel, action);
    if (drawn_part(d))
        drawn_put(out, "%.*s }\n", (int)bytes_len(&panel), bytes_span(&panel).data);
    bytes_fini(&panel);
}

static void draw_settings(struct drawn *d, struct bytes *out)
{
    static const char *const templates[] = {"checklist", "primer", "short", "none", "risk-first"};
    static const char *const delivers[] = {"off", "instruct", "prefill", "auto"};
    static const char *const whens[] = {"never", "risky", "always"};
    static const char *const shows[] = {"stream", "stream", "hide"};
    static const char *const releases[] = {"stream", "sentence", "end", "auto"};
    static const char *const fallbacks[] = {"refuse", "cut_response"};
    static const char *const befores[] = {"error", "reply"};
    bool has_prefix = drawn_chance(d, 50), shows_prefix = drawn_chance(d, 30), is_shadow = drawn_chance(d, 5);
    const char *template = DRAWN_OF(d, templates), *deliver = DRAWN_OF(d, delivers), *when = DRAWN_OF(d, whens),
               *show = DRAWN_OF(d, shows), *release = DRAWN_OF(d, releases), *fallback = DRAWN_OF(d, fallbacks),
               *before = DRAWN_OF(d, befores);
    size_t attempts = 2 + drawn_below(d, 3);
    if (drawn_part(d) && is_shadow)
        drawn_put(out, "shadow: true\n");
    if (drawn_part(d) && has_prefix)
        drawn_put(out, "prefix: { template: %s, deliver: %s, when: %s, show: %s }\n", template, deliver, when,
                  bools[shows_prefix]);
    if (drawn_part(d))
        drawn_put(out, "reasoning: { show: %s, release: %s }\n", show, release);
    if (drawn_part(d))
        drawn_put(out, "steer: { max_attempts: %zu, fallback: %s }\n", attempts, fallback);
    drawn_put(out, "refusal: { message: \"I can't help.\", before_first_byte: %s }\n", before);
}

/* Nearly all keep all. */
static void draw_log(struct drawn *d, struct bytes *out)
{
    bool is_full = drawn_chance(d, 60), has_channels = drawn_chance(d, 1), is_small = drawn_chance(d, 1),
         holds_little = drawn_chance(d, 2);
    drawn_put(out, "log: { text: %s%s%s }\n", is_full ? "full" : "redacted",
              has_channels ? ", channels: [prompt, answer]" : "", is_small ? ", max_bytes: 1500" : "");
    if (holds_little)
        drawn_put(out, "limits: { stream_bytes: 4096 }\n");
}

static void draw_rules(struct drawn *d, struct drawn_policy *p, bool has_model, bool idle)
{
    struct bytes rules;
    bool has_prompt_rule = drawn_chance(d, 15);
    size_t len = 1 + drawn_below(d, 7);
    bytes_init(&rules, 1 << 20);
    for (size_t i = 0; i < len; i++)
        draw_rule(d, &rules, p, i, has_model);
    if (has_prompt_rule)
        draw_prompt_rule(d, &rules);
    if (idle) { /* from dice of its own: the rest is what it is without it */
        struct drawn other = {.dice = d->dice};
        draw_idle_rule(&other, &rules);
    }
    if (bytes_len(&rules) > 0)
        drawn_put(&p->yaml, "rules:\n%.*s", (int)bytes_len(&rules), bytes_span(&rules).data);
    bytes_fini(&rules);
}

static void draw_panels(struct drawn *d, struct bytes *out, bool has_model)
{
    struct bytes panels;
    size_t len = drawn_chance(d, 45) ? 1 + drawn_below(d, 3) : 0;
    bytes_init(&panels, 1 << 20);
    for (size_t i = 0; i < len; i++)
        draw_panel(d, &panels, i, has_model);
    if (bytes_len(&panels) > 0)
        drawn_put(out, "judges:\n%.*s", (int)bytes_len(&panels), bytes_span(&panels).data);
    bytes_fini(&panels);
}

static void draw_policy(struct drawn *d, struct drawn_policy *p, bool idle)
{
    static const char *const named[] = {NULL, NULL, "tiny", "tiny", "harm-en"};
    const char *model = DRAWN_OF(d, named);
    drawn_put(&p->yaml, "version: 1\nname: drawn\nlexicons: [english]\n");
    if (model != NULL)
        drawn_put(&p->yaml, "model: %s\n", model);
    draw_settings(d, &p->yaml);
    draw_log(d, &p->yaml);
    draw_patterns(d, &p->yaml, model != NULL);
    draw_rules(d, p, model != NULL, idle);
    draw_panels(d, &p->yaml, model != NULL);
}

bool drawn_policy_try(struct drawn_policy *out, uint64_t seed, const bool *left_out, bool idle)
{
    struct drawn d = drawn_of(seed, left_out);
    *out = (struct drawn_policy){.seed = seed};
    bytes_init(&out->yaml, 1 << 20);
    draw_policy(&d, out, idle);
    if (bytes_append(&out->yaml, "", 1) != 0)
        abort();
    out->parts = d.parts;
    out->policy = load_drawn(&out->yaml);
    if (out->policy == NULL)
        drawn_policy_fini(out);
    else if (peer == NULL)
        peer = rein_policy_ref(out->policy);
    return out->policy != NULL;
}

unsigned drawn_policy_make(struct drawn_policy *out, uint64_t seed)
{
    unsigned refused = 0;
    while (!drawn_policy_try(out, seed + UINT64_C(1000003) * refused, NULL, false))
        if (++refused == 1000)
            abort();
    return refused;
}

void drawn_policy_fini(struct drawn_policy *policy)
{
    rein_policy_unref(policy->policy);
    bytes_fini(&policy->yaml);
    *policy = (struct drawn_policy){.policy = NULL};
}
