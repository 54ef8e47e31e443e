#ifndef ROSTER_RULES_GUID_H
#define ROSTER_RULES_GUID_H

#include "base/text.h"

enum { GUID_TEXT_SIZE = 36 };

/**
 * Reads a GUID as clients of .NET write it: 32 hexadecimal digits, with hyphens as 8-4-4-4-12 or
 * without any, optionally in {} or (). Writes it to `out` in lower case with hyphens, no NUL.
 */
bool guid_parse(struct text text, char out[GUID_TEXT_SIZE]) __attribute__((warn_unused_result));

#endif
