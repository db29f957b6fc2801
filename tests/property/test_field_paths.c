/* Property: paths in a policy's request.allow let through exactly the fields that they name, at every place of a
 * request; all other unknown fields are refused, dropped and named, or passed, as the policy says.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_field_paths [CASES [FIRST-SEED]]     default 2000 from 1; REIN_LONG=1: 100000
 *
 * Unknown fields are put at random places of a chat request, and random paths are allowed. What goes upstream is
 * compared with a tree from which the others were taken out by jansson. A failure prints its seed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/chat/chat.h"
#include "dice.h"

enum { NAMES = 6, PLACES = 6, PATH_ROOM = 64, ALLOW_MAX = NAMES * PLACES };

/* Where unknown fields may stand. */
static const char *const places[PLACES] = {
    "", "messages[].", "messages[].content[].", "stream_options.", "chat_template_kwargs.", "reasoning."};
static const struct config_limits limits = {.messages = 64, .choices = 1, .tools = 1, .json_depth = 16};

struct paths_case {
    uint64_t seed;
    struct dice dice;
    json_t *tree, *wanted; /* all of it; without what is not allowed */
    char allowed[ALLOW_MAX][PATH_ROOM];
    const char *allow[ALLOW_MAX + 1];
    char stray[ALLOW_MAX][PATH_ROOM]; /* paths of fields that are there and not allowed */
    size_t strays;
};

static _Noreturn void give_up(const struct paths_case *c, const char *what, const char *detail)
{
    char *text = json_dumps(c->tree, JSON_COMPACT);
    fprintf(stderr, "seed %" PRIu64 ": %s: %s\n%s\nallowed:", c->seed, what, detail, text);
    for (size_t i = 0; c->allow[i] != NULL; i++)
        fprintf(stderr, " %s", c->allow[i]);
    fprintf(stderr, "\n");
    exit(1);
}

static void choose_allowed(struct paths_case *c)
{
    size_t len = 0;
    for (size_t p = 0; p < PLACES; p++)
        for (unsigned n = 0; n < NAMES; n++)
            if (dice_chance(&c->dice, 35)) {
                snprintf(c->allowed[len], PATH_ROOM, "%su%u", places[p], n);
                c->allow[len] = c->allowed[len];
                len++;
            }
    c->allow[len] = NULL;
}

static bool is_allowed(const struct paths_case *c, const char *path)
{
    for (size_t i = 0; c->allow[i] != NULL; i++)
        if (strcmp(c->allow[i], path) == 0)
            return true;
    return false;
}

static void note_stray(struct paths_case *c, const char *path)
{
    for (size_t i = 0; i < c->strays; i++)
        if (strcmp(c->stray[i], path) == 0)
            return;
    strcpy(c->stray[c->strays++], path);
}

static json_t *random_value(struct dice *dice)
{
    switch (dice_below(dice, 5)) {
    case 0:
        return json_integer((json_int_t)dice_below(dice, 1000));
    case 1:
        return json_string(dice_chance(dice, 50) ? "a, \"b\" }]" : "");
    case 2:
        return json_pack("{s[isi]}", "u0", 1, "x", 2);
    case 3:
        return json_boolean(dice_chance(dice, 50));
    default:
        return json_pack("[{s{}}]", "messages");
    }
}

/* Puts unknown fields into an object, and those that are allowed into its twin. */
static void sow(struct paths_case *c, json_t *object, json_t *twin, const char *place)
{
    for (unsigned n = 0; n < NAMES; n++) {
        char path[PATH_ROOM], name[8];
        if (!dice_chance(&c->dice, 30))
            continue;
        snprintf(name, sizeof name, "u%u", n);
        snprintf(path, sizeof path, "%s%s", place, name);
        json_t *value = random_value(&c->dice);
        json_object_set(object, name, value);
        if (is_allowed(c, path))
            json_object_set(twin, name, value);
        else
            note_stray(c, path);
        json_decref(value);
    }
}

static void sow_messages(struct paths_case *c)
{
    size_t i, k;
    json_t *message, *part;
    json_array_foreach(json_object_get(c->tree, "messages"), i, message)
    {
        json_t *twin = json_array_get(json_object_get(c->wanted, "messages"), i);
        sow(c, message, twin, places[1]);
        json_array_foreach(json_object_get(message, "content"), k, part)
            sow(c, part, json_array_get(json_object_get(twin, "content"), k), places[2]);
    }
}

static json_t *random_request(struct dice *dice)
{
    json_t *messages = json_array(), *content;
    for (size_t count = 1 + dice_below(dice, 4); count > 0; count--) {
        if (dice_chance(dice, 50))
            content = json_string("How?");
        else
            content = json_pack("[{ssss}{ssss}]", "type", "text", "text", "How", "type", "text", "text", "?");
        json_array_append_new(messages, json_pack("{ssso}", "role", "user", "content", content));
    }
    return json_pack("{sssos{sb}sbs{sb}s{ss}}", "model", "m", "messages", messages, "stream_options", "include_usage",
                     1, "stream", 1, "chat_template_kwargs", "enable_thinking", 1, "reasoning", "effort", "low");
}

