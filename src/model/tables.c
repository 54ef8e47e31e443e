/* The resources' tables, expanded from their .def files; everything else loops over them. */
#include "model/tables.h"

#include <assert.h>

static const struct choice language_choices[] = {
    { 1, "EnglishUS" },
    { 2, "Spanish" },
    { 3, "EnglishUK" },
    { 0, NULL },
};
static const struct choice audit_types[] = {
    { AUDIT_CREATE, "Create" },
    { AUDIT_UPDATE, "Update" },
    { AUDIT_DELETE, "Delete" },
    { 0, NULL },
};
static const struct choice web_hook_actions[] = {
    { ACTION_USER_CREATE, "UserCreate" },
    { ACTION_USER_UPDATE, "UserUpdate" },
    { ACTION_USER_DELETE, "UserDelete" },
    { 0, NULL },
};
static const struct choice delivery_statuses[] = {
    { DELIVERY_PENDING, "Pending" },
    { DELIVERY_DELIVERED, "Delivered" },
    { DELIVERY_FAILED, "Failed" },
    { DELIVERY_CANCELLED, "Cancelled" },
    { 0, NULL },
};

/* What the last column of a FIELD row means depends on its type. */
#define TARGET_id(of) NULL, NULL
#define TARGET_text(of) NULL, NULL
#define TARGET_email(of) NULL, NULL
#define TARGET_url(of) NULL, NULL
#define TARGET_integer(of) NULL, NULL
#define TARGET_boolean(of) NULL, NULL
#define TARGET_date(of) NULL, NULL
#define TARGET_guid(of) NULL, NULL
#define TARGET_sealed(of) NULL, NULL
#define TARGET_totp(of) NULL, NULL
#define TARGET_password(of) NULL, NULL
#define TARGET_empty(of) NULL, NULL
#define TARGET_no(of) NULL, NULL
#define TARGET_choice(of) NULL, of
#define TARGET_reference(of) &of##_table, NULL
#define TARGET_links(of) &of##_table, NULL
#define TARGET_added(of) &of##_table, NULL
#define TARGET_removed(of) &of##_table, NULL
#define TARGET_owners(of) &of##_table, NULL
#define TARGET_name(of) &of##_table, NULL

