#ifndef ROSTER_MODEL_SEARCH_H
#define ROSTER_MODEL_SEARCH_H

#include "model/field.h"
#include "model/value.h"

enum match {
    MATCH_equal,
    MATCH_contains, /* a part of a text, without regard to case and accents; the value is folded */
    MATCH_from,     /* at least */
    MATCH_to,       /* at most */
    MATCH_linked,   /* a links field contains the Id */
    MATCH_linked_from, /* a backlinks field contains the Id */
    MATCH_any,         /* equals one of the Ids */
    MATCH_null,        /* a reference points to nothing */
    MATCH_not_null,    /* a reference points to something */
    MATCH_nothing,     /* matches no record: secrets, and fields that are not stored */
};

/** A condition on one field. Records must match all conditions of a search. */
struct filter {
    struct filter *next;
    const struct table *table;   /* of the field: that of the search, or the target of `through` */
    const struct field *through; /* a reference in the table of the search; NULL: none */
    unsigned field;
    enum match match;
    struct value value;
    struct value cased; /* MATCH_contains: folded, but with its accents, for `exact_first` */
};

/** A search: the conditions, the order, and which part of the result is wanted. */
struct search {
    const struct table *table;
    struct filter *filters;
    unsigned order;  /* the index of a field */
    bool descending; /* also of the Ids of records that are equal in that field */
    /* Records whose text equals the value of a MATCH_contains come first, and among them those with
     * the same accents. */
    bool exact_first;
    bool is_whole;       /* the result includes lists of links */
    bool is_uncounted;   /* nobody asks for the total: it may be wrong, and costs nothing */
    int64_t skip, limit; /* in records; `limit` is the size of the page */
    int64_t behind; /* ordered by Id only: the page begins after this Id; 0: after `skip` records */
};

#endif
