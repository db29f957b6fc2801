/* A preloaded library: allocations of the server fail at random, with a low probability.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     LD_PRELOAD=.../libfail_alloc.so FAIL_CONTROL=FILE FAIL_SEED=N FAIL_LOG=FILE program
 *
 * The first four bytes of FAIL_CONTROL are a number that is changed from outside while the program runs: one allocation
 * in so many fails; 0, as at the start: none. Each failure is a line of FAIL_LOG: the size, then who asked, as
 * module+offset, innermost first (addr2line -e MODULE OFFSET).
 *
 * FAIL_ONLY=PART: only where a library of such a name is among the innermost callers.
 *
 * It calls the next allocator in line, glibc's, that of glibc's heap checks or a sanitizer's; so a block that a failed
 * realloc left alone, a leak and a use of what was not allocated are found there.
 *
 * Libraries that break by themselves when an allocation fails are exempt, see `spared`. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/dice.h"

#define EXPORT __attribute__((visibility("default")))

enum { MODULES_MAX = 128, FRAMES = 16, NEAR = 6 };

/* A part of a library's file name, which percentage of its failures takes place, and why. */
static const struct {
    const char *name;
    unsigned percent;
} spared[] = {
    {"libjansson", 0}, /* 2.14 corrupts the heap in json_loadb when one of its allocations fails */
    {"libsqlite3", 4}, /* one failure closes the store for a while; with all of them little else would be tried */
};

struct module {
    uintptr_t start, end, base;
    unsigned percent;
    bool is_wanted;
    char name[48];
};

static struct module modules[MODULES_MAX];
static size_t modules_len;
static const _Atomic uint32_t never, *fail_every = &never;
static int fail_log = -1;
static uint64_t fail_seed;
static _Atomic uint64_t threads;
static __thread struct dice dice __attribute__((tls_model("initial-exec")));
static __thread bool is_inside __attribute__((tls_model("initial-exec")));

static int note_module(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size, (void)ctx;
    const char *name = strrchr(info->dlpi_name, '/');
    for (int i = 0; i < info->dlpi_phnum && modules_len < MODULES_MAX; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
            continue;
        struct module *m = &modules[modules_len++];
        m->base = info->dlpi_addr;
        m->start = info->dlpi_addr + part->p_vaddr;
        m->end = m->start + part->p_memsz;
        snprintf(m->name, sizeof m->name, "%s", name != NULL ? name + 1 : "rein");
        const char *only = getenv("FAIL_ONLY");
        m->is_wanted = only == NULL || strstr(m->name, only) != NULL;
        m->percent = 100;
        for (size_t k = 0; k < sizeof spared / sizeof *spared; k++)
            m->percent = strstr(m->name, spared[k].name) != NULL ? spared[k].percent : m->percent;
    }
    return 0;
}

static const struct module *module_of(const void *address)
{
    for (size_t i = 0; i < modules_len; i++)
        if ((uintptr_t)address >= modules[i].start && (uintptr_t)address < modules[i].end)
            return &modules[i];
    return NULL;
}

__attribute__((constructor)) static void fail_set_up(void)
{
    const char *control = getenv("FAIL_CONTROL"), *seed = getenv("FAIL_SEED"), *log = getenv("FAIL_LOG");
    int fd = control != NULL ? open(control, O_RDONLY | O_CLOEXEC) : -1;
    void *frames[1];
    backtrace(frames, 1); /* loads what it needs */
    dl_iterate_phdr(note_module, NULL);
    fail_seed = seed != NULL ? strtoull(seed, NULL, 10) : 0;
    fail_log = log != NULL ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    void *shared = fd >= 0 ? mmap(NULL, sizeof never, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (shared != MAP_FAILED)
        fail_every = shared;
    if (fd >= 0)
        close(fd);
}

static void log_failure(size_t size, void *const *frames, int len)
{
    char line[1024];
    size_t at = (size_t)snprintf(line, sizeof line, "%zu", size);
    for (int i = 2; i < len && at < sizeof line - 100; i++) {
        const struct module *m = module_of(frames[i]);
        at += (size_t)snprintf(line + at, sizeof line - at, " %s+0x%lx", m != NULL ? m->name : "?",
                               (unsigned long)((uintptr_t)frames[i] - (m != NULL ? m->base : 0) - 1));
    }
    line[at++] = '\n';
    if (write(fail_log, line, at) < 0)
        fail_log = -1;
}

/* Who asked is looked at only where the dice say that it fails, because that takes long. */
static __attribute__((noinline)) bool must_fail(size_t size)
{
    uint32_t every = atomic_load_explicit(fail_every, memory_order_relaxed);
    if (every == 0 || is_inside)
        return false;
    if (dice.state == 0)
        dice = dice_of(fail_seed + atomic_fetch_add(&threads, 1));
    if (dice_next(&dice) % every != 0)
        return false;
    void *frames[FRAMES];
    is_inside = true;
    int len = backtrace(frames, FRAMES);
    unsigned percent = 100;
    bool is_wanted = false;
    for (int i = 0; i < len && i < NEAR + 2; i++) {
        const struct module *m = module_of(frames[i]);
        percent = m != NULL && m->percent < percent ? m->percent : percent;
        is_wanted = is_wanted || (m != NULL && m->is_wanted && i >= 2);
    }
    bool fails = is_wanted && dice_chance(&dice, percent);
    if (fails && fail_log >= 0)
        log_failure(size, frames, len);
    is_inside = false;
    if (fails)
        errno = ENOMEM;
    return fails;
}

void __asan_init(void) __attribute__((weak));

/* The next library's, in the version that programs are linked with: glibc's heap checks have that one alone. A
 * sanitizer's have no version, and looking for one needs the heap before it is there. */
static void *next_symbol(const char *name)
{
    void *symbol = __asan_init == NULL ? dlvsym(RTLD_NEXT, name, "GLIBC_2.2.5") : NULL;
    return symbol != NULL ? symbol : dlsym(RTLD_NEXT, name);
}

#define NEXT(name)                                                                                                     \
    static __typeof__(name) *next;                                                                                     \
    if (next == NULL)                                                                                                  \
    next = (__typeof__(name) *)next_symbol(#name)

EXPORT void *malloc(size_t size)
{
    NEXT(malloc);
    return must_fail(size) ? NULL : next(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    NEXT(calloc);
    return must_fail(count * size) ? NULL : next(count, size);
}

/* Making a block smaller never fails in practice, but a caller can not count on it. */
EXPORT void *realloc(void *block, size_t size)
{
    NEXT(realloc);
    return size > 0 && must_fail(size) ? NULL : next(block, size);
}
