/* The columns of the table decisions, and where in a job each value is.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_SQLITE_COLUMNS_H
#define SERVER_STORE_SQLITE_COLUMNS_H

#include "store/job.h"

enum column_type {
    COLUMN_TEXT,    /* const char *, NULL is NULL */
    COLUMN_WORD,    /* likewise, and what it points to stays: one of a few constants */
    COLUMN_ID,      /* struct store_id */
    COLUMN_BOOL,    /* bool */
    COLUMN_U32,     /* 32 bits, unsigned */
    COLUMN_SIZE,    /* size_t or uint64_t */
    COLUMN_SIGNED,  /* int64_t */
    COLUMN_UNKNOWN, /* int64_t, below 0 is NULL */
    COLUMN_REAL,    /* double */
    COLUMN_SCORE,   /* likewise, 0 is NULL */
};

struct column {
    const char *name;
    enum column_type type;
    size_t offset; /* of the value in a struct store_job */
};

/* All of them but seq, in the order of the table. */
extern const struct column store_columns[];
extern const size_t store_columns_len;

#endif
