#ifndef ROSTER_STORE_POSTGRES_PARAMETERS_H
#define ROSTER_STORE_POSTGRES_PARAMETERS_H

/* The parameters of a statement, in the form in which libpq sends them. */

#include "base/arena.h"
#include "store/postgres/prepared.h"

/* The most parameters of a statement. */
enum { PG_PARAMETERS_MAX = 512 };

struct pg_arguments {
    const char *values[PG_PARAMETERS_MAX];
    int lengths[PG_PARAMETERS_MAX], formats[PG_PARAMETERS_MAX];
    char room[PG_PARAMETERS_MAX][8]; /* for integers */
    struct arena arena;              /* for lists */
};

/**
 * Makes the arguments of a prepared statement from its parameters. False: a value does not fit its
 * type, or memory is short. pg_arguments_free is called in either case.
 */
bool pg_arguments_make(struct pg_arguments *arguments, const struct pg_statement *statement);
void pg_arguments_free(struct pg_arguments *arguments);

/**
 * Writes an integer as a binary value of the type. Returns its size: 0, if it does not fit or the
 * type is none of integers.
 */
size_t pg_integer_write(char *at, Oid type, int64_t integer);

/** An integer of a binary result or parameter of `size` bytes. */
int64_t pg_integer_read(const char *at, size_t size);

/* The types that the store's columns and parameters have, by their Oids in the catalog. */
enum pg_type {
    PG_TYPE_BOOLEAN = 16,
    PG_TYPE_BYTEA = 17,
    PG_TYPE_INT8 = 20,
    PG_TYPE_INT2 = 21,
    PG_TYPE_INT4 = 23,
    PG_TYPE_TEXT = 25,
    PG_TYPE_BYTEA_ARRAY = 1001,
    PG_TYPE_TEXT_ARRAY = 1009,
    PG_TYPE_INT8_ARRAY = 1016
};

#endif
