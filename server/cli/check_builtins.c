/* `rein check --builtins`: the built-in rules, and how well each one finds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check_builtins.h"
#include "cli/cli.h"
#include "rein/builtin.h"

enum { SAMPLES = 500, NOISE_BYTES = 1 << 20, SEED = 1 };

static unsigned all_noise(const struct rein_builtin_figures *figures)
{
    unsigned finds = 0;
    for (size_t i = 0; i < REIN_NOISES; i++)
        finds += figures->noise[i];
    return finds;
}

static void print_row(void *ctx, const struct rein_builtin_figures *f)
{
    (void)ctx;
    printf("%-24s %4u / %u  %4u / %u  %6u  %5zu  %s\n", f->name, f->found, f->made, f->near_found, f->near,
           all_noise(f), f->max_bytes, f->finds);
}

static void print_json(void *ctx, const struct rein_builtin_figures *f)
{
    bool *is_first = ctx;
    printf("%s\n  {\"name\": \"%s\", \"max_bytes\": %zu, \"made\": %u, \"found\": %u, \"near\": %u, "
           "\"near_found\": %u, \"noise_bytes\": %zu, \"noise_found\": {",
           *is_first ? "" : ",", f->name, f->max_bytes, f->made, f->found, f->near, f->near_found, f->noise_bytes);
    for (unsigned i = 0; i < REIN_NOISES; i++)
        printf("%s\"%s\": %u", i > 0 ? ", " : "", rein_noise_name((enum rein_noise)i), f->noise[i]);
    printf("}}");
    *is_first = false;
}

/* ---- the page ---- */

static const char page_head[] =
    "<!-- Written by `rein check --reference builtins`. Do not edit: change the table instead. -->\n"
    "# Built-in rules\n"
    "\n"
    "`rules[].builtin` of a policy names one of these. What it matches is masked wherever text is kept. `rein check "
    "--builtins` measures all of\nthem on generated samples and noise; what counts as a match, and what does not, is "
    "in [GATE.md](../GATE.md). A rule of a built-in holds at most as many bytes as its\nlongest match has.\n"
    "\n"
    "| name | finds | longest match |\n"
    "|---|---|---|\n";

static void page_row(void *ctx, const struct rein_builtin_figures *f)
{
    fprintf(ctx, "| `%s` | %s | %zu |\n", f->name, f->finds, f->max_bytes);
}

char *cli_builtins_page(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *page = open_memstream(&text, &len);
    if (page == NULL)
        return NULL;
    fputs(page_head, page);
    int rv = rein_builtins_measure(SEED, 0, 0, page_row, page);
    if (fclose(page) == 0 && rv == 0)
        return text;
    free(text);
    return NULL;
}

/* ---- the command ---- */

static int read_count(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return errno == 0 && end != text && *end == '\0' && *text != '-' ? 0 : REIN_EINVAL;
}

int cli_check_builtins(int argc, char **argv)
{
    bool is_json = false, is_first = true;
    uint64_t seed = SEED;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            is_json = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            if (read_count(argv[++i], &seed) != 0)
                return cli_usage(&cli_check, "--seed needs a whole number, not '%s'", argv[i]);
        } else
            return cli_usage(&cli_check, "--builtins takes only --json and --seed N, not '%s'", argv[i]);
    }
    if (is_json)
        printf("{\"seed\": %" PRIu64 ", \"builtins\": [", seed);
    else
        printf("%-24s %-11s %-11s %6s  %5s\n", "built-in", "found/made", "near found", "noise", "holds");
    int rv = rein_builtins_measure(seed, SAMPLES, NOISE_BYTES, is_json ? print_json : print_row, &is_first);
    if (rv == 0 && is_json)
        puts("\n]}");
    else if (rv == 0)
        printf("\nfound/made: of samples that are right. near found: of samples that only look right, such as those "
               "with a "
               "wrong check digit.\nnoise: finds in %d MiB each of random digits, hexadecimal and base64 digits, "
               "prose, code "
               "and log lines. holds: the longest match,\nin bytes. Seed %" PRIu64 ".\n",
               NOISE_BYTES >> 20, seed);
    if (rv != 0)
        fprintf(stderr, "rein check: %s\n", rein_strerror(rv));
    return rv == 0 ? CLI_OK : CLI_FAILED;
}
