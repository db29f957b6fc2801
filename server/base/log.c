/* See log.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rein/rein.h"

static _Atomic int threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    threshold = (int)level;
}

__attribute__((format(printf, 3, 0))) static void write_line(enum log_level level, const char *area, const char *format,
                                                             va_list args)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct timespec now;
    struct tm utc;
    char line[1024];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    len +=
        (size_t)snprintf(line + len, sizeof line - len, ".%03ldZ %s %s: ", now.tv_nsec / 1000000, names[level], area);
    int more = vsnprintf(line + len, sizeof line - len - 1, format, args);
    len += more > 0 ? (size_t)more : 0;
    if (len > sizeof line - 2)
        len = rein_text_whole(line, sizeof line - 2);
    /* Control characters in a message must not look like another line. */
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
    line[len++] = '\n';
    /* One write a line: lines of several threads do not mix. */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}

static bool is_written(enum log_level level)
{
    return (int)level <= threshold;
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
    va_list args;
    if (!is_written(level))
        return;
    va_start(args, format);
    write_line(level, area, format, args);
    va_end(args);
}

/* ---- limits ---- */

static pthread_mutex_t limits_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit *limits; /* with the lock, like each limit */

static bool limit_is_sound(const struct log_limit *limit)
{
    bool is_idle = limit->left_out == 0;
    return limit->written <= LOG_FIRST && (is_idle || (limit->is_listed && limit->written == LOG_FIRST));
}

/* A thread may have read the clock before the one that began the period. */
static bool limit_is_over(const struct log_limit *limit, uint64_t now_ms)
{
    return now_ms > limit->since_ms && now_ms - limit->since_ms >= LOG_PERIOD_MS;
}

/* One line for everything that a period omitted. The next period belongs to the same flood and has no first lines. */
static void limit_end_period(struct log_limit *limit, uint64_t now_ms)
{
    if (limit->left_out == 1)
        log_write(limit->level, limit->area, "%s", limit->latest);
    else
        log_write(limit->level, limit->area, "%s (the latest of %llu like it; the others are left out)", limit->latest,
                  (unsigned long long)limit->left_out);
    limit->left_out = 0;
    limit->since_ms = now_ms;
}

__attribute__((format(printf, 4, 0))) static void limit_leave_out(struct log_limit *limit, enum log_level level,
                                                                  const char *area, const char *format, va_list args)
{
    limit->left_out++;
    limit->level = level;
    limit->area = area;
    vsnprintf(limit->latest, sizeof limit->latest, format, args);
    if (limit->is_listed)
        return;
    limit->is_listed = true;
    limit->next = limits;
    limits = limit;
}

__attribute__((format(printf, 5, 0))) static void limit_write(struct log_limit *limit, uint64_t now_ms,
                                                              enum log_level level, const char *area,
                                                              const char *format, va_list args)
{
    if (!is_written(level))
        return;
    pthread_mutex_lock(&limits_lock);
    assert(limit_is_sound(limit));
    if (limit_is_over(limit, now_ms)) {
        if (limit->left_out > 0) {
            limit_end_period(limit, now_ms);
        } else {
            limit->written = 0;
            limit->since_ms = now_ms;
        }
    }
    if (limit->written == LOG_FIRST) {
        limit_leave_out(limit, level, area, format, args);
    } else {
        limit->written++;
        write_line(level, area, format, args);
    }
    assert(limit_is_sound(limit));
    pthread_mutex_unlock(&limits_lock);
}

uint64_t log_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void log_limited_at(struct log_limit *limit, uint64_t now_ms, enum log_level level, const char *area,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    limit_write(limit, now_ms, level, area, format, args);
    va_end(args);
}

void log_flush(uint64_t now_ms)
{
    pthread_mutex_lock(&limits_lock);
    for (struct log_limit *limit = limits; limit != NULL; limit = limit->next)
        if (limit->left_out > 0 && limit_is_over(limit, now_ms))
            limit_end_period(limit, now_ms);
    pthread_mutex_unlock(&limits_lock);
}
