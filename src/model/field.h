#ifndef ROSTER_MODEL_FIELD_H
#define ROSTER_MODEL_FIELD_H

#include "base/text.h"

/*
 * A resource is a table of fields, which is declared once, in a *_fields.def. Validation, JSON,
 * SQL, the OpenAPI description and the tests are loops over these tables. A room that treats types
 * differently has one array for that, indexed by enum field_type.
 */

enum field_type {
    TYPE_id,        /* the key of the record */
    TYPE_text,      /* UTF-8 */
    TYPE_email,     /* a mailbox */
    TYPE_url,       /* an http(s) URL to fetch */
    TYPE_integer,   /* 0 to max */
    TYPE_boolean,   /* true or false */
    TYPE_date,      /* a time in UTC, in milliseconds */
    TYPE_guid,      /* 36 characters, lower case */
    TYPE_choice,    /* one of an enum's numbers */
    TYPE_reference, /* the Id of a row of the target table */
    TYPE_links,     /* Ids of rows of the target table, each once */
    TYPE_added,     /* Ids to add to the list that is its base */
    TYPE_removed,   /* Ids to remove from the list that is its base */
    TYPE_backlinks, /* reverse links: Ids of the rows that link to this one, stored in those rows */
    TYPE_name,      /* the Name of the row that the base, a reference, points to */
    TYPE_sealed,    /* a secret that is needed in clear, and so is encrypted */
    TYPE_totp,      /* a TOTP secret in base32, sealed */
    TYPE_password,  /* a secret that is only compared, and so is stored as a hash */
    TYPE_empty,     /* always null: clients know the field, Roster does not use it */
    TYPE_no,        /* always false, for the same reason */
    FIELD_TYPES
};

enum field_flags {
    REQUIRED = 1 << 0,   /* must be in a body and not null */
    FILLED = 1 << 1,     /* must be in a body and have a visible character */
    READ_ONLY = 1 << 2,  /* ignored in bodies: only the server sets it */
    TRANSIENT = 1 << 3,  /* changes other fields and is not stored: reads as null */
    HIDDEN = 1 << 4,     /* stored, but in no body and no reply */
    MULTI_LINE = 1 << 5, /* may contain line breaks and tabs */
    UNIQUE = 1 << 6,     /* no two rows have it */
    STICKY = 1 << 7,     /* keeps its value when omitted, also under compatibility = nexudus */
    ACCESS = 1 << 8,     /* decides on permissions: a change applies from the next request on */
    INDEXED = 1 << 9,    /* has an index, or is the condition of one (IsAdmin, Active) */
    SEARCHED = 1 << 10,  /* text that searches look for parts of, and sort by: it is in the blocks
                          * of texts and in an index */
    CONFIDENTIAL = 1 << 11, /* shown, but part of a secret: searches cannot use it, and audit rows
                             * do not contain it */
    ALWAYS = 1 << 12,       /* READ_ONLY, and never null */
    SHARED = 1 << 13,       /* long text that many rows may share: the store keeps it once */
    ADDRESS = 1 << 14,      /* text with a user's e-mail address, or with words in place of one */
    NOTICE = 1 << 15,       /* decides whether the user gets notices of something */
};

/*
 * A flag for fields that came after schema version 6 and need more than Members: a column, an index
 * or links. SINCE(n) says that databases have these from schema version n on; a start adds them to
 * older databases (store/sqlite/schema.c). The greatest n of all fields is the schema version of
 * this program. It refuses databases with a greater one.
 */
enum { SINCE_SHIFT = 16 };
#define SINCE(version) ((unsigned)(version) << SINCE_SHIFT)

struct table;

struct choice {
    int64_t number;
    const char *name;
};

struct field {
    struct text name; /* in JSON, in SQL and in errors */
    enum field_type type;
    uint32_t max;   /* of a text its characters, of an integer its value, of a list its Ids; 0: no
                     * limit. Of a choice: the numbers 1 to `max` are valid even without a name */
    unsigned flags; /* enum field_flags, SINCE */
    const struct table *target;   /* of references, links and backlinks */
    const struct choice *choices; /* of a choice; the last has the name NULL */
    /* The index of the field that this one depends on. For added, removed and name it is in the
     * same table; for backlinks it is the links field in the target table. */
    unsigned base;
};

/** The indexes of the fields that every resource has. */
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
    /* Rows keep what replies show as JSON, in one column called Members. Only fields that replies
     * do not show have columns of their own, and fields with an index, which are copies. */
    bool is_kept_as_json;
};

