#ifndef ROSTER_API_FORM_BODY_H
#define ROSTER_API_FORM_BODY_H

#include "json/json.h"

/**
 * Reads an application/x-www-form-urlencoded body, as json_read_change reads JSON, and with its
 * bounds: an object of strings; of what comes several times, or is a list, a list of strings.
 */
enum status form_read_change(struct text body, const struct table *table, struct arena *arena,
                             struct change *change, struct errors *errors) MUST_CHECK;

#endif
