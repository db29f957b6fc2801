/* See store.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      store_put (any loop) -> queue -> writer: all that is queued -> one transaction -> post to each loop -> done
 *                                          |  failed: reported at once, kept
 *                                          +-> kept -> tried again before newer records, twice a second
 *
 * The queue's lock is all that loops and writer share; it is held to move a pointer. Between transactions the writer
 * purges in small steps, and lets the driver maintain its database. */
#include "store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"
#include "store/changes.h"
#include "store/driver.h"
#include "store/erase/erasures.h"

enum {
    GATHER_US = 1000,             /* how long the next group may take to gather */
    GATHER_LEN = 6,               /* in a group of this size the commit's own cost is small */
    LOOK_US = 500 * 1000,         /* between two looks at the database's files */
    RETRY_US = 500 * 1000,        /* between two tries of a store that fails */
    LAST_RETRY_US = 100 * 1000,   /* likewise, at the end */
    POST_RETRY_US = 10 * 1000,    /* a loop could not be notified for lack of memory */
    PURGE_IDLE_US = 60 * 1000000, /* nothing was left to purge */
    MAINTAIN_US = 15 * 1000,      /* the database has more to do: leave room for writes in between */
    PURGE_MORE_US = 50 * 1000,    /* there is more: leave room for writes in between */
};

struct job_list {
    struct store_job *first, **end;
    size_t len;
};

struct store {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job_list queue; /* with `lock`, like all up to queue_max */
    size_t wanted;         /* the writer sleeps until so many are queued */
    bool closing, ended;   /* nothing can be put any more; the writer has finished */
    int64_t give_up_at_us; /* set with closing: until then a failing store is tried again */
    bool keeps_anew;       /* keep_days has changed, and the writer does not know it yet */
    bool uses_anew;        /* likewise the list of policies, which waits here; a list by `next` */
    struct store_policies *policies;
    struct erasures erasures; /* likewise, in part */
    unsigned keep_days;
    size_t queue_max;

    const struct store_driver *driver; /* set once, like `path` */
    char *path;

    struct store_db *db; /* the members below belong to the writer */
    struct job_list kept;
    struct store_policies *in_use; /* the last that were noted; NULL: none */
    uint64_t noted_gone;           /* how often the database had gone by then */
    struct store_job *untold;      /* chain by `notice`: callbacks that could not be posted yet */
    int64_t retry_at_us, purge_at_us, look_at_us, maintain_at_us;
    size_t group_len; /* number of records in the last group */
    bool leaving;     /* the loops have stopped: nobody is notified any more */

