#ifndef ROSTER_API_UI_FILES_H
#define ROSTER_API_UI_FILES_H

#include <stdbool.h>

/** Was the program built with the admin UI? Any thread. */
bool ui_is_built(void);

#endif
