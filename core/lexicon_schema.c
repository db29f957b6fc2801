/* The lexicon's table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lexicon.h"

/* The order is that of enum signal_class; a test compares them. */
static const char *const class_words[] = {"names_harm",
                                          "decides_to_refuse",
                                          "declines_part",
                                          "concedes",
                                          "reframes_education",
                                          "reframes_fiction",
                                          "reframes_hypothetical",
                                          "reframes_good_faith",
                                          "commits_to_comply",
                                          "specific_procedure",
                                          "keeps_persona",
                                          "adopts_goal",
                                          "answer_refuses",
                                          "answer_complies",
                                          "prompt_harm",
                                          "prompt_benign",
                                          NULL};

static const struct rein_key lexicon_keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "Signals: small lexical facts of one sentence or prompt."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .about = "the version of this format"},
    {.path = "name", .type = REIN_TYPE_NAME, .flags = REIN_KEY_REQUIRED, .about = "the name that policies call it by"},
    {.path = "language",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the language of its phrases, such as en"},
    {.path = "entries",
     .type = REIN_TYPE_LIST,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 4000,
     .about = "the signals"},
    {.path = "entries[]", .type = REIN_TYPE_MAP, .about = "one signal: phrases, regexes or both"},
    {.path = "entries[].id",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the entry's name; unique in the lexicon"},
    {.path = "entries[].class",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_REQUIRED,
     .words = class_words,
     .about = "what it says of the sentence that it is found in"},
    {.path = "entries[].category",
     .type = REIN_TYPE_NAME,
     .about = "the harm category; for prompt_harm, where it is required"},
    {.path = "entries[].phrases",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 400,
     .about = "words as they stand in a sentence, with any white space and any kind of apostrophe; whole "
              "words only"},
    {.path = "entries[].regex",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 400,
     .about = "regular expressions over the folded sentence (lower case, plain letters)"},
    {.path = "entries[].weight",
     .type = REIN_TYPE_NUMBER,
     .min = 0,
     .max = 100,
     .fallback = "1",
     .about = "how much it counts where signals are summed up"},
    {.path = "entries[].match",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_REQUIRED | REIN_KEY_ONE_OR_MANY,
     .min = 1,
     .max = 400,
     .about = "sentences in which the signal must be found: the entry's tests"},
    {.path = "entries[].unlike",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .max = 400,
     .about = "sentences in which it must not be found"},
    {.path = NULL},
};

const struct rein_schema *rein_schema_lexicon(void)
{
    static const struct rein_schema schema = {
        "lexicon", "Lexicon",
        "A lexicon lists signals of one language. All entries of all lexicons of a policy are looked for at once, in "
        "one folded sentence at a time; a signal never spans sentences. Order and channel are judged later, by the "
        "patterns.",
        lexicon_keys};
    return &schema;
}
