/* What a new database begins with. Rows are made through the same changes and rules as those that
 * come in by HTTP. */
#include "service/seed.h"

#include "base/time.h"
#include "crypto/secret.h"
#include "model/permission.h"
#include "model/tables.h"
#include "rules/merge.h"

#include <stdio.h>

/* 2025-01-15T10:30:00Z: when the demo's world was made. */
#define DEMO_TIME_MS INT64_C(1736937000000)

enum { DEMO_PEOPLE = 40, ADMINISTRATOR_ID = 100000001, MEMBERS_SINCE = 100000100 };

struct writing {
    struct store_command command; /* first */
    const struct seed *data;
    struct store_view *tx;
    struct arena arena;
    struct rules rules;
};

static struct value text_value(const char *text) {
    return value_text(text_of(text));
}

/* The demo's GUIDs follow from table and id, those of a real database from chance. */
static struct value guid_of(struct writing *writing, const struct table *table, int64_t id) {
    if (writing->data->with_demo)
        return value_text(arena_printf(&writing->arena, "%08x-0000-4000-8000-%012llx",
                                       table->number, (unsigned long long)id));
    char *guid = arena_alloc(&writing->arena, 36);
    if (guid)
        random_guid(guid);
    return value_text((struct text){ guid, guid ? 36 : 0 });
}

static struct change new_row(struct writing *writing, const struct table *table, int64_t id) {
    struct change change = change_new(table, &writing->arena);
    if (!change.values)
        return change;
    change.values[table->common.id] = value_integer(id);
    change.values[table->common.unique_id] = guid_of(writing, table, id);
    return change;
}

static enum status add(struct writing *writing, const struct change *change) {
    struct record record;
    struct author author = { writing->rules.author, writing->rules.now_ms };
    enum status status = merge_new(change, &writing->rules, &writing->arena, &record);
    return status == STATUS_OK ? store_insert(writing->tx, &record, &author) : status;
}

static enum status add_roles(struct writing *writing) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < PERMISSIONS; i++) {
        char *name = arena_alloc(&writing->arena, 32);
        struct change row = new_row(writing, &role_table, (int64_t)i + 1);
        if (!name || !row.values)
            return STATUS_BROKEN;
        permission_name(i, name);
        row.values[ROLE_Name] = text_value(name);
        status = add(writing, &row);
    }
    return status;
}

struct person {
    int64_t id;
    const char *name, *email;
    int64_t user_role;        /* 0: none */
    bool is_admin, is_member; /* members do not sign in */
};

static enum status add_person(struct writing *writing, const struct person *person) {
    struct change row = new_row(writing, &user_table, person->id);
    struct value *values = row.values;
    if (!values)
        return STATUS_BROKEN;
    static const int64_t businesses[] = { 301, 302, 303 };
    values[USER_FullName] = text_value(person->name);
    values[USER_Email] = text_value(person->email);
    values[USER_Language] = value_integer(1 + (person->id % 7 == 0) + 2 * (person->id % 5 == 0));
    if (values[USER_Language].integer > 3 || person->is_admin)
        values[USER_Language] = value_integer(1);
    values[USER_PasswordSalt] = text_value("");
    values[USER_LastHelpVisited] = value_integer(0);
    values[USER_InvalidLoginAttempts] = value_integer(0);
    values[USER_Active] = value_integer(person->id % 11 != 0 || !person->is_member);
    values[USER_APIAccess] = value_integer(!person->is_member);
    values[USER_IsAdmin] = value_integer(person->is_admin);
    values[USER_Validated] = value_integer(1);
    values[USER_ReceiveCommunityDigest] = value_integer(person->is_member);
    if (!person->is_member)
        values[USER_Password] = value_text(writing->data->password_hash);
    if (writing->data->with_demo)
        values[USER_Businesses] = value_ids(&businesses[person->id % 3], 1);
    if (person->user_role)
        values[USER_UserRoles] = value_ids(&person->user_role, 1);
    return add(writing, &row);
}

static enum status add_named(struct writing *writing, const struct table *table, int64_t id,
                             const char *name) {
    struct change row = new_row(writing, table, id);
    if (!row.values)
        return STATUS_BROKEN;
    row.values[table_field(table, TEXT("Name"), 0) - table->fields] = text_value(name);
    const struct field *business = table_field(table, TEXT("BusinessId"), 0);
    if (business)
        row.values[business - table->fields] = value_integer(301);
    if (table == &language_table) {
        row.values[LANGUAGE_Culture] = text_value(name);
        row.values[LANGUAGE_DisplayOrder] = value_integer(id);
        row.values[LANGUAGE_Active] = value_integer(1);
    } else if (table == &application_table) {
        row.values[APPLICATION_DeveloperId] = value_integer(ADMINISTRATOR_ID);
        row.values[APPLICATION_ShortDescription] = text_value("Opens doors for members");
        row.values[APPLICATION_InstallUrl] = text_value("https://doors.example.com/install");
        row.values[APPLICATION_Published] = value_integer(1);
    } else if (table == &chat_room_table) {
        row.values[CHAT_ROOM_Active] = value_integer(1);
    }
    return add(writing, &row);
}

