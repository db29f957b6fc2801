/* The driver's functions, in one table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/db.h"
#include "store/sqlite/reader.h"

const struct store_driver store_driver_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_db_open,
    .close = sqlite_db_close,
    .write = sqlite_db_write,
    .probe = sqlite_db_probe,
    .is_in_place = sqlite_db_is_in_place,
    .times_gone = sqlite_db_times_gone,
    .maintain = sqlite_db_checkpoint,
    .keep = sqlite_db_keep,
    .purge = sqlite_db_purge,
    .open_reader = sqlite_reader_open,
    .close_reader = sqlite_reader_close,
    .list = sqlite_read_list,
    .one = sqlite_read_one,
    .outcome = sqlite_read_outcome,
    .statistics = sqlite_read_statistics,
};
