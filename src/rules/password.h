#ifndef ROSTER_RULES_PASSWORD_H
#define ROSTER_RULES_PASSWORD_H

#include "base/text.h"

/** Room for the normal form of a password. */
enum { PASSWORD_NORMAL_MAX = 12 * 1024 };

/**
 * The form in which a password is hashed: NFC, as RFC 8265 section 4.2 and the challenge
 * `charset="UTF-8"` of Basic (RFC 7617 section 2.1) demand. The same password then has the same
 * bytes whichever keyboard it was typed on. The result lies in `room`, which the caller must wipe,
 * or is `password` itself. A text that is not UTF-8, or longer than 4 KiB (and so no password that
 * can be set), stays as it is. `at` is NULL if there is no memory.
 */
struct text password_normal(struct text password, char room[PASSWORD_NORMAL_MAX])
    __attribute__((warn_unused_result));

enum password_verdict {
    PASSWORD_FINE,
    PASSWORD_TOO_SHORT, /* under 8 characters (code points) */
    PASSWORD_TOO_LONG,  /* over 256 characters */
    PASSWORD_COMMON,    /* would be guessed within a million tries */
    PASSWORD_PERSONAL,  /* equals the e-mail address, its local part or the name, but for case */
};

/**
 * Checks a new password by NIST SP 800-63B section 5.1.1.2: its length, that it is not common, and
 * that it is not the user's own data. There are no rules on the kinds of characters.
 */
enum password_verdict password_check(struct text password, struct text email, struct text name);

/** True if the password is the e-mail address, its local part or the name, in any normalisation
 * form and case. */
bool password_is_personal(struct text password, struct text email, struct text name)
    __attribute__((warn_unused_result));

#endif
