/* Passing: what a dialect is told of an event at the moment when it goes out, and what it may change in it then.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Some formats build each event on those before it: events are numbered, things are announced, numbered and closed, a
 * last event repeats all. What is right there is known only when the event goes out, because events before it may have
 * been edited, removed, or said by Rein. So such a dialect keeps in its state what the client has been sent, and writes
 * its own events at that time, too (dialect.speak).
 *
 * Thread: the trace's. */
#ifndef CORE_DIALECT_PASSING_H
#define CORE_DIALECT_PASSING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dialect/event.h"

/* What the client has been sent of this response. */
struct dialect_memory {
    void *ctx;
    /* Appends what the client was shown of a text, as the inside of a JSON string. REIN_ELIMIT, REIN_ENOMEM. */
    int (*shown)(void *ctx, uint32_t text, struct bytes *out);
    /* What the dialect keeps for its last event, in a form of its own; has a ceiling, and what does not fit is not
     * kept. Each entry: its number and its length (uint32_t), then its bytes. */
    struct bytes kept;
    struct bytes room; /* for a long text of a fix, or whatever is needed while an event is written */
};

/* Instead of the bytes `raw` of the payload goes `text`; good until the event is written. */
struct dialect_fix {
    struct range raw;
    struct span text;
};

/* Where an event goes. */
enum dialect_way {
    DIALECT_GOES,    /* out, behind what waits */
    DIALECT_FOLLOWS, /* out; if an event waits, it waits behind that one */
    DIALECT_WAITS,   /* out with the next one that goes, such as the beginning of a block with its content */
    DIALECT_JOINS,   /* belongs to the event that waits: goes out with it, or not at all */
    DIALECT_CANCELS, /* nowhere, and so does the event that waits */
    DIALECT_DROPPED, /* nowhere */
};

enum { DIALECT_FIXES_MAX = EVENT_NOTED_MAX + 2 };

struct dialect_passing {
    /* ---- in ---- */
    void *state;
    struct dialect_memory *memory;
    const struct event_note *note;
    struct span payload;
    bool is_body;
    bool is_late;       /* Rein has ended the answer before this event */
    const char *reason; /* why, as the policy says it */
    bool is_patched;    /* a string that stands alone, such as an id, was edited: the payload still has it */
    bool is_changed;    /* something was removed from its texts ... */
    bool has_text;      /* ... and something is left */
    bool is_emptied;    /* nothing is left, so it does not go out: told to dialects that want it (sees_emptied) */
    bool is_restarted;  /* an earlier attempt has begun the response */
    bool hides_request; /* the request that the upstream got is not the client's own */
    /* ---- out ---- */
    struct bytes *before; /* whole events that go out first are appended here */
    enum dialect_way way;
    bool is_reframed;  /* what stands outside the payload does not go out */
    struct range keep; /* as it goes out, these bytes are kept, under the number `keep_as` */
    uint32_t keep_as;
    struct dialect_fix fixes[DIALECT_FIXES_MAX];
    unsigned fixes_len;
    char room[160]; /* for texts of fixes */
};

/* Begins an entry of memory->kept, or ends it with its length set. After an error nothing of it is there. */
int memory_begin(struct dialect_memory *memory, uint32_t number, size_t *entry) REIN_MUST_USE;
void memory_end(struct dialect_memory *memory, size_t entry);
/* The entry at *at (0: the first one) and its number; *at is then where the next one is. False: there is none. */
bool memory_next(const struct dialect_memory *memory, size_t *at, uint32_t *number, struct span *entry);

#endif
