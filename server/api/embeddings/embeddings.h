/* OpenAI's embeddings API: POST /v1/embeddings.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_EMBEDDINGS_EMBEDDINGS_H
#define SERVER_API_EMBEDDINGS_EMBEDDINGS_H

#include "api/chat/chat.h"

extern const struct api api_embeddings;

#endif