/** The schema version from which databases have the field; 0: all have it, or need nothing for it.
 */
static inline unsigned field_since(const struct field *field) {
    return field->flags >> SINCE_SHIFT;
}

/** True if records in the store have a value for the field. */
static inline bool field_is_stored(const struct field *field) {
    return !(field->flags & TRANSIENT) && field->type != TYPE_added &&
           field->type != TYPE_removed && field->type != TYPE_backlinks &&
           field->type != TYPE_name && field->type != TYPE_empty && field->type != TYPE_no;
}

/** True for lists of links, from either side. Pages of records leave them out. */
static inline bool field_is_list(const struct field *field) {
    return field->type == TYPE_links || field->type == TYPE_backlinks;
}

/** True if records in replies have a member for it, which Added and Removed do not
 * (docs/decisions.md section 2). */
static inline bool field_is_shown(const struct field *field) {
    return !(field->flags & HIDDEN) && field->type != TYPE_added && field->type != TYPE_removed;
}

/** True if a body may set it. */
static inline bool field_is_writable(const struct field *field) {
    return !(field->flags & (READ_ONLY | HIDDEN)) && field->type != TYPE_empty &&
           field->type != TYPE_no;
}

/** True if it is stored encrypted. */
static inline bool field_is_sealed(const struct field *field) {
    return field->type == TYPE_sealed || field->type == TYPE_totp;
}

/** True if it points to other rows, which cannot be deleted while it does. */
static inline bool field_is_linked(const struct field *field) {
    return (field->type == TYPE_links || field->type == TYPE_reference) &&
           !(field->flags & (READ_ONLY | TRANSIENT));
}

/** True if its value must never be in a reply, the log, the audit trail or a filter. */
static inline bool field_is_secret(const struct field *field) {
    return field_is_sealed(field) || field->type == TYPE_password;
}

/** True if searches may use it, as a condition or for their order. */
static inline bool field_is_searchable(const struct field *field) {
    return !field_is_secret(field) && !(field->flags & CONFIDENTIAL);
}

/** True if the JSON of a row contains its value. */
static inline bool field_is_kept_in_json(const struct field *field) {
    return field_is_stored(field) && field_is_shown(field) && !field_is_secret(field);
}

/** True if rows have a column for it. */
static inline bool field_has_column(const struct table *table, const struct field *field) {
    return field_is_stored(field) &&
           (!table->is_kept_as_json || !field_is_kept_in_json(field) || field->type == TYPE_id ||
            (field->flags & (UNIQUE | INDEXED)));
}

/** True if its value is read from a column, not from Members. */
static inline bool field_is_read_from_column(const struct table *table, const struct field *field) {
    return field_is_stored(field) && !(table->is_kept_as_json && field_is_kept_in_json(field));
}

/** The name of a field without the Id of a reference: Business for BusinessId. */
static inline struct text field_link_name(const struct field *field) {
    struct text name = field->name;
    if (field->type == TYPE_reference)
        name.len -= 2;
    return name;
}

/** True if it depends on another field of the same table. */
static inline bool field_has_base(const struct field *field) {
    return field->type == TYPE_added || field->type == TYPE_removed || field->type == TYPE_name;
}

/** The table whose Ids or Name the field contains, which may be that of its base. NULL: none. */
static inline const struct table *field_target(const struct table *table,
                                               const struct field *field) {
    return field_has_base(field) ? table->fields[field->base].target : field->target;
}

/**
 * True if the declaration of a field has the target, choices and base that its type needs, of the
 * right type, and none that it does not need.
 */
bool field_fits_type(const struct table *table, const struct field *field);

/** The index of the TYPE_added or TYPE_removed field of a list; table->count if there is none. */
unsigned field_of_list(const struct table *table, unsigned list, enum field_type type);

/** The name of a number of a choice. `at` is NULL if the number has no name or is not valid. */
struct text choice_name(const struct field *field, int64_t number);

/** Finds the number for a name of a choice, without regard to case. False if there is none. */
bool choice_number(const struct field *field, struct text name, int64_t *number);

/** The field with that name, compared with regard to case; NULL if there is none. The search begins
 * at index `hint`. Does not find hidden fields. */
const struct field *table_field(const struct table *table, struct text name, unsigned hint);

/** The same, compared without regard to case. */
const struct field *table_field_nocase(const struct table *table, struct text name);

#endif
