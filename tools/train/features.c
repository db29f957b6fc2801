/* `rein features`: labelled rows as lines that liblinear reads, with the features that the engine makes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One line for each row, in the order of the files, so that the n-th line belongs to the n-th row:
 *
 *     LABEL INDEX:VALUE INDEX:VALUE ...
 *
 * The value is 1 / sqrt(n), n being how many features the text has; an answer's features follow the reasoning's in the
 * same line, with an n of their own. A row of a wrong shape ends the command, because all lines after it would belong
 * to other rows. Main thread. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking/json_lines.h"
#include "cli/cli.h"
#include "rein/model.h"

enum { FEATURE_FILES_MAX = 64 };

struct text_part {
    const char *key; /* of the row */
    enum rein_channel channel;
    size_t limit;   /* bytes from which on no sentence begins; 0: none */
    uint32_t first; /* index of the first bucket, from 1 */
};

struct features {
    struct text_part parts[2];
    size_t parts_len;
    bool by_kind, by_sentence;
    const char *files[FEATURE_FILES_MAX];
    size_t files_len, file;
    size_t row; /* of all files, from 1 */
    struct {
        uint32_t index, sentence;
    } * found; /* of the present text; room for all buckets */
    size_t found_len;
};

static void on_feature(void *ctx, uint32_t sentence, uint32_t bucket)
{
    struct features *f = ctx;
    f->found[f->found_len].index = bucket;
    f->found[f->found_len++].sentence = sentence;
}

/* By sentence (or all in one), then by index. */
static int by_place(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b; /* index, sentence */
    if (x[1] != y[1])
        return x[1] < y[1] ? -1 : 1;
    return x[0] < y[0] ? -1 : x[0] > y[0];
}

static void print_part(struct features *f, const struct text_part *part, const char *text)
{
    f->found_len = 0;
    (void)rein_features(part->channel, text, strlen(text), part->limit, on_feature, f);
    for (size_t i = 0; i < f->found_len && !f->by_sentence; i++)
        f->found[i].sentence = 0;
    if (f->found_len > 0)
        qsort(f->found, f->found_len, sizeof f->found[0], by_place);
    double value = f->by_sentence ? 1 : 1 / sqrt((double)f->found_len);
    for (size_t i = 0; i < f->found_len; i++) {
        if (f->by_sentence && i > 0 && f->found[i].sentence != f->found[i - 1].sentence)
            printf("\n%zu", f->row);
        printf(" %u:%.9g", part->first + f->found[i].index, value);
    }
}

/* 1, -1, or 0 for a row without the label. NULL: the label is none that the command knows. */
static const char *label_of(const struct features *f, const json_t *row)
{
    static const char *const words[][2] = {{"unsafe", "1"},   {"safe", "-1"},     {"harmful", "1"},
                                           {"benign", "-1"},  {"math", "-1"},     {"borderline", "0"},
                                           {"refusal", "-1"}, {"compliance", "0"}};
    const json_t *label = json_object_get(row, f->by_kind ? "prompt_kind" : "label_answer");
    if (f->by_kind && label == NULL)
        label = json_object_get(row, "label");
    if (label == NULL || json_is_null(label))
        return "0";
    const char *word = json_string_value(label);
    for (size_t i = 0; word != NULL && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i][0], word) == 0)
            return words[i][1];
    return NULL;
}

static int complain(const struct features *f, size_t line, const char *why)
{
    fprintf(stderr, "%s:%zu: %s\n", f->files[f->file], line, why);
    return REIN_EFORMAT;
}

static int on_row(void *ctx, size_t line, json_t *row, const char *why)
{
    struct features *f = ctx;
    char missing[64];
    f->row++;
    const char *label = row != NULL ? label_of(f, row) : "";
    if (row == NULL || label == NULL)
        return complain(f, line, row == NULL ? why : "the label is not a known word");
    if (f->by_sentence)
        printf("%zu", f->row);
    else
        fputs(label, stdout);
    for (size_t i = 0; i < f->parts_len; i++) {
        const char *text = json_string_value(json_object_get(row, f->parts[i].key));
        snprintf(missing, sizeof missing, "the row has no text `%s`", f->parts[i].key);
        if (text == NULL)
            return complain(f, line, missing);
        print_part(f, &f->parts[i], text);
    }
    return putchar('\n') == EOF ? REIN_EIO : 0;
}

