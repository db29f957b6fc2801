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

#include "base/utf8.h"
#include "rein/rein.h"

static _Atomic int threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    threshold = (int)level;
}

static _Atomic int line_format = LOG_TEXT;

void log_set_format(enum log_format format)
{
    line_format = (int)format;
}

enum { LINE_MAX_LEN = 2048, MESSAGE_MAX_LEN = 1024 };

/* A line that is being made: after the first piece that does not fit, nothing is added until `full` is taken back. */
struct line {
    char text[LINE_MAX_LEN];
    size_t len, end;
    bool full;
};

/* The room for a brace and the line's end. */
enum { LINE_END = LINE_MAX_LEN - 2 };

static void line_add(struct line *line, const char *text, size_t len)
{
    line->full = line->full || len > line->end - line->len;
    if (line->full)
        return;
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void line_put(struct line *line, const char *text)
{
    line_add(line, text, strlen(text));
}

/* Without what could look like another line, or end a JSON string, or is no text. A character is there as a whole. */
static void line_put_clean(struct line *line, const char *text, bool is_json)
{
    char piece[8];
    for (size_t len; *text != '\0'; text += len) {
        unsigned char c = (unsigned char)*text;
        size_t valid = utf8_length(text, strnlen(text, 4));
        len = valid > 0 ? valid : 1;
        if (is_json && (c == '"' || c == '\\'))
            line_add(line, piece, (size_t)snprintf(piece, sizeof piece, "\\%c", c));
        else if (is_json && c < 0x20)
            line_add(line, piece, (size_t)snprintf(piece, sizeof piece, "\\u%04x", c));
        else if (valid == 0)
            line_put(line, "?");
        else
            line_add(line, c < 0x20 || c == 0x7f ? " " : text, len);
    }
}

static void line_put_field(struct line *line, const struct log_field *field, bool is_json)
{
    char number[24];
    bool is_plain = field->text != NULL && *field->text != '\0' && strpbrk(field->text, " =\"") == NULL;
    line_put(line, is_json ? ",\"" : " ");
    line_put(line, field->name);
    line_put(line, is_json ? "\":" : "=");
    if (field->text == NULL) {
        snprintf(number, sizeof number, "%lld", field->number);
        line_put(line, number);
        return;
    }
    bool quotes = is_json || !is_plain;
    line_put(line, quotes ? "\"" : "");
    line_put_clean(line, field->text, quotes);
    line_put(line, quotes ? "\"" : "");
}

static void line_begin(struct line *line, enum log_level level, const char *area, bool is_json)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char time[40];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(time + len, sizeof time - len, ".%03ldZ", now.tv_nsec / 1000000);
    const char *const parts[] = {
        is_json ? "{\"time\":\"" : "",    time, is_json ? "\",\"level\":\"" : " ",   names[level],
        is_json ? "\",\"area\":\"" : " ", area, is_json ? "\",\"message\":\"" : ": "};
    line->len = 0;
    line->end = LINE_END;
    line->full = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        line_put(line, parts[i]);
}

/* Its beginning, if there is no room for all of it. */
static void line_put_message(struct line *line, const char *message, bool is_json)
{
    line->end = LINE_END - 1; /* the quote has a place in any case */
    line_put_clean(line, message, is_json);
    line->end = LINE_END;
    line->full = false;
    line_put(line, is_json ? "\"" : "");
}

static void write_parts(enum log_level level, const char *area, const char *message, const struct log_field *fields,
                        size_t len)
{
    struct line line;
    bool is_json = line_format == LOG_JSON;
    line_begin(&line, level, area, is_json);
    line_put_message(&line, message, is_json);
    for (size_t i = 0; i < len; i++) {
        size_t before = line.len;
        line_put_field(&line, &fields[i], is_json);
        if (line.full) /* all of a field or nothing: half of one would break the line */
            line.len = before;
        line.full = false;
    }
    if (is_json)
        line.text[line.len++] = '}';
    line.text[line.len++] = '\n';
    /* One write a line: lines of several threads do not mix. */
    if (write(STDERR_FILENO, line.text, line.len) < 0)
        return;
}

__attribute__((format(printf, 3, 0))) static void write_line(enum log_level level, const char *area, const char *format,
                                                             va_list args)
{
    char message[MESSAGE_MAX_LEN];
    int len = vsnprintf(message, sizeof message, format, args);
    if (len >= (int)sizeof message)
        message[rein_text_whole(message, sizeof message - 1)] = '\0';
    write_parts(level, area, message, NULL, 0);
}

static bool is_written(enum log_level level)
{
    return (int)level <= threshold;
}

void log_write_fields(enum log_level level, const char *area, const char *message, const struct log_field *fields,
                      size_t len)
{
    if (is_written(level))
        write_parts(level, area, message, fields, len);
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
