#ifndef ROSTER_TESTS_TORTURE_DISK_H
#define ROSTER_TESTS_TORTURE_DISK_H

/*
 * A disk in memory, an SQLite VFS. It knows what was synced: when the power fails, each write since
 * a file's last sync is kept, lost or torn by chance, 512 bytes at a time and in any order; files
 * made since may be missing, and deleted ones be back. It also refuses calls on demand. Its
 * promises are those of Linux: an overwrite does not hurt bytes beside it, and a file that was
 * synced keeps its name.
 */

#include <stdbool.h>
#include <stdint.h>

/** The calls that can be refused, or counted. Locks and shared memory are the process's, never the
 * disk's. */
enum disk_call {
    DISK_OPEN,
    DISK_READ,
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_DELETE,
    DISK_SIZE,
    DISK_CALLS
};

/** The n-th call of a kind from now on, 1 the next one, fails with an SQLite result code. */
struct disk_fault {
    enum disk_call call;
    int result;
    unsigned long at;
    bool lasts;         /* so do all later ones of the kind, until disk_mend */
    const char *ending; /* only of files whose names end so; NULL: of any */
};

/** Makes it SQLite's default. Chance follows from `seed`. */
void disk_install(uint64_t seed);

/** Restarts the random choices from this seed. */
void disk_seed(uint64_t seed);

/** A number below `limit`, of the same chance. */
uint64_t disk_random(uint64_t limit);

/** An empty disk. No file may be open. */
void disk_format(void);

/**
 * The power fails before the n-th write, truncation, sync or deletion from now on, or, every other
 * time, before the first sync after it; 0: at once.
 */
void disk_cut_at(unsigned long n);

/** Did it fail? Every call is refused from then on. */
bool disk_is_cut(void);

/** Power comes back: what has survived is what there is. No file may be open. */
void disk_power_on(void);

/** From now on syncs only say that they do: for a test of the tests. */
void disk_lie(bool lies);

/** Each sync takes this long. */
void disk_slow(unsigned sync_ms);

void disk_inject(const struct disk_fault *fault);

/** Ends a fault; true when it has struck. */
bool disk_mend(void);

/** How many calls of a kind there were so far. */
unsigned long disk_count(enum disk_call call);

/** How many un-synced writes were kept, lost and torn at all cuts so far. */
struct disk_fates {
    unsigned long kept, lost, torn;
};
struct disk_fates disk_fates(void);

#endif
