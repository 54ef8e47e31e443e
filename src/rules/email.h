#ifndef ROSTER_RULES_EMAIL_H
#define ROSTER_RULES_EMAIL_H

#include "base/arena.h"

/** The most bytes of an address (RFC 5321 section 4.5.3.1.3, without the brackets of a path). */
enum { EMAIL_MAX = 254 };

/**
 * True for a mailbox (RFC 5321 section 4.1.2, with the UTF-8 of RFC 6531) in the form of
 * email_normal.
 *  - The local part has 1 to 64 bytes: a dot-atom or a quoted string. Its characters beyond ASCII
 *    are those that user names may have (precis.h).
 *  - The domain has one label or more and at most 255 bytes, and IDNA accepts it (UTS 46
 *    non-transitional, as libidn2 implements it); or it is an address literal, [192.0.2.1] or
 *    [IPv6:2001:db8::1].
 *  - There are no comments, no display name and no trailing dot.
 */
bool email_is_valid(struct text email) __attribute__((warn_unused_result));

/**
 * The form in which an address is stored: in NFC, without unnecessary quotes and backslashes, and
 * without invisible characters in the domain, which IDNA ignores. An invalid address stays invalid.
 * `at` is NULL only if there is no memory.
 */
struct text email_normal(struct text email, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * Restores the plus signs of an address, or of a part of one, which arrive as blanks when a form or
 * a query does not escape them: outside quotes no address has blanks. `at` is NULL only if there is
 * no memory.
 */
struct text email_with_plus(struct text email, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * The key of an address: equal for all spellings of it, and what the database finds users by. The
 * local part is case-folded; the domain is in A-labels (punycode) and lower case; an IPv6 address
 * is in its shortest form.
 *
 * `email` need not be valid, because a sign-in may try anything: what cannot be converted is only
 * case-folded. A text of more than 254 characters gets the empty key, which no user has, without
 * further work. `at` is NULL only if there is no memory.
 */
struct text email_key(struct text email, struct arena *arena) __attribute__((warn_unused_result));

#endif
