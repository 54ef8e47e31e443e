/* From the spellings of GUIDs that clients use to the one that is stored. */
#include "rules/guid.h"

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_hyphen_place(size_t at) {
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool guid_parse(struct text text, char out[GUID_TEXT_SIZE]) {
    if (text.len >= 2 && ((text.at[0] == '{' && text.at[text.len - 1] == '}') ||
                          (text.at[0] == '(' && text.at[text.len - 1] == ')')))
        text = (struct text){ text.at + 1, text.len - 2 };
    bool has_hyphens = text.len == GUID_TEXT_SIZE;
    if (!has_hyphens && text.len != 32)
        return false;
    for (size_t i = 0, at = 0; i < GUID_TEXT_SIZE; i++) {
        if (is_hyphen_place(i)) {
            if (has_hyphens && text.at[at++] != '-')
                return false;
            out[i] = '-';
            continue;
        }
        char c = text.at[at++];
        if (!is_hex(c))
            return false;
        out[i] = c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c;
    }
    return true;
}
