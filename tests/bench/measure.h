/* What the bench measures: delays in a histogram, and what the kernel says of a process.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Log-linear: 32 steps to each power of two, so a percentile is right within 3%. */
#define HISTOGRAM_SLOTS (64 * 32)
struct histogram {
    uint64_t count, sum, max;
    uint64_t slots[HISTOGRAM_SLOTS];
};
void histogram_add(struct histogram *h, uint64_t ns);
/* The value that the share p (0 to 1) of all does not exceed, 0 if there are none. */
uint64_t histogram_at(const struct histogram *h, double p);

/* CPU time of all threads of a process, in ns, as the scheduler counts it; 0 if there is no such process. */
uint64_t process_cpu_ns(int pid);
/* Resident memory in bytes. */
uint64_t process_rss(int pid);

/* For programs that stand for other machines: this thread is run as soon as it wakes up, so that its own wait for a
 * processor is none of what is measured. A hint; Linux knows it since 6.12. */
void measure_run_first(void);

#endif