    struct changes changes;
    atomic_bool healthy; /* the members below may be read by all threads */
    _Atomic uint64_t queued_len, kept_len, written, failed, dropped, purged, commits, gone;
    _Atomic uint64_t latency[STORE_LATENCY_BOUNDS + 1], latency_sum_us;
    atomic_int processor; /* that the writer runs on; -1: it has not run, or nobody says */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- lists ---- */

static void list_clear(struct job_list *list)
{
    *list = (struct job_list){.first = NULL};
}

/* Empty, or ended by its last job. */
static bool list_is_sound(const struct job_list *list)
{
    return list->first == NULL ? list->len == 0 : list->len > 0 && *list->end == NULL;
}

static void list_append(struct job_list *list, struct store_job *job)
{
    assert(list_is_sound(list));
    job->next = NULL;
    *(list->first != NULL ? list->end : &list->first) = job;
    list->end = &job->next;
    list->len++;
    assert(list_is_sound(list));
}

static struct store_job *list_pop(struct job_list *list)
{
    assert(list_is_sound(list) && list->first != NULL);
    struct store_job *job = list->first;
    list->first = job->next;
    list->len--;
    assert(list_is_sound(list));
    return job;
}

static void list_push_front(struct job_list *list, struct store_job *job)
{
    assert(list_is_sound(list));
    if (list->first == NULL)
        list->end = &job->next;
    job->next = list->first;
    list->first = job;
    list->len++;
    assert(list_is_sound(list));
}

/* What holds of the members that loops and writer share; with the lock. */
static bool store_queue_is_sound(const struct store *store)
{
    return list_is_sound(&store->queue) && store->queue.len <= store->queue_max &&
           atomic_load_explicit(&store->queued_len, memory_order_relaxed) == store->queue.len &&
           (store->closing || !store->ended);
}

/* What holds of the writer's members: a record is kept because writing failed, and its waiter was notified. Only jobs
 * with a waiter are in `untold`, and there are no waiters once the loops have stopped. */
static bool store_writer_is_sound(const struct store *store)
{
    const struct job_list *kept = &store->kept;
    return list_is_sound(kept) && kept->len <= store->queue_max &&
           (kept->first == NULL || (kept->first->notified && !atomic_load(&store->healthy))) &&
           (store->untold == NULL ||
            (store->untold->notified && store->untold->done != NULL && store->untold->refs > 0));
}

/* ---- the loops' side ---- */

int store_put(struct store *store, const struct store_record *record, struct loop *loop, store_done done, void *ctx)
{
    struct store_job *job;
    assert(done == NULL || loop != NULL);
    int rv = store_job_new(&job, record);
    if (rv != 0)
        return rv;
    job->loop = loop;
    job->done = done;
    job->ctx = ctx;
    job->queued_at_us = now_us();
    pthread_mutex_lock(&store->lock);
    assert(store_queue_is_sound(store) && !store->closing);
    bool full = store->queue.len >= store->queue_max;
    if (!full) {
        list_append(&store->queue, job);
        count(&store->queued_len, 1);
    }
    bool is_enough = store->queue.len == store->wanted;
    assert(store_queue_is_sound(store));
    pthread_mutex_unlock(&store->lock);
    if (full) {
        store_job_unref(job);
        count(&store->dropped, 1);
        return REIN_ELIMIT;
    }
    if (is_enough)
        pthread_cond_signal(&store->wake);
    return 0;
}

bool store_is_healthy(struct store *store)
{
    return atomic_load(&store->healthy);
}

void store_stats(struct store *store, struct store_stats *out)
{
    *out = (struct store_stats){
        .queued = store->queued_len,
        .kept = store->kept_len,
        .written = store->written,
        .failed = store->failed,
        .dropped = store->dropped,
        .purged = store->purged,
        .gone = store->gone,
        .commits = store->commits,
        .latency_sum_us = store->latency_sum_us,
    };
    for (size_t i = 0; i <= STORE_LATENCY_BOUNDS; i++)
        out->latency[i] = store->latency[i];
}

/* ---- telling ---- */

static void deliver(void *ctx)
{
    for (struct store_job *job = ctx, *next; job != NULL; job = next) {
        next = job->notice;
        job->done(job->ctx, job->rv);
        store_job_unref(job);
    }
}

/* Removes all notices of the first one's loop from a chain, in order. */
static struct store_job *take_loop(struct store_job **chain)
{
    struct store_job *taken = NULL, **end = &taken, **at = chain;
    struct loop *loop = (*chain)->loop;
    while (*at != NULL) {
        struct store_job *job = *at;
        if (job->loop != loop) {
            at = &job->notice;
            continue;
        }
        *at = job->notice;
        job->notice = NULL;
        *end = job;
        end = &job->notice;
    }
    return taken;
}

static void drop_notices(struct store_job *chain)
{
    for (struct store_job *next; chain != NULL; chain = next) {
        next = chain->notice;
        store_job_unref(chain);
    }
}

/* One post for each loop. What cannot be posted is left in store->untold. */
static void tell(struct store *store)
{
    struct store_job *left = NULL, **end = &left;
    while (store->untold != NULL) {
        struct store_job *jobs = take_loop(&store->untold);
        if (loop_post(jobs->loop, deliver, jobs) == 0)
            continue;
        for (*end = jobs; *end != NULL;)
            end = &(*end)->notice;
    }
    store->untold = left;
}

/* Notes the outcome of each job of a list for those who wait for it. They are notified when the writer has released the
 * jobs: so their own loop, whose memory they use, frees them. */
static void store_settle(struct store *store, const struct job_list *list, int rv)
{
    struct store_job **end = &store->untold;
    while (*end != NULL)
        end = &(*end)->notice;
    for (struct store_job *job = list->first; job != NULL; job = job->next) {
        if (job->notified)
            continue;
        job->notified = true;
        count(&store->failed, rv != 0);
        if (job->done == NULL || store->leaving)
            continue;
        atomic_fetch_add_explicit(&job->refs, 1, memory_order_relaxed);
        job->rv = rv;
        job->notice = NULL;
        *end = job;
        end = &job->notice;
    }
}

static void drop_all(struct job_list *list)
{
    while (list->first != NULL)
        store_job_unref(list_pop(list));
    list_clear(list);
}

/* ---- writing ---- */

static void observe(struct store *store, const struct job_list *list)
{
    static const int64_t bounds[STORE_LATENCY_BOUNDS] = STORE_LATENCY_BOUNDS_US;
    int64_t now = now_us();
    count(&store->commits, 1);
    count(&store->written, list->len);
    changes_note(&store->changes, list->first);
    for (const struct store_job *job = list->first; job != NULL; job = job->next) {
        size_t i = 0;
        while (i < STORE_LATENCY_BOUNDS && now - job->queued_at_us > bounds[i])
            i++;
        count(&store->latency[i], 1);
        count(&store->latency_sum_us, (uint64_t)(now - job->queued_at_us));
    }
}

static void set_healthy(struct store *store, bool healthy)
{
    static struct log_limit lost, found; /* a disk that is nearly full fails intermittently */
    atomic_store_explicit(&store->gone, store->driver->times_gone(store->db), memory_order_relaxed);
    bool was = atomic_exchange(&store->healthy, healthy);
    if (was && !healthy)
        log_limited(&lost, LOG_ERROR, "store", "decisions cannot be written; Rein tries again twice a second");
    if (!was && healthy)
        log_limited(&found, LOG_INFO, "store", "decisions can be written again");
    if (!healthy)
        store->retry_at_us = now_us() + RETRY_US;
}

/* Records of a failed commit are kept and tried again; if there are too many, the oldest are dropped. */
static void store_own_keep(struct store *store, struct job_list *list)
{
    while (list->first != NULL)
        list_append(&store->kept, list_pop(list));
    while (store->kept.len > store->queue_max) {
        store_job_unref(list_pop(&store->kept));
        count(&store->dropped, 1);
    }
    atomic_store(&store->kept_len, store->kept.len);
}

/* One record of a group cannot be written because of its own content: find it, write the others. */
static int write_each(struct store *store, struct job_list *list)
{
    int rv = 0;
    while (list->first != NULL && rv == 0) {
        struct job_list one = {.first = NULL};
        list_append(&one, list_pop(list));
        int written = store->driver->write(store->db, one.first);
        if (written == 0 || written == REIN_EINVAL) {
            if (written == 0)
                observe(store, &one);
            store_settle(store, &one, written);
            count(&store->dropped, written != 0);
            drop_all(&one);
        } else {
            list_push_front(list, list_pop(&one));
            rv = written;
        }
    }
    return rv;
}

/* Writes a list in one transaction, notifies those who wait, and frees it. */
static void write_list(struct store *store, struct job_list *list)
{
    int rv = store->driver->write(store->db, list->first);
    if (rv == REIN_EINVAL)
        rv = write_each(store, list);
    if (rv != 0) {
        set_healthy(store, false);
        store_settle(store, list, rv);
        store_own_keep(store, list);
        return;
    }
    if (list->first != NULL)
        observe(store, list);
    atomic_store(&store->kept_len, 0);
    set_healthy(store, true);
    store_settle(store, list, 0);
    drop_all(list);
}

/* Kept records go first: a newer record of the same request has to replace an older one. */
static void write_batch(struct store *store, struct job_list *batch, bool last_chance)
{
    assert(store_writer_is_sound(store) && list_is_sound(batch));
    if (!store_is_healthy(store) && now_us() < store->retry_at_us && !last_chance) {
        store_settle(store, batch, REIN_EIO);
        store_own_keep(store, batch);
        assert(store_writer_is_sound(store));
        return;
    }
    struct job_list all = store->kept; /* they still count as kept while they are tried */
    list_clear(&store->kept);
    while (batch->first != NULL)
        list_append(&all, list_pop(batch));
    if (all.first != NULL)
        write_list(store, &all);
    else if (!store_is_healthy(store))
        set_healthy(store, store->driver->probe(store->db) == 0);
    assert(store_writer_is_sound(store));
}

/* ---- policies ---- */

static struct store_policies *take_policies(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct store_policies *first = store->policies;
    if (first != NULL)
        store->policies = first->next;
    pthread_mutex_unlock(&store->lock);
    return first;
}

/* Was not written: waits before those that came later. */
static void return_policies(struct store *store, struct store_policies *first)
{
    pthread_mutex_lock(&store->lock);
    first->next = store->policies;
    store->policies = first;
    pthread_mutex_unlock(&store->lock);
}

static int note_policies(struct store *store, const struct store_policies *policies)
{
    int rv = store->driver->use_policies(store->db, policies);
    store->noted_gone = store->driver->times_gone(store->db);
    if (rv == REIN_EINVAL)
        log_error("store", "the policies that are in use cannot be kept: the database does not accept their texts");
    else if (rv != 0)
        set_healthy(store, false);
    return rv == REIN_EINVAL ? 0 : rv;
}

/* What waits, in order. A database in place of another one gets those that are in use again. */
static void use_policies(struct store *store)
{
    if (store->in_use != NULL && store_is_healthy(store) && store->noted_gone != store->driver->times_gone(store->db) &&
        note_policies(store, store->in_use) != 0)
        return;
    struct store_policies *next;
    while (store_is_healthy(store) && (next = take_policies(store)) != NULL) {
        if (note_policies(store, next) != 0) {
            return_policies(store, next);
            return;
        }
        store_policies_free(store->in_use);
        store->in_use = next;
    }
}

int store_use_policies(struct store *store, const struct store_policy *policies, size_t len)
{
    struct store_policies *set, *lost = NULL;
    int rv = store_policies_new(&set, policies, len);
    if (rv != 0)
        return rv;
    pthread_mutex_lock(&store->lock);
    struct store_policies **end = &store->policies;
    size_t waiting = 0;
    for (; *end != NULL; end = &(*end)->next)
        waiting++;
    *end = set;
    if (waiting >= STORE_POLICIES_WAITING_MAX) {
        lost = store->policies;
        store->policies = lost->next;
    }
    store->uses_anew = true;
    pthread_cond_broadcast(&store->wake);
    pthread_mutex_unlock(&store->lock);
    if (lost != NULL)
        log_warn("store", "the texts of policies of an earlier reload are not kept: too many wait to be written");
    store_policies_free(lost);
    return 0;
}

/* ---- erasing ---- */

int store_erase(struct store *store, struct store_erasure *erasure)
{
    pthread_mutex_lock(&store->lock);
    int rv = store->closing ? REIN_ESTATE : erasures_add(&store->erasures, erasure);
    pthread_cond_broadcast(&store->wake);
    pthread_mutex_unlock(&store->lock);
    return rv;
}

static bool begin_erasure(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    bool is_one = erasures_begin(&store->erasures);
    pthread_mutex_unlock(&store->lock);
    return is_one;
}

static void erase(struct store *store)
{
    if (begin_erasure(store))
        erasures_step(&store->erasures, store->driver, store->path, store_is_healthy(store));
    else
        store->erasures.due_us = INT64_MAX;
}

/* At the end: nobody waits for what takes long. */
static void abandon_erasures(struct store *store)
{
    while (begin_erasure(store))
        erasures_end(&store->erasures, store->driver, REIN_ESTATE);
}

/* ---- the writer ---- */

static void purge(struct store *store)
{
    uint64_t purged = 0;
    int rv = store_is_healthy(store) ? store->driver->purge(store->db, &purged) : 0;
    count(&store->purged, purged);
    store->purge_at_us = now_us() + (rv > 0 ? PURGE_MORE_US : PURGE_IDLE_US);
}

/* After each group and each wake-up; while there is more, no sooner than it is due. */
static void maintain(struct store *store)
{
    if (!store_is_healthy(store)) {
        store->maintain_at_us = INT64_MAX;
        return;
    }
    if (store->maintain_at_us != INT64_MAX && now_us() < store->maintain_at_us)
        return;
    store->maintain_at_us = store->driver->maintain(store->db) ? now_us() + MAINTAIN_US : INT64_MAX;
}

static int64_t next_due(const struct store *store)
{
    int64_t due = store->purge_at_us < store->look_at_us ? store->purge_at_us : store->look_at_us;
    if (store->maintain_at_us < due)
        due = store->maintain_at_us;
    if (store->erasures.due_us < due)
        due = store->erasures.due_us;
    if (!atomic_load(&store->healthy) && store->retry_at_us < due)
        due = store->retry_at_us;
    if (store->untold != NULL && now_us() + POST_RETRY_US < due)
        due = now_us() + POST_RETRY_US;
    return due;
}

/* Sleeps until enough records are queued, the time has come, or the store is closing. With the lock. */
static void sleep_until(struct store *store, size_t wanted, int64_t due)
{
    struct timespec until = {due / 1000000, due % 1000000 * 1000};
    store->wanted = wanted;
    while (store->queue.len < wanted && !store->closing && !store->keeps_anew && !store->uses_anew &&
           !store->erasures.is_anew && now_us() < due)
        pthread_cond_timedwait(&store->wake, &store->lock, &until);
    store->wanted = 0;
}

/* A commit costs as much as several rows: if records arrive together anyway, a short wait turns several commits into
 * one. A single client never waits, because then the last group had one record and none arrived during its commit. */
static void gather(struct store *store)
{
    size_t wanted = store->queue.len + store->group_len;
    if (wanted > 1)
        sleep_until(store, wanted < GATHER_LEN ? wanted : GATHER_LEN, now_us() + GATHER_US);
}

/* With the lock, by the writer. */
static void take_keep_days(struct store *store)
{
    if (!store->keeps_anew)
        return;
    store->keeps_anew = false;
    store->driver->keep(store->db, store->keep_days);
    store->purge_at_us = now_us();
}

/* Waits until something is queued or due. Takes all that is queued; false when the store is closing. */
static bool wait_batch(struct store *store, struct job_list *batch)
{
    int64_t due = next_due(store);
    pthread_mutex_lock(&store->lock);
    gather(store);
    sleep_until(store, 1, due);
    take_keep_days(store);
    store->uses_anew = false;
    if (store->erasures.is_anew && store->erasures.due_us == INT64_MAX)
        store->erasures.due_us = now_us();
    store->erasures.is_anew = false;
    *batch = store->queue;
    store->group_len = batch->len;
    list_clear(&store->queue);
    bool closing = store->closing;
    atomic_fetch_sub_explicit(&store->queued_len, batch->len, memory_order_relaxed);
    assert(store_queue_is_sound(store));
    pthread_mutex_unlock(&store->lock);
    return !closing;
}

/* There may be no writes for hours; missing files are noticed nevertheless. */
static void look(struct store *store)
{
    store->look_at_us = now_us() + LOOK_US;
    if (!store->driver->is_in_place(store->db) && store_is_healthy(store))
        set_healthy(store, false);
}

/* At the end, remaining records are tried again for a while: the database may be busy, or the disk full for a moment.
 */
static void write_last(struct store *store, struct job_list *batch)
{
    store->leaving = true;
    abandon_erasures(store);
    write_batch(store, batch, true);
    while (store->kept.len > 0 && now_us() < store->give_up_at_us) {
        struct timespec pause = {0, LAST_RETRY_US * 1000};
        nanosleep(&pause, NULL);
        write_batch(store, &(struct job_list){.first = NULL}, true);
    }
    use_policies(store);
}

static void *writer(void *ctx)
{
    struct store *store = ctx;
    struct job_list batch;
    while (wait_batch(store, &batch)) {
        atomic_store_explicit(&store->processor, thread_processor(), memory_order_relaxed);
        write_batch(store, &batch, false);
        use_policies(store);
        if (store->untold != NULL)
            tell(store);
        maintain(store);
        if (now_us() >= store->erasures.due_us)
            erase(store);
        if (now_us() >= store->look_at_us)
            look(store);
        if (now_us() >= store->purge_at_us)
            purge(store);
    }
    write_last(store, &batch);
    pthread_mutex_lock(&store->lock);
    store->ended = true;
    pthread_cond_broadcast(&store->wake);
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

void store_keep(struct store *store, unsigned days)
{
    pthread_mutex_lock(&store->lock);
    store->keeps_anew = true;
    store->keep_days = days;
    pthread_cond_broadcast(&store->wake);
    pthread_mutex_unlock(&store->lock);
}

/* ---- open and close ---- */

static int start_thread(struct store *store)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&store->wake, &attr);
    pthread_condattr_destroy(&attr);
    int rv = thread_start(&store->thread, "rein-store", writer, store);
    if (rv == 0)
        return 0;
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    return rv;
}

