/* The cache of compiled lexicons: what was kept is found again, and only that. Nothing that is wrong with the cache is
 * an error. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>

#include "config/lexicon_cache.h"
#include "configkit.h"

static const char lexicon_text[] =
    "version: 1\nname: small\nlanguage: en\nentries:\n"
    "  - { id: a, class: names_harm, phrases: [this is wrong], match: [I think this is wrong.] }\n"
    "  - { id: b, class: answer_refuses, phrases: [i will not], match: [No and i will not] }\n";
static const char policy_text[] = "version: 1\nname: p\nlexicons: [small]\n";
enum { PARTS = 2 }; /* reasoning and answer */

/* Loads the policy with a lexicon; it works whatever the cache is like. */
static void load_with(const char *text)
{
    struct rein_source lexicon = {"small.yaml", text, strlen(text)};
    struct rein_source source = {"p.yaml", policy_text, sizeof(policy_text) - 1};
    struct rein_library library = {.lexicons = &lexicon, .lexicons_len = 1};
    struct rein_policy *policy;
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(rein_policy_load(&policy, &source, &library, problems), 0);
    rein_policy_unref(policy);
    /* the lexicon's own tests run over what was compiled or found */
    assert_int_equal(rein_library_check(&lexicon, rein_schema_lexicon(), problems), 0);
    rein_problems_free(problems);
}

static struct lexicon_cache_counts counts_of_load(const char *text)
{
    lexicon_cache_report();
    load_with(text);
    return lexicon_cache_counts();
}

static void expect(const char *text, unsigned found, unsigned compiled, unsigned kept)
{
    struct lexicon_cache_counts counts = counts_of_load(text);
    assert_int_equal(counts.found, found);
    assert_int_equal(counts.compiled, compiled);
    assert_int_equal(counts.kept, kept);
}

static int set_up_cache(void **state)
{
    int rv = set_up(state);
    struct fixture *f = *state;
    strcat(f->folder, "/cache");
    return rv == 0 ? lexicon_cache_use(f->folder) : rv;
}

static int tear_down_cache(void **state)
{
    struct fixture *f = *state;
    *strrchr(f->folder, '/') = '\0';
    return lexicon_cache_use(NULL) != 0 || tear_down(state) != 0 ? -1 : 0;
}

