/* The texts of single fields; the first byte says of which kind. */
#include "fuzz.h"

#include "base/time.h"
#include "crypto/base64.h"
#include "crypto/password.h"
#include "rules/base32.h"
#include "rules/date.h"
#include "rules/email.h"
#include "rules/fold.h"
#include "rules/guid.h"

static void try_date(struct text text) {
    int64_t ms, again;
    char out[TIME_TEXT_MAX];
    if (date_parse(text, &ms))
        require(date_parse((struct text){ out, time_format(ms, out) }, &again) && again == ms);
}

static void try_email(struct text text, struct arena *arena) {
    struct text key = email_key(text, arena);
    require(!email_is_valid(text) || key.len > 2);
    /* One that is valid is the same user's whenever it is looked up by its key. */
    if (email_is_valid(text) && email_is_valid(key))
        require(text_equal(email_key(key, arena), key));
}

static void try_guid(struct text text) {
    char out[GUID_TEXT_SIZE], again[GUID_TEXT_SIZE];
    if (guid_parse(text, out))
        require(guid_parse((struct text){ out, sizeof out }, again) &&
                memcmp(out, again, sizeof out) == 0);
}

static void try_base32(struct text text, struct arena *arena) {
    unsigned char *out = arena_alloc(arena, text.len * 5 / 8 + 1);
    require(out && base32_decode(text, NULL) <= text.len * 5 / 8);
    require(base32_decode(text, out) == base32_decode(text, NULL));
}

static void try_fold(struct text text, struct arena *arena) {
    struct text folded = fold(text, arena), cased = fold_case(text, arena);
    require(folded.at && cased.at && text_equal(fold(folded, arena), folded));
    require(text_equal(fold(cased, arena), folded) && (folded.len || !text.len));
    require(fold_contains(text, folded) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena = { 0 };
    if (!size)
        return 0;
    struct text text = { (const char *)bytes + 1, size - 1 };
    switch (bytes[0] % 7) {
    case 0: try_date(text); break;
    case 1: try_email(text, &arena); break;
    case 2: try_guid(text); break;
    case 3: try_base32(text, &arena); break;
    case 5: try_fold(text, &arena); break;
    case 4: require(base64_decode(text, &arena).len <= text.len); break;
    default: require(password_form(text) <= PASSWORD_HASH_FOREIGN);
    }
    arena_close(&arena);
    return 0;
}
