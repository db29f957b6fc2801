/* The lexicons' entries as one vectorscan database, and the scan of one folded sentence. The only file that knows
 * <hs.h>. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: signals are immutable after signals_finish and shared; an engine belongs to one thread. */
#include "detect/signal.h"

#include <hs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/heap.h"
#include "detect/engine.h"

enum { WHY_MAX = 256, FOLDED_MAX = 2 * SENTENCE_MAX };

struct entry {
    char *id;
    char *regex; /* freed once compiled */
    float weight;
    uint8_t class;
    int8_t category; /* index, -1: none */
};

/* Each channel has a database of its own, so that a sentence pays only for what can be in it. */
#define DATABASES (REIN_ANSWER + 1)

struct signals {
    struct entry *entries;
    size_t len, cap;
    char *categories[SIGNAL_CATEGORIES_MAX];
    size_t categories_len;
    hs_database_t *db[DATABASES]; /* by channel; NULL: no entries */
    uint64_t serial;              /* identifies the signals that an engine was prepared for */
    char why[WHY_MAX];
};

struct rein_engine {
    hs_scratch_t *scratch;
    uint64_t prepared;       /* the serial of the last database prepared for */
    char folded[FOLDED_MAX]; /* the text scanned last */
    size_t folded_len;
};

/* ---- building ---------------------------------------------------------------------------------------------------- */

static void *hook_alloc(size_t size)
{
    return heap_new(1, size);
}

/* vectorscan's memory comes from our heap, too. Set before main(), because the hook is global and the core has no locks
 * to protect it. */
__attribute__((constructor)) static void use_our_heap(void)
{
    hs_set_allocator(hook_alloc, heap_free);
}

static int to_error(hs_error_t rv)
{
    return rv == HS_SUCCESS ? 0 : rv == HS_NOMEM ? REIN_ENOMEM : REIN_EMATCH;
}

int signals_new(struct signals **out)
{
    static atomic_uint_least64_t serial;
    struct signals *s = heap_new(1, sizeof *s);
    if (s == NULL)
        return REIN_ENOMEM;
    s->serial = atomic_fetch_add(&serial, 1) + 1;
    *out = s;
    return 0;
}

void signals_free(struct signals *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->len; i++) {
        heap_free(s->entries[i].id);
        heap_free(s->entries[i].regex);
    }
    for (size_t i = 0; i < s->categories_len; i++)
        heap_free(s->categories[i]);
    heap_free(s->entries);
    for (size_t i = 0; i < DATABASES; i++)
        hs_free_database(s->db[i]);
    heap_free(s);
}

