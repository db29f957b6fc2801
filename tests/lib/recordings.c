/* See recordings.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "recordings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>

enum { RECORDINGS_MAX = 1000, SKIPPED = 77 };

static char *paths[RECORDINGS_MAX];
static size_t paths_len;

static int note_path(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    size_t len = strlen(path);
    if (type == FTW_F && len > 4 && strcmp(path + len - 4, ".sse") == 0 && paths_len < RECORDINGS_MAX)
        paths[paths_len++] = strdup(path);
    return 0;
}

static void read_file(const char *path, struct bytes *out)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char room[65536];
    size_t len;
    while ((len = fread(room, 1, sizeof(room), file)) > 0)
        assert_int_equal(bytes_append(out, room, len), 0);
    fclose(file);
}

size_t recordings_each(void (*each)(const struct recording *recording, void *ctx), void *ctx)
{
    for (size_t i = 0; i < paths_len; i++) {
        struct bytes file;
        bytes_init(&file, 1 << 26);
        read_file(paths[i], &file);
        struct span all = bytes_span(&file);
        bool is_chat = memmem(all.data, all.len, "chat.completion.chunk", 21) != NULL;
        each(&(struct recording){paths[i], all, is_chat}, ctx);
        bytes_fini(&file);
    }
    return paths_len;
}

int recordings_main(void (*test)(void **state))
{
    const char *data = getenv("REIN_DATA");
    if (data == NULL) {
        puts("skipped: REIN_DATA names no folder of recordings");
        return SKIPPED;
    }
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/wire", data);
    if (nftw(folder, note_path, 16, FTW_PHYS) != 0)
        return 1;
    const struct CMUnitTest tests[] = {{"recordings", test, NULL, NULL, NULL}};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < paths_len; i++)
        free(paths[i]);
    return failed;
}
