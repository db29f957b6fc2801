/* The gate: events wait here, in order, until all their text is cleared; then they go out unchanged, or edited in
 * place. SPDX-License-Identifier: Apache-2.0
 *
 *      out  <--  [event][event][event]  <--  upstream
 *                 head: passes when every piece of it is passable, and not before
 *
 * An event is the unit of release: it passes whole, so that what no rule touches arrives byte for byte. Nothing
 * overtakes a waiting event. Edits replace the inside of one JSON string or remove one member; everything else keeps
 * its bytes.
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_GATE_H
#define CORE_TRACE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dialect/dialect.h"
#include "mask/mask_set.h"
#include "policy/policy.h"
#include "trace/lane.h"

enum gate_flags {
    GATE_SAID = 1,          /* Rein's own event: nothing to judge or edit */
    GATE_TERMINAL = 2,      /* the end of the stream: passes only once gate.may_end */
    GATE_DROP = 4,          /* never goes out */
    GATE_CARRIES = 8,       /* carries something that is not text: not dropped when its texts are empty */
    GATE_BARE = 16,         /* the payload is the event, no framing around it: a body that the gate was given */
    GATE_REWRITE = 32,      /* what stands outside the payload must not go out */
    GATE_UNTERMINATED = 64, /* what ends an event is missing: clients would lose it */
    GATE_AWAITS = 128,      /* some part of it may await the choice's next text */
    GATE_SPELLS = 256,      /* spelled_aside does not go out */
    GATE_WRITTEN = 512,     /* of Rein's own: these are the bytes that go out, whatever the dialect */
};

/* What one part of an event holds next to text; ranges as in dialect/event.h. */
struct gate_part {
    uint16_t choice;
    bool has_end;
    bool is_signed;    /* see event_part */
    bool is_late;      /* the choice was closed before this could go out */
    bool spells_more;  /* what spells text out spells what is not in this event: it does not go out */
    bool awaits;       /* what spells text out came before it: passes with the choice's next byte of text */
    struct lane *next; /* where that byte stands, NULL: it has not come; borrowed */
    uint64_t next_at;
    struct range begins, ends, object, spelled[EVENT_SPELLED_MAX];
};

struct gate_piece {
    struct lane *lane;   /* borrowed */
    uint64_t start, end; /* source bytes of the lane */
    struct range raw;    /* inside the payload */
    uint16_t half_in;    /* half of a surrogate pair that the piece before ended in */
    bool ends_half;      /* this piece ends in half of a surrogate pair */
    bool unseen;         /* came after the text was stopped: rendered empty */
    bool is_bare;        /* an object: its JSON is the text; rendered as an object */
    bool is_echo;        /* repeats what came of the lane until `end`: rendered as what the client was shown of it */
};

/* A replacement of a stand-alone string, made when it was scanned. */
struct gate_patch {
    struct gate_patch *next;
    struct range raw;
    size_t len;
    char text[];
};

struct gate_event {
    uint32_t raw_len;     /* bytes that go out */
    uint32_t stored_len;  /* and what is after them: a joined payload */
    struct range payload; /* from the event's start; beyond raw_len if it was joined */
    uint32_t pieces, parts;
    unsigned flags;
    struct range id;
    struct range spelled_aside;
    struct event_note note;
    struct gate_patch *patches; /* owned */
};

/* What went out of a choice. */
struct gate_choice {
    bool begun, ended, closed, said; /* said: a content of our own went out or waits to */
    const char *end_reason;          /* of a closed one in a body, NULL: null; borrowed */
};

/* Where a gate keeps what rarely is more: one event that waits, and the id. */
struct gate_room {
    struct gate_event event;
    struct gate_piece pieces[2];
    struct gate_part part;
    char id[48];
};

/* Stays where it was made. */
struct gate {
    const struct dialect *dialect;
    void *dialect_state;              /* of the response; borrowed */
    const struct rein_policy *policy; /* borrowed */
    const struct mask_set *masks;     /* the values that are put back; NULL: none; borrowed */
    struct rein_flow *flow;           /* the decision's, by channel; borrowed */
    struct bytes raw, events, pieces, parts;
    struct bytes body;    /* of the bare event, in the place of `raw` */
    struct bytes waiting; /* rendered events that go out with the next one; those that the others wait behind ... */
    size_t waiting_first; /* ... have so many bytes */
    size_t join_from;     /* bytes that wait before events are joined */
    uint64_t popped;      /* events that are not here any more */
    uint64_t hold_behind; /* the number of the last event that may pass; UINT64_MAX: any */
    uint64_t cut_behind;  /* the number of the last event that a cut spares; UINT64_MAX: it looks at texts alone */
    size_t pushed;        /* events up to the one that is being judged, 0: none; those behind it are said */
    struct bytes scratch, splices; /* of rendering */
    struct gate_choice choice[REIN_CHOICES_MAX];
    struct dialect_memory memory; /* of what went out; its `shown` is the trace's */
    bool hides_request;           /* the upstream's request has more than the client's: it may not be repeated */
    struct bytes id;              /* the first response id that went out, with its quotes */
    bool rewrites_id;             /* a later attempt: its events get the first id */
    bool may_end;                 /* terminal events may pass */
    uint64_t unjudged;            /* bytes released that were not cleared: a bug if not 0 */
    struct text *recorded;        /* NULL, or the text whose released bytes are kept in `shown` */
    struct bytes shown;
    size_t awaiting[REIN_CHOICES_MAX]; /* parts that await a choice's next text */
    size_t shown_lead;                 /* bytes of `shown` that are not text of the model */
    bool shown_lost;                   /* there was more than it may keep */
    bool writes_json;                  /* what is written now is JSON itself, not the inside of a string */
    struct gate_room room;
};

