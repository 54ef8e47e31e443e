/* A new key for the sealed fields.
 *
 * The database and the file of the key cannot change in one step. The order makes sure that each
 * state in between has a whole key of the database, under one of two names:
 *
 *   1. the new key is made as roster.key.next, and synced;
 *   2. one transaction seals every value with it, and records it as the database's key;
 *   3. roster.key gets a second name, with the begin of its hash in it, and the new key is renamed
 *      to roster.key.
 *
 * A start that finds a roster.key which is not the database's looks at roster.key.next, and does
 * step 3. A roster.key.next that was left before step 2 is the new key of the next rotation. */
#include "server/key_rotation.h"

#include "base/log.h"
#include "model/tables.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { NAME_ROOM = PATH_MAX + 32, WHY_SIZE = NAME_ROOM + 256 };

struct key_names {
    char key[NAME_ROOM], next[NAME_ROOM], old[NAME_ROOM];
};

static void name_keys(const char *folder, struct key_names *names) {
    (void)snprintf(names->key, sizeof names->key, "%s/" KEY_NAME, folder);
    (void)snprintf(names->next, sizeof names->next, "%s/" KEY_NAME ".next", folder);
}

/* The old key's name says which key it is. */
static bool replace(struct key_names *names, const struct seal_key *old) {
    char why[WHY_SIZE];
    char name[SEAL_NAME_SIZE + 1];
    struct token_hash mark = seal_mark(old);
    seal_name(&mark, name);
    int len = snprintf(names->old, sizeof names->old, "%s.%s", names->key, name);
    assert(len > 0 && (size_t)len < sizeof names->old);
    const struct seal_key_paths paths = { names->key, names->next, names->old };
    if (seal_key_replace(&paths, why, sizeof why))
        return true;
    report_error("%s", why);
    return false;
}

enum status key_rotation_finish(struct store *store, const char *folder, struct seal_key **key) {
    char why[WHY_SIZE];
    struct key_names names = { .key = "" };
    name_keys(folder, &names);
    if (access(names.next, F_OK) != 0)
        return STATUS_FORBIDDEN;
    struct seal_key *next = seal_key_open(names.next, false, why, sizeof why);
    if (!next) {
        report_error("%s", why);
        return STATUS_INTERNAL;
    }
    enum status status = store_claim_key(store, next);
    if (status == STATUS_OK && !replace(&names, *key))
        status = STATUS_INTERNAL;
    if (status != STATUS_OK) {
        seal_key_free(next);
        return status;
    }
    log_info("%s: finished a rotation that was interrupted; the old key is %s", names.key,
             names.old);
    seal_key_free(*key);
    *key = next;
    return STATUS_OK;
}

/* If root makes the new key, it belongs to the owner of the old one, as whom the server runs. */
static bool give_to_owner(const struct key_names *names) {
    struct stat old;
    if (geteuid() != 0 ||
        (lstat(names->key, &old) == 0 && lchown(names->next, old.st_uid, old.st_gid) == 0))
        return true;
    report_error("%s: cannot be given to the owner of the old key: %s", names->next,
                 strerror(errno));
    return false;
}

static int seal_anew(struct store *store, const struct seal_key *key, const struct seal_key *next,
                     int64_t *sealed) {
    struct key_change change = { 0 };
    enum status status = store_change_key(store, key, next, &change);
    *sealed = change.sealed;
    if (status == STATUS_OK)
        return EX_OK;
    if (status == STATUS_FORBIDDEN)
        report_error("%s %lld: the key does not open its %s, so it cannot be sealed again; set or"
                     " remove it first. Nothing is changed",
                     change.table->noun, (long long)change.id,
                     change.table->fields[change.field].name.at);
    else
        report_error("the database cannot be written, and is not changed");
    return status == STATUS_FORBIDDEN ? EX_DATAERR : EX_IOERR;
}

int key_rotation_run(struct store *store, const char *folder, const struct seal_key *key) {
    char why[WHY_SIZE];
    struct key_names names = { .key = "" };
    int64_t sealed = 0;
    name_keys(folder, &names);
    struct seal_key *next = seal_key_open(names.next, true, why, sizeof why);
    if (!next) {
        report_error("%s", why);
        return EX_IOERR;
    }
    int code = give_to_owner(&names) ? seal_anew(store, key, next, &sealed) : EX_IOERR;
    seal_key_free(next);
    if (code == EX_OK && !replace(&names, key))
        return EX_IOERR; /* the next start or rotation finishes it */
    if (code == EX_OK)
        (void)printf("%s is new, and %lld value%s sealed with it; backups made until now need %s\n",
                     names.key, (long long)sealed, sealed == 1 ? " is" : "s are", names.old);
    return code;
}
