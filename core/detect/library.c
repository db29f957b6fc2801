/* Checks of a library's documents, each by itself: templates, lexicons, models.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/lexicon.h"
#include "detect/model.h"

static int check_contents(const struct rein_node *root, const struct rein_schema *schema,
                          struct rein_problems *problems)
{
    struct model *model = NULL;
    int rv = 0;
    if (schema == rein_schema_lexicon())
        rv = lexicon_compile_and_test(root, problems);
    else if (schema == rein_schema_model())
        rv = model_load(&model, root, problems);
    model_free(model);
    return rv;
}

int rein_library_check(const struct rein_source *source, const struct rein_schema *schema,
                       struct rein_problems *problems)
{
    struct rein_doc *doc = NULL;
    size_t before = rein_problems_said(problems);
    int rv = rein_doc_read(&doc, source, problems);
    if (rv != 0)
        return rv;
    rv = rein_doc_check(doc, schema, problems);
    if (schema == rein_schema_lexicon())
        lexicon_check(rein_doc_root(doc), problems);
    bool is_good = rein_problems_said(problems) == before;
    if (rv == 0 && is_good)
        rv = check_contents(rein_doc_root(doc), schema, problems);
    rein_doc_free(doc);
    return rv == 0 && rein_problems_said(problems) != before ? REIN_EPOLICY : rv;
}
