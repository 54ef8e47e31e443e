/* Validation of bodies: one loop over the field table, one function for each type of field.
 *
 * A check_ function looks at one value. It returns `fine`, after replacing the value by the form
 * that is stored, or the message of an error. check_field handles what all types have in common:
 * omitted, null, empty and repeated values. The rules are lenient where no value can be
 * misunderstood (numbers as strings, choices by name), unless the client asks for strict handling.
 */
#include "rules/validate.h"

#include "base/buffer.h"
#include "crypto/hash_kind.h"
#include "crypto/password.h"
#include "model/tables.h"
#include "rules/base32.h"
#include "rules/collections.h"
#include "rules/date.h"
#include "rules/email.h"
#include "rules/guid.h"
#include "rules/messages.h"
#include "rules/password.h"
#include "rules/precis.h"
#include "rules/url.h"

#include <limits.h>
#include <unistr.h>

enum { URL_MAX = 2048 }; /* characters of an http or https URL */

#define ID_MAX INT64_C(9007199254740991) /* 2^53 - 1, the last that JavaScript has exactly */

/* The value of one field, and what its check depends on. */
struct check {
    const struct field *field;
    const struct change *change;
    const struct rules *rules;
    struct arena *arena;
    struct value *value;
};

static const struct text fine = { NULL, 0 };

/* Accepts strings of digits too, which real clients send (docs/contract.md section 1.7). */
static bool take_integer(const struct value *value, int64_t *out) {
    if (value->kind == VALUE_TEXT)
        return text_to_int64(value_as_text(value), out);
    *out = value->integer;
    return value->kind == VALUE_INTEGER;
}

static bool take_id(const struct value *value, int64_t *out) {
    return take_integer(value, out) && *out >= 1 && *out <= ID_MAX;
}

static struct text check_id(const struct check *check) {
    int64_t id;
    if (!take_id(check->value, &id))
        return MESSAGE_TEXT(id);
    *check->value = value_integer(id);
    return fine;
}

static struct text check_integer(const struct check *check) {
    int64_t number;
    if (!take_integer(check->value, &number) || number < 0 || number > check->field->max)
        return arena_printf(check->arena, message_integer, check->field->max);
    *check->value = value_integer(number);
    return fine;
}

/* Unless the client asks for strict handling, 0 and 1 are accepted too, as numbers or strings. */
static struct text check_boolean(const struct check *check) {
    struct text text = value_as_text(check->value);
    bool is_true = text_equal(text, TEXT("true")), is_false = text_equal(text, TEXT("false"));
    int64_t number;
    if (check->value->kind == VALUE_BOOLEAN) {
        is_true = check->value->integer;
        is_false = !is_true;
    } else if (!check->rules->strict && take_integer(check->value, &number)) {
        is_true = number == 1;
        is_false = number == 0;
    } else if (!check->rules->strict) { /* "True" is how Python, .NET and Entra ID write it */
        is_true = text_equal_nocase(text, TEXT("true"));
        is_false = text_equal_nocase(text, TEXT("false"));
    }
    if (!is_true && !is_false)
        return MESSAGE_TEXT(boolean);
    *check->value = value_integer(is_true);
    return fine;
}

/* "must be one of 1 (EnglishUS), ..."; numbers up to `max` are not listed one by one. */
static struct text choices_message(const struct check *check) {
    struct buffer names;
    buffer_init(&names, check->arena, 128);
    if (check->field->max)
        buffer_printf(&names, "1 to %u", check->field->max);
    for (const struct choice *choice = check->field->choices; choice->name; choice++)
        if (choice->number > check->field->max)
            buffer_printf(&names, "%s%lld (%s)", names.len ? ", " : "", (long long)choice->number,
                          choice->name);
    buffer_add_char(&names, '\0');
    return arena_printf(check->arena, message_choice, names.failed ? "" : names.at);
}

/* A choice may be given by its name, in any case: generated clients only have the names. */
static bool take_choice_name(const struct check *check, int64_t *number) {
    return !check->rules->strict &&
           choice_number(check->field, value_as_text(check->value), number);
}

