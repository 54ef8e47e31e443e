/* Keeps and reports what the sources of settings say. */
#include "base/settings_reading.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

int settings_report(struct settings_reading *reading, int code, const char *source,
                    const char *message) {
    report_error("%s %s", source, message);
    if (!reading->failed)
        reading->failed = code;
    return code;
}

/* A copy of `before` and `text`, with a comma between them if neither is empty. NULL: no memory. */
static const char *keep_both(struct settings_reading *reading, const char *before,
                             const char *text) {
    size_t first = strlen(before), second = strlen(text);
    struct setting_copy *copy = malloc(sizeof *copy + first + second + 2);
    if (!copy)
        return NULL;
    *copy = (struct setting_copy){ reading->copies, sizeof *copy + first + second + 2 };
    (void)snprintf(copy->text, first + second + 2, "%s%s%s", before, first && second ? "," : "",
                   text);
    reading->copies = copy;
    return copy->text;
}

const char *settings_keep(struct settings_reading *reading, const char *text) {
    return keep_both(reading, "", text);
}

/* The items of a list that the present source has set so far. */
static const char *list_so_far(const struct settings_reading *reading, size_t at) {
    const char *text;
    if (reading->rank[at] != reading->present)
        return "";
    memcpy(&text, (const char *)reading->settings + setting_rows[at].offset, sizeof text);
    return text;
}

/* Notes where a value comes from: of a line of the file without the name that follows its number.
 */
static int note_origin(struct settings_reading *reading, size_t at, const char *source) {
    char origin[SETTING_SOURCE_MAX];
    (void)snprintf(origin, sizeof origin, "%s", source);
    if (reading->present == RANK_FILE)
        (void)snprintf(origin, sizeof origin, "%s:%u", reading->config, reading->line);
    reading->settings->origins[at] = settings_keep(reading, origin);
    if (reading->settings->origins[at])
        return 0;
    return settings_report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
}

int settings_set(struct settings_reading *reading, size_t at, const char *text, const char *source,
                 int code) {
    const struct setting *row = &setting_rows[at];
    union setting_value value = { .text = text };
    char message[SETTING_SOURCE_MAX];
    if (!setting_parse(row, text, &value, message))
        return settings_report(reading, code, source, message);
    if (reading->present < reading->rank[at])
        return 0;
    if (row->type == SETTING_list) {
        value.text = keep_both(reading, list_so_far(reading, at), text);
        if (!value.text)
            return settings_report(reading, EX_OSERR, source, "cannot be kept: there is no memory");
    }
    setting_store(reading->settings, row, value);
    reading->rank[at] = reading->present;
    return note_origin(reading, at, source);
}