/* The category's index, added if it is new; -1 for none. */
static int find_category(struct signals *s, const char *name, int *index)
{
    *index = -1;
    if (name == NULL)
        return 0;
    for (size_t i = 0; i < s->categories_len; i++)
        if (strcmp(s->categories[i], name) == 0) {
            *index = (int)i;
            return 0;
        }
    if (s->categories_len == SIGNAL_CATEGORIES_MAX)
        return REIN_ELIMIT;
    char *copy = heap_copy(name, strlen(name));
    if (copy == NULL)
        return REIN_ENOMEM;
    *index = (int)s->categories_len;
    s->categories[s->categories_len++] = copy;
    return 0;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* A sentence is scanned with a space before and after it, so a word boundary at an end of an expression, or on both
 * sides of a gap, can be written as a non-word character. vectorscan compiles that four times faster, and scans it
 * faster too. */
#define NO_WORD "[^a-z0-9_]"
static const char gap[] = "\\b.*\\b", plain_gap[] = NO_WORD "(?:.*" NO_WORD ")?";

/* Copies an expression with its word boundaries rewritten. `out` has room for REGEX_GROWTH times its length. */
enum { REGEX_GROWTH = 5 };
static void plain_boundaries(const char *regex, char *out)
{
    int depth = 0;
    bool in_set = false, begins = true;
    for (const char *p = regex; *p != '\0';) {
        if (!in_set && strncmp(p, gap, sizeof gap - 1) == 0) {
            out = stpcpy(out, plain_gap);
            p += sizeof gap - 1;
        } else if (!in_set && p[0] == '\\' && p[1] == 'b' &&
                   (begins || (depth == 0 && (p[2] == '|' || p[2] == '\0')))) {
            out = stpcpy(out, NO_WORD);
            p += 2;
        } else if (p[0] == '\\' && p[1] != '\0') {
            *out++ = *p++;
            *out++ = *p++;
        } else {
            in_set = in_set ? *p != ']' : *p == '[';
            depth += in_set ? 0 : (*p == '(') - (*p == ')');
            begins = !in_set && depth == 0 && *p == '|';
            bool opens = !in_set && *p == '^';
            *out++ = *p++;
            if (opens)
                *out++ = ' ';
            continue;
        }
        begins = false;
    }
    *out = '\0';
}

/* A phrase as an expression: whole words, literally. */
static void quote_phrase(const char *phrase, char *out)
{
    size_t len = strlen(phrase);
    if (is_word(phrase[0]))
        out = stpcpy(out, NO_WORD);
    for (size_t i = 0; i < len; i++)
        if (is_word(phrase[i]) || phrase[i] == ' ' || phrase[i] == '\'')
            *out++ = phrase[i];
        else
            out += sprintf(out, "\\x%02x", (unsigned char)phrase[i]);
    if (is_word(phrase[len - 1]))
        out = stpcpy(out, NO_WORD);
    *out = '\0';
}

static char *make_expression(const struct signal_spec *spec)
{
    const char *text = spec->regex != NULL ? spec->regex : spec->phrase;
    char *out = heap_new(strlen(text) + 8, REGEX_GROWTH);
    if (out != NULL && spec->regex != NULL)
        plain_boundaries(text, out);
    else if (out != NULL)
        quote_phrase(text, out);
    return out;
}

/* The compiler reports errors only this way. */
static bool says_no_memory(const char *why)
{
    return strstr(why, "allocate memory") != NULL;
}

static int check_expression(struct signals *s, const char *regex, const char **why)
{
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    hs_error_t rv = hs_expression_info(regex, 0, &info, &error);
    bool is_empty = rv == HS_SUCCESS && info->min_width == 0;
    heap_free(info);
    if (rv == HS_SUCCESS && !is_empty)
        return 0;
    snprintf(s->why, sizeof s->why, "%s", is_empty ? "matches the empty text" : error->message);
    hs_free_compile_error(error);
    *why = s->why;
    return says_no_memory(s->why) ? REIN_ENOMEM : REIN_EPOLICY;
}

static int make_room(struct signals *s)
{
    if (s->len == SIGNAL_ENTRIES_MAX)
        return REIN_ELIMIT;
    struct entry *entries = heap_one_more(s->entries, s->len, &s->cap, 64, sizeof *entries);
    if (entries == NULL)
        return REIN_ENOMEM;
    s->entries = entries;
    return 0;
}

int signals_add(struct signals *s, const struct signal_spec *spec, const char **why)
{
    const char *text = spec->regex != NULL ? spec->regex : spec->phrase;
    if (text == NULL || text[0] == '\0' || strlen(text) > SIGNAL_REGEX_MAX) {
        *why = text == NULL || text[0] == '\0' ? "empty expression" : "expression too long";
        return REIN_EPOLICY;
    }
    struct entry e = {.class = (uint8_t)spec->class, .weight = spec->weight != 0 ? (float)spec->weight : 1};
    int category;
    int rv = find_category(s, spec->category, &category);
    if (rv == 0)
        rv = make_room(s);
    if (rv != 0)
        return rv;
    e.category = (int8_t)category;
    e.id = heap_copy(spec->id, strlen(spec->id));
    e.regex = make_expression(spec);
    rv = e.id == NULL || e.regex == NULL ? REIN_ENOMEM : check_expression(s, e.regex, why);
    if (rv != 0) {
        heap_free(e.id);
        heap_free(e.regex);
        return rv;
    }
    s->entries[s->len++] = e;
    return 0;
}

/* The entries of one channel in the form that vectorscan needs. */
struct expressions {
    const char **texts;
    unsigned *flags, *ids;
    unsigned len;
};

static void collect(const struct signals *s, enum rein_channel channel, struct expressions *x)
{
    x->len = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (signal_class_channel((enum signal_class)s->entries[i].class) != channel)
            continue;
        x->texts[x->len] = s->entries[i].regex;
        x->flags[x->len] = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL;
        x->ids[x->len++] = (unsigned)i;
    }
}

