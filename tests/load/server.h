/* The server under load: the real binary, in a folder of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct server_options {
    const char *binary, *source_dir;
    uint16_t upstream_port;
    bool checks_malloc;       /* glibc's heap checks: for a build without sanitizers */
    unsigned perturb;         /* what freed memory is filled with */
    const char *fail_library; /* preloaded, see fail_alloc.c; NULL: no allocation fails */
    uint64_t fail_seed;
};

struct server {
    char folder[128];
    pid_t pid;
    uint16_t port, admin_port;
    int status; /* of waitpid, once it has ended */
    bool has_ended;
    unsigned config_version;
    uint32_t *fail_every; /* shared with the server: one allocation in so many fails; 0: none */
};

/* Returns when it listens. False, with a message, if it does not come up. */
bool server_start(struct server *server, const struct server_options *options);
/* Writes the policies anew, in one of several wordings that mean the same; one in four is broken. Then SIGHUP. */
void server_reload(struct server *server, uint64_t dice);
/* One in `every` allocations of the server fails from now on; 0: none. */
void server_fail_allocations(struct server *server, uint32_t every);
void server_signal(struct server *server, int signum);
/* Has it ended? Does not wait. */
bool server_has_ended(struct server *server);
long server_memory_kb(const struct server *server);
long server_descriptors(const struct server *server);
/* The path of a file in its folder; good until the next call. */
const char *server_file(const struct server *server, const char *name);
/* Does its log hold what a sanitizer or the heap checks say? Prints the log's end if asked. */
bool server_log_is_clean(const struct server *server);
void server_print_log(const struct server *server);
/* Removes the folder. */
void server_remove(struct server *server);

#endif
