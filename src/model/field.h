#ifndef ROSTER_MODEL_FIELD_H
#define ROSTER_MODEL_FIELD_H

#include "base/text.h"

/*
 * A resource is a table of fields, declared once in a *_fields.def. Validation, JSON, SQL and the
 * tests' own list of fields are loops over these tables; what differs by type stands in one small
 * array in each room, indexed by enum field_type.
 */

enum field_type {
    TYPE_id,        /* the key of the record */
    TYPE_text,      /* UTF-8 */
    TYPE_email,     /* a mailbox */
    TYPE_url,       /* an http(s) URL to fetch */
    TYPE_integer,   /* 0 to max */
    TYPE_boolean,   /* */
    TYPE_date,      /* a moment, UTC, to the millisecond */
    TYPE_guid,      /* 36 characters, lower case */
    TYPE_choice,    /* one of an enum's numbers */
    TYPE_reference, /* the Id of a row of the target table */
    TYPE_links,     /* Ids of rows of the target table, each once */
    TYPE_added,     /* Ids to be added to the base, a list */
    TYPE_removed,   /* Ids to be taken from the base, a list */
    TYPE_backlinks, /* Ids of the rows that link to this one: stored with those, in their base */
    TYPE_name,      /* the Name of the row that the base, a reference, points to */
    TYPE_sealed,    /* a secret that is needed in clear, so kept encrypted */
    TYPE_totp,      /* a sealed base32 secret of one-time passwords */
    TYPE_password,  /* a secret that is only compared, so kept as a hash */
    TYPE_empty,     /* always null: known to clients, unused here */
    TYPE_no,        /* always false: likewise */
    FIELD_TYPES
};

enum field_flags {
    REQUIRED = 1 << 0,      /* must be in a body and not null */
    FILLED = 1 << 1,        /* and not blank */
    READ_ONLY = 1 << 2,     /* ignored in a body: Roster's own to set */
    TRANSIENT = 1 << 3,     /* acts on the record but is not kept: reads as null, has no column */
    HIDDEN = 1 << 4,        /* a column that no body or reply knows */
    MULTI_LINE = 1 << 5,    /* may hold line breaks and tabs */
    UNIQUE = 1 << 6,        /* no two rows have it */
    STICKY = 1 << 7,        /* kept when omitted, under compatibility = nexudus too */
    ACCESS = 1 << 8,        /* decides who may do what: a change is seen by the next request */
    INDEXED = 1 << 9,       /* has an index, or (IsAdmin, Active) decides what is in one */
    SEARCHED = 1 << 10,     /* text that searches look into and go by: in blocks of texts, and in
                             * an index of its order */
    CONFIDENTIAL = 1 << 11, /* is shown, but belongs to a secret: no search goes by it, and audit
                             * rows do not have it */
    ALWAYS = 1 << 12,       /* READ_ONLY, and never null */
    SHARED = 1 << 13,       /* long text that rows may have in common: kept once, see the store */
    ADDRESS = 1 << 14,      /* text that is a user's e-mail address, or words in place of one */
};

/*
 * One more of the flags, for a field that came after schema version 5: the first version whose
 * databases have what it needs beside Members, a column, an index or links. A start adds that to a
 * database without it (store/sqlite/schema.c). The greatest one of all is the schema's version, and
 * a program leaves a database of a greater one alone.
 */
enum { SINCE_SHIFT = 16 };
#define SINCE(version) ((unsigned)(version) << SINCE_SHIFT)

struct table;

struct choice {
    int64_t number;
    const char *name;
};

struct field {
    struct text name; /* in JSON, SQL, errors: the one name */
    enum field_type type;
    uint32_t max;   /* characters of text, or the greatest integer; 0: none. Of a choice: 1 to this
                     * are allowed whether they have a name or not */
    unsigned flags; /* enum field_flags, SINCE */
    const struct table *target;   /* of references, links and backlinks */
    const struct choice *choices; /* of a choice; ends with a NULL name */
    /* The index of the field that this one depends on: of added, removed and names in their own
     * table, of backlinks that of the links in the target table. */
    unsigned base;
};

/** Where the members are that every resource has. */
struct common_fields {
    unsigned id, created_on, updated_on, updated_by, unique_id, to_string_text;
};

struct table {
    const char *name;           /* in SQL: "users" */
    const char *entity;         /* in audit rows and messages: "User" */
    const char *noun;           /* in errors: "user" */
    unsigned number;            /* its place in `tables` */
    unsigned permission_entity; /* enum permission_entity: whose permissions it takes */
    const struct field *fields;
    unsigned count;
    struct common_fields common;
    /* Its rows keep the record as replies show it, in one column of JSON called Members; columns of
     * their own are only for what replies do not show, and copies for indexes. */
    bool is_kept_as_json;
};