/* ---- the cache ---- */

static struct rein_cache cache; /* all NULL: there is none */

void rein_cache_set(const struct rein_cache *hook)
{
    cache = hook != NULL ? *hook : (struct rein_cache){0};
}

/* Everything that a compiled database depends on. */
static int expressions_describe(const struct expressions *x, struct bytes *out)
{
    char line[256];
    hs_platform_info_t platform = {0};
    int rv = to_error(hs_populate_platform(&platform));
    int len = snprintf(line, sizeof line, "signals 1\n%s\n%u %llx %zu\n", hs_version(), platform.tune,
                       (unsigned long long)platform.cpu_features, sizeof(void *));
    if (rv == 0)
        rv = bytes_append(out, line, (size_t)len);
    for (unsigned i = 0; i < x->len && rv == 0; i++) {
        len = snprintf(line, sizeof line, "%u %x %zu ", x->ids[i], x->flags[i], strlen(x->texts[i]));
        rv = bytes_append(out, line, (size_t)len);
        if (rv == 0)
            rv = bytes_append(out, x->texts[i], strlen(x->texts[i]));
    }
    return rv;
}

static int expressions_key(const struct expressions *x, char key[DIGEST_HEX])
{
    struct bytes text;
    bytes_init(&text, (size_t)SIGNAL_ENTRIES_MAX * (SIGNAL_REGEX_MAX * REGEX_GROWTH + 64));
    int rv = expressions_describe(x, &text);
    if (rv == 0)
        digest_hex(bytes_span(&text), key);
    bytes_fini(&text);
    return rv;
}

/* What does not fit is compiled anew; out of memory is the only failure. */
static int database_from_cache(const char *key, hs_database_t **db)
{
    size_t len = 0;
    const char *bytes = cache.get != NULL ? cache.get(cache.ctx, key, &len) : NULL;
    if (bytes == NULL)
        return 0;
    hs_error_t rv = hs_deserialize_database(bytes, len, db);
    if (rv != HS_SUCCESS)
        *db = NULL;
    cache.done(cache.ctx, bytes, len);
    return rv == HS_NOMEM ? REIN_ENOMEM : 0;
}

/* It is no failure if it cannot be kept. */
static void database_to_cache(const char *key, const hs_database_t *db)
{
    char *bytes = NULL;
    size_t len = 0;
    if (cache.put == NULL || hs_serialize_database(db, &bytes, &len) != HS_SUCCESS)
        return;
    cache.put(cache.ctx, key, bytes, len);
    heap_free(bytes);
}

/* ---- compiling ---- */

static int database_compile(struct signals *s, enum rein_channel channel, const struct expressions *x,
                            size_t *bad_entry)
{
    hs_compile_error_t *error = NULL;
    hs_error_t rv = hs_compile_multi(x->texts, x->flags, x->ids, x->len, HS_MODE_BLOCK, NULL, &s->db[channel], &error);
    if (rv != HS_COMPILER_ERROR)
        return to_error(rv);
    *bad_entry = error->expression >= 0 ? x->ids[error->expression] : 0;
    snprintf(s->why, sizeof s->why, "%s", error->message);
    hs_free_compile_error(error);
    return says_no_memory(s->why) ? REIN_ENOMEM : REIN_EPOLICY;
}

static int signal_compile(struct signals *s, enum rein_channel channel, struct expressions *x, size_t *bad_entry)
{
    char key[DIGEST_HEX];
    collect(s, channel, x);
    if (x->len == 0)
        return 0;
    if (cache.get == NULL)
        return database_compile(s, channel, x, bad_entry);
    int rv = expressions_key(x, key);
    if (rv == 0)
        rv = database_from_cache(key, &s->db[channel]);
    if (rv != 0 || s->db[channel] != NULL)
        return rv;
    rv = database_compile(s, channel, x, bad_entry);
    if (rv == 0)
        database_to_cache(key, s->db[channel]);
    return rv;
}

