/* The command line of `rein mix`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "dataset/mix.h"

enum { PAPER_SEED = 42, PAPER_SAFETY = 1000, PAPER_MATH = 4000 };

static const char *const kind_names[MIX_KINDS] = {"safety", "math", "benign"};

const char *mix_kind_name(enum mix_kind kind)
{
    return kind_names[kind];
}

static int kind_of(const char *word, size_t len)
{
    for (int kind = 0; kind < MIX_KINDS; kind++)
        if (strlen(kind_names[kind]) == len && strncmp(kind_names[kind], word, len) == 0)
            return kind;
    return -1;
}

static bool read_count(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && end == text + len && errno == 0 && *out <= max;
}

/* "safety=1000,math=4000" */
static bool read_shares(struct mix_options *o, const char *text)
{
    memset(o->share, 0, sizeof o->share);
    bool any = false;
    while (*text != '\0') {
        size_t len = strcspn(text, ","), name = strcspn(text, "=");
        int kind = name < len ? kind_of(text, name) : -1;
        if (kind < 0 || !read_count(text + name + 1, len - name - 1, MIX_ROWS_MAX, &o->share[kind]))
            return false;
        any |= o->share[kind] > 0;
        text += len + (text[len] == ',');
    }
    return any;
}

static bool read_share_of_test(double *out, const char *text)
{
    char *end;
    *out = strtod(text, &end);
    return *text >= '0' && *text <= '9' && *end == '\0' && *out >= 0 && *out <= 0.5;
}

static bool add_input(struct mix_options *o, int kind, const char *path)
{
    if (o->inputs_len == MIX_FILES_MAX || *path == '\0')
        return false;
    o->inputs[o->inputs_len++] = (struct mix_input){path, (enum mix_kind)kind};
    return true;
}

static bool read_layout(struct mix_options *o, const char *name)
{
    if (strcmp(name, "lrm-study") != 0)
        return false;
    o->like_paper = true;
    o->format = ROW_LRM_STUDY;
    o->how = MIX_COUNTS;
    o->share[MIX_SAFETY] = PAPER_SAFETY;
    o->share[MIX_MATH] = PAPER_MATH;
    return true;
}

/* One option and its value; false: there is no such option, or the value is wrong. */
static bool read_option(struct mix_options *o, const char *name, const char *value)
{
    int kind = strncmp(name, "--", 2) == 0 ? kind_of(name + 2, strlen(name + 2)) : -1;
    if (kind >= 0)
        return add_input(o, kind, value);
    if (strcmp(name, "--take") == 0 || strcmp(name, "--ratio") == 0) {
        o->how = strcmp(name, "--take") == 0 ? MIX_COUNTS : MIX_RATIO;
        return read_shares(o, value);
    }
    if (strcmp(name, "--seed") == 0)
        return read_count(value, strlen(value), UINT64_MAX, &o->seed);
    if (strcmp(name, "--test") == 0)
        return read_share_of_test(&o->test, value);
    if (strcmp(name, "--format") == 0)
        return row_format_find(&o->format, value);
    if (strcmp(name, "--for") == 0)
        return survival_family_find(&o->family, value);
    if (strcmp(name, "--template-of") == 0) {
        o->template_of = value;
        return strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    }
    if (strcmp(name, "--layout") == 0)
        return read_layout(o, value);
    if (strcmp(name, "--type") == 0) {
        o->type = value;
        return *value != '\0' &&
               strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(value);
    }
    o->out = value;
    return (strcmp(name, "--out") == 0 || strcmp(name, "-o") == 0) && *value != '\0';
}

int mix_options_read(struct mix_options *o, int argc, char **argv)
{
    *o = (struct mix_options){.seed = PAPER_SEED, .format = ROW_MESSAGES, .type = "improved"};
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !read_option(o, argv[i], argv[i + 1]))
            return cli_usage(&cli_mix, "unknown option, or its value is missing or wrong: %s", argv[i]);
    if (o->inputs_len == 0)
        return cli_usage(&cli_mix, "name at least one file, with --safety, --math or --benign");
    if (o->out == NULL)
        return cli_usage(&cli_mix, "name the file to write, with --out");
    for (int kind = 0; kind < MIX_KINDS && o->how != MIX_ALL; kind++) {
        bool is_there = false;
        for (size_t i = 0; i < o->inputs_len; i++)
            is_there |= o->inputs[i].kind == (enum mix_kind)kind;
        if (o->share[kind] > 0 && !is_there)
            return cli_usage(&cli_mix, "rows of '%s' are wanted, but no --%s names a file", kind_names[kind],
                             kind_names[kind]);
    }
    return CLI_OK;
}
