/* Texts compared without regard to case, and to accents: Unicode's full case folding and its
 * decompositions, and a fast path for ASCII. */
#include "rules/fold.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

bool fold_is_ascii(struct text text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] >= 0x80)
            return false;
    return true;
}

/* Writes `text` to `out`, of the same size, with ASCII letters in lower case. True if all of it is
 * ASCII, so that nothing else is to be folded. */
static bool fold_into(struct text text, char *out) {
    unsigned char all = 0;
    for (size_t i = 0; i < text.len; i++) {
        all |= (unsigned char)text.at[i];
        out[i] = text_lower(text.at[i]);
    }
    return all < 0x80;
}

struct text fold_ascii(struct text text, struct arena *arena) {
    struct text copy = arena_text(arena, text);
    if (copy.at)
        (void)fold_into(text, (char *)(uintptr_t)copy.at); /* other letters stay as they are */
    return copy;
}

/* u8_casefold turns everything that is not UTF-8 into U+FFFD, so different texts would be equal. */
static bool is_ascii_or_wrong(struct text text) {
    return fold_is_ascii(text) || u8_check((const uint8_t *)text.at, text.len);
}

/* Copies the result of a library function into the arena. It is NULL only if there was no memory,
 * since valid UTF-8 has no other way to fail. */
static struct text keep(uint8_t *given, size_t len, struct arena *arena) {
    if (!given) {
        arena->failed = true;
        return (struct text){ 0 };
    }
    struct text copy = arena_text(arena, (struct text){ (char *)given, len });
    free(given);
    return copy;
}

struct text fold_case(struct text text, struct arena *arena) {
    size_t len = 0;
    if (is_ascii_or_wrong(text))
        return fold_ascii(text, arena);
    uint8_t *folded =
        u8_casefold((const uint8_t *)text.at, text.len, NULL, UNINORM_NFC, NULL, &len);
    return keep(folded, len, arena);
}

/* By combining class (Unicode section 4.3): 10 to 36 are Hebrew points and the vowel signs of
 * Arabic and Syriac; 200 and above are marks above, below or through any letter. */
static bool is_accent(ucs4_t character) {
    int class = uc_combining_class(character);
    return class >= 200 || (class >= 10 && class <= 36);
}

/* Letters whose stroke Unicode does not treat as a mark, although people search without it. */
static const char *plain_letter(ucs4_t character) {
    switch (character) {
    case 0x00E6: return "ae";
    case 0x00F8: return "o";
    case 0x0111: return "d";
    case 0x0127: return "h";
    case 0x0131: return "i"; /* dotless, the small letter of the Turkish I */
    case 0x0142: return "l";
    case 0x0153: return "oe";
    case 0x0167: return "t";
    default: return NULL;
    }
}

/* Removes the accents of decomposed UTF-8 in place: no letter gets longer. Returns the new length.
 */
static size_t drop_accents(uint8_t *text, size_t len) {
    size_t kept = 0;
    for (size_t at = 0; at < len;) {
        ucs4_t character;
        size_t size = (size_t)u8_mbtouc(&character, text + at, len - at);
        const char *plain = plain_letter(character);
        if (plain) {
            memcpy(text + kept, plain, strlen(plain));
            kept += strlen(plain);
        } else if (!is_accent(character)) {
            memmove(text + kept, text + at, size);
            kept += size;
        }
        at += size;
    }
    return kept;
}

struct text fold(struct text text, struct arena *arena) {
    size_t len = 0, composed_len = 0;
    if (is_ascii_or_wrong(text))
        return fold_ascii(text, arena);
    uint8_t *folded =
        u8_casefold((const uint8_t *)text.at, text.len, NULL, UNINORM_NFD, NULL, &len);
    if (folded && (len = drop_accents(folded, len)) == 0) { /* it had nothing but accents */
        free(folded);
        return fold_case(text, arena);
    }
    uint8_t *composed = folded ? u8_normalize(UNINORM_NFC, folded, len, NULL, &composed_len) : NULL;
    free(folded);
    return keep(composed, composed_len, arena);
}

int fold_contains(struct text text, struct text folded) {
    char short_text[256]; /* most texts are short ASCII, and need no allocation */
    if (text.len <= sizeof short_text && fold_into(text, short_text))
        return memmem(short_text, text.len, folded.at, folded.len) != NULL; /* linear in both */
    struct arena arena = { 0 };
    struct text whole = fold(text, &arena);
    int found = whole.at ? memmem(whole.at, whole.len, folded.at, folded.len) != NULL : -1;
    arena_close(&arena);
    return found;
}
