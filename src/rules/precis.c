/* Which characters names may have, by the properties that Unicode gives them. */
#include "rules/precis.h"

#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

bool precis_is_ignorable(uint32_t character) {
    return uc_is_property_default_ignorable_code_point(character);
}

size_t precis_blank_size(struct text text) {
    ucs4_t character;
    if (!text.len)
        return 0;
    size_t size = (size_t)u8_mbtouc(&character, (const uint8_t *)text.at, text.len);
    return uc_is_property_white_space(character) ? size : 0;
}

static bool is_one_of(uint32_t character, const uint32_t *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (list[i] == character)
            return true;
    return false;
}

/* RFC 8264 section 9.6, with the lists of RFC 5892 section 2.6. Characters that are valid in
 * certain contexts are among the invalid ones here. */
static bool is_exception(uint32_t character, bool *is_valid) {
    static const uint32_t valid[] = { 0x00DF, 0x03C2, 0x06FD, 0x06FE, 0x0F0B, 0x3007 };
    static const uint32_t invalid[] = { 0x00B7, 0x0375, 0x05F3, 0x05F4, 0x30FB,
                                        0x0640, 0x07FA, 0x302E, 0x302F, 0x3031,
                                        0x3032, 0x3033, 0x3034, 0x3035, 0x303B };
    *is_valid = is_one_of(character, valid, sizeof valid / sizeof valid[0]);
    return *is_valid || is_one_of(character, invalid, sizeof invalid / sizeof invalid[0]);
}

/* RFC 8264 section 9.9: conjoining Jamo, which can form syllables that look like other ones. */
static bool is_old_jamo(uint32_t character) {
    return (character >= 0x1100 && character <= 0x11FF) ||
           (character >= 0xA960 && character <= 0xA97F) ||
           (character >= 0xD7B0 && character <= 0xD7FF);
}

/* The order of RFC 8264 section 8, except for compatibility: is_compatible checks the whole text.
 */
static bool is_letter_or_digit(uint32_t character) {
    static const uint32_t categories =
        UC_CATEGORY_MASK_Ll | UC_CATEGORY_MASK_Lu | UC_CATEGORY_MASK_Lo | UC_CATEGORY_MASK_Nd |
        UC_CATEGORY_MASK_Lm | UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Mc;
    bool is_valid;
    if (is_exception(character, &is_valid))
        return is_valid;
    if (is_old_jamo(character) || precis_is_ignorable(character))
        return false;
    return uc_is_general_category_withtable(character, categories);
}

/* RFC 8264 section 9.17: true if no character stands for another one. */
static bool is_compatible(struct text utf8) {
    size_t len = 0;
    uint8_t *normal = u8_normalize(UNINORM_NFKC, (const uint8_t *)utf8.at, utf8.len, NULL, &len);
    bool is_same = normal && text_equal((struct text){ (char *)normal, len }, utf8);
    free(normal);
    return is_same;
}

bool precis_is_identifier(struct text utf8) {
    const uint8_t *at = (const uint8_t *)utf8.at;
    bool has_arabic = false, has_extended = false;
    for (size_t i = 0; i < utf8.len;) {
        ucs4_t character;
        i += (size_t)u8_mbtouc(&character, at + i, utf8.len - i);
        if (character >= 0x80 && !is_letter_or_digit(character))
            return false;
        has_arabic |= character >= 0x0660 && character <= 0x0669;
        has_extended |= character >= 0x06F0 && character <= 0x06F9;
    }
    return !(has_arabic && has_extended) && is_compatible(utf8);
}

static bool is_visible(uint32_t character) {
    /* Blanks of Braille and hieroglyphs, and a note without a head, which Unicode counts as letters
     * and symbols. */
    static const uint32_t blanks[] = { 0x2800, 0x13441, 0x13442, 0x1D159 };
    static const uint32_t unseen =
        UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Me;
    return !uc_is_property_white_space(character) && !precis_is_ignorable(character) &&
           !uc_is_general_category_withtable(character, unseen) &&
           !is_one_of(character, blanks, sizeof blanks / sizeof blanks[0]);
}

bool precis_has_visible(struct text utf8) {
    const uint8_t *at = (const uint8_t *)utf8.at;
    for (size_t i = 0; i < utf8.len;) {
        ucs4_t character;
        i += (size_t)u8_mbtouc(&character, at + i, utf8.len - i);
        if (is_visible(character))
            return true;
    }
    return false;
}
