/* The classes of signals: their names in lexicons, and the channel that each is searched for in.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "detect/signal.h"

static const char *const class_names[SIGNAL_CLASSES] = {
    [SIGNAL_NAMES_HARM] = "names_harm",
    [SIGNAL_DECIDES_TO_REFUSE] = "decides_to_refuse",
    [SIGNAL_DECLINES_PART] = "declines_part",
    [SIGNAL_CONCEDES] = "concedes",
    [SIGNAL_REFRAMES_EDUCATION] = "reframes_education",
    [SIGNAL_REFRAMES_FICTION] = "reframes_fiction",
    [SIGNAL_REFRAMES_HYPOTHETICAL] = "reframes_hypothetical",
    [SIGNAL_REFRAMES_GOOD_FAITH] = "reframes_good_faith",
    [SIGNAL_COMMITS_TO_COMPLY] = "commits_to_comply",
    [SIGNAL_SPECIFIC_PROCEDURE] = "specific_procedure",
    [SIGNAL_KEEPS_PERSONA] = "keeps_persona",
    [SIGNAL_ADOPTS_GOAL] = "adopts_goal",
    [SIGNAL_ANSWER_REFUSES] = "answer_refuses",
    [SIGNAL_ANSWER_COMPLIES] = "answer_complies",
    [SIGNAL_PROMPT_HARM] = "prompt_harm",
    [SIGNAL_PROMPT_BENIGN] = "prompt_benign",
};

const char *signal_class_name(enum signal_class c)
{
    return class_names[c];
}

int signal_class_find(const char *name)
{
    for (int c = 0; c < SIGNAL_CLASSES; c++)
        if (strcmp(class_names[c], name) == 0)
            return c;
    return -1;
}

enum rein_channel signal_class_channel(enum signal_class c)
{
    switch (c) {
    case SIGNAL_PROMPT_HARM:
    case SIGNAL_PROMPT_BENIGN:
        return REIN_PROMPT;
    case SIGNAL_ANSWER_REFUSES:
    case SIGNAL_ANSWER_COMPLIES:
        return REIN_ANSWER;
    default:
        return REIN_REASONING;
    }
}