/* The names of the kept files; owned. */
static struct files_list kept_files(const struct fixture *f)
{
    struct files_list list = {calloc(512, sizeof(char *)), 0};
    DIR *dir = opendir(f->folder);
    for (struct dirent *at; dir != NULL && (at = readdir(dir)) != NULL;)
        if (strstr(at->d_name, ".lexicon") != NULL)
            list.paths[list.len++] = files_join(f->folder, at->d_name);
    if (dir != NULL)
        closedir(dir);
    return list;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

/* What the log says while `act` runs, owned. */
static char *log_of(void (*act)(const char *), const char *arg)
{
    char path[] = "/tmp/rein-log-XXXXXX", *text;
    int fd = mkstemp(path), old = dup(2);
    size_t len;
    dup2(fd, 2);
    act(arg);
    dup2(old, 2);
    close(old);
    close(fd);
    assert_int_equal(files_read(&text, &len, path, 1 << 20), 0);
    unlink(path);
    return text;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        count++;
    return count;
}

/* ---- what is kept ---- */

static void test_found_u4_what_was_compiled_is_found_again(void **state)
{
    struct fixture *f = *state;
    expect(lexicon_text, PARTS, PARTS, PARTS); /* the load compiles; the check finds */
    assert_int_equal(mode_of(f->folder), 0700);
    struct files_list files = kept_files(f);
    assert_int_equal(files.len, PARTS);
    for (size_t i = 0; i < files.len; i++)
        assert_int_equal(mode_of(files.paths[i]), 0600);
    files_list_fini(&files);
    expect(lexicon_text, 2 * PARTS, 0, 0);
}

static void other_content_has_another_file(void **state)
{
    load_with(lexicon_text);
    char *other = strdup(lexicon_text);
    for (char *at; (at = strstr(other, "i will not")) != NULL;)
        memcpy(at, "i would no", 10);
    expect(other, 2 * PARTS - 1, 1, 1); /* the reasoning's part is the same; the answer's is not */
    expect(lexicon_text, 2 * PARTS, 0, 0);
    free(other);
    struct files_list files = kept_files(*state);
    assert_int_equal(files.len, PARTS + 1);
    files_list_fini(&files);
}

static void without_a_folder_nothing_is_kept(void **state)
{
    assert_int_equal(lexicon_cache_use(NULL), 0);
    expect(lexicon_text, 0, 0, 0);
    struct files_list files = kept_files(*state);
    assert_int_equal(files.len, 0);
    files_list_fini(&files);
}

/* ---- what is wrong ---- */

static char *content(const char *path, size_t *len)
{
    char *text;
    assert_int_equal(files_read(&text, len, path, LEXICON_CACHE_FILE_BYTES_MAX), 0);
    return text;
}

static void put(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* A damaged file is compiled anew and replaced: the check that follows the load finds it again. */
static void expect_replaced(void)
{
    expect(lexicon_text, 2 * PARTS - 1, 1, 1);
}

/* Each byte of the head, and bytes all over the content. */
static void test_found_u4_damaged_files_are_not_read(void **state)
{
    load_with(lexicon_text);
    struct files_list files = kept_files(*state);
    size_t len;
    char *whole = content(files.paths[0], &len);
    for (size_t at = 0; at < len; at += at < LEXICON_CACHE_HEAD + 64 ? 1 : len / 40 + 1) {
        whole[at] ^= 0x10;
        put(files.paths[0], whole, len);
        whole[at] ^= 0x10;
        expect_replaced();
    }
    free(whole);
    files_list_fini(&files);
}

static void test_found_u4_files_of_another_length_are_not_read(void **state)
{
    load_with(lexicon_text);
    struct files_list files = kept_files(*state);
    size_t len;
    char *whole = content(files.paths[0], &len);
    const size_t lengths[] = {0,       1,      LEXICON_CACHE_HEAD - 1, LEXICON_CACHE_HEAD, LEXICON_CACHE_HEAD + 1,
                              len / 2, len - 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        put(files.paths[0], whole, lengths[i]);
        expect_replaced();
    }
    char *longer = calloc(1, len + 1);
    memcpy(longer, whole, len);
    put(files.paths[0], longer, len + 1);
    expect_replaced();
    free(longer);
    free(whole);
    files_list_fini(&files);
}

/* A whole file, but of another lexicon, version or processor. */
static void test_found_u4_files_of_another_key_are_not_read(void **state)
{
    load_with(lexicon_text);
    struct files_list files = kept_files(*state);
    size_t len;
    char *other = content(files.paths[1], &len);
    put(files.paths[0], other, len);
    expect_replaced();
    free(other);
    files_list_fini(&files);
}

static void load_thrice(const char *text)
{
    for (int i = 0; i < 3; i++)
        load_with(text);
}

/* The log has one line about what is wrong, and the policy loads all the same. */
static void expect_unused(const char *why)
{
    char *log = log_of(load_thrice, lexicon_text);
    assert_int_equal(count_of(log, " warn cache: "), 1);
    assert_non_null(strstr(log, why));
    free(log);
}

static void test_found_u4_files_of_others_are_not_read(void **state)
{
    struct fixture *f = *state;
    load_with(lexicon_text);
    struct files_list files = kept_files(f);
    const mode_t modes[] = {0602, 0620, 0666};
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        assert_int_equal(chmod(files.paths[0], modes[i]), 0);
        expect_replaced();
        assert_int_equal(mode_of(files.paths[0]), 0600);
    }
    if (geteuid() == 0) { /* only root can give a file away */
        assert_int_equal(chown(files.paths[0], 12345, (gid_t)-1), 0);
        expect_replaced();
    }
    char *target = files_join(f->folder, "elsewhere");
    assert_int_equal(rename(files.paths[0], target), 0);
    assert_int_equal(symlink(target, files.paths[0]), 0);
    expect_replaced();
    free(target);
    files_list_fini(&files);
}

static void test_found_u4_a_folder_of_others_is_not_used(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->folder, 0700), 0);
    assert_int_equal(chmod(f->folder, 0750), 0);
    expect_unused("others have access");
    assert_int_equal(chmod(f->folder, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(lexicon_cache_use(NULL), 0);
        assert_int_equal(lexicon_cache_use(f->folder), 0);
        assert_int_equal(chown(f->folder, 12345, (gid_t)-1), 0);
        expect_unused("another user");
    }
    struct files_list files = kept_files(f);
    assert_int_equal(files.len, 0);
    files_list_fini(&files);
}

