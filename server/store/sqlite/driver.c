/* The driver's functions, in one table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/db.h"
#include "store/sqlite/policies.h"
#include "store/sqlite/reader.h"

const struct store_driver store_driver_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_db_open,
    .close = sqlite_db_close,
    .write = sqlite_db_write,
    .use_policies = sqlite_db_use_policies,
    .probe = sqlite_db_probe,
    .is_in_place = sqlite_db_is_in_place,
    .times_gone = sqlite_db_times_gone,
    .maintain = sqlite_db_maintain,
    .keep = sqlite_db_keep,
    .purge = sqlite_db_purge,
    .begin_erase = sqlite_begin_erase,
    .step_erase = sqlite_step_erase,
    .end_erase = sqlite_end_erase,
    .open_reader = sqlite_reader_open,
    .close_reader = sqlite_reader_close,
    .list = sqlite_read_list,
    .one = sqlite_read_one,
    .extent = sqlite_read_extent,
    .texts = sqlite_read_texts,
    .readings = sqlite_read_readings,
    .outcome = sqlite_read_outcome,
    .statistics = sqlite_read_statistics,
    .sums = sqlite_read_sums,
    .finding_sums = sqlite_read_finding_sums,
    .summed = sqlite_read_summed,
    .facets = sqlite_read_facets,
    .write_feedback = sqlite_write_feedback,
    .drop_feedback = sqlite_drop_feedback,
    .feedback = sqlite_read_feedback,
    .numbered = sqlite_read_numbered,
    .policies = sqlite_read_policies,
    .feedback_counts = sqlite_read_feedback_counts,
};
