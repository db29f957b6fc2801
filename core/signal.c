/* The lexicons' entries as one vectorscan database, and the scan of one folded sentence. The only file that knows
 * <hs.h>. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: signals are immutable after signals_finish and shared; an engine belongs to one thread. */
#include "signal.h"

#include <hs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "heap.h"

enum { WHY_MAX = 256, FOLDED_MAX = 2 * SENTENCE_MAX };

struct entry {
    char *id;
    char *regex; /* freed once compiled */
    float weight;
    uint8_t class;
    int8_t category; /* index, -1: none */
};

struct signals {
    struct entry *entries;
    size_t len, cap;
    char *categories[SIGNAL_CATEGORIES_MAX];
    size_t categories_len;
    hs_database_t *db; /* NULL: no entries */
    uint64_t serial;   /* tells apart databases that an engine was prepared for */
    char why[WHY_MAX];
};

struct rein_engine {
    hs_scratch_t *scratch;
    uint64_t prepared; /* the serial of the last database prepared for */
    char folded[FOLDED_MAX];
};

/* ---- classes ----------------------------------------------------------------------------------------------------- */

static const char *const class_names[SIGNAL_CLASSES] = {
    [SIGNAL_NAMES_HARM] = "names_harm",
    [SIGNAL_DECIDES_TO_REFUSE] = "decides_to_refuse",
    [SIGNAL_CONCEDES] = "concedes",
    [SIGNAL_REFRAMES_EDUCATION] = "reframes_education",
    [SIGNAL_REFRAMES_FICTION] = "reframes_fiction",
    [SIGNAL_REFRAMES_HYPOTHETICAL] = "reframes_hypothetical",
    [SIGNAL_REFRAMES_GOOD_FAITH] = "reframes_good_faith",
    [SIGNAL_COMMITS_TO_COMPLY] = "commits_to_comply",
    [SIGNAL_SPECIFIC_PROCEDURE] = "specific_procedure",
    [SIGNAL_KEEPS_PERSONA] = "keeps_persona",
    [SIGNAL_ADOPTS_GOAL] = "adopts_goal",
    [SIGNAL_ANSWER_REFUSES] = "answer_refuses",
    [SIGNAL_ANSWER_COMPLIES] = "answer_complies",
    [SIGNAL_PROMPT_HARM] = "prompt_harm",
    [SIGNAL_PROMPT_BENIGN] = "prompt_benign",
};

const char *signal_class_name(enum signal_class c)
{
    return class_names[c];
}

int signal_class_find(const char *name)
{
    for (int c = 0; c < SIGNAL_CLASSES; c++)
        if (strcmp(class_names[c], name) == 0)
            return c;
    return -1;
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static void *hook_alloc(size_t size)
{
    return heap_new(1, size);
}

/* The matching library's memory comes from our heap, too. Before main(), because its hook is global and the core knows
 * no threads to guard it from. */
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
    hs_free_database(s->db);
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

/* A phrase as an expression: whole words, literally. Bytes beyond ASCII have no word boundaries. */
static char *phrase_to_regex(const char *phrase)
{
    size_t len = strlen(phrase);
    char *regex = heap_new(len + 2, 4);
    if (regex == NULL)
        return NULL;
    char *p = regex;
    if (is_word(phrase[0]))
        p = stpcpy(p, "\\b");
    for (size_t i = 0; i < len; i++)
        if (is_word(phrase[i]) || phrase[i] == ' ' || phrase[i] == '\'')
            *p++ = phrase[i];
        else
            p += sprintf(p, "\\x%02x", (unsigned char)phrase[i]);
    if (len > 0 && is_word(phrase[len - 1]))
        stpcpy(p, "\\b");
    return regex;
}

/* The compiler's only way to tell. */
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
    if (s->len < s->cap)
        return 0;
    size_t cap = s->cap > 0 ? s->cap * 2 : 64;
    struct entry *entries = heap_resize(s->entries, cap * sizeof *entries);
    if (entries == NULL)
        return REIN_ENOMEM;
    s->entries = entries;
    s->cap = cap;
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
    e.regex = spec->regex != NULL ? heap_copy(text, strlen(text)) : phrase_to_regex(text);
    rv = e.id == NULL || e.regex == NULL ? REIN_ENOMEM : check_expression(s, e.regex, why);
    if (rv != 0) {
        heap_free(e.id);
        heap_free(e.regex);
        return rv;
    }
    s->entries[s->len++] = e;
    return 0;
}

