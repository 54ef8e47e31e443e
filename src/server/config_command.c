#include "server/config_command.h"

#include "base/log.h"
#include "base/settings_rows.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void add_line(struct buffer *out, const struct shown_setting *shown) {
    buffer_printf(out, "%s\t%s\t%s\n", shown->option, shown->value, shown->origin);
}

static void add_object(struct buffer *out, const struct shown_setting *shown) {
    buffer_add(out, out->len > 1 ? TEXT(",{\"setting\":") : TEXT("{\"setting\":"));
    json_add_string(out, text_of(shown->option));
    buffer_add(out, TEXT(",\"value\":"));
    json_add_string(out, text_of(shown->value));
    buffer_add(out, TEXT(",\"from\":"));
    json_add_string(out, text_of(shown->origin));
    buffer_add_char(out, '}');
}

static void add_all(struct buffer *out, const struct settings *settings) {
    const bool as_json = settings->options.json;
    buffer_add(out, as_json ? TEXT("[") : TEXT("setting\tvalue\tfrom\n"));
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        struct shown_setting shown;
        settings_show(settings, i, &shown);
        if (as_json)
            add_object(out, &shown);
        else
            add_line(out, &shown);
    }
    if (as_json)
        buffer_add(out, TEXT("]\n"));
}

int config_command_run(const struct settings *settings) {
    struct arena arena = { 0 };
    struct buffer out;
    int code = EX_OK;
    buffer_init(&out, &arena, 8192);
    add_all(&out, settings);
    if (out.failed) {
        report_error("there is no memory for the settings");
        code = EX_OSERR;
    } else if (fwrite(out.at, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
        report_error("the settings cannot be printed: %s", strerror(errno));
        code = EX_IOERR;
    }
    arena_close(&arena);
    return code;
}