static struct text check_choice(const struct check *check) {
    int64_t number;
    bool right = false;
    if (take_choice_name(check, &number)) {
        right = true;
    } else if (take_integer(check->value, &number)) {
        /* The reference's own example sends 0 (docs/contract.md section 1.1). */
        right = number == 0 && check->rules->nexudus;
        right |= choice_name(check->field, number).at != NULL;
        right |= number >= 1 && number <= check->field->max;
    }
    if (!right)
        return choices_message(check);
    *check->value = value_integer(number);
    return fine;
}

/* `max` is in characters. A text has no more characters than bytes, so most need no counting. */
static bool is_longer(struct text text, size_t max) {
    return text.len > max && text_characters(text) > max;
}

/* A `max` of 0 means no limit. */
static struct text check_length(const struct check *check, struct text text) {
    if (check->field->max && is_longer(text, check->field->max))
        return arena_printf(check->arena, message_too_long, check->field->max);
    return fine;
}

static bool has_control(struct text text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte < 0x20 || byte == 0x7F)
            return true;
        /* U+0080 to U+009F, and the line and paragraph separators U+2028 and U+2029 */
        if (byte == 0xC2 && (unsigned char)text.at[i + 1] < 0xA0)
            return true;
        if (byte == 0xE2 && text.at[i + 1] == '\x80' && (text.at[i + 2] & '\xFE') == '\xA8')
            return true;
    }
    return false;
}

bool validate_is_utf8(struct text text) {
    return !text.len || !u8_check((const uint8_t *)text.at, text.len);
}

bool validate_is_line(struct text text, size_t max) {
    return validate_is_utf8(text) && !has_control(text) && !is_longer(text, max);
}

static struct text check_text(const struct check *check) {
    struct text text = value_as_text(check->value);
    if (check->value->kind != VALUE_TEXT)
        return MESSAGE_TEXT(string);
    if (memchr(text.at, '\0', text.len))
        return MESSAGE_TEXT(nul);
    if (!(check->field->flags & MULTI_LINE) && has_control(text))
        return MESSAGE_TEXT(control);
    return check_length(check, text);
}

static struct text check_email(const struct check *check) {
    if (check->value->kind == VALUE_TEXT)
        *check->value = value_text(text_trim(value_as_text(check->value)));
    struct text wrong = check_text(check); /* also keeps long texts from the work below */
    if (wrong.at)
        return wrong;
    struct text email = email_normal(value_as_text(check->value), check->arena);
    if (!email.at || !email_is_valid(email))
        return MESSAGE_TEXT(email);
    if (email.len > EMAIL_MAX)
        return arena_printf(check->arena, message_too_many_octets, EMAIL_MAX);
    *check->value = value_text(email);
    return fine;
}

/* IRIs are converted to URLs, unless strict. The result may be longer, hence the second check. A
 * URL that is not stored (TRANSIENT) may hold the picture itself. */
static struct text check_url(const struct check *check) {
    struct text wrong = check_text(check), url = value_as_text(check->value);
    if (wrong.at)
        return wrong;
    if (check->field->flags & TRANSIENT && url_picture(url).at)
        return fine;
    if (!check->rules->strict)
        url = url_of_iri(url, check->arena);
    if (!url.at || !url_is_http(url))
        return check->field->flags & TRANSIENT ? MESSAGE_TEXT(picture_url) : MESSAGE_TEXT(url);
    *check->value = value_text(url);
    return is_longer(url, URL_MAX) ? arena_printf(check->arena, message_too_long, URL_MAX) : fine;
}

static struct text check_date(const struct check *check) {
    int64_t ms;
    if (check->value->kind != VALUE_TEXT || !date_parse(value_as_text(check->value), &ms))
        return MESSAGE_TEXT(date);
    *check->value = value_integer(ms);
    return fine;
}

/* All spellings of a GUID become one, so that equal ones compare equal. */
static struct text check_guid(const struct check *check) {
    char *guid = arena_alloc(check->arena, GUID_TEXT_SIZE);
    if (!guid || check->value->kind != VALUE_TEXT || !guid_parse(value_as_text(check->value), guid))
        return MESSAGE_TEXT(guid);
    *check->value = value_text((struct text){ guid, GUID_TEXT_SIZE });
    return fine;
}

