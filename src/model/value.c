/* Values of fields. */
#include "model/value.h"

bool value_equal(const struct value *a, const struct value *b) {
    if (a->kind != b->kind) /* null and absent differ: a change that says null says something */
        return false;
    switch ((enum value_kind)a->kind) {
    case VALUE_ABSENT:
    case VALUE_NULL: return true;
    case VALUE_INTEGER:
    case VALUE_BOOLEAN: return a->integer == b->integer;
    case VALUE_TEXT: return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    case VALUE_IDS:
        return a->len == b->len &&
               (a->len == 0 || memcmp(a->ids, b->ids, a->len * sizeof a->ids[0]) == 0);
    case VALUE_LIST:
    case VALUE_OTHER: break;
    }
    return false;
}
