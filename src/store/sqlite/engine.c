/* SQLite as an engine of the store. */
#include "store/sqlite/engine.h"

#include "store/sqlite/dialect.h"
#include "store/sqlite/disk.h"
#include "store/sqlite/maintenance.h"
#include "store/sqlite/open.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/session.h"
#include "store/sqlite/state.h"
#include "store/sqlite/text_index.h"
#include "store/sqlite/writer.h"

static const struct engine_store store_calls = {
    .open = open_store,
    .close = open_close,
    .session_open = session_open_reader,
    .session_close = session_close_any,
    .submit = writer_submit,
    .read = readers_submit,
    .ask = readers_ask,
    .end_reading = state_end_reading,
    .access_epoch = state_access_epoch,
    .session_epoch = state_session_epoch,
    .commits = state_count_commits,
    .outbox_changes = state_outbox_changes,
    .is_broken = state_is_broken,
    .stats = open_stats,
    .try_room = disk_try_room,
    .begin_reading = session_begin_reading,
    .finish_reading = session_finish_reading,
    .limit_work = session_limit_work,
    .lift_limit = session_lift_limit,
};

/* instr searches blobs in place; of a text it makes a copy first, to end it with NUL. */
static void add_has_bytes(struct buffer *sql, const char *column, int parameter) {
    buffer_printf(sql, "instr(CAST(%s AS BLOB), CAST(?%d AS BLOB)) > 0", column, parameter);
}

static const struct engine_dialect dialect = {
    .any_of = { " IN (SELECT value FROM json_each(", "))" },
    .without_case = { "", WITHOUT_CASE },
    .ascending = "",
    .descending = " DESC",
    .join_in_order = " CROSS JOIN ",
    .add_has_bytes = add_has_bytes,
    .keeps_row_sums = true,
};

const struct engine sqlite_engine = {
    .name = "SQLite",
    .store = &store_calls,
    .sql = &connection_sql_calls,
    .text_index = &text_index_calls,
    .tools = &maintenance_tools,
    .dialect = &dialect,
};
