/* The body of a PUT of any resource: read, validated, and every error written again. */
#include "fuzz.h"

#include "base/buffer.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena = { 0 };
    struct change change;
    struct errors errors = { 0 };
    struct buffer body;
    if (size < 1)
        return 0;
    struct rules rules = { .nexudus = bytes[0] & 1, .strict = bytes[0] & 2, .now_ms = 1 };
    struct text text = { (const char *)bytes + 1, size - 1 };
    const struct table *table = bytes[0] / 4 ? tables[bytes[0] / 4 % TABLES] : &user_table;
    enum status status =
        json_read_change(&(struct json_body){ .text = text }, table, &arena, &change, &errors);
    if (status == STATUS_OK) {
        validate(&change, &rules, &arena, &errors);
        for (unsigned i = 0; i < table->count; i++)
            require(change.values[i].kind <= VALUE_IDS);
    }
    require(status == STATUS_OK || (status == STATUS_BAD_INPUT && errors.first));
    for (const struct error *error = errors.first; error && error->next; error = error->next)
        require(error->order <= error->next->order);
    buffer_init(&body, &arena, 64);
    json_add_errors(&body, errors.first);
    /* The reply to a wrong body is JSON itself. */
    struct change again;
    struct errors none = { 0 };
    struct buffer object;
    buffer_init(&object, &arena, body.len + 16);
    buffer_add(&object, TEXT("{\"Errors\":"));
    buffer_add(&object, errors.first ? buffer_text(&body) : TEXT("null"));
    buffer_add_char(&object, '}');
    require(!object.failed);
    status = json_read_change(&(struct json_body){ .text = buffer_text(&object) }, &user_table,
                              &arena, &again, &none);
    require(status == STATUS_OK || errors.first); /* a value nested 64 deep is 66 deep here */
    arena_close(&arena);
    return 0;
}
