/* See server.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

enum { START_S = 120, LOG_END = 6000 };

static void server_die(const char *what)
{
    perror(what);
    exit(2);
}

const char *server_file(const struct server *server, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", server->folder, name);
    return path;
}

static void server_write(const struct server *server, const char *name, const struct text *text)
{
    FILE *file = fopen(server_file(server, name), "we");
    if (file == NULL || fwrite(text->data, 1, text->len, file) != text->len || fclose(file) != 0)
        server_die(name);
}

/* ---- what it reads ---- */

static const char rules[] =
    "rules:\n"
    "  - { id: taken, channels: [reasoning, answer, tool], regex: '" WORD_REDACT "-[0-9]{6}-END', action: redact,"
    " replacement: '" REPLACEMENT "' }\n"
    "  - { id: stop, channels: [reasoning, answer, tool], regex: '" WORD_REFUSE "-[0-9]{6}-END', action: refuse }\n"
    "  - { id: ask, channels: [prompt], regex: '" WORD_PROMPT "-[0-9]{6}-END', action: refuse }\n";
static const char steers[] =
    "  - { id: turn, channels: [reasoning], regex: '" WORD_STEER "-[0-9]{6}-END', action: steer }\n";

#define PANEL "{ id: harm, ask: [guard], channels: [reasoning, answer], action: refuse, every: { sentences: 8 }, "
#define JUDGED_LIMIT "limits: { stream_bytes: 8388608 }\n"

static void policy_write(const struct server *server, const char *name, const char *prefix, const char *reasoning,
                         const char *more, bool steers_too, bool is_broken)
{
    struct text text = {0};
    char file[64];
    text_format(&text,
                "version: 1\nname: %s\nprefix: { %s }\nreasoning: { %s }\n"
                "refusal: { message: \"" REFUSAL "\", finish_reason: content_filter, before_first_byte: error }\n"
                "steer: { template: second, max_attempts: 2, max_added_ms: 60000, fallback: refuse }\n%s",
                name, prefix, reasoning, more);
    text_put(&text, rules);
    text_put(&text, steers_too ? steers : "");
    text_format(&text, "  - { id: note, channels: [answer], literal: 'noted-%u', action: record }\n",
                server->config_version);
    if (is_broken)
        text_put(&text, "nothing_of_this_name: 1\n");
    snprintf(file, sizeof file, "policies/%s.yaml", name);
    server_write(server, file, &text);
    text_free(&text);
}

static void policies_write(const struct server *server, bool is_broken)
{
    static const char off[] = "template: none, deliver: off, when: never";
    static const char patterns[] =
        "lexicons: [tiny]\npatterns: { strong_vacillation: { action: record },"
        " lack_of_safety_awareness: { action: record } }\nlimits: { stream_bytes: 8388608 }\n";
    policy_write(server, "plain", off, "show: stream, release: stream", "", false, false);
    policy_write(server, "rules", off, "show: stream, release: stream", "", false, is_broken);
    policy_write(server, "end", off, "show: stream, release: end", patterns, false, false);
    policy_write(server, "hide", off, "show: hide, release: stream", "", false, false);
    policy_write(server, "steer", off, "show: stream, release: sentence", "", true, false);
    policy_write(server, "judged", off, "show: stream, release: stream",
                 "judges: [ " PANEL "on_error: words } ]\n" JUDGED_LIMIT, false, false);
    policy_write(server, "strict", off, "show: stream, release: stream",
                 "judges: [ " PANEL "on_error: closed } ]\n" JUDGED_LIMIT, false, false);
    policy_write(server, "words", "template: first, deliver: instruct, when: always", "show: stream, release: sentence",
                 "", true, false);
}