/* Whether the Ids exist is checked later, inside the transaction. */
static struct text check_ids(const struct check *check) {
    const struct value *list = check->value;
    if (list->kind != VALUE_LIST)
        return MESSAGE_TEXT(ids);
    if (list->len > check->field->max)
        return arena_printf(check->arena, message_too_many_ids, check->field->max);
    int64_t *ids = arena_calloc(check->arena, (size_t)list->len + 1, sizeof *ids);
    for (uint32_t i = 0; i < list->len; i++)
        if (!ids || !take_id(&list->list[i], &ids[i]))
            return MESSAGE_TEXT(ids);
    struct value all = value_ids(ids, list->len);
    *check->value = ids_union(&all, NULL, check->arena);
    return fine;
}

/* An empty secret turns the second factor off. */
static struct text check_totp(const struct check *check) {
    struct text secret = value_as_text(check->value);
    if (check->value->kind != VALUE_TEXT)
        return MESSAGE_TEXT(string);
    size_t bytes = secret.len > check->field->max ? 0 : base32_decode(secret, NULL);
    return secret.len == 0 || (bytes >= TOTP_SECRET_MIN && bytes <= TOTP_SECRET_MAX)
               ? fine
               : MESSAGE_TEXT(totp);
}

static struct text check_new_password(const struct check *check, struct text password) {
    const struct value *values = check->change->values;
    switch (password_check(password, value_as_text(&values[USER_Email]),
                           value_as_text(&values[USER_FullName]))) {
    case PASSWORD_TOO_SHORT: return MESSAGE_TEXT(password_too_short);
    case PASSWORD_TOO_LONG: return arena_printf(check->arena, message_too_long, check->field->max);
    case PASSWORD_COMMON: return MESSAGE_TEXT(password_common);
    case PASSWORD_PERSONAL: return MESSAGE_TEXT(password_personal);
    case PASSWORD_FINE: break;
    }
    return fine;
}

/* A text in the form of a hash is never taken for a password, see crypto/hash_kind.c. */
static struct text check_imported_hash(const struct check *check, struct text hash) {
    char *copy = arena_alloc(check->arena, PASSWORD_HASH_MAX);
    if (!copy)
        return fine; /* arena->failed is set, and ends the request */
    if (password_import(hash, copy)) {
        *check->value = value_text(text_of(copy));
        return fine;
    }
    switch (password_form(text_trim(hash))) {
    case PASSWORD_HASH_TOO_DEAR: return MESSAGE_TEXT(hash_too_dear);
    case PASSWORD_HASH_FOREIGN:
        return arena_printf(check->arena, message_hash_foreign, hash_kind(hash));
    case PASSWORD_HASH:
    case PASSWORD_HASH_DAMAGED:
    case PASSWORD_PLAIN: break;
    }
    return arena_printf(check->arena, message_hash_damaged, hash_kind(hash));
}

/* `Password` may also be a hash to import, `NewPassword` only a password. */
static struct text check_password(const struct check *check) {
    struct text password = value_as_text(check->value);
    bool may_be_hash = !(check->field->flags & TRANSIENT);
    if (check->value->kind != VALUE_TEXT)
        return MESSAGE_TEXT(string);
    if (memchr(password.at, '\0', password.len))
        return MESSAGE_TEXT(nul);
    if (password.len == 0) {
        check->value->kind = VALUE_ABSENT;
        return fine;
    }
    if (may_be_hash && hash_kind(password))
        return check_imported_hash(check, password);
    return check_new_password(check, password);
}

static struct text (*const checks[FIELD_TYPES])(const struct check *) = {
    [TYPE_id] = check_id,        [TYPE_text] = check_text,         [TYPE_email] = check_email,
    [TYPE_url] = check_url,      [TYPE_integer] = check_integer,   [TYPE_boolean] = check_boolean,
    [TYPE_date] = check_date,    [TYPE_guid] = check_guid,         [TYPE_choice] = check_choice,
    [TYPE_reference] = check_id, [TYPE_links] = check_ids,         [TYPE_added] = check_ids,
    [TYPE_removed] = check_ids,  [TYPE_backlinks] = check_ids,     [TYPE_sealed] = check_text,
    [TYPE_totp] = check_totp,    [TYPE_password] = check_password,
};

