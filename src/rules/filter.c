/* From the parameters of a search to conditions on fields.
 *
 * The name of a parameter is resolved first, to a field of the table or, through a reference, of
 * another table. The kind of filter then follows from the type of the field, and one function for
 * each kind reads the value. */
#include "rules/filter.h"

#include "rules/date.h"
#include "rules/email.h"
#include "rules/fold.h"
#include "rules/guid.h"
#include "rules/messages.h"

#include <string.h>

/* ---- Names ---- */

/* Types that are missing here are FILTER_nothing. */
static const enum filter_kind kinds[FIELD_TYPES] = {
    [TYPE_id] = FILTER_ids,          [TYPE_reference] = FILTER_reference,
    [TYPE_links] = FILTER_linked,    [TYPE_backlinks] = FILTER_backlink,
    [TYPE_integer] = FILTER_integer, [TYPE_choice] = FILTER_choice,
    [TYPE_boolean] = FILTER_boolean, [TYPE_no] = FILTER_boolean,
    [TYPE_date] = FILTER_date,       [TYPE_guid] = FILTER_guid,
    [TYPE_text] = FILTER_text,       [TYPE_email] = FILTER_text,
    [TYPE_url] = FILTER_text,        [TYPE_name] = FILTER_text,
};

/* Filters on secrets match nothing: otherwise a caller could find a secret out, guess by guess. */
enum filter_kind filter_kind(const struct field *field) {
    enum filter_kind kind = kinds[field->type];
    bool has_text = field_is_stored(field) || field->type == TYPE_name;
    if (!field_is_searchable(field) || (kind == FILTER_text && !has_text))
        return FILTER_nothing;
    return kind;
}

struct text filter_name(const struct field *field, unsigned which) {
    if (which == 0)
        return field->name;
    if (field->type == TYPE_reference)
        return field_link_name(field);
    return text_equal(field->name, TEXT("ClearAvatarFile")) ? TEXT("ClearAvatar")
                                                            : (struct text){ 0 };
}

static bool has_name(const struct field *field, struct text name) {
    struct text shorter = filter_name(field, 1);
    return text_equal_nocase(field->name, name) || (shorter.at && text_equal_nocase(shorter, name));
}

const struct field *filter_find_field(const struct table *table, struct text name) {
    for (unsigned i = 0; i < table->count; i++)
        if (field_is_shown(&table->fields[i]) && has_name(&table->fields[i], name))
            return &table->fields[i];
    return NULL;
}

bool filter_can_order(const struct field *field) {
    return field_is_shown(field) && field_is_searchable(field) && !field_is_list(field);
}

static bool take_prefix(struct text *text, struct text prefix) {
    if (!text_starts_nocase(*text, prefix))
        return false;
    *text = (struct text){ text->at + prefix.len, text->len - prefix.len };
    return true;
}

/* PreferredLanguage_Name: a field of the record that a reference points to. */
static const struct field *find_through(struct filter_target *target, struct text name) {
    struct text link = text_cut(&name, '_');
    const struct field *reference = name.at ? filter_find_field(target->table, link) : NULL;
    if (!reference || reference->type != TYPE_reference)
        return NULL;
    target->through = reference;
    target->table = reference->target;
    return filter_find_field(target->table, name);
}

bool filter_find_target(const struct table *table, struct text name, struct filter_target *target) {
    *target = (struct filter_target){ .table = table, .match = MATCH_equal };
    if (take_prefix(&name, TEXT("from_")))
        target->match = MATCH_from;
    else if (take_prefix(&name, TEXT("to_")))
        target->match = MATCH_to;
    bool is_bare = text_equal_nocase(name, TEXT("Id")) || text_equal_nocase(name, TEXT("UniqueId"));
    if (!is_bare && (!take_prefix(&name, text_of(table->entity)) || !take_prefix(&name, TEXT("_"))))
        return false;
    target->field = filter_find_field(table, name);
    if (!target->field)
        target->field = find_through(target, name);
    if (!target->field)
        return false;
    return target->match == MATCH_equal || target->field->type == TYPE_date ||
           target->field->type == TYPE_integer;
}

/* ---- Conditions ---- */

