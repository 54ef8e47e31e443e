#ifndef ROSTER_RULES_PRECIS_H
#define ROSTER_RULES_PRECIS_H

#include "base/text.h"

/**
 * Has it, beyond ASCII, only characters of PRECIS's IdentifierClass (RFC 8264 section 4.2), which
 * user names are made of (RFC 8265 section 3)? Those are letters, digits and the marks on them:
 * nothing that is not seen, that changes the direction, that stands for another character, or a
 * symbol. What that class allows in a context only is not taken, but for Arabic-Indic digits, whose
 * two sets must not be mixed. `utf8` is valid, in NFC; ASCII is the caller's to judge.
 */
bool precis_is_identifier(struct text utf8);

/** Is there a character that is seen: no white space, mark, format or blank alone (Unicode)? */
bool precis_has_visible(struct text utf8);

/** The size in bytes of the white space (Unicode) at the begin of a text; 0: it begins with none.
 */
size_t precis_blank_size(struct text text);

/** Is it a Default_Ignorable_Code_Point, which is not seen? */
bool precis_is_ignorable(uint32_t character);

#endif
