#ifndef ROSTER_RULES_FOLD_H
#define ROSTER_RULES_FOLD_H

#include "base/arena.h"

/**
 * The form of a text in which case makes no difference: NFC and Unicode's full case folding.
 * `at` is NULL when memory is short. What is not UTF-8 stays as it is.
 */
struct text fold_case(struct text text, struct arena *arena) __attribute__((warn_unused_result));

/**
 * The form in which texts are looked for: that of fold_case, where accents make no difference
 * either. Marks above, below and through letters are taken off, Hebrew points and Arabic vowel
 * signs too; what makes another letter in its script stays (voicing of Kana, vowels of Indic
 * scripts). A text of marks alone stays as it is. `at` is NULL when memory is short.
 */
struct text fold(struct text text, struct arena *arena) __attribute__((warn_unused_result));

bool fold_is_ascii(struct text text);

/** `text` with its ASCII letters in lower case; `at` is NULL when memory is short. */
struct text fold_ascii(struct text text, struct arena *arena) __attribute__((warn_unused_result));

/** Does `text`, folded, contain `folded`? 1, 0, or -1 when memory is short. */
int fold_contains(struct text text, struct text folded) __attribute__((warn_unused_result));

#endif
