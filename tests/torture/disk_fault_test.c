/* The disk refuses one call, or all of a kind for a while: reads, writes (also because the disk is
 * full), syncs, opening. One fault at a time, at every call of a working day. A command that fails
 * is answered so and leaves no trace; once the disk is well again, so is the store. TORTURE_STRIDE
 * 1 leaves out no call. */
#include "disk.h"
#include "torture.h"
#include "world.h"

#include "store/sqlite/state.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { STRIDE = 17, GROUPS = 4, GROUP = 5, MISSES = 3, ROUNDS = 24 };

struct tally {
    unsigned long faults, acknowledged, refused, unknown;
};

/* A database with something in it, closed. */
static bool prepare(struct world *world) {
    world_begin(world);
    bool fits = world_open(world);
    for (int i = 0; fits && i < 3; i++)
        (void)world_change(world, 2 * GROUP);
    fits = fits && world_settle(world, NOTHING_KEPT);
    world_close(world);
    return fits;
}

static bool complain(struct world *world, const char *what) {
    (void)snprintf(world->wrong, sizeof world->wrong, "%s", what);
    return false;
}

/* Works while the fault lies in wait. After a failed sync nothing may be acknowledged any more. */
static bool work(struct world *world, const struct disk_fault *fault) {
    bool has_failed = false;
    for (int i = 0; i < GROUPS; i++) {
        struct world_group group = world_change(world, GROUP);
        if (has_failed && fault->call == DISK_SYNC && group.done)
            return complain(world, "acknowledged something after a failed sync");
        has_failed |= group.done < group.well_meant;
    }
    return true;
}

static bool serves_again(struct world *world) {
    struct world_group group = world_change(world, GROUP);
    return group.done == group.well_meant || complain(world, "the disk is well, the store is not");
}

/* Opens once more what a faulty day has left, and compares. */
static bool comes_back(struct world *world, enum doubt doubt) {
    bool fits = world_open(world) && world_settle(world, doubt) && serves_again(world) &&
                world_settle(world, NOTHING_KEPT);
    world_close(world);
    return fits;
}

/* One day with one fault. `*struck`: was there still a call for it? */
static bool live_with(struct world *world, const struct disk_fault *fault, bool *struck) {
    bool is_sync = fault->call == DISK_SYNC;
    bool is_at_the_end = fault->call == DISK_DELETE; /* only the log's, by who closes last */
    bool fits = prepare(world);
    disk_inject(fault);
    bool opened = fits && world_open(world);
    fits = fits && (!opened || work(world, fault));
    *struck = !is_at_the_end && disk_mend();
    if (fits && !opened && !*struck)
        return false;
    *world->wrong = opened ? *world->wrong : '\0';
    if (opened && fits && !is_sync)
        fits = serves_again(world) && world_settle(world, NOTHING_KEPT);
    if (is_sync)
        disk_cut_at(0);
    world_close(world);
    *struck |= disk_mend();
    disk_power_on();
    return fits && comes_back(world, is_sync ? PREFIX_KEPT : NOTHING_KEPT);
}

static void sweep(struct disk_fault fault, struct tally *tally) {
    bool is_rare = fault.call != DISK_READ && fault.call != DISK_WRITE && fault.call != DISK_SIZE;
    unsigned long stride = is_rare ? 1 : torture_number("TORTURE_STRIDE", STRIDE);
    unsigned long seed = torture_number("SEED", 1);
    unsigned misses = 0;
    for (unsigned long at = 1 + seed % stride; misses < MISSES; at += stride) {
        struct world world;
        bool struck;
        fault.at = at;
        disk_seed(seed);
        bool fits = live_with(&world, &fault, &struck);
        tally->faults += struck;
        misses += !struck;
        tally->acknowledged += world.acknowledged;
        tally->refused += world.refused;
        tally->unknown += world.unknown;
        world_end(&world);
        if (!fits)
            torture_fail("call %d, result %d, %lu-th%s: %s", fault.call, fault.result, at,
                         fault.lasts ? " and later" : "", world.wrong);
    }
}

static void survive_all(enum disk_call call, int result) {
    struct tally tally = { 0 };
    sweep((struct disk_fault){ .call = call, .result = result }, &tally);
    sweep((struct disk_fault){ .call = call, .result = result, .lasts = true }, &tally);
    print_message("# %lu faults: %lu commands acknowledged, %lu refused, %lu failed\n",
                  tally.faults, tally.acknowledged, tally.refused, tally.unknown);
    assert_true(tally.faults > 0);
}

static void a_read_that_fails(void **state) {
    (void)state;
    survive_all(DISK_READ, SQLITE_IOERR_READ);
}

static void a_write_that_fails(void **state) {
    (void)state;
    survive_all(DISK_WRITE, SQLITE_IOERR_WRITE);
}

static void a_full_disk(void **state) {
    (void)state;
    survive_all(DISK_WRITE, SQLITE_FULL);
}

static void a_sync_that_fails(void **state) {
    (void)state;
    survive_all(DISK_SYNC, SQLITE_IOERR_FSYNC);
}

static void a_file_that_cannot_be_cut_short(void **state) {
    (void)state;
    survive_all(DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE);
}

static void a_file_that_cannot_be_deleted(void **state) {
    (void)state;
    survive_all(DISK_DELETE, SQLITE_IOERR_DELETE);
}

static void a_file_that_cannot_be_opened(void **state) {
    (void)state;
    survive_all(DISK_OPEN, SQLITE_CANTOPEN);
}

