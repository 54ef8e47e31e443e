#ifndef ROSTER_RULES_FILTER_H
#define ROSTER_RULES_FILTER_H

#include "base/arena.h"
#include "model/search.h"

/*
 * Filters: from what a client writes in a query (`User_FullName=ada`) to conditions on fields
 * (model/search.h). Every name and every type comes from the field tables. Nothing here knows HTTP
 * or the store, so another surface of the API can use the same conditions.
 */

/** The kinds of filters. The type of a field determines its kind. */
enum filter_kind {
    FILTER_nothing,   /* matches no record: secrets, and fields that are not stored */
    FILTER_ids,       /* one of several Ids */
    FILTER_reference, /* one of several Ids; or whether it points to something */
    FILTER_linked,    /* a list of links contains the Id */
    FILTER_backlink,  /* the record with the Id links to this one */
    FILTER_integer,
    FILTER_choice,
    FILTER_boolean,
    FILTER_date,
    FILTER_guid,
    FILTER_text /* contains the value, without regard to case and accents */
};

/** The kind of filter that a field has. */
enum filter_kind filter_kind(const struct field *field);

/**
 * The names of a field in filters and orders: its own (`which` 0), and a shorter one that
 * references and ClearAvatarFile have (`which` 1). `at` is NULL if there is none.
 */
struct text filter_name(const struct field *field, unsigned which);

/** The field with that name, compared without regard to case; NULL if no shown field has it. */
const struct field *filter_find_field(const struct table *table, struct text name);

/** True if records can be ordered by the field. */
bool filter_can_order(const struct field *field);

/** The field that a filter is about. */
struct filter_target {
    const struct table *table;   /* of the field */
    const struct field *through; /* the reference that leads to that table; NULL: none */
    const struct field *field;
    enum match
        match; /* MATCH_from and MATCH_to if the name begins with from_ or to_, or MATCH_equal */
};

/**
 * Finds the field that a filter names: Id, UniqueId, User_FullName, from_User_LastAccess,
 * User_Application_Name. False if there is no such field, or if it has no order and the name begins
 * with from_ or to_.
 */
bool filter_find_target(const struct table *table, struct text name, struct filter_target *target);

/** The conditions that are being read. */
struct filter_reader {
    struct arena *arena;  /* of all conditions and values */
    bool is_strict;       /* refuse blanks in place of a plus, and names in place of numbers */
    struct filter *first; /* the conditions so far, in order */
    bool failed;          /* one could not be added because there was no memory */
};

/** Adds one condition. */
void filter_add(struct filter_reader *reader, const struct filter_target *target, enum match match,
                struct value value);

/**
 * Parses the value of a filter and adds its conditions: two for a date, none for an empty text. A
 * second list of Ids for a field is added to the first one, so that any of the Ids matches. Returns
 * the message of an error; `at` is NULL if the value is valid.
 */
struct text filter_read(struct filter_reader *reader, const struct filter_target *target,
                        struct text value);

/** Parses the direction of an order: 0, asc, Ascending; 1, -1, desc, Descending. False if invalid.
 */
bool filter_direction(struct text value, bool *descending);

#endif
