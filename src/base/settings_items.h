#ifndef ROSTER_BASE_SETTINGS_ITEMS_H
#define ROSTER_BASE_SETTINGS_ITEMS_H

#include "base/text.h"

/**
 * Checks the items of a list, of which the setting's argument says what they are ("HOST,...",
 * "ORIGIN,..."). Lists of other things pass. NULL, or what the list must be. Any thread.
 */
const char *settings_items_refusal(const char *argument, struct text list);

#endif
