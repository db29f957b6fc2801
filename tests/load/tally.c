/* See tally.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

enum { TOLD = 300 };

static void tally_row(struct tally *tally, uint64_t number, enum row row)
{
    if (row == ROW_ANY_OR_NONE)
        return;
    while (number >= tally->rows_cap) {
        size_t cap = tally->rows_cap ? tally->rows_cap * 2 : 65536;
        tally->rows = realloc(tally->rows, cap);
        if (tally->rows == NULL)
            abort();
        memset(tally->rows + tally->rows_cap, 0, cap - tally->rows_cap);
        tally->rows_cap = cap;
    }
    tally->rows[number] = (uint8_t)row;
    if (number >= tally->rows_len)
        tally->rows_len = number + 1;
}

/* Nobody left, and yet it was no whole answer: no fault by itself (a kept connection may break), but worth a count. */
static void tally_note_odd(struct tally *tally, const struct scene *scene, const struct checked *checked,
                           unsigned status)
{
    char code[64];
    snprintf(code, sizeof code, "%s%s %u %s", scene->client.piece > 0 ? "slow " : "", scene_name(scene->kind), status,
             checked->ending == ENDING_BROKEN ? "broken off" : checked->code);
    size_t i = 0;
    while (i < tally->odd_len && strcmp(tally->odd[i].code, code) != 0)
        i++;
    if (i == TALLY_ODD)
        return;
    if (i == tally->odd_len)
        snprintf(tally->odd[tally->odd_len++].code, sizeof code, "%s", code);
    tally->odd[i].count++;
}

void tally_fault(struct tally *tally, const struct scene *scene, const char *fault, const struct text *body)
{
    if (tally->faults++ > 20)
        return;
    printf("FAULT: %s\n  scene %llu (%s, %s, %u events, %u choices)\n", fault, (unsigned long long)scene->number,
           scene_name(scene->kind), scene->is_streamed ? "streamed" : "whole", scene->events, scene->choices);
    if (body != NULL && body->len > 0)
        printf("  %zu bytes came: %.*s\n  ... %s\n", body->len, (int)(body->len < TOLD ? body->len : TOLD), body->data,
               body->data + (body->len > TOLD ? body->len - TOLD : 0));
    fflush(stdout);
}

void tally_scene(struct tally *tally, const struct scene *scene, const struct checked *checked, unsigned status,
                 const struct text *body)
{
    tally->ends[scene->kind][checked->ending]++;
    tally_row(tally, scene->number, checked->row);
    if (checked->fault != NULL)
        tally_fault(tally, scene, checked->fault, body);
    bool may_fail = scene->kind == SCENE_PROMPT || scene->kind == SCENE_FAIL || scene->kind >= SCENE_BAD;
    if (!tally->is_over && scene_is_calm(scene) && !may_fail &&
        (checked->ending == ENDING_ERROR || checked->ending == ENDING_BROKEN))
        tally_note_odd(tally, scene, checked, status);
}

size_t tally_ended(const struct tally *tally, enum ending ending)
{
    size_t sum = 0;
    for (size_t kind = 0; kind < SCENE_KINDS; kind++)
        sum += tally->ends[kind][ending];
    return sum;
}

void tally_print(const struct tally *tally, FILE *to)
{
    fprintf(to, "%-8s %9s %9s %9s %9s %9s\n", "scene", "whole", "refused", "error", "broken", "left");
    for (size_t kind = 0; kind < SCENE_KINDS; kind++) {
        fprintf(to, "%-8s", scene_name((enum scene_kind)kind));
        for (size_t ending = 0; ending < ENDINGS; ending++)
            fprintf(to, " %9zu", tally->ends[kind][ending]);
        fputc('\n', to);
    }
    for (size_t i = 0; i < tally->odd_len; i++)
        fprintf(to, "not whole though nobody left: %s, %zu times\n", tally->odd[i].code, tally->odd[i].count);
}

void tally_free(struct tally *tally)
{
    free(tally->rows);
    *tally = (struct tally){0};
}
