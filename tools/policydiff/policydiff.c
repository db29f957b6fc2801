/* `rein diff`: how two policies differ, in words.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/policy_files.h"
#include "policydiff/key_list.h"

enum { VALUE_SHOWN = 72, VALUE_BEFORE = 16 };

/* ---- what is printed ---- */

static bool is_tail(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* A value on one line; of a long one, what is around its first difference. */
static void print_value(const char *value, size_t from)
{
    size_t len = value != NULL ? strlen(value) : 0;
    if (value == NULL) {
        fputs("(none)", stdout);
        return;
    }
    from = len > VALUE_SHOWN && from > VALUE_BEFORE ? from - VALUE_BEFORE : 0;
    from = from < len ? from : len;
    size_t end = len - from > VALUE_SHOWN ? from + VALUE_SHOWN : len;
    while (from > 0 && is_tail(value[from]))
        from--;
    while (end > from && end < len && is_tail(value[end]))
        end--;
    fputs(from > 0 ? "..." : "", stdout);
    for (size_t i = from; i < end; i++)
        printf((unsigned char)value[i] < ' ' ? "\\x%02x" : "%c", (unsigned char)value[i]);
    fputs(end < len ? "..." : "", stdout);
}

static void print_row(const char *key, const char *old, const char *now)
{
    size_t at = 0;
    while (old != NULL && now != NULL && old[at] != '\0' && old[at] == now[at])
        at++;
    printf("%s: ", key);
    print_value(old, at);
    fputs(" -> ", stdout);
    print_value(now, at);
    putchar('\n');
}

/* ---- comparing ---- */

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Only entries of lists have keys that the other policy lacks. Of those, only what the file says is worth a line, and
 * the id is in the key. */
static bool is_worth_saying(const struct key_list_row *row, const struct key_list_row *other)
{
    return other != NULL ? !is_same(row->value, other->value) : !row->is_default;
}

/* Returns how many keys differ. */
static size_t print_differences(const struct key_list *a, const struct key_list *b)
{
    size_t count = 0;
    for (size_t i = 0; i < a->len; i++) {
        const struct key_list_row *row = &a->rows[i], *other = key_list_find(b, row->key, i);
        if (is_worth_saying(row, other)) {
            print_row(row->key, row->value, other != NULL ? other->value : NULL);
            count++;
        }
    }
    for (size_t i = 0; i < b->len; i++) {
        const struct key_list_row *row = &b->rows[i];
        if (key_list_find(a, row->key, i) == NULL && is_worth_saying(row, NULL)) {
            print_row(row->key, NULL, row->value);
            count++;
        }
    }
    return count;
}

/* ---- the command ---- */

static int read_keys(struct key_list *list, const char *path, struct rein_problems *problems)
{
    struct policy_files_folder file = {0};
    struct policy_files_library files = {0};
    struct rein_doc *doc = NULL;
    int rv = policy_files_read_file(&file, path, problems);
    if (rv == 0 && file.len == 0)
        rv = REIN_EPOLICY;
    if (rv == 0)
        rv = policy_files_read_beside(&files.policies, path);
    struct rein_library library = policy_files_lend(&files);
    if (rv == 0)
        rv = rein_policy_read(&doc, &file.sources[0], &library, problems);
    if (rv == 0)
        rv = key_list_make(list, doc, rein_schema_policy());
    rein_doc_free(doc);
    policy_files_fini(&file);
    policy_files_library_fini(&files);
    return rv;
}

static int policydiff_run(int argc, char **argv)
{
    struct rein_problems *problems;
    struct key_list a = {0}, b = {0};
    if (argc != 3 || argv[1][0] == '-' || argv[2][0] == '-')
        return cli_usage(&cli_diff, "name two policies");
    int rv = rein_problems_new(&problems);
    if (rv != 0)
        return CLI_FAILED;
    rv = read_keys(&a, argv[1], problems);
    if (rv == 0 || rv == REIN_EPOLICY) {
        int other = read_keys(&b, argv[2], problems);
        rv = rv == 0 || other == REIN_ENOMEM ? other : rv;
    }
    cli_print_problems(problems);
    if (rv != 0 && rv != REIN_EPOLICY)
        fprintf(stderr, "rein diff: %s\n", rein_strerror(rv));
    int status = rv == REIN_EPOLICY ? CLI_CONFIG : rv != 0 || print_differences(&a, &b) > 0 ? CLI_FAILED : CLI_OK;
    rein_problems_free(problems);
    key_list_fini(&a);
    key_list_fini(&b);
    return status;
}

const struct cli_command cli_diff = {
    .name = "diff",
    .summary = "say how two policies differ",
    .help =
        "usage: rein diff POLICY POLICY\n"
        "\n"
        "Prints each key whose value differs, with its defaults filled in, as `key: old -> new`. Rules and judges "
        "are matched\nby their ids; `rules` itself shows which there are, in their order. What policies refer to "
        "(templates, lexicons,\nmodels, lists of words) is compared by name only; what a policy extends belongs to "
        "it.\n"
        "\n"
        "Exit status: 0 the policies say the same, 1 they differ, or any other error; 2 wrong usage, 3 a policy has "
        "errors.\n",
    .run = policydiff_run,
};
