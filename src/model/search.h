#ifndef ROSTER_MODEL_SEARCH_H
#define ROSTER_MODEL_SEARCH_H

#include "model/field.h"
#include "model/value.h"

enum match {
    MATCH_equal,
    MATCH_contains,    /* text, without regard to case and accents: folded UTF-8 without NUL */
    MATCH_from,        /* at least */
    MATCH_to,          /* at most */
    MATCH_linked,      /* a links field has the id */
    MATCH_linked_from, /* a backlinks field has the id */
    MATCH_any,         /* one of the ids */
    MATCH_null,        /* a reference points to nothing */
    MATCH_not_null,    /* or to something */
    MATCH_nothing,     /* no record has it: secrets, and members that are never kept */
};

/** A condition on one field; all conditions of a search hold together. */
struct filter {
    struct filter *next;
    const struct table *table;   /* that has the field: the search's, or where `through` leads */
    const struct field *through; /* a reference of the search's table; NULL: none */
    unsigned field;
    enum match match;
    struct value value;
    struct value cased; /* of MATCH_contains: folded but for its accents, for exact matches */
};

/** Which records of a table are wanted, in which order, and which part of them. */
struct search {
    const struct table *table;
    struct filter *filters;
    unsigned order;  /* a field */
    bool descending; /* ties by Id, the same way */
    /* Before all others: records whose text equals what it should contain, of them first those that
     * have the same accents. */
    bool exact_first;
    bool is_whole; /* the lists of the records are wanted too */
    int64_t skip, limit;
    int64_t behind; /* in the order of Ids: the page begins behind this one; 0: where `skip` says */
};

#endif