static void files_write(const struct server *server, uint16_t upstream_port)
{
    struct text text = {0};
    mkdir(server_file(server, "policies"), 0700);
    mkdir(server_file(server, "templates"), 0700);
    mkdir(server_file(server, "lexicons"), 0700);
    policies_write(server, false);
    text_put(&text,
             "version: 1\nname: first\nkind: prefix\ndescription: One.\ntext: >-\n  I look at this with care.\n");
    server_write(server, "templates/first.yaml", &text);
    text_clear(&text);
    text_put(&text, "version: 1\nname: none\nkind: prefix\ndescription: No words.\ntext: ''\n");
    server_write(server, "templates/none.yaml", &text);
    text_clear(&text);
    text_put(&text, "version: 1\nname: second\nkind: corrective\ndescription: Two.\ntext: >-\n  " CORRECTION "\n");
    server_write(server, "templates/second.yaml", &text);
    text_clear(&text);
    text_put(&text, "leak:_dl_map_object_deps\nleak:_dl_new_object\n");
    server_write(server, "lsan", &text);
    text_clear(&text);
    text_put(&text,
             "version: 1\nname: tiny\nlanguage: en\nentries: [ { id: harm, class: names_harm, phrases: [cold room],"
             " match: [In the cold room.], unlike: [A room.] } ]\n");
    server_write(server, "lexicons/tiny.yaml", &text);
    text_clear(&text);
    text_format(&text,
                "version: 1\nlisten: { address: '127.0.0.1:0' }\nadmin: { address: '127.0.0.1:0' }\nworkers: 2\n"
                "upstreams:\n  - { name: up, kind: openai, url: 'http://127.0.0.1:%u' }\n"
                "  - { name: goes-on, kind: deepseek, url: 'http://127.0.0.1:%u' }\n",
                upstream_port, upstream_port);
    text_format(&text,
                "judges:\n  - { name: guard, kind: llama_guard, url: 'http://127.0.0.1:%u', model: " JUDGE_MODEL
                ", calls: 32, timeout_ms: 400, second_ms: 100, busy_ms: 300, failures: 8, alone_ms: 200 }\n",
                upstream_port);
    text_put(&text, "routes:\n");
    static const char *const names[] = {"plain", "rules", "end", "hide", "words", "judged", "strict", "steer"};
    static const size_t names_len = sizeof names / sizeof *names;
    for (size_t i = 0; i < names_len; i++) {
        text_format(&text, "  - { name: %s, match: { models: ['%s%s'] }, upstream: %s, policy: %s }\n", names[i],
                    names[i], i == names_len - 1 ? "-*" : "", i == names_len - 1 ? "goes-on" : "up", names[i]);
    }
    text_put(&text, "limits: { connections: 16384, connections_per_address: 16384 }\n"
                    "timeouts: { connect_ms: 20000, first_byte_ms: 2500, idle_ms: 2500, client_idle_ms: 2500, "
                    "drain_ms: 3000, keep_alive_ms: 150 }\n"
                    "store: { url: 'sqlite:rein.db', on_error: refuse, keep_days: 0 }\n");
    server_write(server, "rein.yaml", &text);
    text_free(&text);
}

void server_reload(struct server *server, uint64_t dice)
{
    server->config_version++;
    policies_write(server, dice % 4 == 0);
    server_signal(server, SIGHUP);
}

/* ---- the process ---- */

static void server_set_up_heap(const struct server_options *options, const struct server *server)
{
    char value[32];
    char preload[512] = "";
    if (options->fail_library != NULL)
        snprintf(preload, sizeof preload, "%s", options->fail_library);
    if (options->checks_malloc) {
        size_t len = strlen(preload);
        snprintf(preload + len, sizeof preload - len, "%slibc_malloc_debug.so.0", len > 0 ? ":" : "");
        setenv("MALLOC_CHECK_", "3", 1);
        snprintf(value, sizeof value, "%u", options->perturb);
        setenv("MALLOC_PERTURB_", value, 1);
    }
    if (*preload != '\0')
        setenv("LD_PRELOAD", preload, 1);
    if (options->fail_library == NULL)
        return;
    snprintf(value, sizeof value, "%llu", (unsigned long long)options->fail_seed);
    setenv("FAIL_SEED", value, 1);
    setenv("FAIL_CONTROL", server_file(server, "fail"), 1);
    setenv("FAIL_LOG", server_file(server, "failed"), 1);
    /* The library stands before the sanitizer's, whose allocator it calls. */
    char options_of_asan[1024];
    const char *had = getenv("ASAN_OPTIONS");
    snprintf(options_of_asan, sizeof options_of_asan, "%s%sverify_asan_link_order=0", had != NULL ? had : "",
             had != NULL ? ":" : "");
    setenv("ASAN_OPTIONS", options_of_asan, 1);
    /* It knows the dynamic linker's own blocks by who asked for them, which is the library now. */
    char suppressions[512];
    snprintf(suppressions, sizeof suppressions, "suppressions=%s:print_suppressions=0", server_file(server, "lsan"));
    setenv("LSAN_OPTIONS", suppressions, 1);
}

