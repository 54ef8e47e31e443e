#ifndef ROSTER_RULES_IDNA_H
#define ROSTER_RULES_IDNA_H

#include "base/text.h"

/**
 * A domain in A-labels (UTS 46 non-transitional), NUL-terminated, to be freed by idna_free; NULL
 * when IDNA does not take it, or memory is short.
 */
char *idna_to_ascii(struct text domain) __attribute__((warn_unused_result));

/** Takes NULL. */
void idna_free(char *ascii);

#endif