static void store_free(struct store *store)
{
    if (store->driver != NULL)
        store->driver->close(store->db);
    changes_fini(&store->changes);
    free(store->path);
    free(store);
}

int store_open(struct store **out, const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return REIN_ENOMEM;
    store->queue_max = options->queue_max > 0 ? options->queue_max : STORE_QUEUE_MAX;
    atomic_init(&store->healthy, true);
    changes_init(&store->changes);
    atomic_init(&store->processor, -1);
    store->purge_at_us = now_us();
    store->erasures.due_us = INT64_MAX;
    store->path = strdup(options->path);
    store->driver = store_driver_find(options->scheme);
    int rv = store->path != NULL ? 0 : REIN_ENOMEM;
    if (rv == 0 && store->driver == NULL) {
        log_error("store", "this version has no store of the kind %s: set another store.url", options->scheme);
        rv = REIN_EFORMAT;
    }
    if (rv == 0)
        rv = store->driver->open(&store->db, options);
    if (rv == 0)
        rv = start_thread(store);
    if (rv != 0) {
        store_free(store);
        return rv;
    }
    *out = store;
    return 0;
}

void store_watch(struct store *store, bool on)
{
    changes_watch(&store->changes, on);
}

size_t store_changes(struct store *store, int64_t out[STORE_CHANGES_MAX], uint64_t *missed)
{
    return changes_take(&store->changes, out, missed);
}