#define FIELD(name, type, max, flags, of)                                                          \
    { { #name, sizeof #name - 1 }, TYPE_##type, max, flags, TARGET_##type(of) },

static const struct field business_fields[] = {
#include "model/business_fields.def"
};
static const struct field role_fields[] = {
#include "model/role_fields.def"
};
static const struct field user_role_fields[] = {
#include "model/user_role_fields.def"
};
static const struct field chat_room_fields[] = {
#include "model/chat_room_fields.def"
};
static const struct field language_fields[] = {
#include "model/language_fields.def"
};
static const struct field application_fields[] = {
#include "model/application_fields.def"
};
static const struct field user_fields[] = {
#include "model/user_fields.def"
};
static const struct field audit_trail_entry_fields[] = {
#include "model/audit_trail_entry_fields.def"
};
static const struct field refresh_token_fields[] = {
#include "model/refresh_token_fields.def"
};
static const struct field web_hook_fields[] = {
#include "model/web_hook_fields.def"
};
static const struct field web_hook_delivery_fields[] = {
#include "model/web_hook_delivery_fields.def"
};
static const struct field command_fields[] = {
#include "model/command_fields.def"
};
static const struct field credentials_fields[] = {
#include "model/credentials_fields.def"
};
static const struct field one_time_request_fields[] = {
#include "model/one_time_request_fields.def"
};
static const struct field password_reset_fields[] = {
#include "model/password_reset_fields.def"
};
#undef FIELD

#define COMMON(prefix)                                                                             \
    {                                                                                              \
        prefix##_Id, prefix##_CreatedOn, prefix##_UpdatedOn, prefix##_UpdatedBy,                   \
            prefix##_UniqueId, prefix##_ToStringText                                               \
    }

const struct table business_table = {
    "businesses", "Business", "business", business_fields, BUSINESS_FIELDS, COMMON(BUSINESS), false
};
const struct table role_table = { "roles",     "Role",       "role", role_fields,
                                  ROLE_FIELDS, COMMON(ROLE), false };
const struct table user_role_table = {
    "user_roles",     "UserRole",        "user role", user_role_fields,
    USER_ROLE_FIELDS, COMMON(USER_ROLE), false
};
const struct table chat_room_table = {
    "chat_rooms",     "ChatRoom",        "chat room", chat_room_fields,
    CHAT_ROOM_FIELDS, COMMON(CHAT_ROOM), false
};
const struct table language_table = {
    "languages", "Language", "language", language_fields, LANGUAGE_FIELDS, COMMON(LANGUAGE), false
};
const struct table application_table = {
    "applications",     "Application",       "application", application_fields,
    APPLICATION_FIELDS, COMMON(APPLICATION), false
};
const struct table user_table = { "users",     "User",       "user", user_fields,
                                  USER_FIELDS, COMMON(USER), true };
const struct table web_hook_table = { "web_hooks",     "WebHook",        "webhook", web_hook_fields,
                                      WEB_HOOK_FIELDS, COMMON(WEB_HOOK), false };
const struct table web_hook_delivery_table = { "web_hook_deliveries",
                                               "WebHookDelivery",
                                               "webhook delivery",
                                               web_hook_delivery_fields,
                                               WEB_HOOK_DELIVERY_FIELDS,
                                               COMMON(WEB_HOOK_DELIVERY),
                                               false };
const struct table audit_trail_entry_table = { "audit_trail_entries",
                                               "AuditTrailEntry",
                                               "audit trail entry",
                                               audit_trail_entry_fields,
                                               AUDIT_TRAIL_ENTRY_FIELDS,
                                               COMMON(AUDIT_TRAIL_ENTRY),
                                               false };
const struct table refresh_token_table = { "refresh_tokens",
                                           "RefreshToken",
                                           "refresh token",
                                           refresh_token_fields,
                                           REFRESH_TOKEN_FIELDS,
                                           COMMON(REFRESH_TOKEN),
                                           false };

const struct table command_table = { "commands",     "Command", "command", command_fields,
                                     COMMAND_FIELDS, { 0 },     false };

const struct table credentials_table = { .name = "credentials",
                                         .entity = "Credentials",
                                         .noun = "credentials",
                                         .fields = credentials_fields,
                                         .count = CREDENTIALS_FIELDS };
const struct table one_time_request_table = { .name = "one_time_requests",
                                              .entity = "OneTimeRequest",
                                              .noun = "request for a one-time token",
                                              .fields = one_time_request_fields,
                                              .count = ONE_TIME_REQUEST_FIELDS };
const struct table password_reset_table = { .name = "password_resets",
                                            .entity = "PasswordReset",
                                            .noun = "password reset",
                                            .fields = password_reset_fields,
                                            .count = PASSWORD_RESET_FIELDS };

const struct table *const tables[TABLES] = {
    &business_table,
    &role_table,
    &user_role_table,
    &chat_room_table,
    &language_table,
    &application_table,
    &user_table,
    &web_hook_table,
    &web_hook_delivery_table,
    &audit_trail_entry_table,
    &refresh_token_table,
};

unsigned table_number(const struct table *table) {
    unsigned number = 0;
    while (tables[number] != table) {
        number++;
        assert(number < TABLES);
    }
    return number;
}

unsigned field_other_side(const struct table *table, const struct field *field) {
    unsigned other = 0;
    while (field->target->fields[other].type != TYPE_links ||
           field->target->fields[other].target != table) {
        other++;
        assert(other < field->target->count);
    }
    return other;
}

const struct field *table_field(const struct table *table, struct text name, unsigned hint) {
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[(hint + i) % table->count];
        if (text_equal(field->name, name) && !(field->flags & HIDDEN))
            return field;
    }
    return NULL;
}
