/* The records of a new database. Its rows are mutations like those of requests, by the same
 * rules: what would be refused to an administrator is refused here. Only the Ids are given, so that
 * the same rows have the same Ids in every database. */
#include "service/seed.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "model/tables.h"
#include "service/mutation_run.h"
#include "service/resources.h"

/* 2025-01-15T10:30:00Z: when the demo's records were made. */
#define DEMO_TIME_MS INT64_C(1736937000000)

enum { DEMO_PEOPLE = 40, ADMINISTRATOR_ID = 100000001, MEMBERS_SINCE = 100000100 };

static struct value text_value(const char *text) {
    return value_text(text_of(text));
}

/* As a body has a list of Ids. Absent: no memory. */
static struct value ids_value(struct seeding *seeding, const int64_t *ids, size_t count) {
    struct value *list = arena_calloc(seeding->context.arena, count, sizeof *list);
    if (!list)
        return (struct value){ .kind = VALUE_ABSENT };
    for (size_t i = 0; i < count; i++)
        list[i] = value_integer(ids[i]);
    return (struct value){ .list = list, .len = (uint32_t)count, .kind = VALUE_LIST };
}

/* The demo's GUIDs follow from table and Id; those of a real database are random. */
static struct value demo_guid(struct seeding *seeding, const struct table *table, int64_t id) {
    return value_text(arena_printf(seeding->context.arena, "%08x-0000-4000-8000-%012llx",
                                   table->number, (unsigned long long)id));
}

/* NULL: no memory. */
static struct mutation *new_row(struct seeding *seeding, const struct table *table, int64_t id) {
    struct mutation *row = mutation_new(&seeding->context, resource_of(table), MUTATION_create);
    if (!row)
        return NULL;
    row->new_id = id;
    row->change = change_new(table, seeding->context.arena);
    if (!row->change.values)
        return NULL;
    if (seeding->seed.is_repeatable)
        row->change.values[table->common.unique_id] = demo_guid(seeding, table, id);
    return row;
}

static enum status add(struct seeding *seeding, struct mutation *row) {
    enum status status = mutation_validate(row, 0);
    if (status == STATUS_OK && mutation_is_wrong(row))
        status = STATUS_BAD_INPUT;
    if (status == STATUS_OK)
        status = mutation_run(row, seeding->tx);
    if (status == STATUS_OK)
        return STATUS_OK;
    const struct error *error = row->errors.first;
    struct text what = error ? error->property : text_of(row->resource->table->noun);
    struct text why = error ? error->message : text_of(status_name(status));
    log_error("the first %s with the Id %lld cannot be made: %.*s: %.*s",
              row->resource->table->noun, (long long)row->new_id, (int)what.len, what.at,
              (int)why.len, why.at);
    return STATUS_INTERNAL;
}

static enum status add_roles(struct seeding *seeding) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < PERMISSIONS; i++) {
        char *name = arena_alloc(seeding->context.arena, 32);
        struct mutation *row = new_row(seeding, &role_table, (int64_t)i + 1);
        if (!name || !row)
            return STATUS_INTERNAL;
        permission_name(i, name);
        row->change.values[ROLE_Name] = text_value(name);
        status = add(seeding, row);
    }
    return status;
}

struct person {
    int64_t id;
    const char *name, *email;
    int64_t user_role; /* 0: none */
    bool is_admin, is_member;
    struct text hash; /* of the password; `at` NULL: none, as members do not sign in */
};

/* Of the demo's people, one may have the address that the administrator has: that one is left out.
 */
static enum status add_person(struct seeding *seeding, const struct person *person) {
    if (!person->is_admin && text_equal(text_of(person->email), seeding->seed.email))
        return STATUS_OK;
    struct mutation *row = new_row(seeding, &user_table, person->id);
    if (!row)
        return STATUS_INTERNAL;
    struct value *values = row->change.values;
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
    if (person->hash.at)
        values[USER_Password] = value_text(person->hash);
    if (seeding->seed.with_demo)
        values[USER_Businesses] = ids_value(seeding, &businesses[person->id % 3], 1);
    if (person->user_role)
        values[USER_UserRoles] = ids_value(seeding, &person->user_role, 1);
    return add(seeding, row);
}