int store_reader_open(struct store_reader **out, const struct store *store, unsigned time_limit_ms)
{
    return store->driver->open_reader(out, store->path, time_limit_ms);
}

void store_reader_keep_off(struct store_reader *reader, const struct store *store)
{
    reader->keeps_off = &store->processor;
}

/* Nothing can be put any more; the writer ends. Failed writes are tried again until `give_up_at_us`. */
static void begin_end(struct store *store, int64_t give_up_at_us)
{
    pthread_mutex_lock(&store->lock);
    if (!store->closing)
        store->give_up_at_us = give_up_at_us;
    store->closing = true;
    pthread_cond_broadcast(&store->wake);
    pthread_mutex_unlock(&store->lock);
}

int store_finish(struct store *store, unsigned wait_ms)
{
    int64_t now = now_us(), until_us = now + (int64_t)wait_ms * 1000;
    int64_t tries_us = wait_ms < STORE_LAST_TRIES_MS ? wait_ms : STORE_LAST_TRIES_MS;
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    begin_end(store, now + tries_us * 1000);
    pthread_mutex_lock(&store->lock);
    while (!store->ended && now_us() < until_us)
        pthread_cond_timedwait(&store->wake, &store->lock, &until);
    bool ended = store->ended;
    pthread_mutex_unlock(&store->lock);
    if (!ended)
        return REIN_ELIMIT;
    return store->kept.len > 0 ? REIN_EIO : 0;
}

void store_abandon(struct store *store)
{
    pthread_detach(store->thread);
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    begin_end(store, 0);
    pthread_join(store->thread, NULL);
    if (store->kept.len > 0)
        log_error("store", "%zu decisions could not be written and are lost", store->kept.len);
    drop_all(&store->kept);
    drop_notices(store->untold);
    store_policies_free(store->in_use);
    for (struct store_policies *set; (set = take_policies(store)) != NULL;)
        store_policies_free(set);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    store_free(store);
}
