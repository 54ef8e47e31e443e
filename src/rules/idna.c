/* Internationalised domain names, by libidn2. */
#include "rules/idna.h"

#include <idn2.h>
#include <stdlib.h>

char *idna_to_ascii(struct text domain) {
    uint8_t *ascii = NULL;
    char *copy = strndup(domain.at, domain.len);
    if (copy && idn2_lookup_u8((const uint8_t *)copy, &ascii,
                               IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        ascii = NULL;
    free(copy);
    return (char *)ascii;
}

void idna_free(char *ascii) {
    idn2_free(ascii);
}
