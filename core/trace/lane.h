/* A lane: what the dialect names as one text of the response (by its id), and the text or texts it adds to.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      source bytes   |<think>|  reasoning  |</think>|  answer ...  | undecided |
 *      runs            tag      text 0        tag      text 1
 *
 * Most lanes feed one text one to one. A lane whose field may hold inline reasoning is split into two texts, and
 * remembers which source bytes went where until they are released.
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_LANE_H
#define CORE_TRACE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dialect/event.h"
#include "trace/reasoning_splitter.h"
#include "trace/text.h"

/* Source bytes up to `end` (from where the previous run ended) belong to `text`, or are a tag (NULL). */
struct lane_run {
    struct text *text;
    uint64_t end;      /* source offset */
    uint64_t text_end; /* offset in the text */
};

/* Stays where it was made. */
struct lane {
    struct place place;
    bool splits;
    bool has_stopped; /* what comes from here on is dropped unseen */
    bool is_over;     /* nothing more will come */
    uint16_t half;    /* of a surrogate pair that the last piece ended in, 0: none */
    struct splitter splitter;
    struct text *reasoning, *answer; /* a lane that does not split has only `answer`, whatever its channel; borrowed */
    uint64_t received;               /* source bytes */
    uint64_t decided;                /* source bytes that the splitter has given to a text */
    struct bytes runs;               /* struct lane_run, oldest first; only of lanes that split */
    uint64_t runs_start;             /* source offset where the first run begins */
    size_t runs_passable;            /* how many of them, from the first on, may pass completely; never the last one */
    struct lane_run first_runs[2];   /* where `runs` begins */
    /* Of a lane that may be repeated: its source, and what was released of it. */
    bool is_kept, is_lost; /* lost: the source has become too long to be kept */
    bool is_edited;        /* what was shown is not the beginning of the source, but `shown` */
    uint64_t shown_to;     /* source bytes up to here went out; not those of an event that was dropped */
    struct bytes said;     /* source bytes */
    struct bytes shown;    /* as the inside of a JSON string */
    size_t *room;          /* that all lanes have for both; borrowed */
    uint8_t habit;         /* enum lane_habit */
    uint8_t repeated;      /* how often it looked like REPEATS; until the habit is known */
    struct bytes last;     /* the last piece, until its habit is known */
};

/* Some upstreams send all of the text so far in each event. */
enum lane_habit {
    LANE_HABIT_OPEN,    /* each piece so far began with the one before it */
    LANE_HABIT_GOES_ON, /* no */
    LANE_HABIT_REPEATS, /* yes: what comes belongs to the text that such pieces are */
};

/* Always true between two calls that did not fail. Constant time; `deep`: examines each run, too. */
bool lane_is_sound(const struct lane *lane, bool deep);

void lane_init(struct lane *lane, struct place place, struct text *text);
/* As splitter_init. */
void lane_init_split(struct lane *lane, struct place place, struct text *reasoning, struct text *answer,
                     const char *open, const char *close, bool opened);
void lane_fini(struct lane *lane);

/* What the caller does with bytes that were given to a text. Returns 0 or an error. */
typedef int (*lane_sink)(void *ctx, struct text *text, struct span bytes);

/* Splits and passes on the next source bytes, in order; stops early once has_stopped is set by the sink. */
int lane_feed(struct lane *lane, struct span bytes, lane_sink sink, void *ctx) REIN_MUST_USE;
/* No more will come: decides what is undecided. */
int lane_end(struct lane *lane, lane_sink sink, void *ctx) REIN_MUST_USE;

/* A part of a lane's source range that belongs to one text, for rendering. */
struct lane_part {
    struct text *text; /* NULL: a tag */
    uint64_t text_start;
    size_t len; /* same in source and text */
};

/* The following three, of a lane that splits. */
uint64_t lane_runs_passable(struct lane *lane);
struct lane_part lane_run_part_at(const struct lane *lane, uint64_t at, uint64_t end);
void lane_runs_released(struct lane *lane, uint64_t offset);

/* Source bytes up to here may pass (they are cleared, or will be dropped when rendered). Never falls; what was passable
 * is not examined again. */
static inline uint64_t lane_passable(struct lane *lane)
{
    return lane->splits ? lane_runs_passable(lane) : text_passable(lane->answer);
}

/* The part that begins at source offset `at`, cut at `end`. Bytes not decided yet count as a tag. */
static inline struct lane_part lane_part_at(const struct lane *lane, uint64_t at, uint64_t end)
{
    return lane->splits ? lane_run_part_at(lane, at, end) : (struct lane_part){lane->answer, at, (size_t)(end - at)};
}

/* Source bytes up to `offset` went out, or were dropped. */
static inline void lane_released(struct lane *lane, uint64_t offset)
{
    if (lane->splits)
        lane_runs_released(lane, offset);
}

/* ---- texts that may be repeated ---- */

/* From now on the lane's source is kept: before its first byte. *room: how many bytes all lanes may still keep;
 * borrowed. A lane for which there is no room is lost. */
void lane_keep(struct lane *lane, size_t *room);
/* Is this text the whole source? False for a lane that is lost. */
bool lane_repeats(const struct lane *lane, struct span text);
/* Does this text begin with the whole source, of which there is some? */
bool lane_begins(const struct lane *lane, struct span text);
/* Looks at a piece of a lane whose habit is open, and remembers it. */
int lane_watch(struct lane *lane, struct span piece) REIN_MUST_USE;
/* What goes out instead of the source from `start` on differs from it: call before lane_show. */
int lane_edit(struct lane *lane, uint64_t start) REIN_MUST_USE;
/* More of an edited lane went out, in the form of JSON. */
int lane_show(struct lane *lane, struct span raw) REIN_MUST_USE;
/* Appends what the client was shown, as the inside of a JSON string. Of an edited lane that was lost: nothing. */
int lane_shown(const struct lane *lane, struct bytes *out) REIN_MUST_USE;

#endif