static void a_file_whose_size_cannot_be_had(void **state) {
    (void)state;
    survive_all(DISK_SIZE, SQLITE_IOERR_FSTAT);
}

static void a_disk_that_takes_30_ms_to_sync_is_only_slow(void **state) {
    struct world world;
    (void)state;
    bool fits = prepare(&world);
    disk_slow(30);
    fits = fits && world_open(&world);
    for (int i = 0; fits && i < GROUPS; i++)
        fits = serves_again(&world);
    disk_slow(0);
    fits = fits && world_settle(&world, NOTHING_KEPT);
    world_close(&world);
    world_end(&world);
    if (!fits)
        torture_fail("%s", world.wrong);
}

/* A reader: the WAL can be checkpointed up to its snapshot, but no further. */
static sqlite3 *hold_snapshot(const struct world *world) {
    char path[96];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/roster.db", world->directory);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT Id FROM users", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void let_checkpoints_run(const struct world *world) {
    (void)usleep((unsigned)world->checkpoint_ms * 1000 * 20);
}

/* A checkpoint that had to stop half-way does not sync what it wrote. The sync that fails later
 * may be the one that loses it, and the next checkpoint would not write it again. */
static bool lose_a_checkpoint(struct world *world) {
    struct disk_fault fault = {
        .call = DISK_SYNC, .result = SQLITE_IOERR_FSYNC, .at = 1, .ending = "roster.db"
    };
    bool fits = prepare(world) && world_open(world) && serves_again(world);
    sqlite3 *reader = fits ? hold_snapshot(world) : NULL;
    fits = fits && serves_again(world);
    let_checkpoints_run(world);
    disk_inject(&fault);
    (void)sqlite3_close(reader);
    if (fits)
        (void)world_change(world, GROUP);
    /* Until the store knows, it may acknowledge: the log still has all of it. */
    for (int i = 0; fits && i < 500 && !atomic_load(&state_of(world->store)->keeps_wal); i++)
        let_checkpoints_run(world);
    bool has_struck = disk_mend();
    if (fits && !atomic_load(&state_of(world->store)->keeps_wal))
        fits = complain(world, has_struck ? "a checkpoint's failed sync went unnoticed"
                                          : "no checkpoint synced the database");
    for (int i = 0; fits && i < GROUPS; i++) {
        if (world_change(world, GROUP).done)
            fits = complain(world, "acknowledged something after a checkpoint's sync failed");
        let_checkpoints_run(world);
    }
    return fits;
}

static void a_checkpoint_whose_sync_fails_takes_nothing_with_it(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= ROUNDS; seed++) {
        struct world world;
        disk_seed(seed);
        bool fits = lose_a_checkpoint(&world);
        /* The power fails while the server runs, or after its end, or after its next start. */
        if (seed % 3 == 0)
            disk_cut_at(0);
        world_close(&world);
        if (seed % 3 == 1)
            disk_cut_at(0);
        disk_power_on();
        if (!fits || !comes_back(&world, PREFIX_KEPT))
            torture_fail("round %u: %s", seed, world.wrong);
        world_end(&world);
    }
}

/* Ends as a killed program does: nobody copies the log back. */
static void end_at_once(struct world *world, sqlite3 *last) {
    world_close(world);
    assert_int_equal(sqlite3_db_config(last, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(last), SQLITE_OK);
}

/* After a failed sync frames of the WAL may be in the kernel's memory alone. A commit behind them
 * would be lost with them. */
static bool start_on_an_unsynced_log(struct world *world, bool is_killed) {
    struct disk_fault fault = {
        .call = DISK_SYNC, .result = SQLITE_IOERR_FSYNC, .at = 1, .ending = "-wal"
    };
    bool fits = prepare(world);
    world->checkpoint_ms = 60000;
    fits = fits && world_open(world) && serves_again(world);
    sqlite3 *last = is_killed && fits ? hold_snapshot(world) : NULL;
    disk_inject(&fault);
    if (fits)
        (void)world_change(world, GROUP);
    if (!disk_mend() && fits)
        fits = complain(world, "no sync of the log failed");
    if (last)
        end_at_once(world, last);
    else
        world_close(world);
    enum doubt kept = is_killed ? PREFIX_KEPT : NOTHING_KEPT;
    fits = fits && world_open(world) && world_settle(world, kept) && serves_again(world);
    disk_cut_at(0);
    world_close(world);
    disk_power_on();
    return fits;
}

static void a_log_that_was_not_synced_is_no_ground_to_build_on(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= ROUNDS; seed++) {
        struct world world;
        disk_seed(seed);
        if (!start_on_an_unsynced_log(&world, seed % 2) || !comes_back(&world, NOTHING_KEPT))
            torture_fail("round %u: %s", seed, world.wrong);
        world_end(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_that_fails),
        cmocka_unit_test(a_write_that_fails),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_sync_that_fails),
        cmocka_unit_test(a_checkpoint_whose_sync_fails_takes_nothing_with_it),
        cmocka_unit_test(a_log_that_was_not_synced_is_no_ground_to_build_on),
        cmocka_unit_test(a_file_that_cannot_be_cut_short),
        cmocka_unit_test(a_file_that_cannot_be_deleted),
        cmocka_unit_test(a_file_that_cannot_be_opened),
        cmocka_unit_test(a_file_whose_size_cannot_be_had),
        cmocka_unit_test(a_disk_that_takes_30_ms_to_sync_is_only_slow),
    };
    return cmocka_run_group_tests(tests, torture_begin, NULL);
}
