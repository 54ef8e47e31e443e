/* GET /api/utils/enums: what the numbers of a choice mean (docs/contract.md section 7.2). */
#include "api/handlers.h"
#include "api/reply.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"

/* The name of an enum is `e` and the name of the field, with or without the entity before it:
 * eLanguage, eWebHookAction. */
static bool is_called(const struct table *table, const struct field *field, struct text name) {
    struct text entity = text_of(table->entity);
    if (text_equal_nocase(name, field->name))
        return true;
    return text_starts_nocase(name, entity) &&
           text_equal_nocase((struct text){ name.at + entity.len, name.len - entity.len },
                             field->name);
}

static const struct field *find_choice(struct text name) {
    if (!text_starts_nocase(name, TEXT("e")))
        return NULL;
    name = (struct text){ name.at + 1, name.len - 1 };
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (tables[i]->fields[j].choices && is_called(tables[i], &tables[i]->fields[j], name))
                return &tables[i]->fields[j];
    return NULL;
}

static void add_number(struct buffer *body, int64_t number, struct text name) {
    buffer_printf(body, "%s{\"Id\":%lld,\"Name\":", body->len > 1 ? "," : "", (long long)number);
    json_add_string(body, name);
    buffer_add(body, TEXT(",\"Label\":"));
    json_add_string(body, name);
    buffer_add_char(body, '}');
}

/* The label of a number without a name is the number itself. */
static void add_numbers(struct buffer *body, const struct field *field) {
    for (int64_t number = 1; number <= field->max; number++) {
        struct text name = choice_name(field, number);
        add_number(body, number, name.at ? name : arena_printf(body->arena, "%d", (int)number));
    }
    for (const struct choice *choice = field->choices; choice->name; choice++)
        if (choice->number > field->max)
            add_number(body, choice->number, text_of(choice->name));
}

void enums_get(struct request *request) {
    struct text rest = exchange_query(request->exchange), name, value;
    const struct field *field = NULL;
    struct text asked = { 0 };
    struct buffer body;
    while (!asked.at && form_next(&rest, request->arena, &name, &value))
        if (name.at && value.at && text_equal_nocase(name, TEXT("name")))
            asked = value;
    if (asked.at)
        field = find_choice(asked);
    if (!field) {
        struct errors errors = { 0 };
        errors_add(&errors, request->arena,
                   &(struct error){ .property = TEXT("name"),
                                    .message = asked.len ? MESSAGE_TEXT(unknown_enum)
                                                         : MESSAGE_TEXT(required) });
        reply_invalid(request, &errors);
        return;
    }
    buffer_init(&body, request->arena, 256);
    buffer_add_char(&body, '[');
    add_numbers(&body, field);
    buffer_add_char(&body, ']');
    reply_json(request, 200, &body);
}
