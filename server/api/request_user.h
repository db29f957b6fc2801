/* Who a request says its user is, in OpenAI's APIs: for each API of this family.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_API_REQUEST_USER_H
#define SERVER_API_REQUEST_USER_H

#include "rein/json.h"

struct request;

/* A string that is not empty, or NULL; as struct api's `user`. */
const struct rein_json_node *request_openai_user(const struct request *request);

/* Such a member of an object (NULL is fine), or NULL. */
const struct rein_json_node *request_user_at(const struct rein_json_node *object, const char *name);

#endif