/* `cased` is used by MATCH_contains only. */
static void add_condition(struct filter_reader *reader, const struct filter_target *target,
                          enum match match, struct value value, struct value cased) {
    struct filter *filter = arena_alloc(reader->arena, sizeof *filter);
    if (!filter) {
        reader->failed = true;
        return;
    }
    *filter = (struct filter){ .table = target->table,
                               .through = target->through,
                               .field = (unsigned)(target->field - target->table->fields),
                               .match = match,
                               .value = value,
                               .cased = cased };
    struct filter **last = &reader->first;
    while (*last)
        last = &(*last)->next;
    *last = filter;
}

void filter_add(struct filter_reader *reader, const struct filter_target *target, enum match match,
                struct value value) {
    add_condition(reader, target, match, value, value_null());
}

/* ---- Values: each function returns the message of an error, or nothing_wrong ---- */

static const struct text nothing_wrong;

static struct text read_nothing(struct filter_reader *reader, const struct filter_target *target,
                                struct text value) {
    (void)value;
    filter_add(reader, target, MATCH_nothing, value_null());
    return nothing_wrong;
}

/* Reads 1,2,3 or [1,2,3], with or without blanks. False for everything else. */
static bool parse_ids(struct text list, struct arena *arena, struct value *ids) {
    list = text_trim(list);
    if (list.len >= 2 && list.at[0] == '[' && list.at[list.len - 1] == ']')
        list = (struct text){ list.at + 1, list.len - 2 };
    int64_t *numbers = arena_calloc(arena, list.len / 2 + 1, sizeof *numbers);
    size_t count = 0;
    bool ok = numbers != NULL;
    while (ok && list.at && (list.len || count)) {
        struct text number = text_trim(text_cut(&list, ','));
        ok = text_to_int64(number, &numbers[count]) && numbers[count] >= 0;
        count++;
    }
    *ids = value_ids(numbers, count);
    return ok;
}

/* The condition on the same field that further Ids are added to; NULL if there is none yet. */
static struct filter *find_list(const struct filter_reader *reader,
                                const struct filter_target *target) {
    unsigned field = (unsigned)(target->field - target->table->fields);
    struct filter *filter = reader->first;
    while (filter && (filter->field != field || filter->through != target->through ||
                      filter->match != MATCH_any))
        filter = filter->next;
    return filter;
}

/* Both lists match: id=1&id=2 is id=[1,2]. */
static void join_ids(struct filter_reader *reader, struct filter *filter, const struct value *ids) {
    size_t count = filter->value.len + (size_t)ids->len;
    int64_t *all = arena_calloc(reader->arena, count + 1, sizeof *all);
    if (!all) {
        reader->failed = true;
        return;
    }
    memcpy(all, filter->value.ids, filter->value.len * sizeof *all);
    memcpy(all + filter->value.len, ids->ids, ids->len * sizeof *all);
    filter->value = value_ids(all, count);
}

static struct text read_ids(struct filter_reader *reader, const struct filter_target *target,
                            struct text value) {
    struct value ids;
    if (!parse_ids(value, reader->arena, &ids))
        return MESSAGE_TEXT(filter_ids);
    struct filter *earlier = target->field->type == TYPE_id ? find_list(reader, target) : NULL;
    if (earlier)
        join_ids(reader, earlier, &ids);
    else
        filter_add(reader, target, MATCH_any, ids);
    return nothing_wrong;
}

/* Lists of links are searched for one Id at a time. */
static struct text read_link(struct filter_reader *reader, const struct filter_target *target,
                             struct text value) {
    bool is_backlink = filter_kind(target->field) == FILTER_backlink;
    struct value ids;
    if (!parse_ids(value, reader->arena, &ids))
        return MESSAGE_TEXT(filter_ids);
    if (ids.len != 1)
        return MESSAGE_TEXT(filter_one_id);
    filter_add(reader, target, is_backlink ? MATCH_linked_from : MATCH_linked,
               value_integer(ids.ids[0]));
    return nothing_wrong;
}

/* "null" and "notnull" ask whether the reference points to anything. */
static struct text read_reference(struct filter_reader *reader, const struct filter_target *target,
                                  struct text value) {
    struct text word = text_trim(value);
    bool is_null = text_equal_nocase(word, TEXT("null"));
    if (!is_null && !text_equal_nocase(word, TEXT("notnull")))
        return read_ids(reader, target, value);
    filter_add(reader, target, is_null ? MATCH_null : MATCH_not_null, value_null());
    return nothing_wrong;
}

static struct text read_integer(struct filter_reader *reader, const struct filter_target *target,
                                struct text value) {
    int64_t number;
    if (!text_to_int64(text_trim(value), &number))
        return MESSAGE_TEXT(filter_integer);
    filter_add(reader, target, target->match, value_integer(number));
    return nothing_wrong;
}

