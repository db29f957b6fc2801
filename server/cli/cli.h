/* The commands of `rein`, one function each, and what they share.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A command gets its own words: argv[0] is the command. It returns the exit status of the process. Main thread. */
#ifndef SERVER_CLI_CLI_H
#define SERVER_CLI_CLI_H

#include "rein/doc.h"
#include "rein/rein.h"

/* Exit statuses, the same for every command. */
enum cli_status {
    CLI_OK = 0,
    CLI_FAILED = 1, /* it failed: a port in use, a store that cannot be opened */
    CLI_USAGE = 2,  /* the command line is wrong */
    CLI_CONFIG = 3, /* a config, policy, template or lexicon has errors */
};

struct cli_command {
    const char *name;
    const char *summary; /* one line */
    const char *help;    /* all of `--help` */
    int (*run)(int argc, char **argv);
    /* NULL-terminated, or NULL: commands whose names begin with this one's, "eval prefix". */
    const struct cli_command *const *subcommands;
};

extern const struct cli_command cli_serve;
extern const struct cli_command cli_check;
extern const struct cli_command cli_backtest;
extern const struct cli_command cli_erase;
extern const struct cli_command cli_key;
extern const struct cli_command cli_route;
extern const struct cli_command cli_decisions;
extern const struct cli_command cli_why;
extern const struct cli_command cli_stats;
extern const struct cli_command cli_demo_upstream;
extern const struct cli_command cli_demo_history;
extern const struct cli_command cli_eval;
extern const struct cli_command cli_eval_prefix;
extern const struct cli_command cli_eval_attack;
extern const struct cli_command cli_mix;
extern const struct cli_command cli_export;
extern const struct cli_command cli_distill;
extern const struct cli_command cli_features;
extern const struct cli_command cli_test;
extern const struct cli_command cli_diff;

/* A kind of document that a tool brings along: `rein check` knows it as it knows the server's own. */
struct cli_document_kind {
    const struct rein_schema *schema;
    /* Checks one source and says on stdout what it is. REIN_EPOLICY if anything was added to `problems`. */
    int (*check)(const struct rein_source *source, struct rein_problems *problems);
};
enum { CLI_DOCUMENT_KINDS_MAX = 4 };
/* Borrowed for good. Before `rein check` runs. */
void cli_check_knows(const struct cli_document_kind *kind);

/* Says on stderr what is wrong with the command line; returns CLI_USAGE. */
int cli_usage(const struct cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes each problem on stderr, one a line: "file:line:column: key: message". */
void cli_print_problems(const struct rein_problems *problems);
/* Prints the warnings, one a line, as `warning: file:line:column: key: message`. */
void cli_print_warnings(const struct rein_problems *problems);
/* Likewise for notes, which are not errors: "note: " before each line, and the reason after it. */
void cli_print_notes(const struct rein_problems *problems, const char *why);

#endif
