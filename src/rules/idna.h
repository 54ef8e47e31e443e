#ifndef ROSTER_RULES_IDNA_H
#define ROSTER_RULES_IDNA_H

#include "base/text.h"

/**
 * Converts a domain to A-labels (UTS 46 non-transitional), NUL-terminated. Free it with idna_free.
 * NULL if IDNA does not accept the domain, or if there is no memory.
 */
char *idna_to_ascii(struct text domain) __attribute__((warn_unused_result));

/** Takes NULL. */
void idna_free(char *ascii);

#endif
