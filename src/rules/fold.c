/* Texts compared without regard to case: Unicode's full case folding, and a fast path for ASCII. */
#include "rules/fold.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

bool fold_is_ascii(struct text text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] >= 0x80)
            return false;
    return true;
}

/* Folds ASCII into `out`, which has as much room, and says whether that is all there is to it. */
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

struct text fold(struct text text, struct arena *arena) {
    size_t len = 0;
    /* u8_casefold would make one and the same U+FFFD of all that is no UTF-8. */
    if (fold_is_ascii(text) || u8_check((const uint8_t *)text.at, text.len))
        return fold_ascii(text, arena);
    uint8_t *folded =
        u8_casefold((const uint8_t *)text.at, text.len, NULL, UNINORM_NFC, NULL, &len);
    if (!folded) { /* memory was short: nothing else is wrong with UTF-8 */
        arena->failed = true;
        return (struct text){ 0 };
    }
    struct text copy = arena_text(arena, (struct text){ (char *)folded, len });
    free(folded);
    return copy;
}

int fold_contains(struct text text, struct text folded) {
    char short_text[256]; /* most are: no memory is asked for */
    if (text.len <= sizeof short_text && fold_into(text, short_text))
        return memmem(short_text, text.len, folded.at, folded.len) != NULL; /* linear in both */
    struct arena arena = { 0 };
    struct text whole = fold(text, &arena);
    int found = whole.at ? memmem(whole.at, whole.len, folded.at, folded.len) != NULL : -1;
    arena_close(&arena);
    return found;
}
