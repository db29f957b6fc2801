/* Fuzzes documents: any bytes are read, checked and made canonical as each kind of document in turn.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/config_schema.h"
#include "detect/lexicon.h"
#include "document/doc.h"
#include "policytest/cases.h"

enum { CANON_MAX = 32 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_as(const struct rein_source *source, const struct rein_schema *schema)
{
    struct rein_problems *problems;
    struct rein_doc *doc;
    struct bytes canon;
    if (rein_problems_new(&problems) != 0)
        abort();
    if (rein_doc_read(&doc, source, problems) == 0) {
        size_t before = rein_problems_count(problems);
        int rv = rein_doc_check(doc, schema, problems);
        if (rv == 0 ? rein_problems_count(problems) != before : rein_problems_count(problems) == 0)
            abort();
        if (schema == rein_schema_lexicon())
            lexicon_check(rein_doc_root(doc), problems);
        bytes_init(&canon, CANON_MAX);
        if (doc_canon(rein_doc_root(doc), &canon) != 0)
            abort();
        bytes_fini(&canon);
        rein_doc_free(doc);
    } else if (rein_problems_count(problems) == 0) {
        abort();
    }
    rein_problems_free(problems);
}

static void check_cases(const struct rein_source *source)
{
    struct rein_problems *problems;
    struct cases *cases = NULL;
    if (rein_problems_new(&problems) != 0)
        abort();
    int rv = cases_read(&cases, source, problems);
    if ((rv == 0) != (rein_problems_count(problems) == 0) || (rv == 0 && cases_len(cases) == 0))
        abort();
    for (size_t i = 0; rv == 0 && i < cases_len(cases); i++)
        if (cases_at(cases, i)->name == NULL)
            abort();
    if (rv == 0)
        cases_free(cases);
    rein_problems_free(problems);
}

/* The whole load, but for what compiles expressions: that has a target of its own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rein_source source = {"fuzz.yaml", (const char *)data, size};
    check_as(&source, rein_schema_policy());
    check_as(&source, rein_schema_template());
    check_as(&source, rein_schema_lexicon());
    check_as(&source, keys_schema());
    check_cases(&source);
    return 0;
}
