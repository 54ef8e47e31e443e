#ifndef ROSTER_RULES_FOLD_H
#define ROSTER_RULES_FOLD_H

#include "base/arena.h"

/**
 * Folds case: texts that differ only in case become equal (Unicode's full case folding, in NFC). A
 * text that is not UTF-8 only gets its ASCII letters folded. `at` is NULL if there is no memory.
 */
struct text fold_case(struct text text, struct arena *arena) __attribute__((warn_unused_result));

/**
 * Folds case and accents, for searches. Removes marks above, below and through letters, Hebrew
 * points and Arabic vowel signs. Keeps marks that make another letter in their script, such as the
 * voicing of Kana and the vowels of Indic scripts. A text that consists of marks keeps them. `at`
 * is NULL if there is no memory.
 */
struct text fold(struct text text, struct arena *arena) __attribute__((warn_unused_result));

/** True if all bytes are ASCII. */
bool fold_is_ascii(struct text text);

/** `text` with its ASCII letters in lower case. `at` is NULL if there is no memory. */
struct text fold_ascii(struct text text, struct arena *arena) __attribute__((warn_unused_result));

/** 1 if `text`, folded, contains `folded`; 0 if not; -1 if there is no memory. */
int fold_contains(struct text text, struct text folded) __attribute__((warn_unused_result));

#endif
