/* See progress.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 30, BETWEEN_MS = 100, TIME_MAX = 32 };

struct asking_progress {
    size_t all, had;
    unsigned long long began_ms, shown_ms;
};

static unsigned long long progress_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

int asking_progress_new(struct asking_progress **out, size_t all, size_t had)
{
    struct asking_progress *p = calloc(1, sizeof *p);
    if (p == NULL)
        return REIN_ENOMEM;
    *p = (struct asking_progress){.all = all, .had = had, .began_ms = progress_now_ms()};
    *out = p;
    return 0;
}

void asking_progress_free(struct asking_progress *p)
{
    free(p);
}

/* The two largest units: "2h 05m", "3m 20s", "7s". */
static void write_time(char out[TIME_MAX], double seconds)
{
    unsigned long long s = (unsigned long long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, TIME_MAX, "%lluh %02llum", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, TIME_MAX, "%llum %02llus", s / 60, s % 60);
    else
        snprintf(out, TIME_MAX, "%llus", s);
}

void asking_progress_text(char out[ASKING_PROGRESS_MAX], size_t all, size_t had, size_t asked, size_t failed,
                          unsigned long long elapsed_ms)
{
    size_t done = had + asked < all ? had + asked : all, filled = all > 0 ? BAR * done / all : BAR;
    double rate = elapsed_ms > 0 ? (double)asked * 1000 / (double)elapsed_ms : 0;
    char left[TIME_MAX] = "", bar[BAR + 1];
    memset(bar, ' ', BAR);
    memset(bar, '#', filled);
    bar[BAR] = '\0';
    int len = snprintf(out, ASKING_PROGRESS_MAX, "[%s] %zu/%zu, %zu failed", bar, done, all, failed);
    if (rate <= 0 || len < 0 || len >= ASKING_PROGRESS_MAX)
        return;
    write_time(left, done < all ? (double)(all - done) / rate : (double)elapsed_ms / 1000);
    snprintf(out + len, ASKING_PROGRESS_MAX - (size_t)len, ", %.1f a second, %s %s", rate, left,
             done < all ? "left" : "in all");
}

void asking_progress_show(struct asking_progress *p, size_t asked, size_t failed, bool is_last)
{
    char text[ASKING_PROGRESS_MAX];
    unsigned long long now = progress_now_ms();
    if (p == NULL || p->all == 0 || isatty(STDERR_FILENO) != 1 || (!is_last && now - p->shown_ms < BETWEEN_MS))
        return;
    p->shown_ms = now;
    asking_progress_text(text, p->all, p->had, asked, failed, now - p->began_ms);
    fprintf(stderr, "\r%s\033[K%s", text, is_last ? "\n" : "");
}
