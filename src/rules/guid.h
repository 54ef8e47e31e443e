#ifndef ROSTER_RULES_GUID_H
#define ROSTER_RULES_GUID_H

#include "base/text.h"

enum { GUID_TEXT_SIZE = 36 };

/**
 * Reads a GUID in the forms of .NET: 32 hexadecimal digits, in groups of 8-4-4-4-12 with hyphens or
 * without any, optionally in {} or (). Writes it to `out` in lower case with hyphens, without NUL.
 * False if it is no GUID.
 */
bool guid_parse(struct text text, char out[GUID_TEXT_SIZE]) __attribute__((warn_unused_result));

#endif
