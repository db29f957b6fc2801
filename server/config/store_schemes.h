/* The kinds of database that store.url may name: one row each, `scheme:place`.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The scheme is also the name of the driver: store/driver.c makes its table of these rows. */
#ifndef SERVER_CONFIG_STORE_SCHEMES_H
#define SERVER_CONFIG_STORE_SCHEMES_H

enum store_place_kind {
    STORE_AT_FILE,   /* a path, absolute or next to the config */
    STORE_AT_SERVER, /* text that only the driver reads */
};

/* scheme, what its place is, and what a message says of it */
#define STORE_DRIVERS(X) X(sqlite, STORE_AT_FILE, "a file, such as sqlite:rein.db")

#endif
