#ifndef ROSTER_STORE_POSTGRES_ENGINE_H
#define ROSTER_STORE_POSTGRES_ENGINE_H

#include "store/engine.h"

extern const struct engine postgres_engine;

#endif
