/* The power fails at random times, again and again: an acknowledged command is there, a refused one
 * is not, and one without an answer is there whole or not at all.
 * TORTURE_CUTS and SEED choose how often and which. */
#include "disk.h"
#include "torture.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { CUTS = 150, CUTS_A_DATABASE = 25, GROUPS = 8, GROUP_MAX = 12, MOMENT_MAX = 400 };

/* From power on to power off. False with `wrong` when something is not as it was promised. */
static bool live_a_day(struct world *world) {
    disk_power_on();
    bool fits = world_open(world) && world_settle(world, PREFIX_KEPT);
    if (fits && disk_random(4) == 0) { /* also while it is opened */
        world_close(world);
        disk_cut_at(1 + disk_random(40));
        if (!world_open(world)) {
            fits = disk_is_cut();
            *world->wrong = fits ? '\0' : *world->wrong;
        }
    } else {
        disk_cut_at(1 + disk_random(MOMENT_MAX));
    }
    for (unsigned i = 0; fits && world->store && i < GROUPS && !disk_is_cut(); i++)
        (void)world_change(world, 1 + (unsigned)disk_random(GROUP_MAX));
    world_close(world);
    if (!disk_is_cut())
        disk_cut_at(0);
    return fits;
}

struct tally {
    unsigned long days, acknowledged, refused, unknown, unknown_kept;
};

static bool live(unsigned long days, struct tally *tally, char *wrong, size_t size) {
    bool fits = true;
    while (fits && tally->days < days) {
        struct world world;
        world_begin(&world);
        for (unsigned i = 0; fits && i < CUTS_A_DATABASE; i++) {
            fits = live_a_day(&world);
            tally->days++;
        }
        tally->acknowledged += world.acknowledged;
        tally->refused += world.refused;
        tally->unknown += world.unknown;
        tally->unknown_kept += world.unknown_kept;
        (void)snprintf(wrong, size, "cut %lu: %s", tally->days, world.wrong);
        disk_power_on();
        world_end(&world);
    }
    return fits;
}

static void no_power_cut_loses_what_was_acknowledged_or_keeps_what_was_refused(void **state) {
    struct tally tally = { 0 };
    char wrong[600] = "";
    (void)state;
    bool fits = live(torture_number("TORTURE_CUTS", CUTS), &tally, wrong, sizeof wrong);
    struct disk_fates fates = disk_fates();
    print_message("# %lu cuts (seed %lu): %lu commands acknowledged, %lu refused, %lu cut off, of"
                  " which %lu were kept; un-synced writes: %lu kept, %lu lost, %lu torn\n",
                  tally.days, torture_number("SEED", 1), tally.acknowledged, tally.refused,
                  tally.unknown, tally.unknown_kept, fates.kept, fates.lost, fates.torn);
    if (!fits)
        torture_fail("%s", wrong);
    assert_true(tally.acknowledged > tally.days);
    assert_true(tally.unknown > tally.unknown_kept);
    assert_true(fates.kept > 0 && fates.lost > 0 && fates.torn > 0);
}

/* Without this the test above might only have forgotten how to fail. */
static void a_disk_that_lies_about_syncs_is_found_out(void **state) {
    struct tally tally = { 0 };
    char wrong[600] = "";
    (void)state;
    disk_lie(true);
    bool fits = live(CUTS, &tally, wrong, sizeof wrong);
    disk_lie(false);
    print_message("# with a lying disk: %s\n", wrong);
    assert_false(fits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_power_cut_loses_what_was_acknowledged_or_keeps_what_was_refused),
        cmocka_unit_test(a_disk_that_lies_about_syncs_is_found_out),
    };
    return cmocka_run_group_tests(tests, torture_begin, NULL);
}
