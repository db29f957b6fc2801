/* `rein export` and `rein mix` over generated prompts: no prompt of the test split is in the training split, nor one
 * near it; nothing that is secret gets out; and an export's memory grows by at most 64 bytes a row.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/cli.h"
#include "dataset/element_reader.h"
#include "dataset/prompt_index.h"
#include "dataset/training_row.h"
#include "dice.h"
#include "rein/doc.h"
#include "store/store.h"

enum { DECISIONS = 250, SEEDS = 8, ROWS_MAX = 4096, FILE_MAX = 64 << 20, BYTES_A_ROW = 64 };

static const char masking[] = "version: 1\nname: strict\npatterns: {}\nrules:\n"
                              "  - { id: card, channels: [prompt], builtin: card_number, action: record }\n"
                              "  - { id: mail, channels: [reasoning, answer], builtin: email, action: record }\n";

struct place {
    char folder[64], db[96], out[96], test[96], policy[96];
};

static int remove_file(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void place_open(struct place *p)
{
    snprintf(p->folder, sizeof p->folder, "/tmp/rein-export-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->db, sizeof p->db, "%s/rein.db", p->folder);
    snprintf(p->out, sizeof p->out, "%s/out.jsonl", p->folder);
    snprintf(p->test, sizeof p->test, "%s/out.test.jsonl", p->folder);
    snprintf(p->policy, sizeof p->policy, "%s/policy.yaml", p->folder);
    assert_int_equal(files_replace(p->policy, masking, strlen(masking)), 0);
}

static void place_close(struct place *p)
{
    nftw(p->folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- decisions ---- */

struct texts {
    char prompt[4096], reasoning[512], answer[512];
    char secrets[3][40]; /* that are in them */
};

static const char *const words[] = {"river",  "copper", "window", "seven", "often",   "garden", "north",
                                    "paper",  "quiet",  "bridge", "salt",  "morning", "wheel",  "letter",
                                    "hollow", "storm",  "glass",  "field", "amber",   "pilot"};

static size_t add_words(char *out, size_t size, struct dice *dice, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s%u", i > 0 ? " " : "", words[dice_below(dice, 20)],
                                (unsigned)dice_below(dice, 1000));
    return len;
}

/* A few families of prompts: short ones, the same in other letters, long ones that differ in a word. */
static void make_texts(struct texts *t, struct dice *dice, unsigned number)
{
    struct dice family = dice_of(1000 + dice_below(dice, 40));
    unsigned kind = (unsigned)dice_below(dice, 4);
    size_t len;
    *t = (struct texts){0};
    if (kind == 0) {
        len = add_words(t->prompt, 1000, dice, 4);
    } else if (kind == 1) {
        len = add_words(t->prompt, 1000, &family, 5);
        if (dice_below(dice, 2) == 0)
            for (char *at = t->prompt; *at != '\0'; at++)
                *at = (char)toupper((unsigned char)*at);
        len += (size_t)snprintf(t->prompt + len, 8, "%s", dice_below(dice, 2) == 0 ? "?!" : " ");
    } else {
        len = add_words(t->prompt, 3000, &family, 150);
        if (kind == 3)
            len += (size_t)snprintf(t->prompt + len, 16, " %s", words[dice_below(dice, 20)]);
    }
    snprintf(t->secrets[0], sizeof t->secrets[0], "4111111111111111");
    snprintf(t->secrets[1], sizeof t->secrets[1], "anna%u@example.org", number);
    snprintf(t->secrets[2], sizeof t->secrets[2], "otto%u@example.com", number);
    if (kind == 0)
        snprintf(t->prompt + len, sizeof t->prompt - len, " %s", t->secrets[0]);
    snprintf(t->reasoning, sizeof t->reasoning, "I think of %s, number %u.", t->secrets[1], number);
    snprintf(t->answer, sizeof t->answer, "Write to %s.", t->secrets[2]);
}

