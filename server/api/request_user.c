/* See request_user.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/request_user.h"

#include "api/request.h"

const struct rein_json_node *request_user_at(const struct rein_json_node *object, const char *name)
{
    const struct rein_json_node *user = rein_json_is(object, REIN_JSON_OBJECT) ? rein_json_get(object, name) : NULL;
    return rein_json_is(user, REIN_JSON_STRING) && user->len > 0 ? user : NULL;
}

/* The newer name counts. */
const struct rein_json_node *request_openai_user(const struct request *request)
{
    const struct rein_json_node *root = rein_json_root(request->json);
    const struct rein_json_node *user = request_user_at(root, "safety_identifier");
    return user != NULL ? user : request_user_at(root, "user");
}
