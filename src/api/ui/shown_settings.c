#include "api/ui/shown_settings.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/settings_rows.h"
#include "json/json.h"
#include "version.h"

#include <stdlib.h>

struct shown_settings {
    pthread_mutex_t lock; /* of what follows */
    struct arena arena;   /* of the body alone */
    struct text body;
};

static void add_member(struct buffer *out, const char *name, const char *value) {
    buffer_printf(out, ",\"%s\":", name);
    json_add_string(out, text_of(value));
}

static void add_setting(struct buffer *out, const struct settings *settings, unsigned index) {
    const struct setting *row = &setting_rows[index];
    struct shown_setting shown;
    settings_show(settings, index, &shown);
    buffer_add(out, index ? TEXT(",{\"Name\":") : TEXT("{\"Name\":"));
    json_add_string(out, text_of(shown.option));
    add_member(out, "Value", shown.value);
    add_member(out, "From", shown.origin);
    add_member(out, "Help", row->help);
    buffer_printf(out, ",\"IsReloadable\":%s}", row->is_reloadable ? "true" : "false");
}

static void add_libraries(struct buffer *out) {
    static const struct {
        const char *name, *version, *licence;
    } libraries[] = {
#define LIBRARY(...) { __VA_ARGS__ },
        ROSTER_LIBRARIES(LIBRARY)
#undef LIBRARY
    };
    buffer_add(out, TEXT(",\"Libraries\":["));
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        buffer_add(out, i ? TEXT(",{\"Name\":") : TEXT("{\"Name\":"));
        json_add_string(out, text_of(libraries[i].name));
        add_member(out, "Version", libraries[i].version);
        add_member(out, "Licence", libraries[i].licence);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

static struct text make_body(const struct settings *settings, struct arena *arena) {
    struct buffer out;
    buffer_init(&out, arena, 16384);
    buffer_add(&out, TEXT("{\"Version\":\"" ROSTER_VERSION "\",\"Build\":"));
    json_add_string(&out, TEXT(ROSTER_BUILD));
    add_member(&out, "Licence", ROSTER_LICENCE);
    add_libraries(&out);
    buffer_add(&out, TEXT(",\"Settings\":["));
    for (unsigned i = 0; i < SETTINGS_COUNT; i++)
        add_setting(&out, settings, i);
    buffer_add(&out, TEXT("]}"));
    if (out.failed)
        return (struct text){ 0 };
    return buffer_text(&out);
}

struct shown_settings *shown_settings_new(const struct settings *settings) {
    struct shown_settings *shown = calloc(1, sizeof *shown);
    if (!shown || pthread_mutex_init(&shown->lock, NULL) != 0) {
        free(shown);
        return NULL;
    }
    shown->body = make_body(settings, &shown->arena);
    if (shown->body.at)
        return shown;
    shown_settings_free(shown);
    return NULL;
}

void shown_settings_set(struct shown_settings *shown, const struct settings *settings) {
    struct arena arena = { 0 };
    const struct text body = make_body(settings, &arena);
    if (!body.at) {
        log_warning("there is no memory to show the new settings at /api/utils/settings");
        arena_close(&arena);
        return;
    }
    mutex_lock(&shown->lock);
    struct arena old = shown->arena;
    shown->arena = arena;
    shown->body = body;
    mutex_unlock(&shown->lock);
    arena_close(&old);
}

struct text shown_settings_body(struct shown_settings *shown, struct arena *arena) {
    mutex_lock(&shown->lock);
    const struct text copy = arena_printf(arena, "%.*s", (int)shown->body.len, shown->body.at);
    mutex_unlock(&shown->lock);
    return copy;
}

void shown_settings_free(struct shown_settings *shown) {
    if (!shown)
        return;
    (void)pthread_mutex_destroy(&shown->lock);
    arena_close(&shown->arena);
    free(shown);
}