static int print_files(struct features *f)
{
    int rv = 0;
    f->found = calloc(rein_feature_buckets(REIN_REASONING), sizeof f->found[0]);
    if (f->found == NULL)
        return CLI_FAILED;
    for (f->file = 0; f->file < f->files_len && rv == 0; f->file++) {
        rv = json_lines_read(f->files[f->file], on_row, f, NULL);
        if (rv == REIN_EIO)
            fprintf(stderr, "%s: %s\n", f->files[f->file], strerror(errno));
    }
    free(f->found);
    return rv == 0 && fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int take_text(struct features *f, const char *value, size_t answer)
{
    const struct text_part prompt = {"prompt", REIN_PROMPT, 0, 1}, reasoning = {"reasoning", REIN_REASONING, 0, 1};
    const struct text_part beginning = {"answer", REIN_ANSWER, answer, 1 + rein_feature_buckets(REIN_REASONING)};
    bool is_prompt = strcmp(value, "prompt") == 0;
    if (!is_prompt && strcmp(value, "reasoning") != 0)
        return cli_usage(&cli_features, "--text is prompt or reasoning, not %s", value);
    if (is_prompt && answer > 0)
        return cli_usage(&cli_features, "--answer goes with --text reasoning");
    f->parts[f->parts_len++] = is_prompt ? prompt : reasoning;
    if (answer > 0)
        f->parts[f->parts_len++] = beginning;
    return CLI_OK;
}

static int parse_features(struct features *f, int argc, char **argv)
{
    const char *text = "reasoning";
    size_t answer = 0;
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--sentences") == 0)
            f->by_sentence = true;
        else if (strcmp(argv[i], "--text") == 0 && has_value)
            text = argv[++i];
        else if (strcmp(argv[i], "--answer") == 0 && has_value)
            answer = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--label") == 0 && has_value &&
                 (strcmp(argv[i + 1], "answer") == 0 || strcmp(argv[i + 1], "kind") == 0))
            f->by_kind = strcmp(argv[++i], "kind") == 0;
        else if (argv[i][0] == '-')
            return cli_usage(&cli_features, "unknown option or missing value: %s", argv[i]);
        else if (f->files_len == FEATURE_FILES_MAX)
            return cli_usage(&cli_features, "more than %d files", FEATURE_FILES_MAX);
        else
            f->files[f->files_len++] = argv[i];
    }
    if (f->files_len == 0)
        return cli_usage(&cli_features, "name at least one file");
    return take_text(f, text, answer);
}

static int features_main(int argc, char **argv)
{
    struct features f = {.files_len = 0};
    int rv = parse_features(&f, argc, argv);
    return rv == CLI_OK ? print_files(&f) : rv;
}

const struct cli_command cli_features = {
    .name = "features",
    .summary = "print the features of labelled rows, to train the learned score",
    .help = "usage: rein features [OPTIONS] FILE...\n\n"
            "Each line of a FILE is a JSON object. For each, one line in liblinear's format: label, then the features "
            "of its\ntext as the engine makes them, scaled to length 1.\n\n"
            "  --text prompt|reasoning   the text; default: reasoning\n"
            "  --answer BYTES            also the beginning of the answer: its sentences that begin before so many "
            "bytes\n"
            "  --label answer|kind       answer: label_answer, 1 for unsafe, -1 for safe and refusal (default); kind: "
            "prompt_kind or\n"
            "                            label, 1 for harmful, -1 for benign and math; 0: the row has no such label\n"
            "  --sentences               one line for each sentence: number of the row, and the features that are "
            "new in the\n"
            "                            sentence, with value 1\n",
    .run = features_main,
};