/** The schema version that it came with; 0: it has been there since version 5, or needs nothing. */
static inline unsigned field_since(const struct field *field) {
    return field->flags >> SINCE_SHIFT;
}

/** Does a record of the store have a value for it? */
static inline bool field_is_stored(const struct field *field) {
    return !(field->flags & TRANSIENT) && field->type != TYPE_added &&
           field->type != TYPE_removed && field->type != TYPE_backlinks &&
           field->type != TYPE_name && field->type != TYPE_empty && field->type != TYPE_no;
}

/** Is it a list of links, from either side? Lists of records leave those out. */
static inline bool field_is_list(const struct field *field) {
    return field->type == TYPE_links || field->type == TYPE_backlinks;
}

/** Does a record in a reply have a member for it? Not for Added and Removed (docs/decisions.md
 * section 2). */
static inline bool field_is_shown(const struct field *field) {
    return !(field->flags & HIDDEN) && field->type != TYPE_added && field->type != TYPE_removed;
}

/** May a body set it? */
static inline bool field_is_writable(const struct field *field) {
    return !(field->flags & (READ_ONLY | HIDDEN)) && field->type != TYPE_empty &&
           field->type != TYPE_no;
}

/** Is it kept encrypted? */
static inline bool field_is_sealed(const struct field *field) {
    return field->type == TYPE_sealed || field->type == TYPE_totp;
}

/** Does it point to rows of others, who may not go while it does? */
static inline bool field_is_linked(const struct field *field) {
    return (field->type == TYPE_links || field->type == TYPE_reference) &&
           !(field->flags & (READ_ONLY | TRANSIENT));
}

/** Must its value never be shown, logged, audited or filtered by? */
static inline bool field_is_secret(const struct field *field) {
    return field_is_sealed(field) || field->type == TYPE_password;
}

/** May searches go by its value, as a condition or as their order? */
static inline bool field_is_searchable(const struct field *field) {
    return !field_is_secret(field) && !(field->flags & CONFIDENTIAL);
}

/** Can its value be read again from the JSON of a record? */
static inline bool field_is_kept_in_json(const struct field *field) {
    return field_is_stored(field) && field_is_shown(field) && !field_is_secret(field);
}

/** Does a row have a column for it? */
static inline bool field_has_column(const struct table *table, const struct field *field) {
    return field_is_stored(field) &&
           (!table->is_kept_as_json || !field_is_kept_in_json(field) || field->type == TYPE_id ||
            (field->flags & (UNIQUE | INDEXED)));
}

/** Is that column where the value is read from? */
static inline bool field_is_read_from_column(const struct table *table, const struct field *field) {
    return field_is_stored(field) && !(table->is_kept_as_json && field_is_kept_in_json(field));
}

/** What a reference is called as what it points to: Business, where the field is BusinessId. */
static inline struct text field_link_name(const struct field *field) {
    struct text name = field->name;
    if (field->type == TYPE_reference)
        name.len -= 2;
    return name;
}

/** Does it depend on another field of its table? */
static inline bool field_has_base(const struct field *field) {
    return field->type == TYPE_added || field->type == TYPE_removed || field->type == TYPE_name;
}

/** The table whose Ids or Name a field has: that of its base, if it has one. NULL: none. */
static inline const struct table *field_target(const struct table *table,
                                               const struct field *field) {
    return field_has_base(field) ? table->fields[field->base].target : field->target;
}

/**
 * Does the row of a field fit its type? A target, choices or base that the type needs must be there
 * and be of the right type, and none may be there that it does not need.
 */
bool field_fits_type(const struct table *table, const struct field *field);

/** The index of the added or removed field of a list; table->count when it has none. */
unsigned field_of_list(const struct table *table, unsigned list, enum field_type type);

/** What a number of a choice is called; `at` NULL: it has no name, or is none of the choice's. */
struct text choice_name(const struct field *field, int64_t number);

/** The number of a choice that is called so, in any case. False: none is, and `*number` stays. */
bool choice_number(const struct field *field, struct text name, int64_t *number);

/** The field of that name (case matters), NULL when there is none. Starts to look at `hint`. */
const struct field *table_field(const struct table *table, struct text name, unsigned hint);

/** The field of that name, whatever its case; NULL when there is none. */
const struct field *table_field_nocase(const struct table *table, struct text name);

#endif
