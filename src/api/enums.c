/* What the numbers of a choice mean (contract section 5): derived from the field tables. */
#include "api/request.h"
#include "json/json.h"
#include "model/tables.h"

/* eLanguage is the enum of a field called Language. */
static const struct choice *find_choices(struct text name) {
    if (!text_starts_nocase(name, TEXT("e")))
        return NULL;
    name = (struct text){ name.at + 1, name.len - 1 };
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (tables[i]->fields[j].choices && text_equal_nocase(tables[i]->fields[j].name, name))
                return tables[i]->fields[j].choices;
    return NULL;
}

void enums_get(struct request *request) {
    struct text rest = exchange_query(request->exchange), name, value;
    const struct choice *choices = NULL;
    struct buffer body;
    while (!choices && form_next(&rest, request->arena, &name, &value))
        if (name.at && value.at && text_equal_nocase(name, TEXT("name")))
            choices = find_choices(value);
    if (!choices) {
        reply_failure(request, STATUS_NOT_FOUND, NULL, NULL);
        return;
    }
    buffer_init(&body, request->arena, 256);
    buffer_add_char(&body, '[');
    for (const struct choice *choice = choices; choice->name; choice++) {
        buffer_printf(&body, "%s{\"Id\":%lld,\"Name\":", choice == choices ? "" : ",",
                      (long long)choice->number);
        json_add_string(&body, text_of(choice->name));
        buffer_add(&body, TEXT(",\"Label\":"));
        json_add_string(&body, text_of(choice->name));
        buffer_add_char(&body, '}');
    }
    buffer_add_char(&body, ']');
    reply_json(request, 200, &body);
}
