/* What a client saw of a scene, and whether that is allowed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_CHECK_H
#define LOAD_CHECK_H

#include "scene.h"

enum ending {
    ENDING_WHOLE,   /* the response was whole, and no error */
    ENDING_REFUSED, /* whole, and it says the refusal */
    ENDING_ERROR,   /* an error status, or an error event */
    ENDING_BROKEN,  /* the server closed the connection before the end */
    ENDING_CUT,     /* the client itself left */
    ENDINGS,
};

struct seen {
    const struct scene *scene;
    unsigned status;
    bool is_whole, was_cut, has_decision; /* the response's end came; the client left; the head told of a decision */
    struct text *body;
};

/* What must be in the database of a scene once the server has stopped. */
enum row { ROW_ANY_OR_NONE, ROW_SOME, ROW_COMPLETE, ROW_REFUSED };

struct checked {
    enum ending ending;
    enum row row;
    const char *fault; /* static; NULL: may be seen */
    char code[48];     /* of an error, "" for none */
};

/* Takes comments out of the body. `leaks`: allocations fail, so that internal errors are to be expected. */
void check_seen(const struct seen *seen, bool expects_errors, struct checked *out);

#endif
