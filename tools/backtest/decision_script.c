/* See decision_script.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/decision_script.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = 1024 }; /* bytes of text in one event, so that little is held for an event alone */

int64_t script_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *script_word(const json_t *object, const char *key)
{
    const char *word = json_string_value(json_object_get(object, key));
    return word != NULL ? word : "";
}

enum rein_channel script_channel(const json_t *text)
{
    const char *name = script_word(text, "channel");
    for (int c = REIN_PROMPT; c < REIN_OTHER; c++)
        if (strcmp(rein_channel_name((enum rein_channel)c), name) == 0)
            return (enum rein_channel)c;
    return REIN_OTHER;
}

struct rein_source script_text(const json_t *text)
{
    const json_t *said = json_object_get(text, "text");
    return (struct rein_source){.text = json_is_string(said) ? json_string_value(said) : "",
                                .len = json_is_string(said) ? json_string_length(said) : 0};
}

bool script_is_of(const json_t *text, uint32_t attempt)
{
    enum rein_channel channel = script_channel(text);
    return channel != REIN_PROMPT && channel != REIN_OTHER && script_number(text, "attempt") == attempt;
}

/* The last turn has no bytes then. */
const json_t *script_named_tool(const json_t *texts, uint32_t attempt, uint64_t *at)
{
    const json_t *text;
    size_t i;
    json_array_foreach(texts, i, text)
    {
        const json_t *turns = json_object_get(text, "turns");
        size_t len = json_array_size(turns);
        const json_t *last = len > 0 && script_is_of(text, attempt) ? json_array_get(turns, len - 1) : NULL;
        *at = (uint64_t)json_integer_value(json_array_get(last, 0));
        if (last != NULL && json_integer_value(json_array_get(last, 1)) == 0)
            return text;
    }
    return NULL;
}

/* Names are not kept. But that a tool's was shown, or held by a rule for letters, may have decided whether the response
 * could still be steered: this one looks like a name. */
static const char any_name[] = "name";

int decision_script_read(struct decision_script *out, const json_t *decision, uint32_t attempt, unsigned choices)
{
    const json_t *texts = json_object_get(decision, "texts"), *text;
    size_t i, len = json_array_size(texts);
    uint64_t at;
    *out = (struct decision_script){.texts = calloc(len + 1, sizeof *out->texts)};
    if (out->texts == NULL)
        return REIN_ENOMEM;
    json_array_foreach(texts, i, text)
    {
        if (!script_is_of(text, attempt))
            continue;
        struct rein_source said = script_text(text);
        out->texts[out->said.len++] = (struct wire_text){.channel = script_channel(text),
                                                         .choice = (unsigned)script_number(text, "choice"),
                                                         .series = (unsigned)script_number(text, "series"),
                                                         .text = said.text,
                                                         .len = said.len};
    }
    if ((text = script_named_tool(texts, attempt, &at)) != NULL)
        out->texts[out->said.len++] =
            (struct wire_text){.channel = REIN_TOOL, .choice = (unsigned)script_number(text, "choice"), .text = ""};
    out->said.texts = out->texts;
    out->said.choices = choices;
    out->said.name = script_number(decision, "other_received") > 0 ? any_name : NULL;
    return 0;
}

void decision_script_fini(struct decision_script *script)
{
    free(script->texts);
    *script = (struct decision_script){.texts = NULL};
}

static const struct wire *own_wire(const json_t *decision)
{
    static const struct {
        const char *dialect;
        const struct wire *wire;
    } wires[] = {{"anthropic-messages", &wire_messages}, {"openai-responses", &wire_responses}};
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (strcmp(script_word(decision, "dialect"), wires[i].dialect) == 0)
            return wires[i].wire;
    return &wire_chat; /* or there is no response: embeddings, and tokens that are counted */
}

/* Has the API a place for all that the attempts say? */
static int check_fits(const struct wire *wire, const json_t *decision, unsigned choices, bool *fits)
{
    bool is_streamed = json_is_true(json_object_get(decision, "streamed"));
    size_t attempts = json_array_size(json_object_get(decision, "attempts"));
    *fits = true;
    for (uint32_t i = 0; i < attempts && *fits; i++) {
        struct decision_script script;
        int rv = decision_script_read(&script, decision, i, choices);
        if (rv != 0)
            return rv;
        *fits = wire->fits(&script.said, is_streamed);
        decision_script_fini(&script);
    }
    return 0;
}

/* A server that repeats all of its text in each event makes two texts of it, for which Messages has one place. Chat,
 * with fields of many names, decides the same: there, too, each is a text of its own that ends with the response. */
int decision_script_wire(const struct wire **out, const json_t *decision, unsigned choices)
{
    bool fits;
    *out = own_wire(decision);
    int rv = check_fits(*out, decision, choices, &fits);
    if (rv == 0 && !fits && *out != &wire_chat) {
        *out = &wire_chat;
        rv = check_fits(*out, decision, choices, &fits);
    }
    return rv == 0 && !fits ? REIN_ELIMIT : rv;
}

size_t decision_script_piece(const struct wire_text *text, size_t at, size_t max)
{
    size_t rest = text->len - at, most = max < PIECE_MAX ? max : PIECE_MAX;
    size_t len = rest <= most ? rest : rein_text_whole(text->text + at, most);
    for (size_t wider = most; len == 0;) /* within a character */
        len = rein_text_whole(text->text + at, ++wider < rest ? wider : rest);
    return len;
}