static enum status add_named(struct seeding *seeding, const struct table *table, int64_t id,
                             const char *name) {
    struct mutation *row = new_row(seeding, table, id);
    if (!row)
        return STATUS_INTERNAL;
    struct value *values = row->change.values;
    values[table_field(table, TEXT("Name"), 0) - table->fields] = text_value(name);
    const struct field *business = table_field(table, TEXT("BusinessId"), 0);
    if (business)
        values[business - table->fields] = value_integer(301);
    if (table == &language_table) {
        values[LANGUAGE_Culture] = text_value(name);
        values[LANGUAGE_DisplayOrder] = value_integer(id);
        values[LANGUAGE_Active] = value_integer(1);
    } else if (table == &application_table) {
        values[APPLICATION_DeveloperId] = value_integer(ADMINISTRATOR_ID);
        values[APPLICATION_ShortDescription] = text_value("Opens doors for members");
        values[APPLICATION_InstallUrl] = text_value("https://doors.example.com/install");
        values[APPLICATION_Published] = value_integer(1);
    } else if (table == &chat_room_table) {
        values[CHAT_ROOM_Active] = value_integer(1);
    }
    return add(seeding, row);
}

struct named {
    const struct table *table;
    int64_t id;
    const char *name;
};

static enum status add_each(struct seeding *seeding, const struct named *rows, size_t count) {
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = add_named(seeding, rows[i].table, rows[i].id, rows[i].name);
    return status;
}

/* Of the demo: what its users link to, and what links to its administrator. */
static const struct named demo_places[] = {
    { &business_table, 301, "Harbour House" }, { &business_table, 302, "The Old Mill" },
    { &business_table, 303, "Station Yard" },  { &chat_room_table, 501, "Reception" },
    { &chat_room_table, 502, "Events" },       { &language_table, 601, "en-GB" },
    { &language_table, 602, "es-ES" },         { &language_table, 603, "fr-FR" },
};
static const struct named demo_applications[] = {
    { &application_table, 701, "Door opener" },
    { &application_table, 702, "Print room" },
};

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

static enum status add_staff(struct seeding *seeding) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < sizeof demo_roles / sizeof demo_roles[0]; i++) {
        int64_t ids[OPERATIONS], role = 401 + i;
        size_t count = 0;
        for (unsigned operation = 0; operation < OPERATIONS; operation++)
            if (demo_roles[i].operations >> operation & 1)
                ids[count++] = permission(ENTITY_User, operation) + 1;
        struct mutation *row = new_row(seeding, &user_role_table, role);
        if (!row)
            return STATUS_INTERNAL;
        row->change.values[USER_ROLE_BusinessId] = value_integer(301);
        row->change.values[USER_ROLE_Name] = text_value(demo_roles[i].name);
        row->change.values[USER_ROLE_Roles] = ids_value(seeding, ids, count);
        status = add(seeding, row);
        struct person person = { .id = 100000011 + i,
                                 .name = demo_roles[i].person,
                                 .email = demo_roles[i].email,
                                 .user_role = role,
                                 .hash = seeding->seed.staff_hash };
        if (status == STATUS_OK)
            status = add_person(seeding, &person);
    }
    return status;
}

