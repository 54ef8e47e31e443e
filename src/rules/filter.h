#ifndef ROSTER_RULES_FILTER_H
#define ROSTER_RULES_FILTER_H

#include "base/arena.h"
#include "model/search.h"

/*
 * Filters: from what a client writes in a query (`User_FullName=ada`) to conditions on fields
 * (model/search.h). Every name and every type comes from the field tables. Nothing here knows HTTP
 * or the store, so another surface of the API can use the same conditions.
 */

/** What can be asked of a field, which follows from its type. */
enum filter_kind {
    FILTER_nothing,   /* no record matches: secrets, and members that are never stored */
    FILTER_ids,       /* one of several Ids */
    FILTER_reference, /* likewise; or that it points to something, or to nothing */
    FILTER_linked,    /* a list of links has the Id */
    FILTER_backlink,  /* a record that links to this one has the Id */
    FILTER_integer,
    FILTER_choice,
    FILTER_boolean,
    FILTER_date,
    FILTER_guid,
    FILTER_text /* contains it, without regard to case and accents */
};

enum filter_kind filter_kind(const struct field *field);

/**
 * What filters and orders call a field: 0 is its name, 1 a shorter one that references and
 * ClearAvatarFile have; `at` NULL: none.
 */
struct text filter_name(const struct field *field, unsigned which);

/** The field of a table with that name, in any case; NULL: none that is shown. */
const struct field *filter_find_field(const struct table *table, struct text name);

/** Can records be ordered by the field? */
bool filter_can_order(const struct field *field);

/** The field that a filter is about. */
struct filter_target {
    const struct table *table;   /* that has the field */
    const struct field *through; /* the reference that leads to the table; NULL: none does */
    const struct field *field;
    enum match match; /* MATCH_equal; MATCH_from and MATCH_to where the name begins so */
};

/**
 * Reads a filter's name: Id, UniqueId, User_FullName, from_User_LastAccess, User_Application_Name.
 * False when it names no field of the table, or a bound of what has no order.
 */
bool filter_find_target(const struct table *table, struct text name, struct filter_target *target);

/** The conditions that are being read. */
struct filter_reader {
    struct arena *arena;  /* of all conditions and values */
    bool is_strict;       /* no blank stands for a plus, no name for a number */
    struct filter *first; /* in the order they were added */
    bool failed;          /* no memory: the conditions are not complete */
};

/** Adds a condition as it is. */
void filter_add(struct filter_reader *reader, const struct filter_target *target, enum match match,
                struct value value);

/**
 * Reads the value of a filter and adds the conditions that it stands for: two for a date, none for
 * an empty text. A second list of Ids for one field joins the first: any of them matches. Returns
 * what is wrong with the value, for `Name: text`; `at` NULL: nothing.
 */
struct text filter_read(struct filter_reader *reader, const struct filter_target *target,
                        struct text value);

/** Reads the direction of an order: 0, asc, Ascending; 1, -1, desc, Descending. False: none. */
bool filter_direction(struct text value, bool *descending);

#endif
