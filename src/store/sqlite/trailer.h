#ifndef ROSTER_STORE_SQLITE_TRAILER_H
#define ROSTER_STORE_SQLITE_TRAILER_H

/*
 * The trailer of a backup: lines of text behind the pages of the database, which SQLite does not
 * read. They say which program made the backup, when, and which key it needs. The last one is a
 * digest of all that is before it, so that a damaged bit is found wherever it is.
 */

#include <stdbool.h>

enum { TRAILER_WORD_MAX = 32 };

struct trailer {
    char program[TRAILER_WORD_MAX]; /* "0.2.0" */
    char made[TRAILER_WORD_MAX];    /* as by time_format */
    char key[TRAILER_WORD_MAX];     /* see seal_name */
};

enum trailer_state {
    TRAILER_RIGHT,
    TRAILER_NONE,      /* an older version, or another program, made the file */
    TRAILER_FOREIGN,   /* the file is no database, so there is no trailer */
    TRAILER_WRONG,     /* the file is not what it was */
    TRAILER_UNREADABLE /* errno says why */
};

/**
 * Appends the trailer to a backup that is complete and closed by SQLite, for a key of the name
 * `key`. Does not sync. False, with errno set, if the file cannot be read or written.
 */
bool trailer_add(int file, const char *key) __attribute__((warn_unused_result));

/** Reads the trailer, and compares the digest with the file. `*trailer` is set if it is RIGHT. */
enum trailer_state trailer_check(int file, struct trailer *trailer)
    __attribute__((warn_unused_result));

/** Is the program that made the backup of a later version than this one? */
bool trailer_is_newer(const struct trailer *trailer);

#endif
