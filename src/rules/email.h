#ifndef ROSTER_RULES_EMAIL_H
#define ROSTER_RULES_EMAIL_H

#include "base/arena.h"

/** An address has at most this many octets (RFC 5321 section 4.5.3.1.3, without the brackets). */
enum { EMAIL_MAX = 254 };

/**
 * Is this a mailbox (RFC 5321 section 4.1.2, with the UTF-8 of RFC 6531), as email_normal has it?
 * Local part of 1 to 64 octets: a dot-atom or a quoted string, beyond ASCII of characters that
 * names of users may have (precis.h); a domain of at least one label that IDNA (UTS 46
 * non-transitional, as libidn2 does it) takes, at most 255 octets, or an address literal
 * [192.0.2.1], [IPv6:2001:db8::1]. No comments, no display name, no trailing dot.
 */
bool email_is_valid(struct text email) __attribute__((warn_unused_result));

/**
 * An address as it is kept: in NFC, without quotes and backslashes that need not be there, and
 * without what is not seen in the domain, where IDNA passes it over. What is no address comes out
 * as something that is none. `at` NULL only when memory is short.
 */
struct text email_normal(struct text email, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * An address, or a part of one, as a form or a query has it: a plus that was not escaped comes as a
 * blank, which no address has outside quotes. `at` NULL only when memory is short.
 */
struct text email_with_plus(struct text email, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * The form in which two spellings of one address are equal: local part as in email_normal,
 * case-folded; domain in A-labels (punycode), lower case; an IPv6 address in its shortest form.
 * ASCII addresses take a fast path without libraries. `email` need not be valid (a sign-in may try
 * anything): what cannot be mapped is case-folded as it is, and the key of more than 254
 * characters is the empty text, which is nobody's, before any of that is done. `at` is NULL only
 * when memory is short.
 */
struct text email_key(struct text email, struct arena *arena) __attribute__((warn_unused_result));

#endif
