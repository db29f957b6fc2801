/* For `rein check`: cases files are documents that it knows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_POLICYTEST_POLICYTEST_H
#define TOOLS_POLICYTEST_POLICYTEST_H

#include "cli/cli.h"

extern const struct cli_document_kind cases_document_kind;

#endif
