#ifndef ROSTER_STORE_POSTGRES_PLAIN_H
#define ROSTER_STORE_POSTGRES_PLAIN_H

/*
 * Plain commands. They read one record and nothing else; they change columns of it that have no
 * index, and add audit rows. So what they decide depends on nothing that another plain command can
 * change meanwhile, but for the record: the update fails, and the whole group with it, unless the
 * record is as it was read (update_rows.h). Plain groups therefore run beside each other. They
 * share the turn: while a group has it alone (group.h), none of them runs.
 *
 * No caller says that its command is plain. It runs as one, and may send nothing to the server: its
 * updates and audit rows are collected. If it asks for anything else, what was collected of it is
 * removed, and it is put off to a group that has the turn alone. So are all commands of a plain
 * group that fails.
 */

#include "store/postgres/state.h"

/** Should the command be tried as a plain one? Any thread. */
bool pg_may_be_plain(const struct pg_store *store, const struct store_command *command) MUST_CHECK;

/**
 * Runs the commands of a plain group, after its records were read. Those that are not plain get the
 * status PENDING. Returns how many are. On the writer's thread.
 */
unsigned pg_run_plain(const struct pg_group *group);

#endif
