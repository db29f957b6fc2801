/* What `rein mix` has done: for people, and as a manifest.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "dataset/mix.h"

static json_int_t number(size_t n)
{
    return (json_int_t)n;
}

/* ---- the manifest: no times and no folders, so that the same mix gives the same bytes ---- */

static json_t *manifest_inputs(const struct mix *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->options->inputs_len; i++) {
        const struct mix_tally *t = &m->tallies[i];
        const struct mix_input *input = &m->options->inputs[i];
        json_array_append_new(list, json_pack("{sssssssIsIsIsI}", "file", row_file_name(input->path), "kind",
                                              mix_kind_name(input->kind), "sha256", t->sha256, "rows", number(t->rows),
                                              "unusable", number(t->unusable), "same_prompt", number(t->same),
                                              "near_prompt", number(t->near)));
    }
    return list;
}

static json_t *manifest_output(const struct mix_output *output, const char *split)
{
    json_t *rows = json_object(), *survival = json_object();
    for (int kind = 0; kind < MIX_KINDS; kind++)
        json_object_set_new(rows, mix_kind_name((enum mix_kind)kind), json_integer(number(output->rows[kind])));
    for (int i = 0; i < SURVIVAL_KINDS; i++)
        json_object_set_new(survival, survival_name((enum survival)i), json_integer(number(output->survival[i])));
    return json_pack("{sssssssoso}", "file", row_file_name(output->path), "split", split, "sha256", output->sha256,
                     "rows", rows, "reasoning", survival);
}

static json_t *manifest_of(const struct mix *m)
{
    const struct mix_options *o = m->options;
    json_t *outputs = json_array();
    json_array_append_new(outputs, manifest_output(&m->train, "train"));
    if (m->test.path != NULL)
        json_array_append_new(outputs, manifest_output(&m->test, "test"));
    return json_pack("{sisssssIsfsssssoso}", "version", 1, "made_by", "rein mix", "rein", rein_version(), "seed",
                     (json_int_t)o->seed, "test_share", o->test, "format", row_format_name(o->format), "family",
                     survival_family_name(o->family), "inputs", manifest_inputs(m), "outputs", outputs);
}

static int manifest_write(const struct mix *m)
{
    char *path = NULL;
    json_t *tree = manifest_of(m);
    char *text = json_dumps(tree, JSON_INDENT(2));
    int rv = text != NULL && asprintf(&path, "%s.manifest.json", m->train.path) >= 0
                 ? files_replace(path, text, strlen(text))
                 : -ENOMEM;
    free(path);
    free(text);
    json_decref(tree);
    return rv;
}

/* ---- for people ---- */

static void print_output(const struct mix_output *output)
{
    size_t rows = output->rows[MIX_SAFETY] + output->rows[MIX_MATH] + output->rows[MIX_BENIGN];
    printf("%s: %zu rows (%zu safety, %zu math, %zu benign)\n", output->path, rows, output->rows[MIX_SAFETY],
           output->rows[MIX_MATH], output->rows[MIX_BENIGN]);
}

int mix_report(const struct mix *m)
{
    const struct mix_options *o = m->options;
    size_t unusable = 0, same = 0, near = 0;
    for (size_t i = 0; i < o->inputs_len; i++) {
        unusable += m->tallies[i].unusable;
        same += m->tallies[i].same;
        near += m->tallies[i].near;
    }
    int rv = manifest_write(m);
    if (rv != 0)
        return rv;
    print_output(&m->train);
    if (m->test.path != NULL)
        print_output(&m->test);
    printf("left out: %zu with a prompt that was there, %zu with one nearly the same, %zu not usable\n", same, near,
           unusable);
    survival_warn(m->train.survival, o->format, o->family);
    return 0;
}