static void put_decision(struct store *store, const struct texts *t, unsigned number, struct rein_policy *policy)
{
    struct rein_decision decision = {.ending = REIN_COMPLETE,
                                     .attempts = 1,
                                     .harms = "",
                                     .prompt_tokens = -1,
                                     .completion_tokens = -1,
                                     .reasoning_tokens = -1};
    char parts[3][4096];
    snprintf(parts[0], sizeof parts[0], "%s", t->prompt);
    snprintf(parts[1], sizeof parts[1], "%s", t->reasoning);
    snprintf(parts[2], sizeof parts[2], "%s", t->answer);
    static const enum rein_channel channels[] = {REIN_PROMPT, REIN_REASONING, REIN_ANSWER};
    struct rein_text texts[3];
    for (uint32_t i = 0; i < 3; i++) {
        size_t len = strlen(parts[i]), spans;
        if (policy != NULL)
            assert_int_equal(rein_policy_mask(policy, channels[i], parts[i], len, &spans), 0);
        texts[i] = (struct rein_text){.n = i,
                                      .channel = channels[i],
                                      .speaker = i == 0 ? "user" : NULL,
                                      .form = REIN_KEEP_FULL,
                                      .len = len,
                                      .whole = true,
                                      .text = parts[i],
                                      .text_len = len};
    }
    struct store_attempt attempt = {
        .template_name = "none", .reason = "policy", .outcome = "whole", .first_byte_us = -1};
    struct store_record record = {.request_id = "r",
                                  .started_at_us = 1700000000000000 + number * (int64_t)1000,
                                  .route = "default",
                                  .model = "m",
                                  .upstream = "up",
                                  .dialect = "openai-chat",
                                  .policy = "p",
                                  .policy_version = "v",
                                  .final = true,
                                  .ending = "complete",
                                  .status = 200,
                                  .attempts = &attempt,
                                  .attempts_len = 1,
                                  .decision = &decision,
                                  .keep_text = REIN_KEEP_FULL,
                                  .texts = texts,
                                  .texts_len = 3};
    store_id_new(&record.id);
    assert_int_equal(store_put(store, &record, NULL, NULL, NULL), 0);
}

/* `policy` NULL: the texts are kept as they are, as a server would whose policy knows no secrets. */
static void make_decisions(const char *db, uint64_t seed, unsigned n, struct rein_policy *policy, bool distinct)
{
    struct dice dice = dice_of(seed);
    struct store *store;
    struct store_options options = {.path = db, .queue_max = n + 1};
    static struct texts t;
    assert_int_equal(store_open(&store, &options), 0);
    for (unsigned i = 0; i < n; i++) {
        make_texts(&t, &dice, i);
        if (distinct)
            snprintf(t.prompt, sizeof t.prompt, "question number %u about %s", i, words[i % 20]);
        put_decision(store, &t, i, policy);
    }
    store_close(store);
}

static int run_quietly(const struct cli_command *command, char **argv, int argc)
{
    fflush(stdout);
    int out = dup(STDOUT_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    int status = command->run(argc, argv);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    close(nowhere);
    return status;
}

/* ---- what came out ---- */

struct prompts {
    char *texts[ROWS_MAX];
    size_t len;
};

static int take_row(void *ctx, const struct element *element)
{
    struct prompts *p = ctx;
    struct training_row row;
    const char *why;
    json_t *object = json_loadb(element->text, element->len, 0, NULL);
    assert_int_equal(training_row_read(&row, object, &why), 0);
    json_decref(object);
    assert_true(p->len < ROWS_MAX);
    p->texts[p->len++] = strdup(row.prompt);
    training_row_fini(&row);
    return 0;
}

static void read_prompts(struct prompts *p, const char *path)
{
    size_t line;
    p->len = 0;
    assert_int_equal(element_read_all(path, take_row, p, &line), 0);
}

static void free_prompts(struct prompts *p)
{
    for (size_t i = 0; i < p->len; i++)
        free(p->texts[i]);
}

/* The words of a prompt, as a person would say that they are the same. */
static void plain_words(char *out, const char *prompt)
{
    bool gap = false;
    for (; *prompt != '\0'; prompt++)
        if (isalnum((unsigned char)*prompt)) {
            if (gap)
                *out++ = ' ';
            *out++ = (char)tolower((unsigned char)*prompt);
            gap = false;
        } else {
            gap = true;
        }
    *out = '\0';
}

static void check_apart(const char *a, const char *b)
{
    static char x[4096], y[4096];
    plain_words(x, a);
    plain_words(y, b);
    if (strcmp(x, y) == 0)
        fail_msg("in both splits: %s", a);
    struct prompt_print p = prompt_print_of(a), q = prompt_print_of(b);
    if (p.words_len >= PROMPT_WORDS_MIN && q.words_len >= PROMPT_WORDS_MIN &&
        __builtin_popcountll(p.simhash ^ q.simhash) <= PROMPT_NEAR_BITS)
        fail_msg("near each other in two splits:\n%s\n%s", a, b);
}

static void check_no_secret(const struct place *place, uint64_t seed)
{
    static const char *const names[] = {"out.jsonl", "out.test.jsonl", "out.jsonl.manifest.json", "out.jsonl.card.md"};
    struct dice dice = dice_of(seed);
    static struct texts t[DECISIONS];
    for (unsigned i = 0; i < DECISIONS; i++)
        make_texts(&t[i], &dice, i);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char *path = files_join(place->folder, names[k]), *text;
        size_t len;
        assert_int_equal(files_read(&text, &len, path, FILE_MAX), 0);
        for (size_t i = 0; i < DECISIONS; i++)
            for (size_t s = 0; s < 3; s++)
                if (strstr(text, t[i].secrets[s]) != NULL)
                    fail_msg("seed %u: %s holds %s", (unsigned)seed, names[k], t[i].secrets[s]);
        free(text);
        free(path);
    }
}