static enum status add_neighbours(struct writing *writing) {
    static const struct {
        const struct table *table;
        int64_t id;
        const char *name;
    } rows[] = {
        { &business_table, 301, "Harbour House" },  { &business_table, 302, "The Old Mill" },
        { &business_table, 303, "Station Yard" },   { &chat_room_table, 501, "Reception" },
        { &chat_room_table, 502, "Events" },        { &language_table, 601, "en-GB" },
        { &language_table, 602, "es-ES" },          { &language_table, 603, "fr-FR" },
        { &application_table, 701, "Door opener" }, { &application_table, 702, "Print room" },
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof rows / sizeof rows[0]; i++)
        status = add_named(writing, rows[i].table, rows[i].id, rows[i].name);
    return status;
}

/* One user role for each single permission on users, and two as a real place would have them. */
static const struct {
    const char *name, *person, *email;
    unsigned operations; /* on users: a bit for each enum permission_operation */
} demo_roles[] = {
    { "User list", "Lena Lister", "lister@example.com", 1 << OPERATION_List },
    { "User read", "Rhea Reader", "reader@example.com", 1 << OPERATION_Read },
    { "User create", "Cora Creator", "creator@example.com", 1 << OPERATION_Create },
    { "User edit", "Edgar Editor", "editor@example.com", 1 << OPERATION_Edit },
    { "User delete", "Dora Deleter", "deleter@example.com", 1 << OPERATION_Delete },
    { "Front desk", "Felix Desk", "frontdesk@example.com",
      1 << OPERATION_List | 1 << OPERATION_Read },
    { "Community manager", "Mara Manager", "manager@example.com",
      1 << OPERATION_List | 1 << OPERATION_Read | 1 << OPERATION_Edit },
};

static enum status add_staff(struct writing *writing) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < sizeof demo_roles / sizeof demo_roles[0]; i++) {
        int64_t ids[OPERATIONS], role = 401 + i;
        size_t count = 0;
        for (unsigned operation = 0; operation < OPERATIONS; operation++)
            if (demo_roles[i].operations >> operation & 1)
                ids[count++] = permission(ENTITY_User, operation) + 1;
        struct change row = new_row(writing, &user_role_table, role);
        if (!row.values)
            return STATUS_BROKEN;
        row.values[USER_ROLE_BusinessId] = value_integer(301);
        row.values[USER_ROLE_Name] = text_value(demo_roles[i].name);
        row.values[USER_ROLE_Roles] = value_ids(ids, count);
        status = add(writing, &row);
        struct person person = { .id = 100000011 + i,
                                 .name = demo_roles[i].person,
                                 .email = demo_roles[i].email,
                                 .user_role = role };
        if (status == STATUS_OK)
            status = add_person(writing, &person);
    }
    return status;
}

static enum status add_members(struct writing *writing) {
    static const char *const first[] = { "Ada",  "Björn", "Chiara", "Dmitri",
                                         "Elif", "Fatou", "Grace",  "Hiro" };
    static const char *const last[] = { "Andersson", "Baker", "Castillo", "Dubois", "Okafor" };
    static const char *const local[] = { "ada",  "bjorn", "chiara", "dmitri",
                                         "elif", "fatou", "grace",  "hiro" };
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < DEMO_PEOPLE; i++) {
        const char *family = last[i / 8];
        struct text name = arena_printf(&writing->arena, "%s %s", first[i % 8], family);
        struct text email = arena_printf(&writing->arena, "%s.%c%s@example.com", local[i % 8],
                                         family[0] | 0x20, family + 1);
        struct person person = { .id = i ? MEMBERS_SINCE + i : DEMO_USER_ID,
                                 .name = name.at,
                                 .email = email.at,
                                 .is_member = true };
        status = name.at && email.at ? add_person(writing, &person) : STATUS_BROKEN;
    }
    return status;
}

static enum status write_all(struct store_view *tx, struct store_command *command) {
    struct writing *writing = (struct writing *)command;
    struct person admin = { .id = ADMINISTRATOR_ID,
                            .name = "Administrator",
                            .email = writing->data->email.at,
                            .is_admin = true };
    writing->tx = tx;
    enum status status = add_roles(writing);
    if (status == STATUS_OK && writing->data->with_demo)
        status = add_neighbours(writing);
    if (status == STATUS_OK)
        status = add_person(writing, &admin);
    if (status == STATUS_OK && writing->data->with_demo)
        status = add_staff(writing);
    if (status == STATUS_OK && writing->data->with_demo)
        status = add_members(writing);
    return status;
}

enum status seed_write(struct store *store, const struct seed *data) {
    struct writing writing = {
        .command = { .on_behalf_of = &store_nobody, .run = write_all },
        .data = data,
        .rules = { .now_ms = data->with_demo ? DEMO_TIME_MS : time_now_ms(),
                   .author = data->email },
    };
    enum status status = store_run(store, &writing.command);
    arena_close(&writing.arena);
    return status;
}

enum status seed_is_due(struct store *store, bool *is_due) {
    int64_t users = 0;
    struct store_view *view = store_view_open(store);
    enum status status = view ? store_count(view, &user_table, &users) : STATUS_BROKEN;
    store_view_close(view);
    *is_due = users == 0;
    return status;
}