int signals_finish(struct signals *s, size_t *bad_entry, const char **why)
{
    struct expressions x = {heap_new(s->len, sizeof *x.texts), heap_new(s->len, sizeof *x.flags),
                            heap_new(s->len, sizeof *x.ids), 0};
    int rv = x.texts != NULL && x.flags != NULL && x.ids != NULL ? 0 : REIN_ENOMEM;
    for (int channel = 0; channel < DATABASES && rv == 0; channel++)
        rv = signal_compile(s, (enum rein_channel)channel, &x, bad_entry);
    heap_free(x.texts);
    heap_free(x.flags);
    heap_free(x.ids);
    *why = s->why;
    for (size_t i = 0; i < s->len; i++) {
        heap_free(s->entries[i].regex);
        s->entries[i].regex = NULL;
    }
    return rv;
}

const char *signals_entry_id(const struct signals *s, uint16_t entry)
{
    return s->entries[entry].id;
}

const char *signals_entry_category(const struct signals *s, uint16_t entry)
{
    int category = s->entries[entry].category;
    return category >= 0 ? s->categories[category] : NULL;
}

int signals_entry_category_index(const struct signals *s, uint16_t entry)
{
    return s->entries[entry].category;
}

const char *signals_category_name(const struct signals *s, size_t index)
{
    return index < s->categories_len ? s->categories[index] : NULL;
}

/* ---- engine ------------------------------------------------------------------------------------------------------ */

int rein_engine_new(struct rein_engine **out)
{
    struct rein_engine *engine = heap_new(1, sizeof *engine);
    if (engine == NULL)
        return REIN_ENOMEM;
    *out = engine;
    return 0;
}

void rein_engine_free(struct rein_engine *engine)
{
    if (engine == NULL)
        return;
    hs_free_scratch(engine->scratch);
    heap_free(engine);
}

int engine_prepare(struct rein_engine *engine, const struct signals *signals)
{
    if (signals == NULL || engine->prepared == signals->serial)
        return 0;
    for (size_t i = 0; i < DATABASES; i++) {
        int rv = signals->db[i] == NULL ? 0 : to_error(hs_alloc_scratch(signals->db[i], &engine->scratch));
        if (rv != 0)
            return rv;
    }
    engine->prepared = signals->serial;
    return 0;
}

/* ---- scanning ---------------------------------------------------------------------------------------------------- */

struct scan {
    const struct signals *signals;
    struct signal_hit *hits;
    int len;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
    (void)from, (void)to, (void)flags;
    struct scan *scan = arg;
    const struct entry *entry = &scan->signals->entries[id];
    scan->hits[scan->len++] =
        (struct signal_hit){.entry = (uint16_t)id, .class = entry->class, .weight = entry->weight};
    return scan->len == SIGNAL_HITS_MAX;
}

struct span engine_fold(struct rein_engine *engine, struct span text)
{
    if (text.len > SENTENCE_MAX)
        text.len = SENTENCE_MAX;
    engine->folded[0] = ' ';
    engine->folded_len = 1 + signal_fold(text, engine->folded + 1, sizeof engine->folded - 2);
    engine->folded[engine->folded_len++] = ' ';
    return (struct span){engine->folded + 1, engine->folded_len - 2};
}

int signals_scan(const struct signals *s, struct rein_engine *engine, enum rein_channel channel, struct span text,
                 struct signal_hit hits[SIGNAL_HITS_MAX])
{
    if (s == NULL)
        return 0;
    (void)engine_fold(engine, text);
    return signals_scan_same(s, engine, channel, hits);
}

int signals_scan_same(const struct signals *s, struct rein_engine *engine, enum rein_channel channel,
                      struct signal_hit hits[SIGNAL_HITS_MAX])
{
    if (s == NULL || (int)channel >= DATABASES || s->db[channel] == NULL)
        return 0;
    int rv = engine_prepare(engine, s);
    if (rv != 0)
        return rv;
    struct scan scan = {.signals = s, .hits = hits};
    hs_error_t found =
        hs_scan(s->db[channel], engine->folded, (unsigned)engine->folded_len, 0, engine->scratch, on_match, &scan);
    if (found != HS_SUCCESS && found != HS_SCAN_TERMINATED)
        return to_error(found);
    return scan.len;
}
