#ifndef ROSTER_STORE_POSTGRES_TEXT_INDEX_H
#define ROSTER_STORE_POSTGRES_TEXT_INDEX_H

#include "store/engine.h"

extern const struct engine_text_index pg_text_index;

#endif