static void server_exec(const struct server *server, const struct server_options *options)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a run that is ended from outside leaves nothing behind */
    int log = open(server_file(server, "server.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    server_set_up_heap(options, server);
    char config[256];
    snprintf(config, sizeof config, "%s", server_file(server, "rein.yaml"));
    if (chdir(server->folder) == 0)
        execl(options->binary, options->binary, "serve", "-c", config, (char *)NULL);
    perror(options->binary);
    _exit(127);
}

static char *server_read_log(const struct server *server)
{
    int fd = open(server_file(server, "server.log"), O_RDONLY | O_CLOEXEC);
    off_t len = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    char *text = calloc(1, (size_t)len + 1);
    if (text == NULL)
        server_die("log");
    if (fd >= 0 && pread(fd, text, (size_t)len, 0) < 0)
        *text = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static uint16_t log_port(const char *log, const char *before)
{
    const char *at = strstr(log, before);
    return at != NULL ? (uint16_t)strtoul(at + strlen(before), NULL, 10) : 0;
}

static void server_share_rate(struct server *server)
{
    int fd = open(server_file(server, "fail"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 4096) != 0)
        server_die("fail");
    server->fail_every = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (server->fail_every == MAP_FAILED)
        server_die("mmap");
}

bool server_start(struct server *server, const struct server_options *options)
{
    const char *under = getenv("TMPDIR");
    snprintf(server->folder, sizeof server->folder, "%s/rein-load-XXXXXX", under != NULL ? under : "/tmp");
    if (mkdtemp(server->folder) == NULL)
        server_die("mkdtemp");
    files_write(server, options->upstream_port);
    server_share_rate(server);
    server->pid = fork();
    if (server->pid < 0)
        server_die("fork");
    if (server->pid == 0)
        server_exec(server, options);
    for (unsigned i = 0; i < START_S * 20 && !server_has_ended(server); i++) {
        char *log = server_read_log(server);
        server->port = log_port(log, "serve: listening on http://127.0.0.1:");
        server->admin_port = log_port(log, "admin listening on http://127.0.0.1:");
        free(log);
        if (server->port != 0 && server->admin_port != 0)
            return true;
        usleep(50000);
    }
    puts("FAULT: the server does not start");
    server_print_log(server);
    return false;
}

void server_fail_allocations(struct server *server, uint32_t every)
{
    __atomic_store_n(server->fail_every, every, __ATOMIC_RELAXED);
}

void server_signal(struct server *server, int signum)
{
    if (!server_has_ended(server))
        kill(server->pid, signum);
}

bool server_has_ended(struct server *server)
{
    if (!server->has_ended && waitpid(server->pid, &server->status, WNOHANG) == server->pid)
        server->has_ended = true;
    return server->has_ended;
}

long server_memory_kb(const struct server *server)
{
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)server->pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kb;
}

long server_descriptors(const struct server *server)
{
    char path[64];
    long count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)server->pid);
    DIR *folder = opendir(path);
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count - 2;
}

bool server_log_is_clean(const struct server *server)
{
    static const char *const words[] = {"Sanitizer", "runtime error:", "free():",   "malloc():", "realloc():",
                                        "corrupt",   "double free",    "Assertion", "SUMMARY:"};
    char *log = server_read_log(server);
    bool is_clean = true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        is_clean = is_clean && strstr(log, words[i]) == NULL;
    free(log);
    return is_clean;
}

void server_print_log(const struct server *server)
{
    char *log = server_read_log(server);
    size_t len = strlen(log);
    printf("---- the end of %s\n%s\n----\n", server_file(server, "server.log"),
           log + (len > LOG_END ? len - LOG_END : 0));
    fflush(stdout);
    free(log);
}

static void folder_remove(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char inner[512];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlink(inner) != 0)
            folder_remove(inner);
    }
    if (folder != NULL)
        closedir(folder);
    rmdir(path);
}

void server_remove(struct server *server)
{
    munmap(server->fail_every, 4096);
    folder_remove(server->folder);
}
