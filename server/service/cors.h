/* Requests of web pages (CORS): which pages of other sites may read answers.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A browser sends the requests of a page whatever we say, but it asks first whether the page may send JSON or a key (a
 * preflight), and it shows the page an answer only if the answer names the page's origin. The config lists the origins,
 * each exactly; there are no patterns. Cookies play no part: an answer never allows credentials.
 *
 * Thread: the worker's. */
#ifndef SERVER_SERVICE_CORS_H
#define SERVER_SERVICE_CORS_H

#include <stdbool.h>

#include "config/config.h"
#include "front/front.h"

/* Headers of every answer to this request; ends with a NULL name. Values are good as long as the exchange. */
void cors_headers(const struct config *config, const struct exchange *x, struct front_header out[FRONT_HEADERS_MAX]);
/* Does a browser ask on behalf of a page that is allowed? It sends no key with that. */
bool cors_is_preflight(const struct config *config, const struct exchange *x);
/* Answers it: the path takes this method. */
void cors_answer(struct exchange *x, const char *method);

#endif
