/* Built-in rules of keys: the older rows, which find the keys of several providers, tokens and private keys.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What they find stays as it is; what else there is to find has rows of its own (builtin_secrets.c). The shapes are
 * facts of RFC 7468 and 7519 and of vendors' pages on their tokens. */
#include "builtin/builtin_parts.h"
#include "builtin/builtin_secrets.h"

static enum builtin_result check_api_key(struct span match, struct surroundings around)
{
    bool is_word = part_is_letter(part_before(around, 1)) && match.data[1] == 'k';
    return part_yes_if(!is_word || secret_is_random(match));
}

static const char *const api_keys[] = {
    "AKIA%2{16}", "AIza%u{35}", "ghp_%w{36}", "glpat-%w{20}", "xoxb-%d{11}-%w{24}", "sk_live_%w{24}",   "sk-%w{48}",
    "gsk_%w{52}", "hf_%w{34}",  "npm_%w{36}", "pypi-%u{60}",  "dop_v1_%x{64}",      "SG.%u{22}.%u{43}", NULL};
static const char *const no_api_keys[] = {"AKIA%2{9}", "task-%a{24}", "hf_%w{12}", "sk-%a{8}", "npm_%w{20}", NULL};

const struct builtin builtins_of_keys[] = {
    {.name = "jwt",
     .finds = "JSON web tokens",
     .regex = SECRET_JWT,
     .max_bytes = 4096,
     .samples = {.right = secret_jwts, .near_right = secret_no_jwts}},
    /* The first line alone is a match; header lines, body and last line belong to it as far as they are there. */
    {.name = "private_key",
     .finds = "private keys in PEM, whole or their first line",
     .regex = SECRET_PEM,
     .max_bytes = 4096,
     .samples = {.right = secret_pems, .near_right = secret_no_pems}},
    {.name = "api_key",
     .finds = "keys of fourteen providers; `secrets` finds more",
     .regex = "(?:(?:AKIA|ASIA)[A-Z2-7]{16}"                  /* Amazon */
              "|AIza[A-Za-z0-9_-]{35}"                        /* Google */
              "|gh[pousr]_[A-Za-z0-9]{36,}"                   /* GitHub */
              "|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"   /* GitHub, fine-grained */
              "|glpat-[A-Za-z0-9_-]{20,}"                     /* GitLab */
              "|xox[abeoprs]-[A-Za-z0-9-]{10,}"               /* Slack */
              "|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"         /* Stripe */
              "|sk-[A-Za-z0-9_-]{20,}"                        /* OpenAI, Anthropic, DeepSeek, OpenRouter */
              "|gsk_[A-Za-z0-9]{40,}"                         /* Groq */
              "|hf_[A-Za-z0-9]{30,}"                          /* Hugging Face */
              "|npm_[A-Za-z0-9]{36}"                          /* npm */
              "|pypi-[A-Za-z0-9_-]{50,}"                      /* PyPI */
              "|dop_v1_[a-f0-9]{64}"                          /* DigitalOcean */
              "|SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43})", /* SendGrid */
     .check = check_api_key,
     .max_bytes = 300,
     .samples = {.right = api_keys, .near_right = no_api_keys}},
    {.name = NULL},
};
