#ifndef ROSTER_API_UI_SHOWN_SETTINGS_H
#define ROSTER_API_UI_SHOWN_SETTINGS_H

#include "base/arena.h"
#include "base/settings.h"

/**
 * The settings of the running server, as the body of GET /api/utils/settings. The main thread
 * writes it at the start and at each reload; any thread reads it.
 */
struct shown_settings;

/** NULL: there is no memory, or no lock. */
struct shown_settings *shown_settings_new(const struct settings *settings)
    __attribute__((warn_unused_result));

/** Takes new settings. Without memory the old ones are shown on, and the log says so. */
void shown_settings_set(struct shown_settings *shown, const struct settings *settings);

/** A copy of the body. `at` NULL: no memory. */
struct text shown_settings_body(struct shown_settings *shown, struct arena *arena)
    __attribute__((warn_unused_result));

/** Accepts NULL. */
void shown_settings_free(struct shown_settings *shown);

#endif