static void make_case(struct paths_case *c, uint64_t seed)
{
    *c = (struct paths_case){.seed = seed, .dice = dice_of(seed)};
    choose_allowed(c);
    c->tree = random_request(&c->dice);
    c->wanted = json_deep_copy(c->tree);
    sow(c, c->tree, c->wanted, "");
    sow_messages(c);
    for (size_t p = 3; p < PLACES; p++) {
        char name[PATH_ROOM];
        snprintf(name, sizeof name, "%.*s", (int)strlen(places[p]) - 1, places[p]);
        sow(c, json_object_get(c->tree, name), json_object_get(c->wanted, name), places[p]);
    }
}

/* ---- what comes of it ---- */

static bool is_stray(const struct paths_case *c, const char *path)
{
    for (size_t i = 0; i < c->strays; i++)
        if (strcmp(c->stray[i], path) == 0)
            return true;
    return false;
}

/* "messages[3].u1" is at the path "messages[].u1". */
static void check_refusal(const struct paths_case *c, int rv, const struct request_error *err)
{
    char path[sizeof err->param] = "";
    size_t len = 0;
    if ((rv < 0) != (c->strays > 0))
        give_up(c, rv < 0 ? "refused" : "accepted", rv < 0 ? err->message : "");
    if (rv == 0)
        return;
    for (const char *at = err->param; *at != '\0'; at++)
        if (!(*at >= '0' && *at <= '9') || (len > 0 && path[len - 1] == 'u'))
            path[len++] = *at;
    path[len] = '\0';
    if (strcmp(err->code, "unknown_field") != 0 || !is_stray(c, path))
        give_up(c, "another field was refused", err->param);
}

/* Each stray field is named once, without brackets; past sixteen they are counted. */
static void check_names(const struct paths_case *c, const struct request_dropped *dropped)
{
    size_t named = 0;
    for (size_t i = 0; i < c->strays && dropped != NULL; i++) {
        char name[PATH_ROOM + 4] = ", ";
        size_t len = 2;
        for (const char *at = c->stray[i]; *at != '\0'; at++)
            if (*at != '[' && *at != ']')
                name[len++] = *at;
        name[len] = '\0';
        const char *at =
            strncmp(dropped->text, name + 2, len - 2) == 0 ? dropped->text + len - 2 : strstr(dropped->text, name);
        named += at != NULL && (at == dropped->text + len - 2 || at[len] == ',' || at[len] == '\0');
    }
    size_t most = c->strays < REQUEST_NAMES_MAX ? c->strays : REQUEST_NAMES_MAX;
    if ((dropped != NULL) != (c->strays > 0) || named != most || (dropped != NULL && dropped->names != most) ||
        (dropped != NULL && (dropped->more > 0) != (c->strays > REQUEST_NAMES_MAX)))
        give_up(c, "names", dropped != NULL ? dropped->text : "none");
}

static void check_rule(const struct paths_case *c, const char *text, enum rein_unknown unknown)
{
    struct rein_request_rules rules = {.unknown = unknown, .allow = c->allow};
    struct request_error err = {.code = "?"};
    struct request *r = NULL;
    if (request_parse(&r, &api_chat, (struct rein_source){"", text, strlen(text)}, &limits, &err) != 0)
        give_up(c, "not read", err.message);
    int rv = request_check(r, &(struct request_checks){.rules = &rules, .limits = &limits}, &err);
    if (unknown == REIN_UNKNOWN_REFUSE) {
        check_refusal(c, rv, &err);
    } else {
        if (rv < 0 || request_load(r) < 0)
            give_up(c, "refused", err.message);
        if (!json_equal(r->body, unknown == REIN_UNKNOWN_PASS ? c->tree : c->wanted))
            give_up(c, "another request", unknown == REIN_UNKNOWN_PASS ? "pass" : "drop");
        if (unknown == REIN_UNKNOWN_DROP)
            check_names(c, r->dropped);
        else if (r->dropped != NULL)
            give_up(c, "dropped", r->dropped->text);
    }
    request_free(r);
}

static uint64_t cases = 2000, first = 1;

static void test_allowed_paths(void **state)
{
    (void)state;
    for (uint64_t seed = first; seed < first + cases; seed++) {
        static struct paths_case c;
        make_case(&c, seed);
        char *text = json_dumps(c.tree, seed % 2 == 0 ? JSON_COMPACT : JSON_INDENT(2));
        for (int unknown = REIN_UNKNOWN_REFUSE; unknown <= REIN_UNKNOWN_PASS; unknown++)
            check_rule(&c, text, (enum rein_unknown)unknown);
        free(text);
        json_decref(c.tree);
        json_decref(c.wanted);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allowed_paths)};
    if (getenv("REIN_LONG") != NULL)
        cases = 100000;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
