#ifndef ROSTER_RULES_PASSWORD_H
#define ROSTER_RULES_PASSWORD_H

#include "base/text.h"

enum password_verdict {
    PASSWORD_FINE,
    PASSWORD_TOO_SHORT, /* under 8 characters (code points) */
    PASSWORD_TOO_LONG,  /* over 256 characters */
    PASSWORD_COMMON,    /* one of the commonest: guessed within 10,000 tries */
    PASSWORD_PERSONAL,  /* it is the e-mail address, its local part, or the name, case aside */
};

/**
 * Judges a new password by NIST SP 800-63B section 5.1.1.2: a length, not a common one, not the
 * user's own data, no rules of composition.
 */
enum password_verdict password_judge(struct text password, struct text email, struct text name);

#endif