/* A choice may be given by its name, as in bodies. */
static struct text read_choice(struct filter_reader *reader, const struct filter_target *target,
                               struct text value) {
    int64_t number;
    if (reader->is_strict || !choice_number(target->field, text_trim(value), &number))
        return read_integer(reader, target, value);
    filter_add(reader, target, target->match, value_integer(number));
    return nothing_wrong;
}

static struct text read_boolean(struct filter_reader *reader, const struct filter_target *target,
                                struct text value) {
    struct text word = text_trim(value);
    bool is_true = text_equal_nocase(word, TEXT("true")) || text_equal(word, TEXT("1"));
    if (!is_true && !text_equal_nocase(word, TEXT("false")) && !text_equal(word, TEXT("0")))
        return MESSAGE_TEXT(boolean);
    if (field_is_stored(target->field) && field_is_shown(target->field))
        filter_add(reader, target, MATCH_equal, value_integer(is_true));
    else if (is_true) /* the member is always false, or null */
        filter_add(reader, target, MATCH_nothing, value_null());
    return nothing_wrong;
}

/* A date matches its whole unit: 10:30 matches each time within that minute. */
static struct text read_date(struct filter_reader *reader, const struct filter_target *target,
                             struct text value) {
    int64_t ms, unit_ms;
    struct text date = text_trim(value);
    if (!reader->is_strict)
        date = date_with_plus(date, reader->arena);
    if (!date_parse_unit(date, &ms, &unit_ms))
        return MESSAGE_TEXT(date);
    if (target->match != MATCH_to)
        filter_add(reader, target, MATCH_from, value_integer(ms));
    if (target->match != MATCH_from)
        filter_add(reader, target, MATCH_to, value_integer(ms + unit_ms - 1));
    return nothing_wrong;
}

static struct text read_guid(struct filter_reader *reader, const struct filter_target *target,
                             struct text value) {
    char *guid = arena_alloc(reader->arena, GUID_TEXT_SIZE);
    if (!guid || !guid_parse(text_trim(value), guid))
        return MESSAGE_TEXT(guid);
    filter_add(reader, target, MATCH_equal, value_text((struct text){ guid, GUID_TEXT_SIZE }));
    return nothing_wrong;
}

/* True if a blank in the value must be a plus that was not escaped. Some fields contain an address
 * or words in its place, and words may contain blanks; so there it needs an @. */
static bool has_plus_as_blank(const struct field *field, struct text text) {
    return field->type == TYPE_email ||
           (field->flags & ADDRESS && text.len && memchr(text.at, '@', text.len));
}

static struct text read_text(struct filter_reader *reader, const struct filter_target *target,
                             struct text value) {
    struct text text = value;
    if (has_plus_as_blank(target->field, text) && !reader->is_strict)
        text = email_with_plus(text, reader->arena);
    struct text folded = fold(text, reader->arena), cased = fold_case(text, reader->arena);
    if (!folded.at || !cased.at)
        reader->failed = true;
    else if (folded.len) /* every text contains the empty one: that is no condition */
        add_condition(reader, target, MATCH_contains, value_text(folded), value_text(cased));
    return nothing_wrong;
}

struct text filter_read(struct filter_reader *reader, const struct filter_target *target,
                        struct text value) {
    static struct text (*const readers[])(struct filter_reader *, const struct filter_target *,
                                          struct text) = {
        [FILTER_nothing] = read_nothing,     [FILTER_ids] = read_ids,
        [FILTER_reference] = read_reference, [FILTER_linked] = read_link,
        [FILTER_backlink] = read_link,       [FILTER_integer] = read_integer,
        [FILTER_choice] = read_choice,       [FILTER_boolean] = read_boolean,
        [FILTER_date] = read_date,           [FILTER_guid] = read_guid,
        [FILTER_text] = read_text,
    };
    return readers[filter_kind(target->field)](reader, target, value);
}

bool filter_direction(struct text value, bool *descending) {
    static const struct {
        struct text word;
        bool descending;
    } words[] = { { { "0", 1 }, false },         { { "asc", 3 }, false },
                  { { "ascending", 9 }, false }, { { "1", 1 }, true },
                  { { "-1", 2 }, true },         { { "desc", 4 }, true },
                  { { "descending", 10 }, true } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_equal_nocase(text_trim(value), words[i].word)) {
            *descending = words[i].descending;
            return true;
        }
    return false;
}