/* The events, and what belongs to them: each lies where its event says. */
bool gate_events_are_sound(const struct gate *g);

/* Always true between two calls that did not fail. Constant time; `deep`: examines each event, too. */
static inline bool gate_is_sound(const struct gate *g, bool deep)
{
    size_t events = bytes_len(&g->events);
    return g->pushed * sizeof(struct gate_event) <= events &&
           (events > 0 || bytes_len(&g->raw) + bytes_len(&g->pieces) + bytes_len(&g->parts) == 0) &&
           (!deep || gate_events_are_sound(g));
}

void gate_init(struct gate *g, const struct dialect *dialect, void *dialect_state, const struct rein_policy *policy,
               struct rein_flow *flow, size_t limit);
void gate_fini(struct gate *g);
/* Forgets all that waits (a new attempt); what went out is remembered. */
void gate_reset(struct gate *g);

/* Takes the content of `body`, which stays where it is in memory, to be queued as the one bare event; `body` gets an
 * empty buffer. */
void gate_take_body(struct gate *g, struct bytes *body);

/* Queues an event of the upstream; `event` NULL: it has no JSON (a comment, the terminal event). Returns it (good until
 * the next push) or NULL with *rv set. */
struct gate_event *gate_push(struct gate *g, const struct frame *frame, const struct event *event, unsigned flags,
                             int *rv);
/* Where much waits already: puts the event's text into the event that waits last, if they differ in that text alone.
 * Sets *joined to the piece to be lengthened by `piece`'s decoded text (good until the next push), NULL if it was not
 * joined and is to be pushed. REIN_ELIMIT, REIN_ENOMEM. */
int gate_join(struct gate *g, const struct frame *frame, const struct event *event, struct gate_piece **joined,
              const struct piece **piece) REIN_MUST_USE;
/* Adds a piece to the event pushed last (events said since do not count), if it still waits. */
int gate_add_piece(struct gate *g, const struct gate_piece *piece) REIN_MUST_USE;
/* Replaces a stand-alone string of the event pushed last; `quoted`: in quotes, a number that becomes a string. */
int gate_add_patch(struct gate *g, struct range raw, struct span text, bool quoted) REIN_MUST_USE;
/* The parts of the event pushed last, as many as it has; good until the next push. */
struct gate_part *gate_last_parts(struct gate *g);
/* The part awaits the next text of its choice. */
void gate_await(struct gate *g, struct gate_part *part);
/* That text has come: its next byte is the lane's at `start`. */
void gate_go_on(struct gate *g, uint16_t choice, struct lane *lane, uint64_t start);
/* It will not come any more. */
void gate_stop_waiting(struct gate *g);
/* Replaces a whole choice of the body that waits. False with *rv 0 if there is no body, or no other choice in it. */
bool gate_replace_choice(struct gate *g, uint16_t choice, struct span object, int *rv);
/* Did the beginning (the end) of the choice go out, or does one wait to? */
bool gate_has_begun(const struct gate *g, uint16_t choice);
bool gate_has_ended(const struct gate *g, uint16_t choice);
/* Queues bytes of our own. */
int gate_say(struct gate *g, struct span bytes, unsigned flags) REIN_MUST_USE;

/* The number of the upstream's event that was pushed last, whether it still waits or not; they count from 1. */
uint64_t gate_event_number(const struct gate *g);

/* The event pushed last has been judged: what is found now is not its own. */
void gate_leave(struct gate *g);
/* The upstream's event that is being judged: pushed last, not left, and still waiting; else NULL. */
struct gate_event *gate_last(struct gate *g);

/* Ends everything here: the first event that is not passable now may still show its cleared part; those after it are
 * dropped. Call before the texts are stopped. */
void gate_cut(struct gate *g);

/* Ends the choice: ends in waiting events, or in the event that ended it, are not its own any more. Call
 * before the texts are stopped. */
void gate_close(struct gate *g, uint16_t choice);

static inline bool gate_is_empty(const struct gate *g)
{
    return bytes_len(&g->events) == 0;
}

/* Appends to `out` what may go. An `out` that is empty may get another block of memory: it must have begun in no room.
 */
int gate_release(struct gate *g, struct bytes *out) REIN_MUST_USE;

static inline size_t gate_held(const struct gate *g)
{
    return bytes_len(&g->raw) + bytes_len(&g->body);
}

#endif