static int compile(struct signals *s, const char **expressions, unsigned *flags, unsigned *ids, size_t *bad_entry)
{
    for (size_t i = 0; i < s->len; i++) {
        expressions[i] = s->entries[i].regex;
        flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL;
        ids[i] = (unsigned)i;
    }
    hs_compile_error_t *error = NULL;
    hs_error_t rv = hs_compile_multi(expressions, flags, ids, (unsigned)s->len, HS_MODE_BLOCK, NULL, &s->db, &error);
    if (rv != HS_COMPILER_ERROR)
        return to_error(rv);
    *bad_entry = error->expression >= 0 ? (size_t)error->expression : 0;
    snprintf(s->why, sizeof s->why, "%s", error->message);
    hs_free_compile_error(error);
    return says_no_memory(s->why) ? REIN_ENOMEM : REIN_EPOLICY;
}

int signals_finish(struct signals *s, size_t *bad_entry, const char **why)
{
    if (s->len == 0)
        return 0;
    const char **expressions = heap_new(s->len, sizeof *expressions);
    unsigned *flags = heap_new(s->len, sizeof *flags), *ids = heap_new(s->len, sizeof *ids);
    int rv = REIN_ENOMEM;
    if (expressions != NULL && flags != NULL && ids != NULL)
        rv = compile(s, expressions, flags, ids, bad_entry);
    heap_free(expressions);
    heap_free(flags);
    heap_free(ids);
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
    if (signals == NULL || signals->db == NULL || engine->prepared == signals->serial)
        return 0;
    int rv = to_error(hs_alloc_scratch(signals->db, &engine->scratch));
    if (rv == 0)
        engine->prepared = signals->serial;
    return rv;
}

/* ---- folding ----------------------------------------------------------------------------------------------------- */

/* The plain form of the typographic mark at `text`, and its size; NULL if there is none. */
static const char *plain_mark(const unsigned char *text, size_t len, size_t *size)
{
    if (len >= 2 && text[0] == 0xC2 && text[1] == 0xB4) {
        *size = 2;
        return "'";
    }
    if (len < 3 || text[0] != 0xE2 || text[1] != 0x80)
        return NULL;
    *size = 3;
    switch (text[2]) {
    case 0x98:
    case 0x99:
        return "'";
    case 0x9C:
    case 0x9D:
        return "\"";
    case 0x90:
    case 0x91:
    case 0x92:
    case 0x93:
    case 0x94:
        return "-";
    default:
        return NULL;
    }
}

/* Squeezes white space, takes out emphasis marks, makes quotes and dashes plain, lowers ASCII. In place is fine. */
static size_t squeeze(struct span text, char *out, size_t cap)
{
    size_t len = 0;
    bool spaced = true; /* no space at the beginning */
    for (size_t i = 0; i < text.len && len < cap; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80) {
            size_t size = 1;
            const char *plain = plain_mark((const unsigned char *)text.data + i, text.len - i, &size);
            out[len++] = plain != NULL ? plain[0] : (char)c;
            i += plain != NULL ? size - 1 : 0;
            spaced = false;
        } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
            if (!spaced)
                out[len++] = ' ';
            spaced = true;
        } else if (c != '*' && c != '`') {
            out[len++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
            spaced = false;
        }
    }
    return len;
}

size_t signal_fold(struct span text, char *out, size_t cap)
{
    return squeeze(text, out, cap);
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

int signals_scan(const struct signals *s, struct rein_engine *engine, struct span text,
                 struct signal_hit hits[SIGNAL_HITS_MAX])
{
    if (s == NULL || s->db == NULL)
        return 0;
    int rv = engine_prepare(engine, s);
    if (rv != 0)
        return rv;
    if (text.len > SENTENCE_MAX)
        text.len = SENTENCE_MAX;
    struct scan scan = {.signals = s, .hits = hits};
    size_t len = signal_fold(text, engine->folded, sizeof engine->folded);
    hs_error_t found = hs_scan(s->db, engine->folded, (unsigned)len, 0, engine->scratch, on_match, &scan);
    if (found != HS_SUCCESS && found != HS_SCAN_TERMINATED)
        return to_error(found);
    return scan.len;
}
