#ifndef ROSTER_TESTS_FAULTS_CONTROL_H
#define ROSTER_TESTS_FAULTS_CONTROL_H

/* The faults of a rosterd-faulty: a file (FAULTS_FILE) that the test writes to and the server
 * maps. faults.mjs has the same layout. */

#include <stdatomic.h>
#include <stdbool.h>

enum kind {
    MEMORY,
    ARENA,
    THREAD,
    WRITE,
    SYNC,
    PLAIN,
    RECV,
    SEND,
    ACCEPT,
    POLL,
    WAIT,
    RENAME,
    APPEAR,
    COMMIT, /* the command is committed, but the caller gets an unknown outcome */
    KINDS
};

struct fault {
    atomic_llong in;    /* the n-th call from now on fails; 0: none */
    atomic_llong lasts; /* so do all later ones */
    atomic_llong code;  /* errno; -1: the process is killed instead */
    atomic_llong seen, struck;
};

struct control {
    struct fault faults[KINDS];
    atomic_llong clock_offset_ms;
    atomic_llong sync_delay_ms;
    atomic_llong send_buffer;   /* bytes, of clients that connect from now on; 0: the system's */
    atomic_llong holds_writer;  /* its syncs do not return for as long as this is set */
    atomic_llong holds;         /* how many were held so far */
    atomic_llong answers_later; /* the store does, whatever it is asked; 2: not before it changes */
    atomic_llong questions;     /* that it answers later, so far */
    atomic_llong boot_offset_ms; /* of time_boot_ms */
};

/** NULL before the file is mapped, which a constructor does. */
extern struct control *control;

/** Counts a call of that kind: is it one that is to fail? Sets errno if so. Any thread. */
bool control_strikes(enum kind kind);

#endif