static enum status add_members(struct seeding *seeding) {
    static const char *const first[] = { "Ada",  "Björn", "Chiara", "Dmitri",
                                         "Elif", "Fatou", "Grace",  "Hiro" };
    static const char *const last[] = { "Andersson", "Baker", "Castillo", "Dubois", "Okafor" };
    static const char *const local[] = { "ada",  "bjorn", "chiara", "dmitri",
                                         "elif", "fatou", "grace",  "hiro" };
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < DEMO_PEOPLE; i++) {
        const char *family = last[i / 8];
        struct text name = arena_printf(seeding->context.arena, "%s %s", first[i % 8], family);
        struct text email = arena_printf(seeding->context.arena, "%s.%c%s@example.com",
                                         local[i % 8], family[0] | 0x20, family + 1);
        struct person person = { .id = i ? MEMBERS_SINCE + i : DEMO_USER_ID,
                                 .name = name.at,
                                 .email = email.at,
                                 .is_member = true };
        status = name.at && email.at ? add_person(seeding, &person) : STATUS_INTERNAL;
    }
    return status;
}

static enum status add_demo(struct seeding *seeding) {
    enum status status = add_each(seeding, demo_applications,
                                  sizeof demo_applications / sizeof demo_applications[0]);
    if (status == STATUS_OK)
        status = add_staff(seeding);
    return status == STATUS_OK ? add_members(seeding) : status;
}

/* The administrator, and with the demo what the administrator refers to. */
static enum status add_administrator(struct seeding *seeding) {
    const struct seed *seed = &seeding->seed;
    const struct person admin = { .id = ADMINISTRATOR_ID,
                                  .name = seed->name.at,
                                  .email = seed->email.at,
                                  .is_admin = true,
                                  .hash = seed->password_hash };
    enum status status = STATUS_OK;
    if (seed->with_demo)
        status = add_each(seeding, demo_places, sizeof demo_places / sizeof demo_places[0]);
    return status == STATUS_OK ? add_person(seeding, &admin) : status;
}

/* A row is written after the rows that it refers to. */
static enum status run_seeding(struct store_tx *tx, struct store_command *command) {
    struct seeding *seeding = container_of(command, struct seeding, command);
    const struct seed *seed = &seeding->seed;
    struct seed_state state;
    seeding->tx = tx;
    enum status status = seed_find(tx->session, &state);
    if (status == STATUS_OK && state.has_users)
        return STATUS_CONFLICT;
    if (status == STATUS_OK && !state.has_roles)
        status = add_roles(seeding);
    if (status == STATUS_OK && seed->email.at)
        status = add_administrator(seeding);
    return status == STATUS_OK && seed->with_demo ? add_demo(seeding) : status;
}

void seeding_prepare(struct seeding *seeding, const struct seed *seed, struct text request_id,
                     struct arena *arena) {
    *seeding = (struct seeding){
        .command = { .on_behalf_of = &store_nobody, .run = run_seeding },
        .seed = *seed,
        /* The rules take it for an unrestricted administrator's work. */
        .caller = { .user_id = seed->email.at ? ADMINISTRATOR_ID : 0,
                    .is_admin = true,
                    .permissions = UINT64_MAX,
                    .email = seed->email.at ? seed->email : TEXT("rosterd") },
        .context = { .arena = arena,
                     .caller = &seeding->caller,
                     .now_ms = seed->is_repeatable ? DEMO_TIME_MS : time_now_ms(),
                     .request_id = request_id },
    };
}

enum status seed_write(struct store *store, const struct seed *seed) {
    struct arena arena = { 0 };
    struct seeding seeding;
    seeding_prepare(&seeding, seed, (struct text){ 0 }, &arena);
    enum status status = store_run(store, &seeding.command);
    arena_close(&arena);
    return status;
}

struct seed seed_of_start(struct text email, struct text password_hash, bool with_demo) {
    return (struct seed){ .email = email,
                          .name = TEXT(ADMINISTRATOR_NAME),
                          .password_hash = password_hash,
                          .staff_hash = password_hash,
                          .with_demo = with_demo,
                          .is_repeatable = with_demo };
}

enum status seed_find(struct store_session *session, struct seed_state *state) {
    int64_t users = 0, roles = 0;
    enum status status = store_count(session, &user_table, &users);
    if (status == STATUS_OK)
        status = store_count(session, &role_table, &roles);
    *state = (struct seed_state){ users > 0, roles > 0 };
    return status;
}
