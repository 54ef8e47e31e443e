#ifndef ROSTER_RULES_PASSWORD_H
#define ROSTER_RULES_PASSWORD_H

#include "base/text.h"

/** Room for the normal form of any password that has one. */
enum { PASSWORD_NORMAL_MAX = 12 * 1024 };

/**
 * The form in which a password is hashed: Unicode's NFC, as RFC 8265 section 4.2 and the challenge
 * `charset="UTF-8"` of Basic (RFC 7617 section 2.1) want it, in `room` or where it was. What has
 * more than 4 KiB (no password that can be set has) or is no UTF-8 stays as it is. `at` NULL when
 * memory is short. `room` is to be wiped.
 */
struct text password_normal(struct text password, char room[PASSWORD_NORMAL_MAX])
    __attribute__((warn_unused_result));

enum password_verdict {
    PASSWORD_FINE,
    PASSWORD_TOO_SHORT, /* under 8 characters (code points) */
    PASSWORD_TOO_LONG,  /* over 256 characters */
    PASSWORD_COMMON,    /* one of the commonest: guessed within a million tries */
    PASSWORD_PERSONAL,  /* it is the e-mail address, its local part, or the name, case aside */
};

/**
 * Judges a new password, in its normal form, by NIST SP 800-63B section 5.1.1.2: a length, not a
 * common one, not the user's own data, no rules of composition.
 */
enum password_verdict password_judge(struct text password, struct text email, struct text name);

/** Is it, in whatever form of Unicode, the e-mail address, its local part, or the name, case aside?
 */
bool password_is_personal(struct text password, struct text email, struct text name)
    __attribute__((warn_unused_result));

#endif
