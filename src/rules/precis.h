#ifndef ROSTER_RULES_PRECIS_H
#define ROSTER_RULES_PRECIS_H

#include "base/text.h"

/**
 * True if all characters beyond ASCII belong to PRECIS' IdentifierClass (RFC 8264 section 4.2), of
 * which user names consist (RFC 8265 section 3): letters, digits and the marks on them. Invisible
 * characters, controls of direction, compatibility characters and symbols do not. Characters that
 * the class allows in certain contexts are refused, except Arabic-Indic digits, whose two sets must
 * not be mixed. `utf8` must be valid and in NFC. ASCII is for the caller to check.
 */
bool precis_is_identifier(struct text utf8);

/** True if a character is visible: not only white space, marks, format characters and blanks. */
bool precis_has_visible(struct text utf8);

/** The size in bytes of the white space character (Unicode) that `text` begins with; 0: none. */
size_t precis_blank_size(struct text text);

/** True for a Default_Ignorable_Code_Point of Unicode, which is invisible. */
bool precis_is_ignorable(uint32_t character);

#endif