static struct rein_policy *load_masking(void)
{
    struct rein_problems *problems;
    struct rein_policy *policy = NULL;
    struct rein_library library = {0};
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(
        rein_policy_load(&policy, &(struct rein_source){"masking", masking, strlen(masking)}, &library, problems), 0);
    rein_problems_free(problems);
    return policy;
}

static void test_splits_are_apart_and_secrets_stay(void **state)
{
    (void)state;
    struct rein_policy *policy = load_masking();
    size_t rows = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct place place;
        static struct prompts train, held;
        char seed_text[16];
        bool masked_at_once = seed % 2 == 0; /* when it was served, or in the export alone */
        place_open(&place);
        snprintf(seed_text, sizeof seed_text, "%u", (unsigned)seed);
        make_decisions(place.db, seed, DECISIONS, masked_at_once ? policy : NULL, false);
        char *argv[] = {"export",    "--db",   place.db,  "--out",    place.out,           "--test",
                        "0.4",       "--seed", seed_text, "--format", "prompt-completion", "--policy",
                        place.policy};
        assert_int_equal(run_quietly(&cli_export, argv, masked_at_once ? 11 : 13), CLI_OK);
        read_prompts(&train, place.out);
        read_prompts(&held, place.test);
        assert_true(train.len > 30 && held.len > 20);
        for (size_t i = 0; i < train.len; i++)
            for (size_t k = 0; k < held.len; k++)
                check_apart(train.texts[i], held.texts[k]);
        check_no_secret(&place, seed);
        rows += train.len + held.len;
        free_prompts(&train);
        free_prompts(&held);
        place_close(&place);
    }
    assert_true(rows < SEEDS * DECISIONS); /* repetitions were there to be found */
    rein_policy_unref(policy);
}

/* ---- the same of a mix ---- */

static void write_traces(const char *path, uint64_t seed)
{
    struct dice dice = dice_of(seed);
    static struct texts t;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (unsigned i = 0; i < DECISIONS; i++) {
        make_texts(&t, &dice, i);
        json_t *row = json_pack("{ssssss}", "prompt", t.prompt, "reasoning", t.reasoning, "answer", t.answer);
        assert_int_equal(json_dumpf(row, file, JSON_COMPACT), 0);
        fputc('\n', file);
        json_decref(row);
    }
    fclose(file);
}

static void test_splits_of_a_mix_are_apart(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct place place;
        static struct prompts train, held;
        place_open(&place);
        write_traces(place.db, seed);
        char *argv[] = {"mix",      "--safety",          place.db, "--out", place.out, "--test", "0.4",
                        "--format", "prompt-completion", NULL};
        assert_int_equal(run_quietly(&cli_mix, argv, 9), CLI_OK);
        read_prompts(&train, place.out);
        read_prompts(&held, place.test);
        assert_true(train.len > 30 && held.len > 20);
        for (size_t i = 0; i < train.len; i++)
            for (size_t k = 0; k < held.len; k++)
                check_apart(train.texts[i], held.texts[k]);
        free_prompts(&train);
        free_prompts(&held);
        place_close(&place);
    }
}

/* ---- memory ---- */

/* The most memory that an export of n decisions needs, bytes. */
static long peak_of(const struct place *place, unsigned n)
{
    fflush(NULL);
    pid_t maker = fork();
    if (maker == 0) {
        make_decisions(place->db, 1, n, NULL, true);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(maker, &status, 0), maker);
    assert_int_equal(status, 0);
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = {
            "export", "--db",     (char *)(uintptr_t)place->db, "--out", (char *)(uintptr_t)place->out, "--test",
            "0.1",    "--format", "prompt-completion"};
        _exit(run_quietly(&cli_export, argv, 9));
    }
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_int_equal(status, 0);
    printf("%u decisions: %.1f s of the processor\n", n,
           (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6);
    return usage.ru_maxrss * 1024;
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    if (getenv("REIN_LONG") == NULL)
        skip();
    const unsigned few = 10000, many = 100000;
    struct place place;
    place_open(&place);
    long small = peak_of(&place, few);
    place_close(&place);
    place_open(&place);
    long large = peak_of(&place, many);
    place_close(&place);
    double a_row = (double)(large - small) / (many - few);
    printf("%u decisions: %ld KiB; %u: %ld KiB; %.1f bytes a row\n", few, small / 1024, many, large / 1024, a_row);
    if (a_row > BYTES_A_ROW)
        fail_msg("%.1f bytes a row, at most %d", a_row, BYTES_A_ROW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits_are_apart_and_secrets_stay),
        cmocka_unit_test(test_splits_of_a_mix_are_apart),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
