/* The APIs that an upstream can serve: their names in `upstreams[].apis`, and what each kind serves if the config does
 * not say it. SPDX-License-Identifier: Apache-2.0
 *
 * An API's row in server/api/apis.c says which of these it needs. A kind that is not listed with an API can serve it
 * all the same: then the config names it. */
#ifndef SERVER_CONFIG_CONFIG_APIS_H
#define SERVER_CONFIG_CONFIG_APIS_H

/* value, name */
#define CONFIG_APIS(X)                                                                                                 \
    X(CHAT, "chat")                                                                                                    \
    X(MESSAGES, "messages")                                                                                            \
    X(RESPONSES, "responses")                                                                                          \
    X(EMBEDDINGS, "embeddings")

enum config_api_place {
#define CONFIG_API_PLACE(value, name) CONFIG_API_AT_##value,
    CONFIG_APIS(CONFIG_API_PLACE)
#undef CONFIG_API_PLACE
        CONFIG_APIS_LEN
};

/* Members of sets (`unsigned`). */
enum config_api {
#define CONFIG_API_BIT(value, name) CONFIG_API_##value = 1 << CONFIG_API_AT_##value,
    CONFIG_APIS(CONFIG_API_BIT)
#undef CONFIG_API_BIT
};

/* kind, what it serves */
#define CONFIG_KINDS(X)                                                                                                \
    X("openai", CONFIG_API_CHAT | CONFIG_API_RESPONSES | CONFIG_API_EMBEDDINGS)                                        \
    X("vllm", CONFIG_API_CHAT | CONFIG_API_MESSAGES | CONFIG_API_RESPONSES | CONFIG_API_EMBEDDINGS)                    \
    X("sglang", CONFIG_API_CHAT | CONFIG_API_RESPONSES | CONFIG_API_EMBEDDINGS)                                        \
    X("llamacpp", CONFIG_API_CHAT | CONFIG_API_MESSAGES | CONFIG_API_RESPONSES | CONFIG_API_EMBEDDINGS)                \
    X("ollama", CONFIG_API_CHAT | CONFIG_API_MESSAGES | CONFIG_API_RESPONSES | CONFIG_API_EMBEDDINGS)                  \
    X("deepseek", CONFIG_API_CHAT)                                                                                     \
    X("mistral", CONFIG_API_CHAT | CONFIG_API_EMBEDDINGS)                                                              \
    X("groq", CONFIG_API_CHAT | CONFIG_API_RESPONSES)                                                                  \
    X("openrouter", CONFIG_API_CHAT | CONFIG_API_MESSAGES | CONFIG_API_RESPONSES | CONFIG_API_EMBEDDINGS)              \
    X("anthropic", CONFIG_API_CHAT | CONFIG_API_MESSAGES)                                                              \
    X("gemini", CONFIG_API_CHAT | CONFIG_API_EMBEDDINGS)                                                               \
    X("completions", CONFIG_API_CHAT)

#endif
