#ifndef ROSTER_MODEL_TABLES_H
#define ROSTER_MODEL_TABLES_H

#include "model/field.h"

/* The resources. Each enum gives the index of a field in its table and in a record's values. */

#define FIELD(name, ...) BUSINESS_##name,
enum business_field {
#include "model/business_fields.def"
    BUSINESS_FIELDS
};
#undef FIELD

#define FIELD(name, ...) ROLE_##name,
enum role_field {
#include "model/role_fields.def"
    ROLE_FIELDS
};
#undef FIELD

#define FIELD(name, ...) USER_ROLE_##name,
enum user_role_field {
#include "model/user_role_fields.def"
    USER_ROLE_FIELDS
};
#undef FIELD

#define FIELD(name, ...) CHAT_ROOM_##name,
enum chat_room_field {
#include "model/chat_room_fields.def"
    CHAT_ROOM_FIELDS
};
#undef FIELD

#define FIELD(name, ...) LANGUAGE_##name,
enum language_field {
#include "model/language_fields.def"
    LANGUAGE_FIELDS
};
#undef FIELD

#define FIELD(name, ...) APPLICATION_##name,
enum application_field {
#include "model/application_fields.def"
    APPLICATION_FIELDS
};
#undef FIELD

#define FIELD(name, ...) USER_##name,
enum user_field {
#include "model/user_fields.def"
    USER_FIELDS
};
#undef FIELD

#define FIELD(name, ...) WEB_HOOK_##name,
enum web_hook_field {
#include "model/web_hook_fields.def"
    WEB_HOOK_FIELDS
};
#undef FIELD

#define FIELD(name, ...) WEB_HOOK_DELIVERY_##name,
enum web_hook_delivery_field {
#include "model/web_hook_delivery_fields.def"
    WEB_HOOK_DELIVERY_FIELDS
};
#undef FIELD

#define FIELD(name, ...) AUDIT_TRAIL_ENTRY_##name,
enum audit_trail_entry_field {
#include "model/audit_trail_entry_fields.def"
    AUDIT_TRAIL_ENTRY_FIELDS
};
#undef FIELD

#define FIELD(name, ...) REFRESH_TOKEN_##name,
enum refresh_token_field {
#include "model/refresh_token_fields.def"
    REFRESH_TOKEN_FIELDS
};
#undef FIELD

#define FIELD(name, ...) COMMAND_##name,
enum command_field {
#include "model/command_fields.def"
    COMMAND_FIELDS
};
#undef FIELD

#define FIELD(name, ...) CREDENTIALS_##name,
enum credentials_field {
#include "model/credentials_fields.def"
    CREDENTIALS_FIELDS
};
#undef FIELD

#define FIELD(name, ...) PASSWORD_RESET_##name,
enum password_reset_field {
#include "model/password_reset_fields.def"
    PASSWORD_RESET_FIELDS
};
#undef FIELD

#define FIELD(name, ...) ONE_TIME_REQUEST_##name,
enum one_time_request_field {
#include "model/one_time_request_fields.def"
    ONE_TIME_REQUEST_FIELDS
};
#undef FIELD

/** What an audit row tells of (contract section 5). */
enum audit_type { AUDIT_CREATE = 1, AUDIT_UPDATE, AUDIT_DELETE };

/** What a webhook waits for. The service's own numbers, 1 to 90, have no event of a user. */
enum web_hook_action {
    ACTION_USER_CREATE = 1001,
    ACTION_USER_UPDATE,
    ACTION_USER_DELETE,
};

/** What became of a delivery. Statements and indexes of the store name the first by its number. */
enum delivery_status {
    DELIVERY_PENDING = 1,
    DELIVERY_DELIVERED,
    DELIVERY_FAILED,    /* all its attempts did */
    DELIVERY_CANCELLED, /* its webhook was made inactive, or deleted */
};

extern const struct table business_table, role_table, user_role_table, chat_room_table,
    language_table, application_table, user_table, web_hook_table, web_hook_delivery_table,
    audit_trail_entry_table, refresh_token_table;

/** Bodies that are no records, for the same reading and checking. */
extern const struct table command_table, credentials_table, password_reset_table,
    one_time_request_table;

/** All of them, in an order in which a row refers only to tables before its own. */
enum { TABLES = 11 };
extern const struct table *const tables[TABLES];

/** The position of a table in `tables`: what user_link rows call it by. */
unsigned table_number(const struct table *table);

#endif
