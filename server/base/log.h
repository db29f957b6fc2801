/* Log lines on stderr: one line each, "time level area: message" or a JSON object with these members; never a secret,
 * never text of a request or response. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_BASE_LOG_H
#define SERVER_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum log_format { LOG_TEXT, LOG_JSON };

void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
void log_write(enum log_level level, const char *area, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What belongs to a message: members of a JSON object, "name=value" in a line of text. `text` NULL: the number. */
struct log_field {
    const char *name, *text;
    long long number;
};
void log_write_fields(enum log_level level, const char *area, const char *message, const struct log_field *fields,
                      size_t len);

#define log_error(area, ...) log_write(LOG_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...) log_write(LOG_WARN, area, __VA_ARGS__)
#define log_info(area, ...) log_write(LOG_INFO, area, __VA_ARGS__)
#define log_debug(area, ...) log_write(LOG_DEBUG, area, __VA_ARGS__)

/* Messages of one kind that traffic can repeat without a bound: a client, an upstream or a full disk must not fill the
 * log. The first LOG_FIRST are written; while more come, one line a period has the latest of them and how many came. A
 * period without any begins again. One static variable for each kind, all zero at first. */
enum { LOG_FIRST = 5, LOG_PERIOD_MS = 10000, LOG_LATEST_MAX = 512 };
struct log_limit {
    uint64_t since_ms; /* when the period began, monotonic */
    unsigned written;  /* lines in it, up to LOG_FIRST */
    uint64_t left_out;
    enum log_level level; /* of the latest that was left out, like the rest */
    const char *area;
    char latest[LOG_LATEST_MAX];
    struct log_limit *next; /* of those that log_flush examines */
    int is_listed;
};
#define log_limited(limit, level, area, ...) log_limited_at(limit, log_now_ms(), level, area, __VA_ARGS__)
void log_limited_at(struct log_limit *limit, uint64_t now_ms, enum log_level level, const char *area,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Writes the lines of periods that are over although nothing more came; LOG_FLUSH_ALL: of all periods. To be called
 * about once a second, and with LOG_FLUSH_ALL at the end. */
#define LOG_FLUSH_ALL UINT64_MAX
void log_flush(uint64_t now_ms);
uint64_t log_now_ms(void); /* monotonic */

#endif