static bool is_blank(const struct value *value) {
    return value->kind == VALUE_TEXT && !precis_has_visible(value_as_text(value));
}

/* Forms send "" for an input that was left empty. Booleans are excluded: null would become false.
 */
static bool is_left_empty(const struct check *check) {
    const struct value *value = check->value;
    if (value->kind != VALUE_TEXT || value->len || check->field->flags & REQUIRED ||
        check->rules->strict)
        return false;
    switch (check->field->type) {
    case TYPE_email:
    case TYPE_url:
    case TYPE_integer:
    case TYPE_date:
    case TYPE_guid:
    case TYPE_choice:
    case TYPE_reference:
    case TYPE_links:
    case TYPE_added:
    case TYPE_removed:
    case TYPE_backlinks: return true;
    default: return false;
    }
}

static struct text ignore(struct value *value) {
    value->kind = VALUE_ABSENT;
    return fine;
}

/* The order of these steps matters. A repeated name is an error even for the Id of a new record,
 * whose value is ignored. In a patch, null empties a list, and so is not a missing value. */
static struct text check_field(const struct check *check, unsigned field) {
    if (is_left_empty(check))
        *check->value = value_null();
    bool missing = check->value->kind == VALUE_ABSENT || check->value->kind == VALUE_NULL ||
                   (check->field->flags & FILLED && is_blank(check->value));
    if (change_repeats(check->change, field))
        return MESSAGE_TEXT(repeated);
    if (check->field->type == TYPE_id && check->rules->is_new)
        return ignore(check->value);
    if (check->value->kind == VALUE_ABSENT && check->rules->is_patch)
        return fine;
    if (check->value->kind == VALUE_NULL && check->rules->is_patch && field_is_list(check->field)) {
        *check->value = (struct value){ .kind = VALUE_LIST }; /* null removes all (RFC 7396) */
        missing = false;
    }
    if (missing)
        return check->field->flags & REQUIRED ? MESSAGE_TEXT(required) : fine;
    return checks[check->field->type](check);
}

/* The order of errors: Id, required fields, optional fields (docs/decisions.md section 1.1). */
static unsigned order_of(const struct table *table, unsigned field) {
    if (table->fields[field].type == TYPE_id)
        return 0;
    return 1 + field + (table->fields[field].flags & REQUIRED ? 0 : table->count);
}

/* The error of a missing reference names Business, not BusinessId (docs/contract.md section 1.3).
 */
static struct text property_of(const struct field *field, struct text message) {
    return text_equal(message, MESSAGE_TEXT(required)) ? field_link_name(field) : field->name;
}

void validate_add_error(const struct change *change, unsigned field, struct text message,
                        struct arena *arena, struct errors *errors) {
    const struct field *which = &change->table->fields[field];
    if (!message.at)
        errors->failed = true;
    errors_add(
        errors, arena,
        &(struct error){ .order = order_of(change->table, field),
                         .property = property_of(which, message),
                         .message = message,
                         .attempted = field_is_secret(which) ? NULL : change->submitted[field] });
}

void validate(struct change *change, const struct rules *rules, struct arena *arena,
              struct errors *errors) {
    for (unsigned i = 0; i < change->table->count; i++) {
        const struct field *field = &change->table->fields[i];
        if (!field_is_writable(field))
            continue;
        struct text wrong =
            check_field(&(struct check){ field, change, rules, arena, &change->values[i] }, i);
        if (!wrong.at)
            continue;
        validate_add_error(change, i, wrong, arena, errors);
        change->values[i].kind = VALUE_ABSENT;
    }
    for (struct error *unknown = rules->strict ? change->unknown : NULL; unknown;
         unknown = unknown->next)
        errors_add(errors, arena,
                   &(struct error){ .order = UINT_MAX,
                                    .property = unknown->property,
                                    .message = MESSAGE_TEXT(unknown) });
}