static void test_found_u4_what_cannot_be_written_is_no_error(void **state)
{
    struct fixture *f = *state;
    char *below = files_join(f->folder, "missing/too");
    assert_int_equal(lexicon_cache_use(below), 0);
    expect_unused("cannot be kept in");
    free(below);
    put(f->path, "", 0);
    assert_int_equal(lexicon_cache_use(f->path), 0); /* a file */
    expect_unused("Not a directory");
}

/* ---- bounds ---- */

static void test_found_u4_old_files_make_room(void **state)
{
    struct fixture *f = *state;
    load_with(lexicon_text);
    struct files_list ours = kept_files(f);
    for (unsigned i = 0; i < 2 * LEXICON_CACHE_FILES_MAX; i++) {
        char name[80];
        snprintf(name, sizeof(name), "%064x.lexicon", i);
        char *path = files_join(f->folder, name);
        put(path, "old", 3);
        const struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        free(path);
    }
    char *left = files_join(f->folder, ".x.lexicon.left"), *foreign = files_join(f->folder, "notes.txt");
    put(left, "half", 4);
    put(foreign, "mine", 4);
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, left, times, 0), 0);
    assert_int_equal(unlink(ours.paths[0]), 0);
    expect_replaced();
    struct files_list files = kept_files(f);
    assert_int_equal(files.len, LEXICON_CACHE_FILES_MAX);
    for (size_t i = 0; i < ours.len; i++)
        assert_int_equal(access(ours.paths[i], F_OK), 0);
    assert_int_not_equal(access(left, F_OK), 0);
    assert_int_equal(access(foreign, F_OK), 0);
    free(left);
    free(foreign);
    files_list_fini(&files);
    files_list_fini(&ours);
}

/* ---- which folder ---- */

static void commands_use_the_users_own_folder(void **state)
{
    struct fixture *f = *state;
    char *own = files_join(f->folder, "rein"), *home = files_join(f->folder, ".cache/rein"), *old = getenv("HOME");
    assert_int_equal(mkdir(f->folder, 0700), 0);
    old = old != NULL ? strdup(old) : NULL;
    unsetenv("CACHE_DIRECTORY");
    setenv("XDG_CACHE_HOME", f->folder, 1);
    assert_int_equal(lexicon_cache_use_own(), 0);
    load_with(lexicon_text);
    assert_true(files_is_folder(own));
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", f->folder, 1);
    assert_int_equal(lexicon_cache_use_own(), 0);
    load_with(lexicon_text);
    assert_true(files_is_folder(home));
    setenv("CACHE_DIRECTORY", f->folder, 1);
    assert_int_equal(lexicon_cache_use_own(), 0);
    load_with(lexicon_text);
    struct files_list files = kept_files(f);
    assert_int_equal(files.len, PARTS);
    files_list_fini(&files);
    unsetenv("CACHE_DIRECTORY");
    unsetenv("XDG_CACHE_HOME");
    if (old != NULL)
        setenv("HOME", old, 1);
    free(old);
    free(own);
    free(home);
}

int main(void)
{
#define IN_A_FOLDER(name) cmocka_unit_test_setup_teardown(name, set_up_cache, tear_down_cache)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(test_found_u4_what_was_compiled_is_found_again),
        IN_A_FOLDER(other_content_has_another_file),
        IN_A_FOLDER(without_a_folder_nothing_is_kept),
        IN_A_FOLDER(test_found_u4_damaged_files_are_not_read),
        IN_A_FOLDER(test_found_u4_files_of_another_length_are_not_read),
        IN_A_FOLDER(test_found_u4_files_of_another_key_are_not_read),
        IN_A_FOLDER(test_found_u4_files_of_others_are_not_read),
        IN_A_FOLDER(test_found_u4_a_folder_of_others_is_not_used),
        IN_A_FOLDER(test_found_u4_what_cannot_be_written_is_no_error),
        IN_A_FOLDER(test_found_u4_old_files_make_room),
        IN_A_FOLDER(commands_use_the_users_own_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
