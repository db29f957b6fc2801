/* The table of a file of weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/model.h"

enum { ENCODED_MAX = 65536 }; /* bytes of one text of weights, with white space */

#define HEAD(head_path, head_about)                                                                                    \
    {.path = head_path, .type = REIN_TYPE_MAP, .flags = REIN_KEY_REQUIRED, .about = head_about},                       \
        {.path = head_path ".bias",                                                                                    \
         .type = REIN_TYPE_NUMBER,                                                                                     \
         .flags = REIN_KEY_REQUIRED,                                                                                   \
         .min = -1000,                                                                                                 \
         .max = 1000,                                                                                                  \
         .about = "added to the sum"},                                                                                 \
        {.path = head_path ".scale",                                                                                   \
         .type = REIN_TYPE_NUMBER,                                                                                     \
         .flags = REIN_KEY_REQUIRED,                                                                                   \
         .min = 0,                                                                                                     \
         .max = 1000,                                                                                                  \
         .about = "what one unit of a weight is worth"},                                                               \
        {.path = head_path ".clip",                                                                                    \
         .type = REIN_TYPE_INT,                                                                                        \
         .flags = REIN_KEY_REQUIRED,                                                                                   \
         .min = 1,                                                                                                     \
         .max = 32767,                                                                                                 \
         .about = "the most that one sentence adds or takes away, in units of the weights"},                           \
        {.path = head_path ".slope",                                                                                   \
         .type = REIN_TYPE_NUMBER,                                                                                     \
         .min = 0,                                                                                                     \
         .max = 1000,                                                                                                  \
         .fallback = "1",                                                                                              \
         .about = "calibration: the log odds are slope * sum + offset"},                                               \
        {.path = head_path ".offset",                                                                                  \
         .type = REIN_TYPE_NUMBER,                                                                                     \
         .min = -1000,                                                                                                 \
         .max = 1000,                                                                                                  \
         .fallback = "0",                                                                                              \
         .about = "calibration"},                                                                                      \
    {                                                                                                                  \
        .path = head_path ".weights", .type = REIN_TYPE_TEXT, .flags = REIN_KEY_REQUIRED, .min = 1,                    \
        .max = ENCODED_MAX, .about = "32,768 signed bytes in base64, one for each bucket"                              \
    }

static const struct rein_key model_keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "Weights of the learned score."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .about = "the version of this format"},
    {.path = "name", .type = REIN_TYPE_NAME, .flags = REIN_KEY_REQUIRED, .about = "the name that policies use for it"},
    {.path = "language",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the language of the rows that it was trained on, such as en"},
    {.path = "features",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1000000,
     .about = "the version of the features that the weights belong to; it must be the one of this version of Rein"},
    {.path = "licence",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 200,
     .about = "the licence of the weights"},
    {.path = "notices",
     .type = REIN_TYPE_TEXTS,
     .max = 32,
     .fallback = "[]",
     .about = "what must be said beside the weights, such as names that a licence asks for"},
    {.path = "seed", .type = REIN_TYPE_INT, .min = 0, .max = INT32_MAX, .fallback = "0", .about = "of the training"},
    {.path = "sources",
     .type = REIN_TYPE_LIST,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 64,
     .about = "the rows that it was trained on"},
    {.path = "sources[]", .type = REIN_TYPE_MAP, .about = "rows of one origin"},
    {.path = "sources[].name",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 200,
     .about = "where they come from"},
    {.path = "sources[].rows",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = INT32_MAX,
     .about = "how many"},
    {.path = "sources[].licence",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 200,
     .about = "their licence"},
    {.path = "metrics", .type = REIN_TYPE_LIST, .max = 64, .about = "what was measured when it was trained"},
    {.path = "metrics[]", .type = REIN_TYPE_MAP, .about = "one figure"},
    {.path = "metrics[].name", .type = REIN_TYPE_NAME, .flags = REIN_KEY_REQUIRED, .about = "of the figure"},
    {.path = "metrics[].value",
     .type = REIN_TYPE_NUMBER,
     .flags = REIN_KEY_REQUIRED,
     .min = -1000000,
     .max = 1000000,
     .about = "the figure"},
    {.path = "checksum",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .min = 64,
     .max = 64,
     .about = "SHA-256, in hex, of all weights in the order of the heads, those of the answer last"},
    {.path = "heads", .type = REIN_TYPE_MAP, .flags = REIN_KEY_REQUIRED, .about = "the questions that it answers"},
    HEAD("heads.prompt_harm", "does a message of the user ask for something harmful?"),
    {.path = "heads.prompt_harm.signals",
     .type = REIN_TYPE_NUMBER,
     .min = 0,
     .max = 1000,
     .fallback = "0",
     .about = "added to the sum if the prompt's signals are sure that it is harmful; taken away if they find nothing"},
    HEAD("heads.reasoning_harm", "is the reasoning about something harmful?"),
    {.path = "heads.reasoning_harm.prompt",
     .type = REIN_TYPE_NUMBER,
     .min = 0,
     .max = 1000,
     .fallback = "0",
     .about = "what the prompt's own sum weighs in that of the reasoning"},
    HEAD("heads.complies", "does the reasoning go along with the request?"),
    HEAD("heads.complies_answer", "do the reasoning and the beginning of the answer go along?"),
    {.path = "heads.complies_answer.answer_weights",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = ENCODED_MAX,
     .about = "8,192 signed bytes in base64, for the words of the answer"},
    {.path = NULL},
};

const struct rein_schema *rein_schema_model(void)
{
    static const struct rein_schema schema = {
        "model", "Model",
        "A model holds the weights of the learned score, made by `script/train`. Nobody writes it by hand. Its hash is "
        "part of the version of each policy that names it.",
        model_keys};
    return &schema;
}
