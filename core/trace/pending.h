/* Actions that wait behind a question to judges, in the order of the response.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      question [3, 40)  <-  refuse at 57  <-  question [40, 90)  <-  end of the response
 *      first: what is released is decided here, and nowhere behind it
 *
 * While a question is open, judging goes on, but what would stop the response waits in this list, and what would steer
 * it in shadow. It is carried out when all before it is answered, so the result is that of a judge that answers at
 * once. When an item's turn comes, texts are cleared as far as they were free when it came, and not before.
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_PENDING_H
#define CORE_TRACE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dialect/frame.h"
#include "policy/panel.h"
#include "rein/rein.h"
#include "trace/finding.h"
#include "trace/text.h"

enum pending_kind {
    PENDING_QUESTION, /* to a panel */
    PENDING_FINDING,  /* a rule or pattern, with an action that stops something, or would */
    PENDING_STOP,     /* what a stand-alone string stops */
    PENDING_END,      /* the response is over: completely, or it broke off */
};

enum { PENDING_MAX = 4096 };

struct pending_known {
    struct text *text; /* borrowed */
    uint64_t upto;
};

struct pending {
    struct pending *next;
    enum pending_kind kind;
    uint16_t choice;
    struct text *text; /* borrowed; NULL: about none, or a string that stands alone */
    uint64_t start, end;
    uint64_t event; /* the last one that came before it (gate_event_number): if it stops something, later ones are not
                       shown */
    union {
        struct pending_question {
            const struct policy_panel *panel;
            enum rein_channel channel;
            uint32_t first_id; /* the panel's judges have this and the following ids */
            uint64_t said;     /* bytes of the text that had been said by then: the question quotes the last of them */
            bool is_asked;     /* the caller has the questions */
            unsigned open;     /* judges that have not answered */
            unsigned answered; /* those that have: a set */
            double risks[POLICY_PANEL_JUDGES_MAX];
            bool has_opinion[POLICY_PANEL_JUDGES_MAX];
            bool is_busy; /* some judge was */
            unsigned leaves;
            unsigned holds;                            /* the patterns whose conditions held when it was asked: a set */
            double score;                              /* of the words, when it was asked; -1: there is none */
            uint32_t records[POLICY_PANEL_JUDGES_MAX]; /* in the decision's list; UINT32_MAX: not there */
        } question;
        struct pending_finding {
            struct rein_finding finding; /* its action is the policy's, not yet resolved */
            uint64_t shown_to;           /* what lies before it is shown before it stops its text */
            bool is_news;
            const struct policy_refusal *refusal;
            struct evidence evidence; /* its text is in `bytes` */
        } finding;
        struct pending_stop {
            enum rein_action action;
            bool steers;                          /* if that is possible, else the fallback: where that is stronger */
            const struct policy_refusal *refusal; /* NULL: the policy's */
        } stop;
        struct pending_end {
            bool is_whole, has_frame;
            unsigned flags;
            struct frame frame; /* points into `bytes` */
        } ending;
    };
    bool is_recorded;            /* reasoning had come from which a restart could continue */
    size_t choices;              /* so many had come */
    struct pending_known *known; /* how far each text was free when it came; owned */
    size_t known_len;
    size_t bytes_len;
    char bytes[]; /* the evidence; the terminal frame; why it broke off */
};

/* Zeroed is empty. Owns its items. */
struct pending_list {
    struct pending *first, *last;
    size_t len;
};

/* Adds an item at the end, zeroed but for these. REIN_ELIMIT beyond PENDING_MAX, REIN_ENOMEM. */
int pending_add(struct pending_list *list, enum pending_kind kind, uint64_t event, struct span bytes,
                struct pending **out) REIN_MUST_USE;
/* The first item, now the caller's: pending_free. There is one. */
struct pending *pending_take_first(struct pending_list *list);
void pending_free(struct pending *item);
void pending_clear(struct pending_list *list);

/* The question with this id; NULL: none. */
struct pending *pending_find(const struct pending_list *list, uint32_t id);

/* Always true between two calls. */
static inline bool pending_is_sound(const struct pending_list *list)
{
    if (list->len == 0)
        return list->first == NULL && list->last == NULL;
    return list->first != NULL && list->last != NULL && list->last->next == NULL && list->len <= PENDING_MAX;
}

#endif
