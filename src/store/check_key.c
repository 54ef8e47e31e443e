#include "store/check_key.h"

#include "store/check.h"
#include "store/seal_mark.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Does the database have the next key already, because a rotation was interrupted? The next start
 * finishes it. */
static bool next_key_fits(struct store_session *session, const char *folder) {
    char path[PATH_MAX], why[PATH_MAX + 128];
    int len = snprintf(path, sizeof path, "%s/roster.key.next", folder);
    if (len < 0 || (size_t)len >= sizeof path || access(path, F_OK) != 0)
        return false;
    struct seal_key *key = seal_key_open(path, false, why, sizeof why);
    bool fits = key && seal_mark_check(session, key) == STATUS_OK;
    seal_key_free(key);
    return fits;
}

bool check_key(struct store_session *session, const char *folder, const char *what,
               store_say *say) {
    char path[PATH_MAX], why[PATH_MAX + 128];
    int len = snprintf(path, sizeof path, "%s/roster.key", folder);
    if (len < 0 || (size_t)len >= sizeof path || access(path, F_OK) != 0)
        return true;
    struct seal_key *key = seal_key_open(path, false, why, sizeof why);
    if (!key) {
        say(why);
        return false;
    }
    enum status status = seal_mark_check(session, key);
    seal_key_free(key);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND || next_key_fits(session, folder))
        return true;
    check_say(say,
              status == STATUS_FORBIDDEN ? "%s: is not the key of %s" : "%s: cannot be tried on %s",
              path, what);
    return false;
}
